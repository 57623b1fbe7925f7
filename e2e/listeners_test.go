package e2e_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// Until a client is somebody, memcached hears nothing of it.
func TestNothingReachesMemcachedBeforeALogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{TCP: true})
	s := newSite(t, fake.Addr())
	d := s.start(t)
	quiet := len(fake.Received())
	for _, text := range []string{
		"get shop:1\r\n",
		"set shop:1 0 0 5\r\napple\r\n",
		"flush_all\r\n",
		"stats\r\n",
		"version\r\n",
		"mn\r\n",
		"shutdown\r\n",
		"set auth 0 0 4\r\nshop\r\nset shop:1 0 0 5\r\napple\r\n",
		login("shop", "wrong") + "get shop:1\r\n",
		login("shop", "wrong") + login("shop", "wrong") + login("shop", "wrong") + "flush_all\r\n",
	} {
		for _, name := range []string{"", "nobody"} {
			c := s.dial(t, d, name)
			reply, err := firstLine(c, text)
			if err != nil || !strings.HasPrefix(reply, "CLIENT_ERROR ") {
				t.Errorf("%q as %q: got %q, %v, want a CLIENT_ERROR", text, name, reply, err)
			}
			c.Close()
		}
	}
	raw := dialRaw(t, d.addr(t, "main"))
	defer raw.Close()
	if reply, err := firstLine(raw, "flush_all\r\n"); strings.Contains(reply, "OK") {
		t.Errorf("without TLS: got %q, %v", reply, err)
	}
	got := fake.Received()[quiet:]
	for _, own := range []string{"version\r\n", "stats settings\r\n"} { // slabgate's questions, on connections of its own
		got = bytes.ReplaceAll(got, []byte(own), nil)
	}
	if len(got) > 0 {
		t.Errorf("memcached heard %q", got)
	}
	c := s.dial(t, d, "")
	talk(t, c, login("shop", shopPassword)+apple, "STORED\r\nSTORED\r\n")
	if got := fake.Received()[quiet:]; !bytes.Contains(got, []byte("apple")) || bytes.Contains(got, []byte(shopPassword)) {
		t.Errorf("after the login memcached heard %q, want the request and not the login", got)
	}
}

// firstLine sends text and returns what comes first.
func firstLine(c net.Conn, text string) (string, error) {
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	return string(buf[:n]), err
}

func TestPlaintextBeyondThisHostIsRefused(t *testing.T) {
	s := newSite(t, testkit.StartFake(t, testkit.FakeOptions{TCP: true}).Addr())
	for _, tc := range []struct {
		address string
		code    int
	}{
		{"0.0.0.0:0", 78},
		{":0", 78},
		{"[::]:0", 78},
		{"192.0.2.1:0", 78},
		{"[::ffff:192.0.2.1]:0", 78},
		{"127.0.0.1:0", 0},
		{"[::1]:0", 0},
		{"[::ffff:127.0.0.1]:0", 0},
		{"unix:" + s.path("app.sock"), 0},
	} {
		set := "listeners.plain.address=" + tc.address
		code, said := s.call(t, "", "check", "-c", s.path("slabgate.yaml"), "--set", set)
		if code != tc.code || strings.Contains(said, "SG1042") != (code != 0) {
			t.Errorf("check %s: got exit %d, want %d: %s", tc.address, code, tc.code, said)
		}
		if tc.code == 0 {
			continue
		}
		if code, said = s.call(t, "", "run", "-c", s.path("slabgate.yaml"), "--set", set); code != tc.code || !strings.Contains(said, "SG1042") {
			t.Errorf("run %s: got exit %d, want %d: %s", tc.address, code, tc.code, said)
		}
	}
}

func TestUnixListenerServesWhoMayOpenIt(t *testing.T) {
	s := newSite(t, testkit.StartFake(t, testkit.FakeOptions{TCP: true}).Addr())
	d := s.start(t, "--set", "listeners.plain.address=unix:"+s.path("app.sock")+"?mode=0660")
	c, err := net.Dial("unix", s.path("app.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	talk(t, c, apple, "STORED\r\n")
	if !strings.Contains(d.text(), "plain plaintext "+s.path("app.sock")) {
		t.Errorf("ready must name the socket:\n%s", d.text())
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := newSite(t, testkit.StartFake(t, testkit.FakeOptions{TCP: true}).Addr())
	strict, lenient := s.start(t), s.start(t, "--set", "listeners.main.tls.min_version=1.2")
	for _, tc := range []struct {
		name        string
		min, max    uint16
		suites      []uint16
		strict, old bool // whether each of the two takes it
	}{
		{"1.3", tls.VersionTLS13, tls.VersionTLS13, nil, true, true},
		{"1.2 with any suite", tls.VersionTLS12, tls.VersionTLS12, nil, false, true},
		{"1.2 with GCM", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, false, true},
		{"1.2 with ChaCha20", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}, false, true},
		{"1.2 with CBC", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}, false, false},
		{"1.1", tls.VersionTLS10, tls.VersionTLS11, nil, false, false},
	} {
		for d, want := range map[*daemon]bool{strict: tc.strict, lenient: tc.old} {
			config := s.tlsConfig("shop")
			config.MinVersion, config.MaxVersion, config.CipherSuites = tc.min, tc.max, tc.suites
			err := handshake(d.addr(t, "main"), config)
			if (err == nil) != want {
				t.Errorf("%s, min_version 1.2: %v: got %v, want it taken: %v", tc.name, d == lenient, err, want)
			}
		}
	}
}

// handshake connects and gets one answer, since in TLS 1.3 a server refuses a
// client after the client's handshake is done.
func handshake(addr string, config *tls.Config) error {
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "mn\r\n"); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 16))
	return err
}

