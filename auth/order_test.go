package auth

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"hash"
	"slices"
	"strings"
	"testing"
)

// script is a login by SCRAM-SHA-256-PLUS whose every byte is known beforehand.
type script struct {
	verifier *testVerifier
	messages []string // of the client
}

const scriptNonce = "server"

// newScript makes the messages of a right login.
func newScript(t testing.TB) script {
	t.Helper()
	v := newTestVerifier(t, usersOf(t, 1, scramUser(t, "web", "pencil", "paper")))
	v.nonce = func() string { return scriptNonce }
	c := client{hash: SHA256, user: "web", password: "pencil"}.prepared(t).
		WithNonceGenerator(func() string { return "client" }).
		NewConversationWithChannelBinding(bindingOf("tls-exporter"))
	s := script{verifier: v}
	x, challenge := s.begin(t), ""
	for range scramSteps {
		message, err := c.Step(challenge)
		if err != nil {
			t.Fatal(err)
		}
		answer, _, err := x.Next([]byte(message))
		if err != nil {
			t.Fatal(err)
		}
		s.messages = append(s.messages, message)
		challenge = string(answer)
	}
	return s
}

func (s script) begin(t testing.TB) *Exchange {
	return s.verifier.begin(t, insideTLS(), "SCRAM-SHA-256-PLUS")
}

// TestSCRAMOrder sends every message in every state, four in a row: only the
// messages of a login in their order end in one, and whatever comes after an end
// gets no answer.
func TestSCRAMOrder(t *testing.T) {
	s := newScript(t)
	kinds := [][]byte{nil, []byte("junk"), []byte("p=AAAA"), make([]byte, MaxPayload+1)}
	for _, m := range s.messages {
		kinds = append(kinds, []byte(m))
	}
	var walk func(path [][]byte)
	walk = func(path [][]byte) {
		if len(path) == len(s.messages)+1 {
			return
		}
		for _, kind := range kinds {
			path := append(slices.Clone(path), kind)
			s.follow(t, path)
			walk(path)
		}
	}
	walk(nil)
}

// follow sends messages to a new exchange and checks the answer to the last.
func (s script) follow(t *testing.T, path [][]byte) {
	t.Helper()
	x, right := s.begin(t), 0
	for _, m := range path[:len(path)-1] {
		_, _, _ = x.Next(m)
	}
	challenge, done, err := x.Next(path[len(path)-1])
	_, named := x.Login()
	for right < min(len(path), len(s.messages)) && path[right] != nil && string(path[right]) == s.messages[right] {
		right++
	}
	want := "f"
	switch {
	case right == len(path) && right == len(s.messages):
		want = "d"
	case right == len(path):
		want = "c"
	case right < len(path)-1 || right == len(s.messages):
		want = "o"
	}
	if denied := (*DeniedError)(nil); errors.As(err, &denied) {
		err = ErrFormat // a refusal too, of what has the form
	}
	if got := outcome(challenge, done, err, nil); got != want || named != (right == len(s.messages)) {
		t.Errorf("%.30q: %s (%v), named %t; want %s", path, got, err, named, want)
	}
}

// TestSCRAMFinalMessage: a right proof counts in one spelling only, and what
// holds none is malformed and no wrong login.
func TestSCRAMFinalMessage(t *testing.T) {
	s := newScript(t)
	good := s.messages[1]
	binding, rest, _ := strings.Cut(good, ",")
	bare, proof, _ := strings.Cut(good, ",p=")
	for _, tt := range []struct{ name, in, want string }{
		{"right", good, "ok"},
		{"line end in the proof", bare + ",p=" + proof[:4] + "\n" + proof[4:], ErrFormat.Error()},
		{"line end after the proof", good + "\r\n", ErrFormat.Error()},
		{"line end in the binding", binding[:8] + "\n" + binding[8:] + "," + rest, ErrFormat.Error()},
		{"an extension that is not signed", bare + ",x=y,p=" + proof, "wrong password"},
		{"another nonce", strings.Replace(good, "clientserver", "clientserveR", 1), ErrFormat.Error()},
		{"the client's nonce alone", strings.Replace(good, "clientserver", "client", 1), ErrFormat.Error()},
		{"another binding", "c=biws," + rest, "wrong channel"},
		{"no binding", rest, ErrFormat.Error()},
		{"no proof", bare, ErrFormat.Error()},
		{"an empty proof", bare + ",p=", ErrFormat.Error()},
		{"a short proof", bare + ",p=AAAA", ErrFormat.Error()},
		{"a wrong proof", bare + ",p=" + strings.Repeat("A", len(proof)-1) + "=", "wrong password"},
		{"the proof twice", good + ",p=" + proof, "wrong password"},
	} {
		x := s.begin(t)
		_, _, _ = x.Next([]byte(s.messages[0]))
		answer, done, err := x.Next([]byte(tt.in))
		if verdict(err) != tt.want || done || (answer != nil) != (tt.want == "ok") {
			t.Errorf("%s: %q: got %q, %t, %v; want %s", tt.name, tt.in, answer, done, err, tt.want)
		}
	}
}

