package proxy

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// findingCodes writes a list as "code key" for a table.
func findingCodes(list finding.List) string {
	var out []string
	for _, f := range list {
		out = append(out, f.Code+" "+f.Key)
	}
	return strings.Join(out, "; ")
}

func TestListenerAddresses(t *testing.T) {
	long := "/" + strings.Repeat("s", 107)
	for _, row := range []struct {
		address, transport string
		want               string
	}{
		{":11212", "tls", ""},
		{"0.0.0.0:11212", "tls", ""},
		{"[::]:11212", "tls", ""},
		{"10.1.2.3:0", "tls", ""},
		{"[fe80::1%eth0]:11212", "tls", ""},
		{"127.0.0.1:11212", "tls", ""},
		{"unix:/s", "tls", ""},

		{"127.0.0.1:11212", "plaintext", ""},
		{"127.255.255.254:11212", "plaintext", ""},
		{"[::1]:11212", "plaintext", ""},
		{"[::ffff:127.0.0.1]:11212", "plaintext", ""},
		{"unix:/s", "plaintext", ""},
		{"unix:/s?mode=0600", "plaintext", ""},
		{"unix:/s?group=www-data&mode=0660", "plaintext", ""},

		{":11212", "plaintext", "SG1042 address"},
		{"0.0.0.0:11212", "plaintext", "SG1042 address"},
		{"[::]:11212", "plaintext", "SG1042 address"},
		{"126.255.255.255:1", "plaintext", "SG1042 address"},
		{"128.0.0.1:1", "plaintext", "SG1042 address"},
		{"10.0.0.1:1", "plaintext", "SG1042 address"},
		{"[::2]:1", "plaintext", "SG1042 address"},
		{"[::ffff:10.0.0.1]:1", "plaintext", "SG1042 address"},
		{"[::127.0.0.1]:1", "plaintext", "SG1042 address"},

		{"", "tls", "SG1040 address"},
		{"11212", "tls", "SG1040 address"},
		{"127.0.0.1", "tls", "SG1040 address"},
		{"127.0.0.1:", "tls", "SG1040 address"},
		{"127.0.0.1:65536", "tls", "SG1040 address"},
		{"127.0.0.1:-1", "tls", "SG1040 address"},
		{"127.1:1", "tls", "SG1040 address"},
		{"127.0.0.01:1", "tls", "SG1040 address"},
		{"::1:1", "tls", "SG1040 address"},
		{"[::1]", "tls", "SG1040 address"},
		{":http", "tls", "SG1040 address"},
		{" :1", "tls", "SG1040 address"},
		{"tcp://:1", "tls", "SG1041 address"},
		{"localhost:1", "tls", "SG1041 address"},
		{"LocalHost:1", "plaintext", "SG1041 address"},
		{"cache.example.org:1", "tls", "SG1041 address"},
		{"systemd:main", "tls", ""},
		{"systemd:", "tls", "SG1181 address"},
		{"systemd:a:b", "plaintext", "SG1181 address"},
		{"systemd:a b", "tls", "SG1181 address"},

		{"unix:", "tls", "SG1040 address"},
		{"unix:s", "tls", "SG1040 address"},
		{"unix:@abstract", "plaintext", "SG1040 address"},
		{"unix:/s\x00", "tls", "SG1040 address"},
		{"unix:" + long, "tls", "SG1040 address"},
		{"unix:" + long[1:], "tls", "SG1040 address"},
		{"unix:" + long[:107], "tls", ""},
		{"unix:/s?", "tls", "SG1045 address"},
		{"unix:/s?mode", "tls", "SG1045 address"},
		{"unix:/s?mode=660", "tls", "SG1045 address"},
		{"unix:/s?mode=0888", "tls", "SG1045 address"},
		{"unix:/s?mode=1777", "tls", "SG1045 address"},
		{"unix:/s?mode=rw", "tls", "SG1045 address"},
		{"unix:/s?Mode=0660", "tls", "SG1045 address"},
		{"unix:/s?owner=root", "tls", "SG1045 address"},
		{"unix:/s?group=", "tls", "SG1045 address"},
		{"unix:/s?group=a%62", "tls", "SG1045 address"},
		{"unix:/s?mode=0660&mode=0600", "tls", "SG1045 address"},
		{"unix:/s?mode=0660;group=x", "tls", "SG1045 address"},
		{"unix:/s?mode=9&group=", "tls", "SG1045 address; SG1045 address"},
	} {
		c := ListenerConfig{Name: "main", Address: row.address, Transport: row.transport, MaxConnections: 1}
		list := c.Validate()
		if got := findingCodes(list); got != row.want {
			t.Errorf("%q %s: got %s, want %s", row.address, row.transport, got, row.want)
		}
		for _, f := range list {
			if f.Fix == "" || f.Problem == "" || len(f.Problem) > 300 {
				t.Errorf("%q: %+v", row.address, f)
			}
		}
	}
}

