package main

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/proxy"
)

// A CA that was renewed under its own name expires as early as the one it replaces,
// for as long as that is listed.
func TestCertificatesInForce(t *testing.T) {
	now := time.Now()
	ca := func(name string, days int) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: now.Add(time.Duration(days)*24*time.Hour + time.Minute)}
	}
	pki := testkit.NewPKI(t)
	shown := func(name string, days int) *tls.Config {
		leaf := pki.Client(t, testkit.ClientSpec{CN: name, NotAfter: now.Add(time.Duration(days)*24*time.Hour + time.Minute)})
		return &tls.Config{Certificates: []tls.Certificate{leaf.TLS}}
	}
	list := certificatesOf(&proxy.Snapshot{
		TLS: map[string]*tls.Config{"main": shown("cache", 40), "extra": shown("cache", 50)},
		CAs: map[string][]*x509.Certificate{"main": {ca("new", 900), ca("same", 700), ca("same", 30), ca("bad\xff", 5)}},
	}, now)
	want := []status.Certificate{
		{Listener: "extra", Usage: "server", Subject: "cache", Days: 50}, {Listener: "main", Usage: "server", Subject: "cache", Days: 40},
		{Listener: "main", Usage: "ca", Subject: "bad?", Days: 5}, {Listener: "main", Usage: "ca", Subject: "same", Days: 30},
		{Listener: "main", Usage: "ca", Subject: "new", Days: 900},
	}
	if len(list) != len(want) {
		t.Fatalf("got %+v", list)
	}
	for i, got := range list {
		got.NotAfter = time.Time{}
		if got != want[i] {
			t.Errorf("got %+v, want %+v", got, want[i])
		}
	}
	if got := certificateWords(list); got != "  cert extra 50d  cert main 40d  ca 5d" {
		t.Errorf("got %q", got)
	}
}

// The first to expire are those that are shown if there are too many.
func TestCertificatesAreBounded(t *testing.T) {
	now := time.Now()
	var cas []*x509.Certificate
	for i := range 2 * status.MostCertificates {
		cas = append(cas, &x509.Certificate{Subject: pkix.Name{CommonName: string(rune('a' + i))}, NotAfter: now.Add(time.Duration(1000-i) * time.Hour)})
	}
	list := certificatesOf(&proxy.Snapshot{TLS: map[string]*tls.Config{"main": {}}, CAs: map[string][]*x509.Certificate{"main": cas}}, now)
	if last := cas[len(cas)-1]; len(list) != status.MostCertificates || !list[0].NotAfter.Equal(last.NotAfter) {
		t.Errorf("got %d, the first %+v", len(list), list[0])
	}
}
