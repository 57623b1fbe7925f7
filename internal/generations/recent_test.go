package generations

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRecentSince(t *testing.T) {
	list := parseRecent([]byte("3 t/c/\n2 \n1 t/a/"))
	for _, tt := range []struct {
		line  string
		want  []string
		known bool
	}{
		{"3 t/c/", nil, true},
		{"2 ", []string{"t/c/"}, true},
		{"1 t/a/", []string{"t/c/", ""}, true},
		{"0 t/a/", nil, false},
		{"", nil, false},
	} {
		got, known := list.since(tt.line)
		if known != tt.known || !slices.Equal(got, tt.want) {
			t.Errorf("since %q: got %q, %t, want %q, %t", tt.line, got, known, tt.want, tt.known)
		}
	}
	if got := list.newest(); got != "3 t/c/" {
		t.Errorf("the newest is %q", got)
	}
}

func TestRecentIsBounded(t *testing.T) {
	for _, size := range []int{1, 230} {
		var list recent
		for i := range 100 {
			value := list.with(fmt.Sprint(i, " ", strings.Repeat("r", size)))
			list = parseRecent(value)
			if len(value) > recentBytes || len(list) > recentFlushes || len(list) < min(i+1, 16) {
				t.Fatalf("%d flushes of %d bytes: %d are kept in %d bytes", i+1, size, len(list), len(value))
			}
			if id, _, _ := strings.Cut(list.newest(), " "); id != fmt.Sprint(i) {
				t.Fatalf("the newest is %q, want %d", list.newest(), i)
			}
		}
	}
}

func FuzzRecent(f *testing.F) {
	for _, text := range []string{"", "1 t/a/", "2 \n1 t/a/", "\n", " x", "1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list := parseRecent([]byte(text))
		if list != nil && strings.Join(list, "\n") != text {
			t.Errorf("%q is read as %q", text, list)
		}
		next := parseRecent(list.with("id root"))
		if next.newest() != "id root" || len(next) > recentFlushes || !slices.Equal(next[1:], list[:len(next)-1]) {
			t.Errorf("%q becomes %q", list, next)
		}
	})
}
