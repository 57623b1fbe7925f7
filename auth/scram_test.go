package auth

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// TestSCRAMExamples: the conversations of RFC 5802 §5 and RFC 7677 §3, byte for
// byte.
func TestSCRAMExamples(t *testing.T) {
	for _, tt := range []struct {
		hash                        Hash
		salt, nonce                 string
		first, answer, final, proof string
	}{
		{
			SHA1, "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j",
			"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
		},
		{
			SHA256, rfcSalt, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
			"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=" + rfcSalt + ",i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=" + rfcProof,
			"v=" + rfcFinal,
		},
	} {
		salt := string(mustBase64(t, tt.salt))
		k, err := tt.hash.deriveKeys("pencil", salt, 4096)
		if err != nil {
			t.Fatal(err)
		}
		stored := secretOf(t, "pencil")
		stored.Others = []Record{{hash: SHA1, iterations: 4096, salt: salt, keys: k}}
		if tt.hash == SHA256 {
			stored = StoredSecret{Record: Record{hash: SHA256, iterations: 4096, salt: salt, keys: k}}
		}
		v := newTestVerifier(t, usersOf(t, 1, User{Name: "user", Secrets: []StoredSecret{stored}}))
		v.nonce = func() string { return tt.nonce }
		x := v.begin(t, inClear(), tt.hash.mechanism())
		for _, step := range [][2]string{{tt.first, tt.answer}, {tt.final, tt.proof}} {
			challenge, done, err := x.Next([]byte(step[0]))
			if string(challenge) != step[1] || done || err != nil {
				t.Errorf("%s: %s: got %q, %t, %v; want %q", tt.hash, step[0], challenge, done, err, step[1])
			}
		}
		if _, ok := x.Login(); ok {
			t.Errorf("%s: there is a login before the end", tt.hash)
		}
		if challenge, done, err := x.Next([]byte{}); len(challenge) != 0 || !done || err != nil {
			t.Errorf("%s: the end: got %q, %t, %v", tt.hash, challenge, done, err)
		}
	}
}

// TestSCRAMLogin: every mechanism lets the user in, with what a login says.
func TestSCRAMLogin(t *testing.T) {
	web := scramUser(t, "web,=1", "pencil") // both characters are escaped on the way
	web.Secrets[0].NotAfter = newClock().now().Add(time.Hour)
	users := usersOf(t, 7, web)
	for _, h := range Hashes() {
		c := client{hash: h, user: web.Name, password: "pencil"}
		for _, tt := range []struct {
			mechanism    string
			channel      Channel
			conversation *scram.ClientConversation
		}{
			{h.mechanism(), inClear(), c.conversation(t)},
			{h.mechanism(), insideTLS(), c.conversation(t)},
			{h.mechanism(), inClear(), c.prepared(t).NewConversationAdvertisingChannelBinding()},
			{h.mechanism() + "-PLUS", insideTLS(), c.bound(t, scram.ChannelBindingTLSExporter, exporter)},
			{h.mechanism() + "-PLUS", insideTLS(), c.bound(t, scram.ChannelBindingTLSServerEndpoint, endPoint)},
		} {
			v := newTestVerifier(t, users)
			x := v.begin(t, tt.channel, strings.ToLower(tt.mechanism))
			if _, err := talk(t, x, tt.conversation); err != nil {
				t.Errorf("%s: %v", tt.mechanism, err)
				continue
			}
			login, ok := x.Login()
			want := Login{User: web.Name, Mechanism: tt.mechanism, Generation: 7,
				NotAfter: web.Secrets[0].NotAfter, secret: fingerprintOf(web.Secrets[0].by(h))}
			if !ok || login != want {
				t.Errorf("%s: login %+v, %t; want %+v", tt.mechanism, login, ok, want)
			}
			if !users.Honours(&login, v.clock.now()) {
				t.Errorf("%s: the login is not honoured", tt.mechanism)
			}
			if n := len(v.kdfs.take()); n != 0 {
				t.Errorf("%s: %d derivations on the server, want none", tt.mechanism, n)
			}
		}
	}
}

