package config

import (
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/certs"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/proxy"
	"github.com/slabgate/slabgate/upstream"
)

// valid is a Config that nothing is wrong with, made without a file.
func valid() *Config {
	l := Listener{ListenerConfig: proxy.DefaultListener(), TLS: new(certs.Config)}
	l.Name, l.Address = "main", ":11212"
	*l.TLS = certs.Default()
	l.TLS.Bundle, l.TLS.ClientCA = "/b.pem", "/ca.pem"
	u := upstream.Default()
	u.Name, u.Address = "local", "127.0.0.1:11211"
	return &Config{
		Version: 1, Policy: "/p.yaml", Limits: proxy.DefaultLimits(),
		Listeners: []Listener{l}, Upstreams: []upstream.Config{u},
		Log: Log{Level: "info", Format: "auto"}, Audit: audit.Default(),
	}
}

func TestValidate(t *testing.T) {
	const w, e = finding.Warning, finding.Error
	for _, row := range []struct {
		name string
		set  func(c *Config)
		want string // "code key", of everything that is found
		of   finding.Severity
	}{
		{"as it is", func(c *Config) {}, "", e},
		{"two listeners", func(c *Config) { c.Listeners = append(c.Listeners, c.Listeners[0]) },
			"SG1023 listeners[1].name; SG1034 listeners[1].address", e},
		{"two ports of the system's choice", func(c *Config) {
			c.Listeners = append(c.Listeners, c.Listeners[0])
			c.Listeners[0].Address, c.Listeners[1].Address, c.Listeners[1].Name = "127.0.0.1:0", "127.0.0.1:0", "b"
		}, "", e},
		{"two listeners without a name", func(c *Config) {
			c.Listeners = append(c.Listeners, c.Listeners[0])
			c.Listeners[0].Name, c.Listeners[1].Name, c.Listeners[1].Address = "", "", ":1"
		}, "SG1022 listeners[0].name; SG1022 listeners[1].name", e},
		{"no tls", func(c *Config) { c.Listeners[0].TLS = nil }, "SG1025 listeners[0].tls; SG1029 listeners[0]", e},
		{"no certificate asked", func(c *Config) { c.Listeners[0].TLS.ClientAuth, c.Listeners[0].TLS.ClientCA = "none", "" },
			"SG1029 listeners[0].tls.client_auth", w},
		{"a certificate if there is one", func(c *Config) { c.Listeners[0].TLS.ClientAuth = "request" },
			"SG1029 listeners[0].tls.client_auth", w},
		{"and a login", func(c *Config) {
			c.Listeners[0].TLS.ClientAuth, c.Logins = "request", Logins{ASCII: []string{"memcached"}, Users: "/u.yaml"}
		}, "", e},
		{"tls on a unix socket", func(c *Config) { c.Listeners[0].Address = "unix:/s" }, "", e},
		{"admin socket", func(c *Config) {
			c.Listeners[0].Address, c.Upstreams[0].Address, c.Admin.Socket = "unix:/s?mode=0660", "unix:/m", "/a"
		}, "", e},
		{"admin socket of a listener", func(c *Config) { c.Listeners[0].Address, c.Admin.Socket = "unix:/s?mode=0660", "/s" }, "SG1071 admin.socket", e},
		{"admin page at no address", func(c *Config) { c.Admin.HTTP = "localhost:11219" }, "SG1190 admin.http", e},
		{"admin page without a port", func(c *Config) { c.Admin.HTTP = "127.0.0.1" }, "SG1190 admin.http", e},
		{"admin page for other hosts", func(c *Config) { c.Admin.HTTP = "192.0.2.1:11219" }, "SG1191 admin.http", w},
		{"admin page on every address", func(c *Config) { c.Admin.HTTP = ":11219" }, "SG1191 admin.http", w},
		{"admin page by a name with a port", func(c *Config) { c.Admin.Hosts = []string{"a.test", "b.test:80"} }, "SG1192 admin.hosts[1]", e},
		{"admin page of a listener", func(c *Config) { c.Listeners[0].Address, c.Admin.HTTP = "127.0.0.1:11219", "127.0.0.1:11219" }, "SG1193 admin.http", e},
		{"admin page beside a listener on every address", func(c *Config) { c.Listeners[0].Address, c.Admin.HTTP = ":11219", "127.0.0.1:11219" }, "SG1193 admin.http", e},
		{"admin socket of memcached", func(c *Config) { c.Upstreams[0].Address, c.Admin.Socket = "unix:/m", "/m" }, "SG1071 admin.socket", e},
		{"admin socket with a long path", func(c *Config) { c.Admin.Socket = "/" + strings.Repeat("a", maxSocketPath) }, "SG1070 admin.socket", e},
		{"no upstream", func(c *Config) { c.Upstreams = nil }, "SG1024 upstreams", e},
		{"upstream without a name", func(c *Config) { c.Upstreams[0].Name = "" }, "SG1022 upstreams[0].name", e},
		{"upstream of another", func(c *Config) { c.Upstreams[0].Address, c.Upstreams[0].Unsafe = "10.0.0.1:1", true },
			"SG1058 upstreams[0].unsafe", w},
		{"negative wait", func(c *Config) { c.Shutdown.Grace = -time.Second }, "SG1032 shutdown", e},
		{"negative wait before", func(c *Config) { c.Shutdown.AcceptFor = -1 }, "SG1032 shutdown", e},
		{"audit of all", func(c *Config) {
			c.Audit.Sinks = []audit.SinkOptions{{File: "/a", Mode: 0o600}, {File: "/b", Mode: 0o660}, {Syslog: "local"}}
		}, "", e},
		{"audit for others", func(c *Config) { c.Audit.Sinks = []audit.SinkOptions{{File: "/a", Mode: 0o641}} }, "SG1037 audit.sinks[0].mode", e},
		{"audit for nobody", func(c *Config) { c.Audit.Sinks = make([]audit.SinkOptions, 1) },
			"SG1031 audit.sinks[0].file; SG1037 audit.sinks[0].mode", e},
		{"nothing", func(c *Config) { *c = Config{} }, "SG1020 version; SG1021 listeners; SG1024 upstreams; SG1033 policy; " +
			"SG1046 limits.login_timeout; SG1046 limits.handshake_timeout; SG1046 limits.request_timeout; SG1046 limits.write_timeout; " +
			"SG1046 limits.max_unauthenticated; SG1046 limits.max_per_source; SG1046 limits.max_in_flight; SG1046 limits.max_reply; " +
			"SG1030 log.level; SG1030 log.format; SG1067 audit.keys; SG1067 audit.on_full", e},
	} {
		c := valid()
		row.set(c)
		var got []string
		list := c.Validate()
		for _, f := range list {
			got = append(got, f.Code+" "+f.Key)
		}
		if strings.Join(got, "; ") != row.want || list.Failed() != (row.want != "" && row.of == e) {
			t.Errorf("%s: got %v, want %s", row.name, list, row.want)
		}
	}
}

func TestNamesOfUpstreamsFollowThoseOfListeners(t *testing.T) {
	for _, name := range []string{"a", "a-b", "0", "", "-", "a-", "-a", "a--b", "A", "a_b", "a.b", "ä", "a b", "a\n",
		strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		l := proxy.DefaultListener()
		l.Name, l.Address = name, ":1"
		if want := len(l.Validate()) == 0; isName(name) != want {
			t.Errorf("%q: got %v, want %v", name, isName(name), want)
		}
	}
}