func TestLocalhostIsToldItsAddress(t *testing.T) {
	c := ListenerConfig{Name: "main", Address: "localhost:7", Transport: "tls", MaxConnections: 1}
	if list := c.Validate(); len(list) != 1 || list[0].Fix != "write 127.0.0.1:7" {
		t.Errorf("got %v", list)
	}
}

func TestListenerConfigs(t *testing.T) {
	plain := []string{"PLAIN"}
	for _, row := range []struct {
		name string
		set  func(c *ListenerConfig)
		want string
	}{
		{"as it is", func(c *ListenerConfig) {}, ""},
		{"longest name", func(c *ListenerConfig) { c.Name = strings.Repeat("a", 63) }, ""},
		{"digits and hyphens", func(c *ListenerConfig) { c.Name = "0-a-1" }, ""},
		{"no name", func(c *ListenerConfig) { c.Name = "" }, "SG1022 name"},
		{"name too long", func(c *ListenerConfig) { c.Name = strings.Repeat("a", 64) }, "SG1022 name"},
		{"capital", func(c *ListenerConfig) { c.Name = "Main" }, "SG1022 name"},
		{"underscore", func(c *ListenerConfig) { c.Name = "a_b" }, "SG1022 name"},
		{"dot", func(c *ListenerConfig) { c.Name = "a.b" }, "SG1022 name"},
		{"hyphen in front", func(c *ListenerConfig) { c.Name = "-a" }, "SG1022 name"},
		{"hyphen behind", func(c *ListenerConfig) { c.Name = "a-" }, "SG1022 name"},
		{"two hyphens", func(c *ListenerConfig) { c.Name = "a--b" }, "SG1022 name"},
		{"line end", func(c *ListenerConfig) { c.Name = "a\n" }, "SG1022 name"},
		{"no transport", func(c *ListenerConfig) { c.Transport = "" }, "SG1043 transport"},
		{"transport in capitals", func(c *ListenerConfig) { c.Transport = "TLS" }, "SG1043 transport"},
		{"sniff", func(c *ListenerConfig) { c.Transport = "sniff" }, "SG1014 transport"},
		{"no connections", func(c *ListenerConfig) { c.MaxConnections = 0 }, "SG1044 max_connections"},
		{"negative", func(c *ListenerConfig) { c.MaxConnections = -1 }, "SG1044 max_connections"},
		{"PLAIN in the clear inside TLS", func(c *ListenerConfig) { c.SASL, c.PlainInClear = plain, true }, "SG1049 unsafe_plain"},
		{"PLAIN in the clear on a unix socket", func(c *ListenerConfig) {
			c.Address, c.Transport, c.SASL, c.PlainInClear = "unix:/s", "plaintext", plain, true
		}, "SG1049 unsafe_plain"},
		{"PLAIN in the clear, not named", func(c *ListenerConfig) {
			c.Address, c.Transport, c.SASL, c.PlainInClear = "127.0.0.1:1", "plaintext", []string{"SCRAM-SHA-256"}, true
		}, "SG1049 unsafe_plain"},
		{"PLAIN in the clear beyond this host", func(c *ListenerConfig) {
			c.Transport, c.SASL, c.PlainInClear = "plaintext", plain, true
		}, "SG1042 address; SG1048 unsafe_plain"},
		{"everything", func(c *ListenerConfig) { *c = ListenerConfig{} }, "SG1022 name; SG1040 address; SG1043 transport; SG1044 max_connections"},
	} {
		c := DefaultListener()
		c.Name, c.Address = "main", ":1"
		row.set(&c)
		if got := findingCodes(c.Validate()); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

// TestPlainInTheClearIsAWarning: it starts, and every start says so.
func TestPlainInTheClearIsAWarning(t *testing.T) {
	c := ListenerConfig{Name: "main", Address: "127.0.0.1:1", Transport: "plaintext", MaxConnections: 1,
		SASL: []string{"PLAIN", "SCRAM-SHA-256"}, PlainInClear: true}
	list := c.Validate()
	if list.Failed() || findingCodes(list) != "SG1048 unsafe_plain" {
		t.Errorf("got %v, want one warning SG1048", list)
	}
	c.PlainInClear = false
	if list := c.Validate(); len(list) > 0 {
		t.Errorf("without it: got %v", list)
	}
}

func TestLimits(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(l *Limits)
		want string
	}{
		{"as they are", func(l *Limits) {}, ""},
		{"no idle limit", func(l *Limits) { l.IdleTimeout = 0 }, ""},
		{"handshake takes all of the login", func(l *Limits) { l.HandshakeTimeout = l.LoginTimeout }, ""},
		{"one source may be all", func(l *Limits) { l.MaxPerSource = l.MaxUnauthenticated }, ""},
		{"smallest", func(l *Limits) { *l = Limits{1, 1, 1, 1, 0, 1, 1, 1, 1} }, ""},
		{"login", func(l *Limits) { l.LoginTimeout = 0 }, "SG1046 login_timeout"},
		{"handshake", func(l *Limits) { l.HandshakeTimeout = 0 }, "SG1046 handshake_timeout"},
		{"request", func(l *Limits) { l.RequestTimeout = -1 }, "SG1046 request_timeout"},
		{"write", func(l *Limits) { l.WriteTimeout = 0 }, "SG1046 write_timeout"},
		{"idle", func(l *Limits) { l.IdleTimeout = -1 }, "SG1046 idle_timeout"},
		{"unauthenticated", func(l *Limits) { l.MaxUnauthenticated = 0 }, "SG1046 max_unauthenticated"},
		{"source", func(l *Limits) { l.MaxPerSource = 0 }, "SG1046 max_per_source"},
		{"in flight", func(l *Limits) { l.MaxInFlight = 0 }, "SG1046 max_in_flight"},
		{"reply", func(l *Limits) { l.MaxReply = -1 }, "SG1046 max_reply"},
		{"handshake over login", func(l *Limits) { l.HandshakeTimeout = l.LoginTimeout + time.Nanosecond }, "SG1047 handshake_timeout"},
		{"source over all", func(l *Limits) { l.MaxPerSource = l.MaxUnauthenticated + 1 }, "SG1047 max_per_source"},
		{"everything", func(l *Limits) { *l = Limits{} }, "SG1046 login_timeout; SG1046 handshake_timeout; SG1046 request_timeout; SG1046 write_timeout; " +
			"SG1046 max_unauthenticated; SG1046 max_per_source; SG1046 max_in_flight; SG1046 max_reply"},
	} {
		l := DefaultLimits()
		row.set(&l)
		if got := findingCodes(l.Validate()); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

// FuzzListenerAddress checks that what is accepted can only mean one thing: a
// socket path without surprises, or an address that is this host's own if
// plaintext is taken there.
func FuzzListenerAddress(f *testing.F) {
	for _, s := range []string{":1", "127.0.0.1:1", "[::1]:1", "unix:/s?mode=0660&group=x", "localhost:1", "systemd:x", "[::ffff:1.2.3.4]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		c := ListenerConfig{Name: "main", Address: address, Transport: "plaintext", MaxConnections: 1}
		plaintext := c.Validate()
		c.Transport = "tls"
		_, later := c.Inherited() // the socket is looked at when it is there
		if later || plaintext.Failed() || c.Validate().Failed() {
			return
		}
		file, unix := strings.CutPrefix(address, "unix:")
		host, _, _ := net.SplitHostPort(address)
		host, _, _ = strings.Cut(host, "%")
		local := net.ParseIP(host).IsLoopback()
		if unix && (!strings.HasPrefix(file, "/") || strings.Contains(file, "\x00")) || !unix && !local {
			t.Errorf("%q is taken for plaintext", address)
		}
	})
}