func TestSCRAMRefusals(t *testing.T) {
	off := scramUser(t, "off", "pencil")
	off.Disabled = true
	ended := scramUser(t, "ended", "pencil")
	ended.Secrets[0].NotAfter = newClock().now()
	users := usersOf(t, 1, scramUser(t, "web", "pencil"), off, ended)
	for _, h := range Hashes() {
		for _, tt := range []struct {
			user, identity string
			password       Secret
			want           string
		}{
			{"web", "web", "pencil", "ok"},
			{"web", "", "pencil", "ok"},
			{"web", "", "pencils", "wrong password"},
			{"Web", "", "pencil", "unknown user"},
			{"nobody", "", "pencil", "unknown user"},
			{"off", "", "pencil", "disabled user"},
			{"ended", "", "pencil", "expired secret"},
			{"ended", "", "pencils", "expired secret"},
			{"web", "off", "pencil", ErrFormat.Error()},
			{"web", "we", "pencil", ErrFormat.Error()},
			{strings.Repeat("x", MaxUser), "", "pencil", "unknown user"},
			{strings.Repeat("x", MaxUser+1), "", "pencil", ErrFormat.Error()},
			{"", "", "pencil", ErrFormat.Error()},
		} {
			v := newTestVerifier(t, users)
			c := client{hash: h, user: tt.user, identity: tt.identity, password: tt.password}
			x := v.begin(t, inClear(), h.mechanism())
			if _, err := talk(t, x, c.conversation(t)); verdict(err) != tt.want {
				t.Errorf("%s, %.20q for %q with %q: %v, want %s", h, tt.user, tt.identity, string(tt.password), err, tt.want)
			}
			if _, ok := x.Login(); ok != (tt.want == "ok") {
				t.Errorf("%s, %.20q: there is a login: %t", h, tt.user, ok)
			}
			if _, done, err := x.Next([]byte{}); done || !errors.Is(err, ErrExchangeOver) {
				t.Errorf("%s, %.20q: afterwards: done %t, %v", h, tt.user, done, err)
			}
		}
	}
}

// TestSCRAMBinding: a login is bound to its connection if and only if the
// mechanism says so.
func TestSCRAMBinding(t *testing.T) {
	const plus, bare = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
	c := client{hash: SHA256, user: "web", password: "pencil"}
	unique := c.bound(t, scram.ChannelBindingTLSUnique, exporter)
	noExporter, noEndPoint := insideTLS(), insideTLS()
	noExporter.Exporter, noEndPoint.EndPoint = nil, nil
	for _, tt := range []struct {
		name, mechanism string
		channel         Channel
		conversation    *scram.ClientConversation
		want            string
		challenges      int
	}{
		{"another connection", plus, insideTLS(), c.bound(t, scram.ChannelBindingTLSExporter, endPoint), "wrong channel", 1},
		{"another server", plus, insideTLS(), c.bound(t, scram.ChannelBindingTLSServerEndpoint, exporter), "wrong channel", 1},
		{"one binding under the other's name", plus, insideTLS(), c.bound(t, scram.ChannelBindingTLSServerEndpoint, exporter), "wrong channel", 1},
		{"tls-unique", plus, insideTLS(), unique, "wrong channel", 0},
		{"no binding with PLUS", plus, insideTLS(), c.conversation(t), "wrong channel", 0},
		{"y with PLUS", plus, insideTLS(), c.prepared(t).NewConversationAdvertisingChannelBinding(), "wrong channel", 0},
		{"y where PLUS was shown", bare, insideTLS(), c.prepared(t).NewConversationAdvertisingChannelBinding(), "wrong channel", 0},
		{"binding without PLUS", bare, insideTLS(), c.bound(t, scram.ChannelBindingTLSExporter, exporter), "wrong channel", 0},
		{"no exporter", plus, noExporter, c.bound(t, scram.ChannelBindingTLSExporter, exporter), "wrong channel", 0},
		{"no end point", plus, noEndPoint, c.bound(t, scram.ChannelBindingTLSServerEndpoint, endPoint), "wrong channel", 0},
		{"end point alone", plus, noExporter, c.bound(t, scram.ChannelBindingTLSServerEndpoint, endPoint), "ok", 2},
		{"exporter alone", plus, noEndPoint, c.bound(t, scram.ChannelBindingTLSExporter, exporter), "ok", 2},
	} {
		v := newTestVerifier(t, usersOf(t, 1, scramUser(t, "web", "pencil")))
		challenges, err := talk(t, v.begin(t, tt.channel, tt.mechanism), tt.conversation)
		if verdict(err) != tt.want || len(challenges) != tt.challenges {
			t.Errorf("%s: %v after %q; want %s after %d", tt.name, err, challenges, tt.want, tt.challenges)
		}
	}
}

