package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
)

// keys parses text, which must be right.
func keys(t testing.TB, text string) Keys {
	t.Helper()
	k, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysAreClippedAndQuoted(t *testing.T) {
	long := strings.Repeat("k", maxKey)
	for _, tc := range []struct{ mode, key, want string }{
		{"prefix:16", "", `""`},
		{"prefix:16", "user:1", `"user:1"`},
		{"prefix:16", "0123456789abcdef", `"0123456789abcdef"`},
		{"prefix:16", "0123456789abcdefg", `"0123456789abcdef"…`},
		{"prefix:16", long, `"kkkkkkkkkkkkkkkk"…`},
		{"prefix:16", "a\"b\\c", `"a\"b\\c"`},
		{"prefix:16", "new\nline\r\x00", `"new\nline\r\x00"`},
		{"prefix:16", "\x1b[31m", `"\x1b[31m"`},
		{"prefix:16", "\xff\xfe", `"\xff\xfe"`},
		{"prefix:16", "ключ", `"\u043a\u043b\u044e\u0447"`},
		{"prefix:16", "0123456789abcde\u00e4", `"0123456789abcde\xc3"…`},
		{"prefix:1", "ab", `"a"…`},
		{"prefix:250", long, `"` + long + `"`},
		{"full", long, `"` + long + `"`},
		{"full", "a b\n", `"a b\n"`},
		{"none", "user:1", ""},
	} {
		if got := keys(t, tc.mode).Text([]byte(tc.key)); got != tc.want {
			t.Errorf("%s: %q: got %s, want %s", tc.mode, tc.key, got, tc.want)
		}
	}
}

func TestNoKeyIsNotWritten(t *testing.T) {
	for _, mode := range []string{"prefix:16", "full", "hash", "none"} {
		if got := keys(t, mode).Text(nil); got != "" {
			t.Errorf("%s: got %q of no key", mode, got)
		}
	}
}

// A hash tells equal keys from others, and nothing else to anybody else.
func TestHashesAreOfOneProcess(t *testing.T) {
	a, b := keys(t, "hash"), keys(t, "hash")
	one, two := a.Text([]byte("user:1")), a.Text([]byte("user:2"))
	if raw, err := hex.DecodeString(one); err != nil || len(raw) != 16 {
		t.Errorf("got %q, want 16 bytes in hexadecimal", one)
	}
	if one == two || one != a.Text([]byte("user:1")) {
		t.Errorf("of two keys one has %s and then %s, the other %s", one, a.Text([]byte("user:1")), two)
	}
	if one == b.Text([]byte("user:1")) {
		t.Errorf("another process has %s too", one)
	}
	if plain := sha256.Sum256([]byte("user:1")); strings.HasPrefix(hex.EncodeToString(plain[:]), one) {
		t.Errorf("%s can be had by hashing guesses", one)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	for _, text := range []string{
		"", "prefix", "prefix:", "prefix:0", "prefix:251", "prefix:-1", "prefix:+5", "prefix:016", "prefix: 16", "prefix:16 ",
		"prefix:1e1", "prefix:99999999999999999999", "16", "Full", "sha256", "prefix:16,full",
	} {
		if _, err := ParseKeys(text); err == nil || !strings.HasPrefix(err.Error(), "audit: ") {
			t.Errorf("%q: got %v, want an error of this package", text, err)
		}
	}
}

// FuzzKeys wants that a key's text is the start of that key and cannot end the
// line that it stands in.
func FuzzKeys(f *testing.F) {
	for _, key := range []string{"", "user:1", "0123456789abcdef\n", "\xff\x00\"\\…", strings.Repeat("k", 251)} {
		f.Add([]byte(key), 16)
	}
	f.Fuzz(func(t *testing.T, key []byte, n int) {
		n = min(max(n, 1), maxKey)
		for mode, most := range map[string]int{"full": len(key), "prefix:" + strconv.Itoa(n): n} {
			quoted, clipped := strings.CutSuffix(keys(t, mode).Text(append([]byte{}, key...)), "…")
			start, err := strconv.Unquote(quoted)
			if err != nil || start != string(key[:min(len(key), most)]) || clipped != (len(key) > most) {
				t.Errorf("%s: %q: got %s, %v", mode, key, quoted, err)
			}
			if i := strings.IndexFunc(quoted, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
				t.Errorf("%s: %q: byte %d of %s is not plain", mode, key, i, quoted)
			}
		}
	})
}

func TestHowMuchOfAKeyCanBeRead(t *testing.T) {
	for _, tc := range []struct {
		mode    string
		n       int
		legible bool
	}{{"full", maxKey, true}, {"prefix:16", 16, true}, {"prefix:16", 17, false}, {"hash", 0, true}, {"hash", 1, false}, {"none", 1, false}} {
		if got := keys(t, tc.mode).Reads(tc.n); got != tc.legible {
			t.Errorf("%s, %d bytes: got %v", tc.mode, tc.n, got)
		}
	}
}
