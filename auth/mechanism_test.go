package auth

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestMechanisms(t *testing.T) {
	if got, want := strings.Join(Mechanisms(), " "), "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 PLAIN EXTERNAL"; got != want {
		t.Errorf("Mechanisms() = %s, want %s", got, want)
	}
	for i, m := range mechanisms {
		if m.plus != strings.HasSuffix(m.name, "-PLUS") || !slices.Contains(Mechanisms(), m.setting) || m.usable == nil {
			t.Errorf("mechanism %d: %+v", i, m)
		}
		if m.hash != "" && m.setting != m.hash.mechanism() {
			t.Errorf("%s has the hash %s", m.name, m.hash)
		}
	}
}

// TestOffer: what is shown and what is accepted, by connection.
func TestOffer(t *testing.T) {
	all := usersOf(t, 1, scramUser(t, "web", "pencil"))
	some := usersOf(t, 1, scramUser(t, "web", "pencil"), user(t, "shop", "paper"))
	tls, bare := Channel{TLS: true, Exporter: exporter}, Channel{TLS: true}
	certified := Channel{TLS: true, Exporter: exporter, Cert: true}
	const scrams, plus = "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1", "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS"
	for _, tt := range []struct {
		name       string
		configured string
		users      *Users
		channel    Channel
		listed     string
		silent     string // accepted besides
	}{
		{"nothing configured", "", all, certified, "", ""},
		{"in clear", "PLAIN EXTERNAL " + scrams, all, Channel{}, scrams, ""},
		{"unix socket", "PLAIN " + scrams, all, Channel{Local: true}, scrams + " PLAIN", ""},
		{"passwords in clear", "PLAIN " + scrams, all, Channel{PlainInClear: true}, scrams + " PLAIN", ""},
		{"PLAIN alone in clear", "PLAIN", all, Channel{}, "", ""},
		{"TLS", "PLAIN " + scrams, all, tls, plus + " PLAIN", scrams},
		{"TLS, the end point alone", "SCRAM-SHA-1", all, Channel{TLS: true, EndPoint: endPoint}, "SCRAM-SHA-1-PLUS SCRAM-SHA-1", ""},
		{"TLS without PLAIN", scrams, all, tls, plus + " " + scrams, ""},
		{"TLS without a binding", "PLAIN SCRAM-SHA-256", all, bare, "PLAIN", "SCRAM-SHA-256"},
		{"TLS without a binding or PLAIN", "SCRAM-SHA-256", all, bare, "SCRAM-SHA-256", ""},
		{"a binding without TLS", "SCRAM-SHA-256", all, Channel{Exporter: exporter}, "SCRAM-SHA-256", ""},
		{"EXTERNAL", "EXTERNAL PLAIN", all, certified, "PLAIN", "EXTERNAL"},
		{"EXTERNAL alone", "EXTERNAL", nil, certified, "", "EXTERNAL"},
		{"EXTERNAL without a certificate", "EXTERNAL PLAIN", all, tls, "PLAIN", ""},
		{"some users lack a hash", "PLAIN " + scrams, some, Channel{Local: true}, "SCRAM-SHA-256 PLAIN", ""},
		{"some users lack a hash, TLS", "PLAIN " + scrams, some, tls, "SCRAM-SHA-256-PLUS PLAIN", "SCRAM-SHA-256"},
		{"no users", "PLAIN " + scrams, nil, Channel{Local: true}, "", ""},
		{"names that are none", "plain SCRAM-SHA-256-PLUS CRAM-MD5 LOGIN", all, certified, "", ""},
	} {
		o := NewOffer(strings.Fields(tt.configured), tt.users, tt.channel)
		if got := strings.Join(o.List(), " "); got != tt.listed {
			t.Errorf("%s: listed %q, want %q", tt.name, got, tt.listed)
		}
		want := strings.Fields(tt.listed + " " + tt.silent)
		for _, m := range mechanisms {
			if got := o.Accepts(m.name); got != slices.Contains(want, m.name) || o.Accepts(strings.ToLower(m.name)) != got {
				t.Errorf("%s: accepts %s: %t", tt.name, m.name, got)
			}
		}
		for _, name := range []string{"", "CRAM-MD5", "DIGEST-MD5", "LOGIN", "ANONYMOUS", "OAUTHBEARER", "PLAIN ", "PLAIN\x00",
			"ſCRAM-SHA-256", "PLAIN" + strings.Repeat("x", 100)} {
			if o.Accepts(name) {
				t.Errorf("%s: accepts %.20q", tt.name, name)
			}
		}
	}
}

func TestOfferDoesNotChange(t *testing.T) {
	o := NewOffer([]string{Plain}, usersOf(t, 1, user(t, "web", "pw")), Channel{Local: true})
	o.List()[0] = External
	if got := o.List(); got[0] != Plain {
		t.Errorf("after changing a copy: %q", got)
	}
	if zero := (Offer{}); zero.Accepts(Plain) || len(zero.List()) != 0 {
		t.Error("the zero Offer accepts something")
	}
}

