package auth

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseASCIIToken(t *testing.T) {
	long := strings.Repeat("x", 20000)
	tests := []struct {
		name           string
		in             string
		user, password string
		err            error
	}{
		{"plain", "web s3cret", "web", "s3cret", nil},
		{"spaces in the password", "web correct horse  battery ", "web", "correct horse  battery ", nil},
		{"second space starts the password", "web  pw", "web", " pw", nil},
		{"password is a space", "web  ", "web", " ", nil},
		{"colon", "web a:b", "web", "a:b", nil},
		{"tab is no separator", "we\tb pw", "we\tb", "pw", nil},
		{"line end is not cut", "web pw\r\n", "web", "pw\r\n", nil},
		{"not ASCII", "jürgen caf\u00e9", "jürgen", "caf\u00e9", nil},
		{"longest", long[:128] + " " + long[:1024], long[:128], long[:1024], nil},
		{"longer user", long[:129] + " pw", "", "", ErrFormat},
		{"longer password", "web " + long[:1025], "", "", ErrFormat},
		{"much longer", "web " + long, "", "", ErrFormat},
		{"empty", "", "", "", ErrTokenFormat},
		{"no space", "webs3cret", "", "", ErrTokenFormat},
		{"long without a space", long, "", "", ErrTokenFormat},
		{"other space", "web\u00a0pw", "", "", ErrTokenFormat},
		{"space alone", " ", "", "", ErrFormat},
		{"no user", " pw", "", "", ErrFormat},
		{"no password", "web ", "", "", ErrFormat},
		{"NUL in the user", "w\x00b pw", "", "", ErrFormat},
		{"NUL in the password", "web p\x00w", "", "", ErrFormat},
		{"NUL at the end", "web pw\x00", "", "", ErrFormat},
		{"user is not UTF-8", "w\xff pw", "", "", ErrFormat},
		{"password is not UTF-8", "web \xe9", "", "", ErrFormat},
	}
	for _, tt := range tests {
		user, password, err := ParseASCIIToken([]byte(tt.in))
		if user != tt.user || string(password) != tt.password || !errors.Is(err, tt.err) {
			t.Errorf("%s: %.60q: got %q %q %v; want %q %q %v",
				tt.name, tt.in, user, string(password), err, tt.user, tt.password, tt.err)
		}
		if errors.Is(err, ErrFormat) && errors.Is(err, ErrTokenFormat) {
			t.Errorf("%s: %v is two errors", tt.name, err)
		}
	}
}

func TestASCIIPlain(t *testing.T) {
	tests := []struct {
		user     string
		password Secret
		want     string
		ok       bool
	}{
		{"web", "pw", "\x00web\x00pw", true},
		{"web", "p w:\r\n", "\x00web\x00p w:\r\n", true},
		{"jürgen", "\u00e9", "\x00jürgen\x00\u00e9", true},
		{"w\x00b", "pw", "", false},
		{"web", "p\x00w", "", false},
		{"\x00", "\x00", "", false},
		{"web\x00", "pw", "", false},
	}
	for _, tt := range tests {
		got, err := ASCIIPlain(tt.user, tt.password)
		if string(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("ASCIIPlain(%q, %q) = %q, %v; want %q, ok %t", tt.user, string(tt.password), got, err, tt.want, tt.ok)
		}
		if err != nil && (got != nil || !errors.Is(err, ErrFormat)) {
			t.Errorf("ASCIIPlain(%q, %q): %q, %v; want nil and ErrFormat", tt.user, string(tt.password), got, err)
		}
	}
}

func TestASCIITokenKeepsNoSlice(t *testing.T) {
	in := []byte("user password")
	user, password, err := ParseASCIIToken(in)
	clear(in)
	if user != "user" || password != "password" || err != nil {
		t.Errorf("after the buffer changed: %q %q %v", user, string(password), err)
	}
}

// FuzzASCIIToken checks that a token is accepted if and only if it is a user, a
// space and a password within the limits, that nothing of it is lost or moved,
// and that what is accepted says the same as a PLAIN message.
func FuzzASCIIToken(f *testing.F) {
	for _, s := range []string{"", " ", "web pw", "web  p w ", " pw", "web ", "w\x00b pw", "w\xff pw"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		user, password, err := ParseASCIIToken(in)
		at := bytes.IndexByte(in, ' ')
		want := at >= 1 && at <= 128 && len(in)-at-1 >= 1 && len(in)-at-1 <= 1024 &&
			utf8.Valid(in[:at]) && utf8.Valid(in[at+1:]) && !bytes.Contains(in, []byte{0})
		if (err == nil) != want || errors.Is(err, ErrTokenFormat) != (at < 0) {
			t.Fatalf("%q: %v; want ok %t", in, err, want)
		}
		if err != nil {
			if user != "" || password != "" {
				t.Errorf("%q: an error with %q %q", in, user, string(password))
			}
			return
		}
		if got := user + " " + string(password); got != string(in) || strings.Contains(user, " ") {
			t.Errorf("%q: got %q %q", in, user, string(password))
		}
		msg, err := ASCIIPlain(user, password)
		if err != nil {
			t.Fatalf("%q: ASCIIPlain: %v", in, err)
		}
		var a asked
		if _, done, err := NewPlain(a.check).Next(msg); !done || err != nil || a.user != user || a.password != password {
			t.Errorf("%q as PLAIN: done %t, %v, for %q %q", in, done, err, a.user, string(a.password))
		}
	})
}