// provedBy reports whether a final message proves one of the users' passwords,
// for the connection of the script. It is RFC 5802 §3 written down once more.
func (s script) provedBy(first, challenge, final string) bool {
	gs2 := strings.SplitAfterN(first, ",", 3)
	bare, proof, found := strings.Cut(final, ",p=")
	if len(gs2) != 3 || !found || strings.Contains(proof, ",") {
		return false
	}
	attributes := strings.Split(bare, ",")
	want := base64.StdEncoding.EncodeToString(append([]byte(gs2[0]+gs2[1]), exporter...))
	if gs2[0] != "p=tls-exporter," || attributes[0] != "c="+want || !strings.HasPrefix(challenge, attributes[1]+",") {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(proof)
	if err != nil {
		return false
	}
	web := s.verifier.users.Load().byName["web"]
	return slices.ContainsFunc(web.Secrets, func(stored StoredSecret) bool {
		return opens(SHA256, raw, stored.Record.keys.stored, gs2[2]+","+challenge+","+bare)
	})
}

// opens reports whether a proof opens to the key that StoredKey is the hash of.
func opens(h Hash, proof []byte, stored, message string) bool {
	function := func() hash.Hash { return hashFunctions[h]() }
	m := hmac.New(function, []byte(stored))
	m.Write([]byte(message))
	key := m.Sum(nil)
	if len(key) != len(proof) {
		return false
	}
	for i := range key {
		key[i] ^= proof[i]
	}
	sum := function()
	sum.Write(key)
	return bytes.Equal(sum.Sum(nil), []byte(stored))
}

// FuzzSCRAM checks that an exchange ends in a login only by a proof that a second
// implementation takes too, for a user there is and bound to the connection, and
// that it never panics.
func FuzzSCRAM(f *testing.F) {
	s := newScript(f)
	first, final := s.messages[0], s.messages[1]
	f.Add(first, final, "")
	f.Add(first, strings.Replace(final, ",p=", ",x=ext,p=", 1), "")
	f.Add(first, strings.Replace(final, "p=", "p=\n", 1), "")
	f.Add(strings.Replace(first, "tls-exporter", "tls-server-end-point", 1), final, "")
	f.Add(strings.Replace(first, ",,", ",a=web,", 1), final, "")
	f.Add("n,,n=web,r=client", "c=biws,r=clientserver,p=AAAA", "")
	f.Add("p=tls-exporter,,n=w=2Ceb,r=client", final, "x")
	f.Add(first, "c=,r=,p=", final)
	f.Add("", ",,,", "")
	f.Fuzz(func(t *testing.T, first, final, end string) {
		v := s.verifier
		v.clock.add(forgetAfter) // earlier runs are not held against this one
		x := s.begin(t)
		challenge, done, err := x.Next([]byte(first))
		if done || errors.Is(err, ErrPanic) {
			t.Fatalf("%q: done %t, %v", first, done, err)
		}
		answer, done, err := x.Next([]byte(final))
		if done || errors.Is(err, ErrPanic) {
			t.Fatalf("%q, %q: done %t, %v", first, final, done, err)
		}
		_, done, err = x.Next([]byte(end))
		if errors.Is(err, ErrPanic) {
			t.Fatalf("%q, %q, %q: %v", first, final, end, err)
		}
		if answer != nil && !s.provedBy(first, string(challenge), final) {
			t.Errorf("%q, %q: answer %q without a proof", first, final, answer)
		}
		login, named := x.Login()
		if done != (answer != nil && end == "") || named != done || named && login.User != "web" {
			t.Errorf("%q, %q, %q: done %t, login %+v, answer %q", first, final, end, done, login, answer)
		}
	})
}
