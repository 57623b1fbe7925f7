package testkit

import (
	"bytes"
	"strings"
	"testing"
)

func TestValueSaysWhoseItIs(t *testing.T) {
	for _, c := range []struct {
		client, key string
		seq, size   int
	}{
		{"c1", "team-a:x", 0, 0},
		{"c1", "team-a:x", 7, 100},
		{"c1", "key|with|bars", -3, 64},
		{"", "", 0, 1},
		{"c2", strings.Repeat("k", 250), 1 << 40, 1 << 20},
	} {
		v := Value(c.client, c.key, c.seq, c.size)
		if len(v) < c.size {
			t.Errorf("Value(%q, %q, %d, %d): got %d bytes", c.client, c.key, c.seq, c.size, len(v))
		}
		client, key, seq, err := CheckValue(v)
		if err != nil || client != c.client || key != c.key || seq != c.seq {
			t.Errorf("CheckValue(%.80q): got %q, %q, %d, %v, want %q, %q, %d", v, client, key, seq, err, c.client, c.key, c.seq)
		}
	}
}

func TestValueHasTheSizeAskedFor(t *testing.T) {
	for size := 40; size < 200; size++ {
		if got := len(Value("c", "k", 1, size)); got != size {
			t.Errorf("Value of size %d: got %d bytes", size, got)
		}
	}
}

func TestValueHoldsAnEndOfReply(t *testing.T) {
	if v := Value("c", "k", 1, 100); !bytes.Contains(v, []byte("\r\nEND\r\n")) {
		t.Errorf("value %q holds no end of reply", v)
	}
}

func TestEveryDamagedValueIsRefused(t *testing.T) {
	v := Value("c1", "a", 12, 90)
	for i := range v {
		bad := bytes.Clone(v)
		bad[i] ^= 1
		if _, _, _, err := CheckValue(bad); err == nil {
			t.Errorf("byte %d flipped: %q passed", i, bad)
		}
		if _, _, _, err := CheckValue(v[:i]); err == nil {
			t.Errorf("cut to %d bytes: %q passed", i, v[:i])
		}
	}
	other := Value("c2", "a", 12, 90)
	mixed := append(bytes.Clone(v[:50]), other[50:]...)
	if _, _, _, err := CheckValue(mixed); err == nil {
		t.Errorf("the halves of two values passed as one: %q", mixed)
	}
}

// FuzzCheckValue checks that what passes is exactly what Value makes.
func FuzzCheckValue(f *testing.F) {
	f.Add(Value("c", "k", 1, 50))
	f.Add([]byte("c|k|1|00000023|00000000|"))
	f.Add([]byte("a|b|+1|4|x|"))
	f.Fuzz(func(t *testing.T, data []byte) {
		client, key, seq, err := CheckValue(data)
		if err == nil && !bytes.Equal(data, Value(client, key, seq, len(data))) {
			t.Errorf("%q passed as %q, %q, %d", data, client, key, seq)
		}
	})
}
