package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	denied  = "CLIENT_ERROR access denied\r\n"
	apple   = "set shop:1 0 0 5\r\napple\r\n"
	getItem = "get shop:1\r\n"
	item    = "VALUE shop:1 0 5\r\napple\r\nEND\r\n"
)

func TestReloadPutsAPolicyIntoForce(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	live := s.dial(t, d, "shop")
	talk(t, live, apple+"flush_all\r\n", "STORED\r\n"+denied)
	s.edit(t, "policy.yaml", `{id: shop, allow: ["@rw"],`, `{id: shop, allow: ["@read", "@flush"],`)
	d.reload(t, "reloaded")
	for name, c := range map[string]net.Conn{"live": live, "new": s.dial(t, d, "shop")} {
		t.Log(name)
		talk(t, c, getItem+apple, item+denied)
		talk(t, c, "flush_all\r\n"+getItem, "OK\r\nEND\r\n")
		talk(t, s.dial(t, d, "all"), apple, "STORED\r\n")
	}
}

func TestReloadThatLosesAnIdentityClosesItsSessions(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	gone, stays := s.dial(t, d, "blog"), s.dial(t, d, "shop")
	talk(t, gone, "mn\r\n", "MN\r\n")
	talk(t, stays, "mn\r\n", "MN\r\n")
	s.edit(t, "policy.yaml", "spiffe://test/blog", "spiffe://test/glob")
	d.reload(t, "reloaded")
	wantClosed(t, gone)
	talk(t, stays, apple, "STORED\r\n")
	// To whoever comes with that certificate now only a login is open.
	talk(t, s.dial(t, d, "blog"), "get blog:1\r\n", "CLIENT_ERROR unauthenticated\r\n")
	s.recorded(t, "revoke", 1)
	if log := s.read(t, "audit.jsonl"); !strings.Contains(log, `"identity":"blog"`) {
		t.Errorf("the audit must have one revoke, of blog:\n%s", log)
	}
}

func TestReloadPutsUsersIntoForce(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	loggedIn := func(name, password string) net.Conn {
		c := s.dial(t, d, "")
		talk(t, c, login(name, password), "STORED\r\n")
		return c
	}
	refused := func(name, password string) {
		talk(t, s.dial(t, d, ""), login(name, password), "CLIENT_ERROR authentication failure\r\n")
	}
	user := func(stdin string, args ...string) {
		t.Helper()
		args = append(append([]string{"user"}, args...), "-c", s.path("slabgate.yaml"))
		if code, said := s.call(t, stdin, args...); code != 0 || strings.Contains(said, "canary") {
			t.Fatalf("slabgate %q: exit %d: %s", args, code, said)
		}
	}
	shop, blog := loggedIn("shop", shopPassword), loggedIn("blog", blogPassword)
	refused("new", "new-password-canary")

	user("new-password-canary", "passwd", "shop", "--keep-for", "1h", "--iterations", "4096")
	user("blog", "disable", "blog")
	user("new-password-canary", "add", "new", "--iterations", "4096")
	d.reload(t, "reloaded")
	wantClosed(t, blog)
	talk(t, shop, apple, "STORED\r\n")
	refused("blog", blogPassword)
	loggedIn("shop", "new-password-canary")
	loggedIn("shop", shopPassword)

	user("", "disable", "blog", "--undo")
	user("newest-password-canary", "passwd", "shop", "--iterations", "4096")
	d.reload(t, "reloaded")
	wantClosed(t, shop)
	refused("shop", shopPassword)
	loggedIn("shop", "newest-password-canary")
	loggedIn("blog", blogPassword)
	d.mustNotHold(t, "password-canary")
}

