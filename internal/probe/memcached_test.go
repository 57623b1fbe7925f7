package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/testkit"
)

// Canaries: neither may be in anything that a probe shows.
const (
	canaryKey   = "canarykey:77310042886"
	canaryValue = "canaryvalue-99420077133"
)

// quick is a Config for targets on this host.
func quick(t *testing.T, targets ...string) Config {
	t.Helper()
	c := Default()
	c.Rate, c.Timeout, c.Time = MaxRate, time.Second, time.Minute
	for _, s := range targets {
		target, err := ParseTarget(s, DefaultPorts(), false)
		if err != nil {
			t.Fatal(err)
		}
		c.Targets = append(c.Targets, target)
	}
	return c
}

// impatient is a Config for targets that keep silent about some of what is asked.
func impatient(t *testing.T, targets ...string) Config {
	t.Helper()
	c := quick(t, targets...)
	c.Timeout = 400 * time.Millisecond
	return c
}

// look runs a probe of one place, and holds that it shows no canary.
func look(t *testing.T, c Config) (*Report, *Endpoint) {
	t.Helper()
	r, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{canaryKey, "canarykey", "77310042886", canaryValue, "canaryvalue", "99420077133"} {
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("the report holds %q:\n%s", canary, data)
		}
	}
	if len(r.Endpoints) != 1 {
		t.Fatalf("%d places were looked at, want 1", len(r.Endpoints))
	}
	return r, r.Endpoints[0]
}

// record is the first record with an id.
func record(t *testing.T, r *Report, id string) *doctor.Record {
	t.Helper()
	for i := range r.Records {
		if r.Records[i].ID == id {
			return &r.Records[i]
		}
	}
	t.Fatalf("no record %s", id)
	return nil
}

// wantStatus fails the test unless each record has its status.
func wantStatus(t *testing.T, r *Report, want map[string]doctor.Status) {
	t.Helper()
	for id, status := range want {
		if rec := record(t, r, id); rec.Status != status {
			t.Errorf("%s: got %s (%s), want %s", id, rec.Status, rec.Text, status)
		}
	}
}

// said talks to an address and returns all that it says until it is silent.
func said(t *testing.T, conn net.Conn, send, want string) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("%q: got %q, %v, want %q", send, got, err, want)
	}
}

// full starts a memcached with one key, which knows its prefixes.
func full(t *testing.T, binary string, args ...string) *testkit.Memcached {
	t.Helper()
	mc := testkit.MemcachedConfig{Binary: binary, TCP: true, Args: append([]string{"-D", ":"}, args...)}.Start(t)
	said(t, mc.Dial(t), fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", canaryKey, len(canaryValue), canaryValue), "STORED\r\n")
	return mc
}

// traffic reads and writes the key until the test ends, for watch to show.
func traffic(t *testing.T, mc *testkit.Memcached) {
	conn, stop := mc.Dial(t), make(chan struct{})
	var wg sync.WaitGroup
	t.Cleanup(func() { close(stop); wg.Wait() })
	wg.Go(func() {
		reply := make([]byte, 4096)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			conn.SetDeadline(time.Now().Add(time.Second))
			if _, err := io.WriteString(conn, "get "+canaryKey+"\r\n"); err != nil {
				return
			}
			if _, err := conn.Read(reply); err != nil {
				return
			}
		}
	})
}

// showing are the forms that give away a key or a value, and the version of
// memcached from which on each does; those without one never need to.
var showing = map[string]string{
	"stats cachedump": "1.4.0", "stats detail dump": "1.4.0", "binary STAT detail dump": "1.4.0",
	"lru_crawler metadump all": "1.4.31", "lru_crawler metadump hash": "1.6.0", "lru_crawler metadump, by class": "1.4.31",
	"lru_crawler mgdump all": "1.6.19", "lru_crawler mgdump hash": "1.6.19", "lru_crawler mgdump, by class": "1.6.19",
	"watch": "1.4.26", "me": "1.5.22", "get": "1.4.0", "binary GET": "1.4.0",
	"stats cachedump, shortened": "", "stats detail dump, shortened": "", "binary STAT cachedump": "",
}

// least reports whether a version is at least another.
func least(version, other string) bool {
	number := func(s string) (n int) {
		var a, b, c int
		fmt.Sscanf(s, "%d.%d.%d", &a, &b, &c)
		return a<<20 | b<<10 | c
	}
	return number(version) >= number(other)
}

