package config

import (
	"encoding"
	"testing"
	"time"
)

func TestUnitsAreReadAndWritten(t *testing.T) {
	for _, row := range []struct {
		into    encoding.TextUnmarshaler
		in, out string // out is "" for what is refused
	}{
		{new(duration), "30s", "30s"},
		{new(duration), "90s", "1m30s"},
		{new(duration), "250ms", "250ms"},
		{new(duration), "0s", "0s"},
		{new(duration), "1.5h", "1h30m0s"},
		{new(duration), "30", ""},
		{new(duration), "0", ""},
		{new(duration), "1e3", ""},
		{new(duration), "-1s", ""},
		{new(duration), "1d", ""},
		{new(duration), "", ""},
		{new(duration), "9999999h", ""},
		{new(size), "0B", "0B"},
		{new(size), "512B", "512B"},
		{new(size), "1024B", "1KiB"},
		{new(size), "1536KiB", "1536KiB"},
		{new(size), "20MiB", "20MiB"},
		{new(size), "3GiB", "3GiB"},
		{new(size), "9223372036854775807B", "9223372036854775807B"},
		{new(size), "9223372036854775808B", ""},
		{new(size), "8589934592GiB", ""},
		{new(size), "8589934591GiB", "8589934591GiB"},
		{new(size), "20", ""},
		{new(size), "20MB", ""},
		{new(size), "20 MiB", ""},
		{new(size), "1.5MiB", ""},
		{new(size), "-1B", ""},
		{new(size), "01B", ""},
		{new(size), "MiB", ""},
		{new(size), "", ""},
		{new(fileMode), "0640", "0640"},
		{new(fileMode), "0000", "0000"},
		{new(fileMode), "640", ""},
		{new(fileMode), "0o640", ""},
		{new(fileMode), "00640", ""},
		{new(fileMode), "1640", ""},
		{new(fileMode), "0680", ""},
		{new(fileMode), "", ""},
	} {
		err := row.into.UnmarshalText([]byte(row.in))
		if (err != nil) != (row.out == "") {
			t.Errorf("%T %q: error %v", row.into, row.in, err)
			continue
		}
		if err != nil {
			continue
		}
		if got, err := row.into.(encoding.TextMarshaler).MarshalText(); string(got) != row.out || err != nil {
			t.Errorf("%T %q: written as %q, %v, want %q", row.into, row.in, got, err, row.out)
		}
	}
}

// FuzzUnits checks that what is read can be written, and then means the same.
func FuzzUnits(f *testing.F) {
	for _, s := range []string{"30s", "20MiB", "0640", "5", "1KiB", "-1s", "1h2m3.5s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d, d2 duration
		if d.UnmarshalText([]byte(s)) == nil {
			text, _ := d.MarshalText()
			if err := d2.UnmarshalText(text); err != nil || d != d2 || time.Duration(d) < 0 {
				t.Errorf("%q: %v became %q, then %v, %v", s, d, text, d2, err)
			}
		}
		var n, n2 size
		if n.UnmarshalText([]byte(s)) == nil {
			text, _ := n.MarshalText()
			if err := n2.UnmarshalText(text); err != nil || n != n2 || n < 0 {
				t.Errorf("%q: %v became %q, then %v, %v", s, n, text, n2, err)
			}
		}
		var m, m2 fileMode
		if m.UnmarshalText([]byte(s)) == nil {
			text, _ := m.MarshalText()
			if err := m2.UnmarshalText(text); err != nil || m != m2 || m > 0o777 {
				t.Errorf("%q: %v became %q, then %v, %v", s, m, text, m2, err)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"name", "address", "max_connections", "tls", "min", "max"}
	for _, row := range []struct{ word, want string }{
		{"name", "name"},
		{"Name", "name"},
		{"nmae", "name"},
		{"naem", "name"},
		{"nam", "name"},
		{"adress", "address"},
		{"adres", "address"},
		{"max-connections", "max_connections"},
		{"MaxConnections", "max_connections"},
		{"tsl", "tls"},
		{"mx", "max"},
		{"maxx", "max"},
		{"xyz", ""},
		{"a", ""},
		{"", ""},
		{"addition", ""},
		{"name_of_it", ""},
	} {
		if got := nearest(row.word, known); got != row.want {
			t.Errorf("%q: got %q, want %q", row.word, got, row.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "a", 0}, {"a", "b", 1}, {"ab", "ba", 1}, {"abc", "acb", 1},
		{"abcd", "badc", 2}, {"a", "abc", 2}, {"a", "abcd", 3}, {"abcdef", "fedcba", 5}, {"ca", "abc", 3},
	} {
		if got, back := distance(row.a, row.b), distance(row.b, row.a); got != row.want || back != row.want {
			t.Errorf("%q %q: got %d and %d, want %d", row.a, row.b, got, back, row.want)
		}
	}
}
