package e2e_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// The configuration of a site whose clients log in over the binary dialect.
// @SASL@ are the mechanisms that it knows.
const (
	saslConfig = `version: 1
listeners:
  - name: main
    address: "127.0.0.1:0"
    transport: tls
    tls: {cert: @DIR@/server.pem, key: @DIR@/server-key.pem, client_auth: none}
  - {name: plain, address: "127.0.0.1:0", transport: plaintext}
  - {name: clear, address: "127.0.0.1:0", transport: plaintext, unsafe_plain: true}
  - {name: open, address: "127.0.0.1:0", transport: plaintext}
  - {name: whole, address: "127.0.0.1:0", transport: plaintext}
upstreams:
  - {name: local, address: "@MC@"}
logins: {sasl: [@SASL@], users: @DIR@/users.yaml}
policy: @DIR@/policy.yaml
log: {level: debug, format: json}
audit: {sinks: [{file: @DIR@/audit.jsonl}]}
`
	saslPolicy = `version: 1
categories: 1
identities:
  shop:
    match: [{sasl: shop}]
    rules: [{id: shop, allow: ["@rw"], keys: ["prefix:shop:"]}]
  blog:
    match: [{sasl: blog}]
    deny_reply: quiet
    rules: [{id: blog, allow: ["@rw"], keys: ["prefix:blog:"]}]
  legacy:
    match: [{listener: open}]
    rules: [{id: legacy, allow: ["@rw"], keys: ["prefix:legacy:"]}]
  all:
    match: [{listener: whole}]
    rules: [{id: all, allow: ["@all"], keys: ["*"]}]
`
)

// startSASL starts a site with logins over SASL.
func startSASL(t *testing.T, mechanisms string) (*site, *daemon) {
	t.Helper()
	s := newSite(t, memcached(t).Addr())
	s.write(t, "slabgate.yaml", strings.Replace(saslConfig, "@SASL@", mechanisms, 1))
	s.write(t, "policy.yaml", saslPolicy)
	return s, s.start(t)
}

// visit is one run of a library's program.
type visit struct {
	library library
	caller  caller // its address is that of path
	path    *relay
	calls   []call
	conns   int // that it makes, if not 1
}

// run makes the calls and fails the test where an answer is not the one wanted,
// a key that the caller may not touch has changed, or the connections are not as
// many as they should be. Keys are named after the test, as memcached is shared.
func (v visit) run(t *testing.T, d *daemon) {
	t.Helper()
	v.caller.addr = v.path.addr()
	name := strings.ReplaceAll(t.Name(), "/", ":")
	own, other := cmp.Or(v.caller.user, "legacy")+":"+name, "other:"+name
	whole := d.dialTo(t, "whole")
	talk(t, whole, "set "+other+":secret 0 0 6\r\nsecret\r\n", "STORED\r\n")
	runSuite(t, v.library.program(t, v.caller), v.calls, own, other)
	talk(t, whole, "get "+other+":secret\r\n", "VALUE "+other+":secret 0 6\r\nsecret\r\nEND\r\n")
	if got, want := v.path.connections(), max(1, v.conns); got != want {
		t.Errorf("it has made %d connections, want %d", got, want)
	}
}

// shop logs in as a user whose denials are errors.
func shop(l library, path *relay) visit {
	return visit{library: l, caller: caller{user: "shop", password: shopPassword}, path: path,
		calls: l.suite(slices.Concat(binaryCalls, deniedCalls)...), conns: l.shop}
}

// blog logs in as a user whose denials look like misses.
func blog(l library, path *relay) visit {
	return visit{library: l, caller: caller{user: "blog", password: blogPassword}, path: path, calls: l.suite(hiddenCalls...), conns: l.blog}
}

// named is the library called name.
func named(name string) library {
	return libraries[slices.IndexFunc(libraries, func(l library) bool { return l.name == name })]
}

// The libraries that know SCRAM use it by themselves, and so need no TLS.
func TestClientsLogInWithSCRAM(t *testing.T) {
	_, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	for _, name := range []string{"pylibmc", "php-memcached"} {
		l := named(name)
		t.Run(name, func(t *testing.T) { shop(l, d.straight(t, "plain")).run(t, d) })
		t.Run(name+" with denials hidden", func(t *testing.T) { blog(l, d.straight(t, "plain")).run(t, d) })
	}
}

// A library without TLS goes through a tunnel, and its password with it.
func TestClientsLogInWithPLAINThroughATunnel(t *testing.T) {
	s, d := startSASL(t, "PLAIN")
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) { shop(l, s.tunnel(t, d, "main")).run(t, d) })
		t.Run(l.name+" with denials hidden", func(t *testing.T) { blog(l, s.tunnel(t, d, "main")).run(t, d) })
	}
}

// Dalli 3.0.6 has no multi-get over its own TLS.
func TestClientsLogInWithPLAINInTheirOwnTLS(t *testing.T) {
	s, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	for name, without := range map[string][]string{"dalli": {"multi", "many"}, "gomemcached": nil} {
		t.Run(name, func(t *testing.T) {
			v := shop(named(name), d.straight(t, "main"))
			v.caller.ca = s.path("ca.pem")
			v.calls = slices.DeleteFunc(v.calls, func(c call) bool { return c.oneOf(without) })
			v.run(t, d)
		})
	}
}

func TestClientsLogInWithPLAINInTheClear(t *testing.T) {
	_, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	for _, name := range []string{"dalli", "memjs", "gomemcached"} {
		t.Run(name, func(t *testing.T) { shop(named(name), d.straight(t, "clear")).run(t, d) })
	}
}

// Clients that have no login yet are told apart by where they connect.
func TestClientsWithoutALogin(t *testing.T) {
	_, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			v := shop(l, d.straight(t, "open"))
			v.caller.user, v.caller.password = "", ""
			v.run(t, d)
		})
	}
}

// guess is a password that is not right.
const guess = "guess-canary-3"

// mostConnections is how often a library may connect for one call.
const mostConnections = 3

// wantRefused fails the test unless so many calls fail, and the client takes that
// for an answer.
func (v visit) wantRefused(t *testing.T, calls int) {
	t.Helper()
	v.caller.addr = v.path.addr()
	refused := slices.Repeat([]call{{"set OWN:a mine", "login failed"}}, calls)
	runSuite(t, v.library.program(t, v.caller), refused, "shop", "")
	if got := v.path.connections(); got > mostConnections*calls {
		t.Errorf("it has made %d connections for %d calls", got, calls)
	}
}

func TestClientsWithAWrongPassword(t *testing.T) {
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			s, d := startSASL(t, "PLAIN")
			v := shop(l, s.tunnel(t, d, "main"))
			v.caller.password = guess
			v.wantRefused(t, 3)
			d.await(t, "login refused")
			d.mustNotHold(t, guess)
		})
	}
}

// A library that knows PLAIN alone cannot log in where a password would be read
// on its way, and not all of them look whether they can.
func TestClientsMayNotSendPasswordsInTheClear(t *testing.T) {
	_, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	for _, name := range []string{"dalli", "memjs", "gomemcached"} {
		t.Run(name, func(t *testing.T) { shop(named(name), d.straight(t, "plain")).wantRefused(t, 3) })
	}
}

func TestClientsThatDoNotLogIn(t *testing.T) {
	_, d := startSASL(t, "PLAIN, SCRAM-SHA-256")
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			visit{library: l, path: d.straight(t, "plain")}.wantRefused(t, 1)
		})
	}
}