func TestBeginRefuses(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, user(t, "web", "pw")))
	o := NewOffer([]string{Plain, External}, v.users.Load(), Channel{TLS: true, Cert: true})
	allow := func(string) error { return nil }
	for _, tt := range []struct {
		offer     Offer
		mechanism string
		external  func(string) error
		ok        bool
	}{
		{o, "PLAIN", nil, true},
		{o, "plain", allow, true},
		{o, "EXTERNAL", allow, true},
		{o, "EXTERNAL", nil, false},
		{o, "SCRAM-SHA-256", allow, false},
		{o, "CRAM-MD5", allow, false},
		{o, "", allow, false},
		{Offer{}, "PLAIN", allow, false},
	} {
		x, err := v.Begin(context.Background(), tt.offer, tt.mechanism, tt.external)
		if (x != nil) != tt.ok || (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrMechanism) {
			t.Errorf("%q: %v, %v; want ok %t", tt.mechanism, x, err, tt.ok)
		}
	}
}

// TestBeginPlain: PLAIN is judged by the verifier, for the source of the offer.
func TestBeginPlain(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 3, user(t, "web", "pw")))
	for _, tt := range []struct{ message, want string }{
		{"\x00web\x00pw", "ok"},
		{"\x00web\x00no", "wrong password"},
		{"\x00nobody\x00pw", "unknown user"},
		{"web", ErrFormat.Error()},
	} {
		x := v.begin(t, Channel{TLS: true, Source: netip.MustParseAddr("192.0.2.7")}, "PLAIN")
		_, done, err := x.Next([]byte(tt.message))
		login, ok := x.Login()
		if verdict(err) != tt.want || done != (tt.want == "ok") || ok != done {
			t.Errorf("%q: done %t, login %t, %v; want %s", tt.message, done, ok, err, tt.want)
		}
		if ok && (login.User != "web" || login.Mechanism != "PLAIN" || login.Generation != 3) {
			t.Errorf("%q: %+v", tt.message, login)
		}
	}
	for range maxWrong {
		_, _ = v.login("192.0.2.7", "web", "no")
	}
	x := v.begin(t, Channel{TLS: true, Source: netip.MustParseAddr("192.0.2.7")}, "PLAIN")
	if _, _, err := x.Next([]byte("\x00web\x00pw")); !errors.Is(err, ErrThrottled) {
		t.Errorf("from a source that was wrong: %v", err)
	}
}

func TestExternal(t *testing.T) {
	refused := errors.New("not you")
	v := newTestVerifier(t, nil)
	o := NewOffer([]string{External}, nil, Channel{TLS: true, Cert: true})
	for _, tt := range []struct {
		name   string
		in     []byte // nil sends nothing first
		answer error
		want   string // as outcome has it
		asked  bool
	}{
		{"whoever I am", []byte{}, nil, "d", true},
		{"by name", []byte("spiffe://td/web"), nil, "d", true},
		{"not that one", []byte("spiffe://td/web"), refused, "e", true},
		{"a NUL", []byte("we\x00b"), nil, "f", false},
		{"not UTF-8", []byte("\xff"), nil, "f", false},
		{"too long", make([]byte, MaxPayload+1), nil, "f", false},
		{"nothing yet", nil, nil, "c", false},
	} {
		asked := false
		x, err := v.Begin(context.Background(), o, "external", func(identity string) error {
			asked = true
			if identity != string(tt.in) {
				t.Errorf("%s: asked about %q", tt.name, identity)
			}
			return tt.answer
		})
		if err != nil {
			t.Fatal(err)
		}
		challenge, done, err := x.Next(tt.in)
		if got := outcome(challenge, done, err, tt.answer); got != tt.want || asked != tt.asked {
			t.Errorf("%s: %s (%v), asked %t; want %s", tt.name, got, err, asked, tt.want)
		}
		if login, ok := x.Login(); ok {
			t.Errorf("%s: a login %+v, want nobody", tt.name, login)
		}
	}
}

func TestInitialResponse(t *testing.T) {
	for _, tt := range []struct {
		mechanism string
		data      []byte
		isNil     bool
	}{
		{"PLAIN", nil, true}, {"PLAIN", []byte{}, true}, {"SCRAM-SHA-256", []byte{}, true}, {"", nil, true},
		{"EXTERNAL", nil, false}, {"external", []byte{}, false}, {"PLAIN", []byte("x"), false}, {"other", []byte("x"), false},
	} {
		got := InitialResponse(tt.mechanism, tt.data)
		if (got == nil) != tt.isNil || string(got) != string(tt.data) {
			t.Errorf("%s with %v: %v, want nil %t", tt.mechanism, tt.data, got, tt.isNil)
		}
	}
}
