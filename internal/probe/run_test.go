package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/testkit"
)

// serve answers every connection with a function until the test ends.
func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns, done := make(chan net.Conn, 1000), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns <- c
			go func() { defer c.Close(); answer(c) }()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		close(conns)
		for c := range conns {
			c.Close()
		}
	})
	return ln.Addr().String()
}

// serveTLS answers inside TLS.
func serveTLS(t *testing.T, cfg *tls.Config, answer func(net.Conn)) string {
	t.Helper()
	return serve(t, func(c net.Conn) {
		tc := tls.Server(c, cfg)
		if tc.Handshake() == nil {
			answer(tc)
		}
	})
}

// unauthenticated refuses whatever comes, and hangs up.
func unauthenticated(c net.Conn) {
	c.Read(make([]byte, 512))
	io.WriteString(c, "CLIENT_ERROR unauthenticated\r\n")
}

// certificate is a server's, valid from and until now and some time.
func certificate(t *testing.T, pki *testkit.PKI, from, until time.Duration, names ...string) tls.Certificate {
	t.Helper()
	leaf := pki.Issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until), DNSNames: names,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, testkit.NewKey(t))
	return leaf.TLS
}

const day = 24 * time.Hour

func TestTLSIsJudged(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	pki := testkit.NewPKI(t)
	good := certificate(t, pki, -day, 90*day, "cache-1.example")
	for _, tc := range []struct {
		name   string
		cfg    *tls.Config
		answer func(net.Conn)
		want   string // findings
	}{
		{"as slabgate has it", &tls.Config{Certificates: []tls.Certificate{good}}, unauthenticated, "PRB-13 low"},
		{"certificates demanded", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, unauthenticated, "PRB-13 low"},
		{"certificates demanded in 1.2", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, unauthenticated, "PRB-13 low"},
		{"old", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10}, unauthenticated, "PRB-10 high, PRB-13 low"},
		{"weak", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, unauthenticated, "PRB-11 medium, PRB-13 low"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{certificate(t, pki, -90*day, -day, "a")}}, unauthenticated, "PRB-12 high, PRB-13 low"},
		{"not yet", &tls.Config{Certificates: []tls.Certificate{certificate(t, pki, day, 90*day, "a")}}, unauthenticated, "PRB-12 high, PRB-13 low"},
		{"soon", &tls.Config{Certificates: []tls.Certificate{certificate(t, pki, -360*day, 5*day, "a")}}, unauthenticated, "PRB-12 high, PRB-13 low"},
		{"in a while", &tls.Config{Certificates: []tls.Certificate{certificate(t, pki, -360*day, 20*day, "a")}}, unauthenticated, "PRB-12 medium, PRB-13 low"},
		{"short-lived", &tls.Config{Certificates: []tls.Certificate{certificate(t, pki, -time.Hour, day, "a")}}, unauthenticated, "PRB-13 low"},
		{"short-lived, forgotten", &tls.Config{Certificates: []tls.Certificate{certificate(t, pki, -day, time.Hour, "a")}}, unauthenticated, "PRB-12 high, PRB-13 low"},
		{"serves", &tls.Config{Certificates: []tls.Certificate{good}}, open, "PRB-04 critical, PRB-05 high, PRB-06 medium, PRB-13 low"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, e := look(t, impatient(t, serveTLS(t, tc.cfg, tc.answer)))
			if got := found(r); got != tc.want {
				t.Errorf("got %q, want %q\n%+v", got, tc.want, e.TLS)
			}
			if want := tc.cfg.ClientAuth != tls.NoClientCert; e.TLS == nil || e.TLS.AsksCert != want {
				t.Errorf("asks for a certificate: %+v, want %t", e.TLS, want)
			}
		})
	}
}

// open answers every request as if nothing were there to find.
func open(c net.Conn) {
	c.Read(make([]byte, 512))
	io.WriteString(c, "END\r\n")
}

// found are the findings of a report.
func found(r *Report) string {
	var list []string
	for i := range r.Records {
		if rec := &r.Records[i]; rec.Found() {
			list = append(list, rec.ID+" "+string(rec.Severity))
		}
	}
	return strings.Join(list, ", ")
}

// What is neither memcached nor TLS is told as such, and isn't asked for keys.
func TestOthers(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	for name, answer := range map[string]func(net.Conn){
		"a web server": func(c net.Conn) { c.Read(make([]byte, 512)); io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"a banner":     func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); c.Read(make([]byte, 512)) },
		"nothing":      func(c net.Conn) { io.Copy(io.Discard, c) },
		"a flood":      flood,
	} {
		t.Run(name, func(t *testing.T) {
			r, e := look(t, impatient(t, serve(t, answer)))
			if got := found(r); got != "PRB-15 low" {
				t.Errorf("got %q, want PRB-15", got)
			}
			if e.answers("", func(a *Answer) bool { return a.depth == dump }) != nil {
				t.Error("it was asked for keys")
			}
		})
	}
}

// flood sends bytes without end.
func flood(c net.Conn) {
	for {
		if _, err := io.WriteString(c, strings.Repeat("x", 4096)); err != nil {
			return
		}
	}
}

