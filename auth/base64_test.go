package auth

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func TestDecodeBase64(t *testing.T) {
	tests := []struct {
		in   string
		want string
		ok   bool
	}{
		// RFC 4648 §10.
		{"", "", true},
		{"Zg==", "f", true},
		{"Zm8=", "fo", true},
		{"Zm9v", "foo", true},
		{"Zm9vYg==", "foob", true},
		{"Zm9vYmE=", "fooba", true},
		{"Zm9vYmFy", "foobar", true},
		{"+/+/", "\xfb\xff\xbf", true},

		{"Zg", "", false},       // no padding
		{"Zg=", "", false},      // half of it
		{"Zg===", "", false},    // too much
		{"Zh==", "", false},     // stray bits
		{"Zm9=", "", false},     // stray bits
		{"Zm\n9v", "", false},   // line break inside
		{"Zm9v\n", "", false},   // and at the end
		{"Zm9v\r\n", "", false}, // CRLF
		{"\nZm9v", "", false},   // in front
		{"Zg=\n=", "", false},   // inside the padding
		{" Zm9v", "", false},
		{"Zm9v ", "", false},
		{"-_-_", "", false}, // the alphabet of URLs
		{"Zm9v=", "", false},
		{"=", "", false},
		{"====", "", false},
		{"Zg==Zg==", "", false}, // two in a row
		{"Zm9v\x00", "", false},
	}
	for _, tt := range tests {
		got, err := decodeBase64(tt.in)
		if string(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("decodeBase64(%q) = %q, %v; want %q, ok %t", tt.in, got, err, tt.want, tt.ok)
		}
		if err != nil && tt.in != "" && strings.Contains(err.Error(), tt.in) && len(tt.in) > 3 {
			t.Errorf("error repeats its input %q: %v", tt.in, err)
		}
	}
}

// FuzzBase64 checks that there is one way of writing any bytes: what decodes
// encodes to itself, and what is encoded decodes.
func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "Zg==", "Zh==", "Zm\n9v", "Zm9vYmFy", "Zg=\r\n="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := decodeBase64(s); err == nil {
			if got := encodeBase64(b); got != s {
				t.Errorf("%q decodes to what encodes as %q", s, got)
			}
			if lax, err := base64.StdEncoding.DecodeString(s); err != nil || !bytes.Equal(lax, b) {
				t.Errorf("%q: standard library decodes %q, %v; we %q", s, lax, err, b)
			}
		}
		back, err := decodeBase64(encodeBase64([]byte(s)))
		if err != nil || string(back) != s {
			t.Errorf("encoding %q and decoding it: got %q, %v", s, back, err)
		}
	})
}