// misses are the forms that should find a key on the version that was asked, and told
// neither a key nor a value.
func misses(t *testing.T, e *Endpoint) (names []string) {
	t.Helper()
	version := ""
	for _, a := range e.Answers {
		if a.Asked == "version" {
			version = strings.TrimPrefix(a.Said, "VERSION ")
		}
	}
	for _, f := range formsTo(dump, value) {
		since, known := showing[f.name]
		if !known {
			t.Errorf("%s: nothing says which version it finds a key on", f.name)
		}
		if since == "" || !least(version, since) {
			continue
		}
		for _, a := range e.answers(overPlain, func(a *Answer) bool { return a.Asked == f.name }) {
			if a.Keys == 0 && a.Values == 0 {
				names = append(names, f.name)
			}
		}
	}
	return names
}

// TestEveryFormFindsTheKey holds each way to list keys against every memcached
// there is: what does not find a key where it is open proves nothing elsewhere.
func TestEveryFormFindsTheKey(t *testing.T) {
	binaries := testkit.MemcachedBinaries()
	if len(binaries) == 0 {
		t.Skip("SKIP: memcached is not installed: apt-get install memcached")
	}
	for _, binary := range binaries {
		t.Run(filepath.Base(filepath.Dir(binary)), func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			mc := full(t, binary)
			traffic(t, mc)
			r, e := look(t, quick(t, mc.Addr()))
			missed := misses(t, e)
			// memcached moves what is read between its lists, and a form shows one of them.
			for range 20 {
				if len(missed) == 0 {
					break
				}
				r, e = look(t, quick(t, mc.Addr()))
				again := misses(t, e)
				missed = slices.DeleteFunc(missed, func(m string) bool { return !slices.Contains(again, m) })
			}
			if len(missed) > 0 {
				t.Errorf("no key and no value by %q", missed)
			}
			if e.Keys == 0 || e.Values == 0 || e.Items != 1 || !strings.Contains(e.Looks, "a:9 (1)") {
				t.Errorf("keys %d, values %d, items %d, looks %q", e.Keys, e.Values, e.Items, e.Looks)
			}
			wantStatus(t, r, map[string]doctor.Status{
				"PRB-01": doctor.Pass, "PRB-02": doctor.Fail, "PRB-03": doctor.Fail, "PRB-04": doctor.Skip, "PRB-05": doctor.Fail,
				"PRB-06": doctor.Fail, "PRB-07": doctor.Skip, "PRB-08": doctor.Pass, "PRB-14": doctor.Skip, "PRB-15": doctor.Pass,
			})
			if !r.Doctor().Worst(doctor.Critical) {
				t.Error("a memcached that gives away its keys is nothing critical")
			}
		})
	}
}

// A probe leaves nothing behind: what is in memcached is the same after it.
func TestProbeChangesNothing(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := full(t, "")
	c := quick(t, mc.Addr())
	c.Active = true
	r, _ := look(t, c)
	if rec := record(t, r, "PRB-14"); rec.Status != doctor.Fail || rec.Severity != doctor.High {
		t.Errorf("flush_all: got %s %s (%s)", rec.Severity, rec.Status, rec.Text)
	}
	conn := mc.Dial(t)
	said(t, conn, "get "+canaryKey+"\r\n", fmt.Sprintf("VALUE %s 0 %d\r\n%s\r\nEND\r\n", canaryKey, len(canaryValue), canaryValue))
	conn = mc.Dial(t)
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "stats\r\n")
	data, _ := readStats(conn)
	for _, want := range []string{"STAT cmd_set 1\r\n", "STAT curr_items 1\r\n", "STAT total_items 1\r\n"} {
		if !strings.Contains(data, want) {
			t.Errorf("memcached does not say %q any more:\n%s", want, data)
		}
	}
}

func readStats(conn net.Conn) (string, error) {
	r := read(conn, aList)
	return string(r.data), r.err
}

// What a memcached refuses by its own means is told apart.
func TestLockedMemcached(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := full(t, "", "-F", "-X", "-W")
	c := quick(t, mc.Addr())
	c.Active = true
	r, e := look(t, c)
	for _, a := range e.answers(overPlain, func(a *Answer) bool {
		return strings.HasPrefix(a.Asked, "lru_crawler metadump") || a.Asked == "watch" || a.Asked == "stats cachedump"
	}) {
		if a.Outcome != Refused || a.Keys > 0 {
			t.Errorf("%s: got %s, %s", a.Asked, a.Outcome, a.Said)
		}
	}
	wantStatus(t, r, map[string]doctor.Status{"PRB-03": doctor.Fail, "PRB-14": doctor.Pass})
}

