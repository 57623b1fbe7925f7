package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/proxy"
)

func TestRunRefusesRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: this test must run as root")
	}
	newSite(t).call(t, "run").want(t, exitPermission, "as root", "--allow-root")
}

func TestRunRefusesDevelopmentCertificates(t *testing.T) {
	s := newSite(t)
	config := s.path("slabgate.yaml")
	slabgate(t, "run", "--allow-root", "-c", config).want(t, exitConfig, "error SG1338", "slabgate run --dev")
}

func TestRunExitsWithTheReason(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newSite(t)
	s.write(t, "file", "")
	for _, tc := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"port in use", []string{"--set", "listeners.main.address=" + taken.Addr().String()}, exitPermission,
			[]string{"listener main", "address already in use"}},
		{"file in the way of a socket", []string{"--set", "listeners.main.address=unix:" + s.path("file")}, exitPermission,
			[]string{"listener main", "is in the way and is no socket"}},
		{"no such address", []string{"--set", "listeners.main.address=192.0.2.1:0"}, exitPermission,
			[]string{"listener main", "cannot assign requested address"}},
		{"no memcached", []string{"--require-upstream"}, exitUnavailable,
			[]string{"memcached at unix:/nonexistent/mc.sock: ", "no such file"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			s.call(t, append([]string{"run", "--allow-root"}, tc.args...)...).want(t, tc.code, append(tc.says, "error SG14", "  fix     ")...)
		})
	}
}

func TestRunRefusesAnAuditFileItCannotWrite(t *testing.T) {
	s := newSite(t)
	s.write(t, "slabgate.yaml", siteConfig+"audit: {sinks: [{file: none/audit.jsonl}]}\n")
	s.call(t, "run", "--allow-root").want(t, exitPermission, "none/audit.jsonl", "no such file")
}

// A second listener that cannot be bound leaves the first closed.
func TestRunBindsAllListenersOrNone(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "upstreams:", "  - {name: back, address: \"unix:"+s.path("policy.yaml")+"\", transport: plaintext}\nupstreams:")
	s.edit(t, "slabgate.yaml", "127.0.0.1:0", "unix:"+s.path("front.sock"))
	s.call(t, "run", "--allow-root").want(t, exitPermission, "listener back", "is no socket")
	if _, err := os.Stat(s.path("front.sock")); !os.IsNotExist(err) {
		t.Errorf("the first listener's socket: got %v, want it gone", err)
	}
}

// running is a slabgate run in the test's process.
type running struct {
	log  buffer
	end  context.CancelFunc
	code chan int
}

// start runs the site and returns when it is ready.
func (s site) start(t *testing.T, args ...string) *running {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{end: cancel, code: make(chan int, 1)}
	args = append([]string{"run", "--allow-root", "--dev", "-c", s.path("slabgate.yaml")}, args...)
	go func() { r.code <- run(ctx, args, stdio{strings.NewReader(""), &r.log, &r.log}) }()
	r.await(t, `"msg":"ready"`)
	return r
}

// await waits until the log has text.
func (r *running) await(t *testing.T, text string) {
	t.Helper()
	if !eventually(func() bool { return strings.Contains(r.log.String(), text) }) {
		t.Fatalf("waited in vain for %s in:\n%s", text, r.log.String())
	}
}

func eventually(cond func() bool) bool {
	ok := false
	testkit.Eventually(&quietTB{}, "", func() bool { ok = cond(); return ok })
	return ok
}

// quietTB lets a caller of testkit.Eventually tell more in its failure.
type quietTB struct{ testing.TB }

func (quietTB) Helper()               {}
func (quietTB) Fatalf(string, ...any) {}

// stop ends the daemon as the end of its context does.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.end()
	if code := <-r.code; code != exitOK {
		t.Errorf("exit code: got %d, want %d\n%s", code, exitOK, r.log.String())
	}
	r.await(t, `"msg":"stopped"`)
}

// hangUp asks the daemon, which hears the signals of the test's process, to
// reload.
func (r *running) hangUp(t *testing.T, answer string) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.await(t, answer)
}