// A target that lists keys without end is read to the limit, and one that drips is
// left when the time is up.
func TestHostileTargetsAreBounded(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	endless := serve(t, func(c net.Conn) {
		c.Read(make([]byte, 512))
		for i := 0; ; i++ {
			if _, err := io.WriteString(c, strings.Repeat("ITEM "+canaryKey+itoa(i)+" [1 b; 0 s]\r\n", 100)); err != nil {
				return
			}
		}
	})
	r, e := look(t, quick(t, endless))
	if e.Keys == 0 || e.Keys > 100000 {
		t.Errorf("%d keys", e.Keys)
	}
	wantStatus(t, r, map[string]doctor.Status{"PRB-02": doctor.Fail})

	drip := serve(t, func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, "S"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	c := quick(t, drip, drip)
	c.Time = 300 * time.Millisecond
	testkit.Within(t, "the end of a probe", func() {
		r, err := Run(context.Background(), c)
		if err != nil {
			t.Error(err)
			return
		}
		if !r.Blind() || r.Endpoints[1].State != Unlooked {
			t.Errorf("blind %t, %+v", r.Blind(), r.Endpoints[1])
		}
	})
}

// One that answers some questions and keeps silent about others has not been looked
// at whole.
func TestSilenceIsNoRefusal(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	addr := serve(t, func(c net.Conn) {
		line := make([]byte, 512)
		n, _ := c.Read(line)
		if strings.HasPrefix(string(line[:n]), "lru_crawler metadump all") {
			io.Copy(io.Discard, c)
			return
		}
		io.WriteString(c, "CLIENT_ERROR unauthenticated\r\n")
	})
	c := impatient(t, addr)
	c.From = "trusted"
	r, _ := look(t, c)
	if rec := record(t, r, reachID); !r.Blind() || !strings.Contains(rec.Text, "lru_crawler metadump all") || strings.Contains(rec.Text, "hash") {
		t.Errorf("blind %t, %q", r.Blind(), rec.Text)
	}
}

func TestVantages(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	plain := serve(t, unauthenticated)
	serving := serve(t, open)
	deciding := serve(t, func(c net.Conn) {
		line := make([]byte, 512)
		n, _ := c.Read(line)
		if strings.HasPrefix(string(line[:n]), "version") {
			io.WriteString(c, "VERSION 1.6.18\r\n")
			return
		}
		io.WriteString(c, deniedWords+"\r\n")
	})
	for _, tc := range []struct{ what, addr, from, want string }{
		{"a login without TLS", plain, "", "PRB-08 high"},
		{"a login without TLS", plain, "untrusted", "PRB-08 high"},
		{"a login without TLS", plain, "semi", "PRB-08 high"},
		{"a login without TLS", plain, "trusted", ""},
		{"a memcached", serving, "untrusted", "PRB-03 critical, PRB-05 high, PRB-06 medium"},
		{"a memcached", serving, "semi", "PRB-03 critical, PRB-05 high, PRB-06 medium"},
		{"a memcached", serving, "trusted", "PRB-03 high, PRB-05 high, PRB-06 medium"},
		{"a slabgate that knows who asks", deciding, "untrusted", "PRB-03 critical"},
		{"a slabgate that knows who asks", deciding, "trusted", "PRB-03 medium"},
	} {
		c := quick(t, tc.addr)
		c.From = tc.from
		if r, _ := look(t, c); found(r) != tc.want || r.From != tc.from {
			t.Errorf("%s from %q: got %q, want %q", tc.what, tc.from, found(r), tc.want)
		}
	}
}

// doctor takes the JSON of a probe, if it says where it was made from.
func TestDoctorTakesTheReport(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	c := quick(t, serve(t, open))
	for _, from := range []string{"untrusted", ""} {
		c.From = from
		r, _ := look(t, c)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var all doctor.Report
		got, err := all.Merge(data)
		if (err == nil) != (from != "") || got != from {
			t.Fatalf("from %q: got %q, %v", from, got, err)
		}
		if err == nil && (!all.Worst(doctor.Critical) || len(all.Records) < len(table)) {
			t.Errorf("merged: %+v", all.Counts)
		}
	}
}

// The page has the table of checks, and the table has an id for each once.
func TestChecksAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/probe.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(PRB-\\d+)` \\| (.+) \\| ([a-z]+) \\|$").FindAllStringSubmatch(string(page), -1)
	var got, want []string
	for _, row := range rows {
		got = append(got, row[1]+" "+strings.ToLower(row[2])+" "+row[3])
	}
	for _, c := range table {
		want = append(want, c.id+" "+strings.ToLower(c.title)+" "+string(c.severity))
		if c.why == "" || c.passed == "" || c.skipped == "" {
			t.Errorf("%s lacks words", c.id)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("probe.md has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// FuzzTextOf holds that a datagram is taken only if it is an answer to ours, and
// that its text is the rest of it.
func FuzzTextOf(f *testing.F) {
	f.Add(datagram([]byte("VERSION 1.6.18\r\n")))
	f.Add([]byte{0x53, 0x47, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		text, ok := textOf(b)
		if ok != (len(b) >= frame && b[0] == frameID>>8 && b[1] == frameID&0xff) || ok && string(text) != string(b[frame:]) {
			t.Errorf("%q: got %q, %t", b, text, ok)
		}
	})
}
