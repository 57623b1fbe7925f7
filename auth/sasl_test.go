package auth

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// asked records what a check was asked and answers with err.
type asked struct {
	user     string
	password Secret
	times    int
	err      error
}

func (a *asked) check(user string, password Secret) error {
	a.user, a.password = user, password
	a.times++
	return a.err
}

func TestPlainMessages(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name           string
		in             string
		ok             bool
		user, password string
	}{
		// RFC 4616 §4.
		{"first example", "\x00tim\x00tanstaaftanstaaf", true, "tim", "tanstaaftanstaaf"},
		{"second example, another's identity", "Ursel\x00Kurt\x00xipj3plmq", false, "", ""},

		{"identity is the user", "alice\x00alice\x00pw", true, "alice", "pw"},
		{"identity in another case", "Alice\x00alice\x00pw", false, "", ""},
		{"identity is a prefix", "ali\x00alice\x00pw", false, "", ""},
		{"identity is longer", "alicex\x00alice\x00pw", false, "", ""},
		{"identity is a space", " \x00alice\x00pw", false, "", ""},
		{"not ASCII", "\x00jürgen\x00caf\u00e9", true, "jürgen", "caf\u00e9"},
		{"kept as it is", "\x00 a:b \x00 p w \r\n", true, " a:b ", " p w \r\n"},
		{"empty", "", false, "", ""},
		{"no NUL", "alice pw", false, "", ""},
		{"one NUL", "alice\x00pw", false, "", ""},
		{"one NUL in front", "\x00alicepw", false, "", ""},
		{"three NULs", "\x00alice\x00p\x00w", false, "", ""},
		{"NUL at the end", "\x00alice\x00pw\x00", false, "", ""},
		{"NUL in front", "\x00\x00alice\x00pw", false, "", ""},
		{"only NULs", "\x00\x00", false, "", ""},
		{"three only", "\x00\x00\x00", false, "", ""},
		{"no user", "\x00\x00pw", false, "", ""},
		{"no password", "\x00alice\x00", false, "", ""},
		{"identity alone", "alice\x00\x00", false, "", ""},
		{"user is not UTF-8", "\x00a\xff\x00pw", false, "", ""},
		{"password is not UTF-8", "\x00alice\x00\xc3", false, "", ""},
		{"identity is not UTF-8", "\xff\x00\xff\x00pw", false, "", ""},
		{"longest user", "\x00" + long[:128] + "\x00pw", true, long[:128], "pw"},
		{"longer user", "\x00" + long[:129] + "\x00pw", false, "", ""},
		{"longest password", "\x00a\x00" + long[:1024], true, "a", long[:1024]},
		{"longer password", "\x00a\x00" + long[:1025], false, "", ""},
		{"longest of all", long[:128] + "\x00" + long[:128] + "\x00" + long[:1024], true, long[:128], long[:1024]},
		{"beyond the payload", "\x00a\x00" + long, false, "", ""},
	}
	for _, tt := range tests {
		for _, initial := range []bool{true, false} {
			var a asked
			x := NewPlain(a.check)
			if !initial {
				challenge, done, err := x.Next(nil)
				if challenge == nil || len(challenge) != 0 || done || err != nil {
					t.Errorf("no message: got %q, %t, %v; want an empty challenge", challenge, done, err)
				}
			}
			challenge, done, err := x.Next([]byte(tt.in))
			if done != tt.ok || (err == nil) != tt.ok || len(challenge) != 0 {
				t.Errorf("%s: %.80q: got %q, done %t, %v; want ok %t", tt.name, tt.in, challenge, done, err, tt.ok)
			}
			if err != nil && !errors.Is(err, ErrFormat) {
				t.Errorf("%s: error %v, want ErrFormat", tt.name, err)
			}
			if a.user != tt.user || string(a.password) != tt.password || a.times != btoi(tt.ok) {
				t.Errorf("%s: the check was asked %d times, for %q %q", tt.name, a.times, a.user, string(a.password))
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestPayloadLimit(t *testing.T) {
	for _, n := range []int{MaxPayload - 1, MaxPayload, MaxPayload + 1} {
		reached := false
		x := NewPlain(func(string, Secret) error { return nil })
		x.server = serverFunc(func([]byte) ([]byte, bool, error) {
			reached = true
			return nil, true, nil
		})
		_, done, err := x.Next(make([]byte, n))
		if want := n <= MaxPayload; reached != want || done != want || (err == nil) != want {
			t.Errorf("%d bytes: reached the mechanism %t, done %t, %v; want %t", n, reached, done, err, want)
		}
	}
}

// serverFunc is a mechanism of one function.
type serverFunc func(response []byte) (challenge []byte, done bool, err error)

func (f serverFunc) Next(response []byte) ([]byte, bool, error) { return f(response) }

func TestExchangeSteps(t *testing.T) {
	denied := &DeniedError{ReasonPassword}
	const none, empty, good, bad = "none", "", "\x00u\x00p", "junk"
	tests := []struct {
		name    string
		answer  error // of the check
		steps   []string
		want    string // a letter each: c challenge, d done, f format, o over, e the check's error
		wantAsk int
	}{
		{"at once", nil, []string{good}, "d", 1},
		{"after a challenge", nil, []string{none, good}, "cd", 1},
		{"denied", denied, []string{good}, "e", 1},
		{"denied after a challenge", denied, []string{none, good}, "ce", 1},
		{"twice right", nil, []string{good, good}, "do", 1},
		{"right after denied", denied, []string{good, good, good}, "eoo", 1},
		{"right after malformed", nil, []string{bad, good}, "fo", 0},
		{"never anything", nil, []string{none, none, none, good}, "cfoo", 0},
		{"empty message", nil, []string{empty, good}, "fo", 0},
		{"empty after a challenge", nil, []string{none, empty, good}, "cfo", 0},
		{"malformed after a challenge", nil, []string{none, bad, good}, "cfo", 0},
		{"nothing after success", nil, []string{good, none, empty, bad}, "dooo", 1},
	}
	for _, tt := range tests {
		a := asked{err: tt.answer}
		x := NewPlain(a.check)
		got := ""
		for _, s := range tt.steps {
			response := []byte(s)
			if s == none {
				response = nil
			}
			challenge, done, err := x.Next(response)
			got += outcome(challenge, done, err, tt.answer)
		}
		if got != tt.want || a.times != tt.wantAsk {
			t.Errorf("%s: %q gives %s, asked %d times; want %s, %d", tt.name, tt.steps, got, a.times, tt.want, tt.wantAsk)
		}
	}
}

// outcome is one answer of Next as a letter, "?" if it is not one that is allowed.
func outcome(challenge []byte, done bool, err, answer error) string {
	switch {
	case err == nil && done && challenge == nil:
		return "d"
	case err == nil && !done && challenge != nil:
		return "c"
	case err == nil || done || challenge != nil:
		return "?"
	case errors.Is(err, ErrExchangeOver):
		return "o"
	case errors.Is(err, ErrFormat):
		return "f"
	case err == answer:
		return "e"
	}
	return "?"
}

func TestErrorComesBeforeDone(t *testing.T) {
	failure := errors.New("failure")
	x := NewPlain(nil)
	x.judged = true
	x.server = serverFunc(func([]byte) ([]byte, bool, error) { return []byte("c"), true, failure })
	challenge, done, err := x.Next([]byte("x"))
	if challenge != nil || done || err != failure {
		t.Errorf("done with an error: got %q, %t, %v; want only the error", challenge, done, err)
	}
	if _, done, err := x.Next([]byte("x")); done || !errors.Is(err, ErrExchangeOver) {
		t.Errorf("afterwards: done %t, %v", done, err)
	}
}

func TestPanicsBecomeErrors(t *testing.T) {
	var nobody []byte
	panics := map[string]func(){
		"text with the password": func() { panic("password hunter2") },
		"index":                  func() { _ = nobody[1] },
		"error":                  func() { panic(errors.New("hunter2")) },
	}
	for name, boom := range panics {
		inCheck := NewPlain(func(string, Secret) error { boom(); return nil })
		inServer := NewPlain(nil)
		inServer.server = serverFunc(func([]byte) ([]byte, bool, error) { boom(); return nil, true, nil })
		for where, x := range map[string]*Exchange{"check": inCheck, "mechanism": inServer} {
			_, done, err := x.Next([]byte("\x00u\x00p"))
			if done || !errors.Is(err, ErrPanic) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s in the %s: done %t, %v; want ErrPanic", name, where, done, err)
			}
			if _, done, err := x.Next([]byte("\x00u\x00p")); done || !errors.Is(err, ErrExchangeOver) {
				t.Errorf("%s in the %s, afterwards: done %t, %v", name, where, done, err)
			}
		}
	}
	if _, done, err := NewPlain(nil).Next([]byte("\x00u\x00p")); done || !errors.Is(err, ErrPanic) {
		t.Errorf("without a check: done %t, %v", done, err)
	}
}

func TestPlainKeepsNoSlice(t *testing.T) {
	var a asked
	msg := []byte("\x00user\x00password")
	if _, done, err := NewPlain(a.check).Next(msg); !done || err != nil {
		t.Fatal(done, err)
	}
	clear(msg)
	if a.user != "user" || a.password != "password" {
		t.Errorf("after the buffer changed: %q %q", a.user, string(a.password))
	}
}

// plainReference is the grammar of RFC 4616 with our limits, read byte by byte.
func plainReference(in []byte) (user, password string, ok bool) {
	var parts [3]string
	n := 0
	for _, b := range in {
		if b != 0 {
			parts[n] += string([]byte{b})
			continue
		}
		if n++; n == len(parts) {
			return "", "", false
		}
	}
	identity, user, password := parts[0], parts[1], parts[2]
	ok = n == 2 && (identity == "" || identity == user) &&
		len(user) >= 1 && len(user) <= 128 && len(password) >= 1 && len(password) <= 1024 &&
		utf8.ValidString(user) && utf8.ValidString(password)
	return user, password, ok
}

// FuzzPlain checks that a message is accepted if and only if a reference grammar
// accepts it, and that the check sees exactly the bytes between the NULs, once.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x00", "\x00u\x00p", "u\x00u\x00p", "x\x00u\x00p", "\x00u\x00p\x00", "\x00\xff\x00p"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, initial bool) {
		if in == nil {
			in = []byte{}
		}
		before := bytes.Clone(in)
		var a asked
		x := NewPlain(a.check)
		if !initial {
			if _, done, err := x.Next(nil); done || err != nil {
				t.Fatalf("no message: done %t, %v", done, err)
			}
		}
		_, done, err := x.Next(in)
		user, password, ok := plainReference(in)
		if done != ok || (err == nil) != ok {
			t.Errorf("%q: done %t, %v; the grammar says %t", in, done, err, ok)
		}
		if ok && (a.times != 1 || a.user != user || string(a.password) != password) || !ok && a.times != 0 {
			t.Errorf("%q: asked %d times for %q %q; want %q %q", in, a.times, a.user, string(a.password), user, password)
		}
		if !bytes.Equal(in, before) {
			t.Errorf("%q was changed to %q", before, in)
		}
		if _, done, err := x.Next(in); done || !errors.Is(err, ErrExchangeOver) {
			t.Errorf("%q again: done %t, %v", in, done, err)
		}
	})
}