func TestRunServesWithoutMemcachedAndStops(t *testing.T) {
	r := newSite(t).start(t)
	for _, text := range []string{`"msg":"started"`, `"version":"` + release + `"`, `"msg":"server down"`, `"main tls 127.0.0.1:`} {
		r.await(t, text)
	}
	r.stop(t)
}

func TestRunRefusesRequiredUpstreamOnlyWithoutOne(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "unix:/nonexistent/mc.sock", fake.Addr())
	r := s.start(t, "--require-upstream")
	r.await(t, `"msg":"server up"`)
	r.stop(t)
}

func TestReloadTellsWhatNeedsARestart(t *testing.T) {
	s := newSite(t)
	r := s.start(t)
	s.edit(t, "policy.yaml", `allow: ["@rw"]`, `allow: ["@read"]`)
	r.hangUp(t, `"needs_restart":""`)
	s.edit(t, "slabgate.yaml", "name: main", "name: front")
	s.edit(t, "slabgate.yaml", "{format: json}", "{format: text}")
	r.hangUp(t, `"needs_restart":"listeners[0].name log.format"`)
	s.edit(t, "policy.yaml", "version: 1", "version: 2")
	s.edit(t, "users.yaml", "name: web", `name: "we b"`)
	r.hangUp(t, `"code":"SG1210"`)
	r.await(t, `"code":"SG1101"`)
	if n := strings.Count(r.log.String(), `"msg":"reload refused"`); n != 2 {
		t.Errorf("%d faults are logged, want 2:\n%s", n, r.log.String())
	}
	r.stop(t)
}

func TestNeedRestart(t *testing.T) {
	base := []config.Origin{
		{Key: "listeners[0].name", Value: "main"}, {Key: "listeners[0].tls.bundle", Value: "a"},
		{Key: "policy", Value: "p"}, {Key: "logins.users", Value: "u"}, {Key: "log.level", Value: "info"},
	}
	for _, tc := range []struct {
		name   string
		change func(o []config.Origin) []config.Origin
		want   string
	}{
		{"nothing", func(o []config.Origin) []config.Origin { return o }, ""},
		{"where it stands", func(o []config.Origin) []config.Origin { o[4].Where = "x:1:1"; return o }, ""},
		{"reloadable", func(o []config.Origin) []config.Origin {
			o[1].Value, o[2].Value, o[3].Value = "b", "q", "v"
			return o
		}, ""},
		{"level", func(o []config.Origin) []config.Origin { o[4].Value = "debug"; return o }, "log.level"},
		{"gone", func(o []config.Origin) []config.Origin { return o[1:] }, "listeners[0].name"},
		{"come", func(o []config.Origin) []config.Origin {
			return append(o, config.Origin{Key: "listeners[1].name", Value: "back"})
		}, "listeners[1].name"},
	} {
		now := tc.change(append([]config.Origin{}, base...))
		got := strings.Join(needRestart(&config.Config{Origins: base}, &config.Config{Origins: now}), " ")
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// A listener that a reload has lost runs on until the restart, and must not be
// without a certificate until then.
func TestReloadKeepsTheCertificateOfALostListener(t *testing.T) {
	old, renewed := &tls.Config{}, &tls.Config{}
	d := &daemon{snapshot: &proxy.Snapshot{
		TLS: map[string]*tls.Config{"main": old, "back": old},
		CNs: map[string]bool{"main": true, "back": true},
	}}
	next := &proxy.Snapshot{
		CAs: map[string][]*x509.Certificate{},
		TLS: map[string]*tls.Config{"back": renewed, "front": renewed},
		CNs: map[string]bool{"back": false, "front": false},
	}
	d.keepTLS(next)
	for name, want := range map[string]*tls.Config{"main": old, "back": renewed, "front": renewed} {
		if next.TLS[name] != want || next.CNs[name] != (want == old) {
			t.Errorf("%s: got %p and %v, want %p and %v", name, next.TLS[name], next.CNs[name], want, want == old)
		}
	}
}