func TestShallowProbeListsNothing(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := full(t, "")
	c := quick(t, mc.Addr())
	c.Shallow = true
	r, e := look(t, c)
	if e.Keys != 0 || len(e.Answers) != len(formsTo(greet, greet)) {
		t.Errorf("keys %d, answers %d", e.Keys, len(e.Answers))
	}
	wantStatus(t, r, map[string]doctor.Status{"PRB-02": doctor.Skip, "PRB-03": doctor.Fail, "PRB-05": doctor.Skip, "PRB-06": doctor.Skip})
}

func TestUDP(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	closed := full(t, "")
	c := quick(t, closed.Addr())
	c.UDP = true
	r, _ := look(t, c)
	wantStatus(t, r, map[string]doctor.Status{"PRB-07": doctor.Pass})

	_, port, _ := net.SplitHostPort(closed.Addr())
	other := full(t, "", "-U", port) // the same port over UDP, which nobody else has
	_, otherPort, _ := net.SplitHostPort(other.Addr())
	c = quick(t, net.JoinHostPort("127.0.0.1", port))
	c.UDP = true
	r, e := look(t, c)
	if rec := record(t, r, "PRB-07"); rec.Status != doctor.Fail || rec.Severity != doctor.Critical {
		t.Errorf("UDP of %s at %s: got %s %s (%s)", otherPort, port, rec.Severity, rec.Status, rec.Text)
	}
	list := e.answers(overUDP, func(a *Answer) bool { return a.Asked == "stats" })
	if len(list) != 1 || list[0].Factor < 10 {
		t.Errorf("stats over UDP: %+v, want a factor of 10 at least", list)
	}
}

// A memcached that asks for a login by a file of its own gives nothing away, and
// takes the password without TLS.
func TestASCIILogin(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	addr := guarded(t, "-Y", readable(t, "users", "user:password\n"))
	r, e := look(t, impatient(t, addr))
	if e.Keys+e.Values > 0 {
		t.Errorf("keys %d, values %d", e.Keys, e.Values)
	}
	wantStatus(t, r, map[string]doctor.Status{"PRB-02": doctor.Pass, "PRB-03": doctor.Pass, "PRB-08": doctor.Fail, "PRB-14": doctor.Pass})
	c := impatient(t, addr)
	c.From = "trusted"
	r, _ = look(t, c)
	wantStatus(t, r, map[string]doctor.Status{"PRB-08": doctor.Pass})
}

// A memcached with SASL tells its mechanisms, and nothing else.
func TestSASL(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	if out, _ := exec.Command("memcached", "-h").CombinedOutput(); !strings.Contains(string(out), "enable-sasl") {
		t.Skip("SKIP: memcached is not installed, or built without SASL: apt-get install memcached")
	}
	t.Setenv("SASL_CONF_PATH", filepath.Dir(readable(t, "memcached.conf", "mech_list: plain\n")))
	r, e := look(t, impatient(t, guarded(t, "-S")))
	if e.Keys+e.Values > 0 {
		t.Errorf("keys %d, values %d", e.Keys, e.Values)
	}
	for _, a := range e.answers(overPlain, func(a *Answer) bool { return a.Asked == "binary STAT" }) {
		if a.Outcome != Refused || a.Said != "status 0x20, authentication required" {
			t.Errorf("binary STAT: got %s, %s", a.Outcome, a.Said)
		}
	}
	wantStatus(t, r, map[string]doctor.Status{"PRB-02": doctor.Pass, "PRB-03": doctor.Pass, "PRB-05": doctor.Pass, "PRB-06": doctor.Pass, "PRB-08": doctor.Fail, "PRB-09": doctor.Fail})
	if len(e.Mechs) != 1 || e.Mechs[0].Over != overPlain || !slices.Equal(e.Mechs[0].Names, []string{"PLAIN"}) {
		t.Errorf("mechanisms: %+v, want PLAIN without TLS", e.Mechs)
	}
}

// readable writes a file that an account without rights can read, and returns its
// path.
func readable(t *testing.T, name, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "slabgate-probe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// guarded starts a memcached that answers no version before a login, and returns
// its address once it takes connections.
func guarded(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("memcached")
	if err != nil {
		t.Skip("SKIP: memcached is not installed: apt-get install memcached")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, append([]string{"-u", "nobody", "-l", "127.0.0.1", "-p", port, "-U", "0"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	testkit.Eventually(t, "memcached takes connections", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}
