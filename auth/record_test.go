package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
)

// rfc7677 is the example of RFC 7677 §3, password "pencil".
const (
	rfcSalt  = "W22ZaJ0SNY7soEsUEjb6gQ=="
	rfcAuth  = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=" + rfcSalt + ",i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	rfcProof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcFinal = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func mustBase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mac(key, msg []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(msg)
	return m.Sum(nil)
}

func TestNewRecordRFC7677(t *testing.T) {
	salt := mustBase64(t, rfcSalt)
	r, err := NewRecord("pencil", 4096, bytes.NewReader(salt))
	if err != nil {
		t.Fatal(err)
	}
	// The client's proof opens to a key that hashes to StoredKey (RFC 5802 §3).
	clientKey := mustBase64(t, rfcProof)
	for i, b := range mac([]byte(r.keys.stored), []byte(rfcAuth)) {
		clientKey[i] ^= b
	}
	if got := sha256.Sum256(clientKey); string(got[:]) != r.keys.stored {
		t.Errorf("the client's proof gives StoredKey %x, want %x", got, r.keys.stored)
	}
	if got := mac([]byte(r.keys.server), []byte(rfcAuth)); !bytes.Equal(got, mustBase64(t, rfcFinal)) {
		t.Errorf("server signature %x, want %s", got, rfcFinal)
	}
	if want := "SCRAM-SHA-256$4096:" + rfcSalt + "$"; !strings.HasPrefix(r.String(), want) {
		t.Errorf("String() = %q, want prefix %q", r, want)
	}
	back, err := ParseRecord(r.String())
	if err != nil || back != r {
		t.Errorf("ParseRecord(String()) = %v, %v", back, err)
	}
}

func TestNewRecordPreparesThePassword(t *testing.T) {
	const (
		nfc = "caf\u00e9"
		nfd = "cafe\u0301"
	)
	same := [][2]Secret{
		{nfc, nfd},
		{"I\u00adX", "IX"},  // RFC 4013 §3, soft hyphen mapped to nothing
		{"\u2168", "IX"},    // RFC 4013 §3, ROMAN NUMERAL NINE
		{"\u00aa", "a"},     // RFC 4013 §3, output is NFKC
		{"a\u00a0b", "a b"}, // no-break space
		{"user", "user"},    // RFC 4013 §3
		{"correct horse", "correct horse"},
	}
	for _, pair := range same {
		if a, b := record(t, pair[0]), record(t, pair[1]); a != b {
			t.Errorf("records of %q and %q differ", string(pair[0]), string(pair[1]))
		}
	}
	if record(t, "USER") == record(t, "user") {
		t.Error("records of USER and user are equal")
	}
}

func TestNewRecordRefuses(t *testing.T) {
	tests := []struct {
		name       string
		password   Secret
		iterations int
		rand       io.Reader
		want       string
	}{
		{"empty", "", 4096, seeded(1), "password is empty"},
		{"too long", Secret(strings.Repeat("x", MaxPassword+1)), 4096, seeded(1), "over 1024 bytes"},
		{"not UTF-8", "a\xffb", 4096, seeded(1), "not UTF-8"},
		{"NUL", "a\x00b", 4096, seeded(1), "NUL"},
		{"control", "a\x07b", 4096, seeded(1), "SASLprep"}, // RFC 4013 §3
		{"unassigned", "a\U0001f512", 4096, seeded(1), "SASLprep"},
		{"both directions", "\u0627\u0031", 4096, seeded(1), "SASLprep"}, // RFC 4013 §3
		{"soft hyphen alone", "\u00ad", 4096, seeded(1), "SASLprep"},
		{"joiners alone", "\u200c\u200d\u2060\ufeff", 4096, seeded(1), "SASLprep"},
		{"few iterations", "pw", 4095, seeded(1), "4095 iterations"},
		{"no iterations", "pw", 0, seeded(1), "0 iterations"},
		{"negative", "pw", -1, seeded(1), "-1 iterations"},
		{"many", "pw", 600001, seeded(1), "600001 iterations"},
		{"short salt", "pw", 4096, strings.NewReader("short"), "random salt"},
		{"no salt", "pw", 4096, strings.NewReader(""), "random salt"},
	}
	for _, tt := range tests {
		r, err := NewRecord(tt.password, tt.iterations, tt.rand)
		if err == nil || !r.IsZero() || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v; want the zero Record and an error with %q", tt.name, r, err, tt.want)
		}
		if err != nil && len(tt.password) > 3 && strings.Contains(err.Error(), string(tt.password)) {
			t.Errorf("%s: the error repeats the password: %v", tt.name, err)
		}
	}
}

func TestNewRecordAcceptsLimits(t *testing.T) {
	for _, p := range []Secret{"x", Secret(strings.Repeat("x", MaxPassword)), "\u00e9", " ", "a:b $c"} {
		if _, err := NewRecord(p, MinIterations, seeded(1)); err != nil {
			t.Errorf("password of %d bytes: %v", len(p), err)
		}
	}
	if r, err := NewRecord("pw", DefaultIterations, seeded(1)); err != nil || r.Iterations() != 15000 {
		t.Errorf("default iterations: got %d, %v", r.Iterations(), err)
	}
}

// form writes a record from parts, so that each can be wrong.
func form(iterations string, salt, stored, server int) string {
	b := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n)) }
	return "SCRAM-SHA-256$" + iterations + ":" + b(salt) + "$" + b(stored) + ":" + b(server)
}