func TestReloadPutsCertificatesIntoForce(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	serial := func() string {
		c := s.dial(t, d, "shop")
		talk(t, c, "mn\r\n", "MN\r\n")
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	live := s.dial(t, d, "shop")
	talk(t, live, apple, "STORED\r\n")
	first := serial()
	s.renewCertificate(t)
	if got := serial(); got != first {
		t.Errorf("before the reload the certificate is %s, want %s", got, first)
	}
	d.reload(t, "reloaded")
	if got := serial(); got == first {
		t.Errorf("after the reload the certificate is still %s", got)
	}
	talk(t, live, getItem, item)
}

// brokenFiles are reloads that must change nothing.
var brokenFiles = []struct {
	name string
	do   func(t *testing.T, s *site)
	code string
}{
	{"policy", func(t *testing.T, s *site) { s.write(t, "policy.yaml", "version: 1\ncategories: 1\nidentities: {") }, "SG1004"},
	{"policy's rule", func(t *testing.T, s *site) {
		s.edit(t, "policy.yaml", `{id: shop, allow: ["@rw"]`, `{id: shop, allow: ["@wr"]`)
	}, "SG1121"},
	{"users", func(t *testing.T, s *site) {
		s.write(t, "users.yaml", "users: [{name: shop, secrets: [{scram: plaintext-canary}]}]")
	}, "SG1281"},
	{"users' key", func(t *testing.T, s *site) {
		s.write(t, "users.yaml", "users: [{name: shop, password: plaintext-canary}]")
	}, "SG1008"},
	{"pair", func(t *testing.T, s *site) {
		_, key := s.pki.Server(t)
		s.copy(t, key, "server-key.pem")
	}, "SG1330"},
	{"torn certificate", func(t *testing.T, s *site) { s.write(t, "server.pem", "-----BEGIN CERTIFICATE-----\nMIIB") }, "SG1320"},
	{"configuration", func(t *testing.T, s *site) { s.edit(t, "slabgate.yaml", "logins:", "lgoins:") }, "SG1008"},
}

func TestBrokenReloadChangesNothing(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	live := s.dial(t, d, "shop")
	talk(t, live, apple, "STORED\r\n")
	whole := map[string]string{}
	for _, name := range []string{"slabgate.yaml", "policy.yaml", "users.yaml", "server.pem", "server-key.pem"} {
		whole[name] = s.read(t, name)
	}
	for _, tc := range brokenFiles {
		t.Run(tc.name, func(t *testing.T) {
			refusals := strings.Count(s.read(t, "audit.jsonl"), `"event":"reload_refuse"`)
			tc.do(t, s)
			d.reload(t, "reload refused")
			s.recorded(t, "reload_refuse", refusals+1)
			if text := d.text(); !strings.Contains(text, `"code":"`+tc.code+`"`) {
				t.Errorf("the log must name %s:\n%s", tc.code, text)
			}
			talk(t, live, getItem, item)
			talk(t, s.dial(t, d, "shop"), getItem, item)
			c := s.dial(t, d, "")
			talk(t, c, login("shop", shopPassword)+getItem, "STORED\r\n"+item)
			for name, text := range whole {
				s.write(t, name, text)
			}
		})
	}
	d.reload(t, "reloaded")
	talk(t, live, getItem, item)
	d.mustNotHold(t, "plaintext-canary")
}

// A listener that is renamed goes on under its old name, with its certificate,
// until the restart that the log asks for.
func TestReloadWithARenamedListenerBreaksNothing(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	s.edit(t, "slabgate.yaml", "name: main", "name: front")
	d.reload(t, "reloaded")
	talk(t, s.dial(t, d, "shop"), apple, "STORED\r\n")
	if text := d.text(); !strings.Contains(text, `"needs_restart":"listeners[0].name"`) {
		t.Errorf("the log must say what needs a restart:\n%s", text)
	}
	d.reload(t, "reloaded")
	talk(t, s.dial(t, d, "shop"), getItem, item)
}

// reloads is how many reloads happen under load; every tenth is broken.
func reloads() int {
	if long() {
		return 1000
	}
	return 50
}

func TestReloadsUnderLoadFailNoRequest(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	s.edit(t, "slabgate.yaml", "log: {level: debug", "log: {level: info")
	d := follow(t, exec.Command(withoutDetector(t), "run", "-c", s.path("slabgate.yaml")))
	var stop atomic.Bool
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range 2 * len(speakers) {
		name := []string{"shop", "blog"}[i%2]
		c := s.dial(t, d, name)
		wg.Go(func() {
			n, err := keepSpeaking(c, speakers[i%len(speakers)], fmt.Sprintf("%s:%d", name, i), &stop)
			done.Add(int64(n))
			if err != nil {
				t.Errorf("client %d after %d requests: %v", i, n, err)
			}
		})
	}
	wg.Go(func() {
		n, err := reconnect(s, d.addr(t, "main"), &stop)
		t.Logf("%d connections of one request each", n)
		if err != nil {
			t.Errorf("connection %d: %v", n, err)
		}
	})
	fifth := reloads() / 5
	d.measureReloads(t, s, 0, fifth) // until everything has been used once
	before := d.measureReloads(t, s, fifth, 2*fifth)
	d.measureReloads(t, s, 2*fifth, 4*fifth)
	after := d.measureReloads(t, s, 4*fifth, 5*fifth)
	stop.Store(true)
	wg.Wait()
	t.Logf("%d requests during %d reloads; %+v in the second fifth, %+v in the last", done.Load(), reloads(), before, after)
	if after.files > before.files+8 {
		t.Errorf("%d files are open, %d were in the beginning", after.files, before.files)
	}
	if long() && after.memory > before.memory+before.memory/50 {
		t.Errorf("%d KiB are used, %d were in the beginning", after.memory, before.memory)
	}
	s.recorded(t, "reload", reloads()-reloads()/10)
	if n := d.goroutines(t); n < 5 || n > 40 {
		t.Errorf("%d goroutines are left when the clients have gone:\n%s", n, d.text())
	}
}

// footprint is what a process uses.
type footprint struct {
	files  int
	memory int // KiB, the least that was seen
}

// withoutDetector is a slabgate without the race detector, whose own memory grows,
// where memory is measured; else the one of all tests.
func withoutDetector(t *testing.T) string {
	t.Helper()
	if !long() {
		return binary
	}
	path := filepath.Join(filepath.Dir(binary), "slabgate-plain")
	if said, err := exec.Command("go", "build", "-o", path, "github.com/slabgate/slabgate/cmd/slabgate").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	return path
}

// measureReloads reloads from the first to before the last time, and returns what the
// process used meanwhile.
func (d *daemon) measureReloads(t *testing.T, s *site, first, last int) (f footprint) {
	t.Helper()
	for i := first; i < last; i++ {
		s.reloadOnce(t, d, i)
		time.Sleep(10 * time.Millisecond) // of 100 equal lines a second the log tells no more
		if m := d.memory(t); f.memory == 0 || m < f.memory {
			f.memory = m
		}
	}
	f.files = d.descriptors(t)
	return f
}

// memory is the process's resident memory in KiB; 1 if only root may know.
func (d *daemon) memory(t *testing.T) (kib int) {
	t.Helper()
	if os.Geteuid() != 0 {
		return 1
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "VmRSS:")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}

// goroutines ends the process in the way that shows its goroutines, and counts them.
func (d *daemon) goroutines(t *testing.T) int {
	t.Helper()
	d.signal(t, syscall.SIGQUIT)
	d.wantExit(t, 2)
	return strings.Count(d.text(), "\ngoroutine ")
}

// reloadOnce changes one of the files and reloads; every tenth is broken.
func (s *site) reloadOnce(t *testing.T, d *daemon, i int) {
	t.Helper()
	if i%10 == 9 {
		was := s.read(t, "policy.yaml")
		s.write(t, "policy.yaml", was+"oops")
		d.reload(t, "reload refused")
		s.write(t, "policy.yaml", was)
		return
	}
	switch i % 3 {
	case 0:
		s.renewCertificate(t)
	case 1:
		s.write(t, "policy.yaml", usualPolicy+fmt.Sprintf("# %d\n", i))
	case 2:
		s.write(t, "users.yaml", usualUsers)
	}
	d.reload(t, "reloaded")
}

// reconnect makes connection after connection, each with one request.
func reconnect(s *site, addr string, stop *atomic.Bool) (n int, err error) {
	for ; !stop.Load(); n++ {
		c, err := tls.Dial("tcp", addr, s.tlsConfig("all"))
		if err != nil {
			return n, err
		}
		got, err := ask(c, bufio.NewReader(c), "mn\r\n", 1)
		c.Close()
		if err != nil || got != "MN\r\n" {
			return n, fmt.Errorf("got %q, %v", got, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return n, nil
}
