package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/exporter"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/proxy"
)

// What a certificate in force is for.
const (
	usageServer = "server" // a listener shows it
	usageCA     = "ca"     // it issues certificates of a listener's clients
)

// certificatesOf is those in force, what listeners show first, then the first to
// expire. Those of one name and usage on a listener are one, the first to expire.
func certificatesOf(snap *proxy.Snapshot, now time.Time) []status.Certificate {
	first := map[exporter.Certificate]time.Time{} // by all but its time
	note := func(listener, usage, name string, end time.Time) {
		k := exporter.Certificate{Listener: listener, Usage: usage, Name: strings.ToValidUTF8(name, "?")}
		if old, known := first[k]; !known || end.Before(old) {
			first[k] = end
		}
	}
	for listener, config := range snap.TLS {
		if len(config.Certificates) > 0 {
			name, end := firstEnd(&config.Certificates[0])
			note(listener, usageServer, name, end)
		}
		for _, ca := range snap.CAs[listener] {
			note(listener, usageCA, nameOf(ca), ca.NotAfter)
		}
	}
	list := []status.Certificate{}
	for c, end := range first {
		list = append(list, status.Certificate{
			Listener: c.Listener, Usage: c.Usage, Subject: c.Name, NotAfter: end.UTC(), Days: int(math.Floor(end.Sub(now).Hours() / 24)),
		})
	}
	slices.SortFunc(list, func(a, b status.Certificate) int {
		return cmp.Or(cmp.Compare(b.Usage, a.Usage), byTime(&a, &b), cmp.Compare(a.Listener, b.Listener), cmp.Compare(a.Subject, b.Subject))
	})
	return list[:min(len(list), status.MostCertificates)]
}

// byTime has certificates that listeners show in the order of the listeners' names,
// others by when they expire.
func byTime(a, b *status.Certificate) int {
	if a.Usage == usageServer {
		return 0
	}
	return a.NotAfter.Compare(b.NotAfter)
}

// firstEnd is what a chain of certificates calls itself, and when the first of it
// expires.
func firstEnd(chain *tls.Certificate) (name string, end time.Time) {
	for i, der := range chain.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil { // it was parsed when it was loaded
			continue
		}
		if i == 0 {
			name = nameOf(c)
		}
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return name, end
}

// nameOf is what a certificate calls its holder.
func nameOf(c *x509.Certificate) string {
	return cmp.Or(append(slices.Clone(c.DNSNames), c.Subject.CommonName, c.Subject.String())...)
}

// certificates are when those expire that listeners show, by listener.
func (d *daemon) certificates() map[string]time.Time {
	all := map[string]time.Time{}
	for listener, config := range d.server.InForce().TLS {
		if len(config.Certificates) > 0 {
			_, all[listener] = firstEnd(&config.Certificates[0])
		}
	}
	return all
}

// shownCertificates is certificatesOf for metrics.
func (d *daemon) shownCertificates() map[exporter.Certificate]time.Time {
	all := map[exporter.Certificate]time.Time{}
	for _, c := range certificatesOf(d.server.InForce(), time.Now()) {
		all[exporter.Certificate{Listener: c.Listener, Usage: c.Usage, Name: c.Subject}] = c.NotAfter
	}
	return all
}