// TestSCRAMFirstMessage: what is refused before a name is looked at.
func TestSCRAMFirstMessage(t *testing.T) {
	long := strings.Repeat("r", maxNonce)
	for _, tt := range []struct {
		in string
		ok bool
	}{
		{"n,,n=web,r=abc", true},
		{"n,,n=web,r=abc,x=later", true},
		{"n,a=web,n=web,r=abc", true},
		{"y,,n=web,r=abc", true},
		{"n,,n=web,r=" + long, true},
		{"n,,n=web,r=" + long + "r", false},
		{"n,,n=web,r=", false},
		{"n,,n=web,r=a b", false},
		{"n,,n=web,r=a\x7fb", false},
		{"n,,n=web,r=ü", false},
		{"n,,n=web", false},
		{"n,,n=,r=abc", false},
		{"n,,n=we=b,r=abc", false},
		{"n,,n=web\x00,r=abc", false},
		{"n,,n=web\n,r=abc", false},
		{"n,,n=web\xff,r=abc", false},
		{"n,,r=abc,n=web", false},
		{"n,,m=ext,n=web,r=abc", false},
		{"n,a=off,n=web,r=abc", false},
		{"n,b=web,n=web,r=abc", false},
		{"N,,n=web,r=abc", false},
		{"x,,n=web,r=abc", false},
		{",,n=web,r=abc", false},
		{"n,,n=" + strings.Repeat("x", MaxPayload) + ",r=abc", false},
		{"n", false},
		{"", false},
	} {
		v := newTestVerifier(t, usersOf(t, 1, scramUser(t, "web", "pencil")))
		challenge, done, err := v.begin(t, inClear(), "SCRAM-SHA-256").Next([]byte(tt.in))
		if done || (err == nil) != tt.ok || (challenge != nil) != tt.ok || err != nil && err != ErrFormat {
			t.Errorf("%.60q: got %q, %t, %v; want ok %t", tt.in, challenge, done, err, tt.ok)
		}
	}
}

// TestSCRAMManyAtOnce: logins at once, and a swap of the users under them.
func TestSCRAMManyAtOnce(t *testing.T) {
	users := usersOf(t, 1, scramUser(t, "web", "pencil"), scramUser(t, "shop", "paper"))
	v, err := NewVerifier(VerifierConfig{Now: newClock().now}, users)
	if err != nil {
		t.Fatal(err)
	}
	offer := NewOffer(allMechanisms(), users, insideTLS())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				v.Swap(users)
				c := client{hash: SHA256, user: []string{"web", "shop"}[i%2], password: []Secret{"pencil", "paper"}[i%2]}
				x, err := v.Begin(context.Background(), offer, "SCRAM-SHA-256-PLUS", nil)
				if err == nil {
					_, err = talk(t, x, c.bound(t, scram.ChannelBindingTLSExporter, exporter))
				}
				if login, _ := x.Login(); err != nil || login.User != c.user {
					t.Errorf("%s: %+v, %v", c.user, login, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSCRAMKeepsNoSlice(t *testing.T) {
	v := newTestVerifier(t, usersOf(t, 1, scramUser(t, "web", "pencil")))
	x, c := v.begin(t, inClear(), "SCRAM-SHA-256"), client{hash: SHA256, user: "web", password: "pencil"}.conversation(t)
	challenge := ""
	for range 2 {
		message, err := c.Step(challenge)
		if err != nil {
			t.Fatal(err)
		}
		buffer := []byte(message)
		answer, _, err := x.Next(buffer)
		if err != nil {
			t.Fatal(err)
		}
		clear(buffer)
		challenge = string(bytes.Clone(answer))
	}
	if _, done, err := x.Next([]byte{}); !done || err != nil {
		t.Errorf("after the buffers changed: done %t, %v", done, err)
	}
}