// OpenSSL is another implementation than the one slabgate is built on.
func TestOpenSSLAgrees(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("SKIP: openssl is not installed: apt-get install openssl")
	}
	s := newSite(t, testkit.StartFake(t, testkit.FakeOptions{TCP: true}).Addr())
	d := s.start(t, "--set", "listeners.main.tls.min_version=1.2")
	for _, tc := range []struct {
		args []string
		want string // what it says; empty is a failed handshake
	}{
		{[]string{"-tls1_3"}, "New, TLSv1.3, Cipher is TLS_"},
		{[]string{"-tls1_2"}, "New, TLSv1.2, Cipher is ECDHE-ECDSA-"},
		{[]string{"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}, "Cipher is ECDHE-ECDSA-CHACHA20-POLY1305"},
		{[]string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256"}, ""},
		{[]string{"-tls1_2", "-cipher", "AES128-GCM-SHA256:AES128-SHA"}, ""},
		{[]string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, ""},
	} {
		cmd := exec.Command(openssl, append([]string{"s_client", "-connect", d.addr(t, "main"), "-verify_return_error",
			"-CAfile", s.path("ca.pem"), "-cert", s.path("client-shop.pem"), "-key", s.path("client-shop-key.pem")}, tc.args...)...)
		cmd.Stdin = strings.NewReader("quit\r\n")
		said, err := cmd.CombinedOutput()
		if tc.want == "" && strings.Contains(string(said), "Cipher is (NONE)") {
			continue
		}
		if tc.want == "" || err != nil || !strings.Contains(string(said), tc.want) {
			t.Errorf("openssl %q: %v, want %q:\n%s", tc.args, err, tc.want, said)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	s := newSite(t, testkit.StartFake(t, testkit.FakeOptions{TCP: true}).Addr())
	stranger := testkit.NewPKI(t).Client(t, testkit.ClientSpec{URI: []string{"spiffe://test/shop"}})
	server := s.pki.Client(t, testkit.ClientSpec{URI: []string{"spiffe://test/shop"}, EKU: serverOnly})
	for _, tc := range []struct {
		auth, cert string
		handshake  bool
		identity   bool // without a login
	}{
		{"require", "shop", true, true},
		{"require", "nobody", true, false},
		{"require", "", false, false},
		{"require", "stranger", false, false},
		{"require", "server", false, false},
		{"request", "shop", true, true},
		{"request", "nobody", true, false},
		{"request", "", true, false},
		{"request", "stranger", false, false},
		{"request", "server", false, false},
	} {
		d := s.shared(t, "--set", "listeners.main.tls.client_auth="+tc.auth)
		config := s.tlsConfig("")
		switch tc.cert {
		case "":
		case "stranger":
			config.GetClientCertificate = whatever(stranger.TLS)
		case "server":
			config.GetClientCertificate = whatever(server.TLS)
		default:
			config = s.tlsConfig(tc.cert)
		}
		c, err := tls.Dial("tcp", d.addr(t, "main"), config)
		reply := ""
		if err == nil {
			reply, err = firstLine(c, "get shop:1\r\n")
			c.Close()
		}
		want := map[bool]string{true: "END\r\n", false: "CLIENT_ERROR unauthenticated\r\n"}[tc.identity]
		if (err == nil) != tc.handshake || tc.handshake && reply != want {
			t.Errorf("client_auth %s, certificate %q: got %q, %v, want %q, handshake: %v", tc.auth, tc.cert, reply, err, want, tc.handshake)
		}
	}
	d := s.shared(t, "--set", "listeners.main.tls.client_auth=request")
	talk(t, s.dial(t, d, ""), login("shop", shopPassword)+apple, "STORED\r\nSTORED\r\n")
}