func TestParseRecord(t *testing.T) {
	good := form("15000", 16, 32, 32)
	const prefix = "does not start"
	const shape = "not of the form"
	tests := []struct {
		name string
		in   string
		want string // in the error; empty if it parses
	}{
		{"good", good, ""},
		{"least", form("4096", 16, 32, 32), ""},
		{"most", form("600000", 64, 32, 32), ""},
		{"few iterations", form("4095", 16, 32, 32), "4095 iterations"},
		{"many iterations", form("600001", 16, 32, 32), "600001 iterations"},
		{"zero iterations", form("0", 16, 32, 32), "0 iterations"},
		{"negative", form("-4096", 16, 32, 32), "-4096 iterations"},
		{"leading zero", form("04096", 16, 32, 32), "not a number"},
		{"plus", form("+4096", 16, 32, 32), "not a number"},
		{"space", form(" 4096", 16, 32, 32), "not a number"},
		{"hex", form("0x1000", 16, 32, 32), "not a number"},
		{"underscore", form("4_096", 16, 32, 32), "not a number"},
		{"exponent", form("1e4", 16, 32, 32), "not a number"},
		{"overflow", form("18446744073709555712", 16, 32, 32), "not a number"},
		{"no iterations", form("", 16, 32, 32), "not a number"},
		{"short salt", form("4096", 15, 32, 32), "salt of 15 bytes"},
		{"long salt", form("4096", 65, 32, 32), "salt of 65 bytes"},
		{"no salt", form("4096", 0, 32, 32), "salt of 0 bytes"},
		{"short StoredKey", form("4096", 16, 31, 32), "StoredKey of 31 bytes"},
		{"long StoredKey", form("4096", 16, 33, 32), "StoredKey of 33 bytes"},
		{"no StoredKey", form("4096", 16, 0, 32), "StoredKey of 0 bytes"},
		{"short ServerKey", form("4096", 16, 32, 31), "ServerKey of 31 bytes"},
		{"long ServerKey", form("4096", 16, 32, 33), "ServerKey of 33 bytes"},
		{"no ServerKey", form("4096", 16, 32, 0), "ServerKey of 0 bytes"},
		{"empty", "", prefix},
		{"clear text", "hunter2", prefix},
		{"short for its hash", strings.Replace(good, "256", "512", 1), "StoredKey of 32 bytes; want 64"},
		{"unknown hash", strings.Replace(good, "256", "384", 1), prefix},
		{"lower case", strings.ToLower(good), prefix},
		{"space in front", " " + good, prefix},
		{"too long", good + strings.Repeat("=", 200), prefix},
		{"prefix only", "SCRAM-SHA-256$", shape},
		{"no salt separator", strings.Replace(good, ":", "", 1), shape},
		{"no key separator", good[:strings.LastIndex(good, ":")], shape},
		{"no dollar", strings.Replace(good, "==$", "==", 1), shape},
		{"third key", good + ":AAAA", "ServerKey is not canonical"},
		{"newline at the end", good + "\n", "ServerKey is not canonical"},
		{"newline in the salt", strings.Replace(good, "BwcHBw", "BwcH\nBw", 1), "salt is not canonical"},
		{"salt without padding", strings.Replace(good, "==$", "$", 1), "salt is not canonical"},
		{"stray bits in the salt", strings.Replace(good, "w==$", "x==$", 1), "salt is not canonical"},
	}
	for _, tt := range tests {
		r, err := ParseRecord(tt.in)
		if tt.want == "" {
			if err != nil || r.String() != tt.in {
				t.Errorf("%s: ParseRecord(%q) = %q, %v; want it back", tt.name, tt.in, r, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !r.IsZero() {
			t.Errorf("%s: ParseRecord(%q) = %q, %v; want an error with %q", tt.name, tt.in, r, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "BwcH")) {
			t.Errorf("%s: the error repeats what it was given: %v", tt.name, err)
		}
	}
}

func TestParseRecordReportsAllFaults(t *testing.T) {
	_, err := ParseRecord(form("1", 1, 1, 1))
	for _, want := range []string{"1 iterations", "salt of 1", "StoredKey of 1", "ServerKey of 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestDeriveKeysErrorsAreFixed(t *testing.T) {
	if _, err := SHA256.deriveKeys("hunter2\x07", "0123456789abcdef", 1); !errors.Is(err, errPassword) {
		t.Errorf("got %v, want errPassword", err)
	}
}

// FuzzParseRecord checks that a record has one form: what parses is what String
// writes, and it is within the limits.
func FuzzParseRecord(f *testing.F) {
	f.Add(form("15000", 16, 32, 32))
	f.Add(form("4096", 64, 32, 32))
	f.Add(form("04096", 16, 32, 32))
	f.Add(form("4096", 15, 32, 33) + "\n")
	f.Add("SCRAM-SHA-256$4096:$:")
	f.Fuzz(func(t *testing.T, in string) {
		r, err := ParseRecord(in)
		if err != nil {
			if !r.IsZero() {
				t.Errorf("ParseRecord(%q) returns a record and an error", in)
			}
			return
		}
		if got := r.String(); got != in {
			t.Errorf("ParseRecord(%q).String() = %q", in, got)
		}
		if n := r.Iterations(); n < MinIterations || n > MaxIterations || len(r.salt) < 16 || len(r.salt) > 64 {
			t.Errorf("ParseRecord(%q): %s iterations, salt of %d bytes", in, strconv.Itoa(n), len(r.salt))
		}
	})
}
