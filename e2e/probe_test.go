package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/internal/testkit"
)

// What no probe may ever show.
const (
	probedKey   = "probedkey:zqxj"
	probedValue = "probedvalue-wvkq"
)

// scanned is what tests look at of a probe's JSON.
type scanned struct {
	Schema, From string
	Source       []string
	Endpoints    []struct {
		Address, State string
		Keys, Values   int
		Answers        []struct {
			Over, Asked, Outcome, Said string
			Keys, Values               int
		}
	}
	Records []struct{ ID, Status, Severity, Subject, Text string }
}

// probed runs a probe as an ordinary user, holds that it shows no canary, and
// returns its exit code and what it saw.
func probed(t *testing.T, args ...string) (int, scanned) {
	t.Helper()
	cmd := asNobody(exec.Command(binary, append([]string{"probe", "-o", "json", "--rate", "1000", "--timeout", "1s"}, args...)...))
	cmd.Env = environ()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	for _, canary := range []string{probedKey, "probedkey", "zqxj", probedValue, "probedvalue", "wvkq"} {
		if strings.Contains(out.String()+said.String(), canary) {
			t.Errorf("it shows %q:\n%s%s", canary, out.String(), said.String())
		}
	}
	var s scanned
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("probe %q: exit %d, %v\n%s%s", args, cmd.ProcessState.ExitCode(), err, out.String(), said.String())
	}
	return cmd.ProcessState.ExitCode(), s
}

// findings are the ids of what a probe found.
func (s *scanned) findings() string {
	var ids []string
	for _, rec := range s.Records {
		if rec.Status == "fail" || rec.Status == "warn" {
			ids = append(ids, rec.ID)
		}
	}
	return strings.Join(ids, " ")
}

// wantNothing fails the test if a place gave away a key or a value.
func (s *scanned) wantNothing(t *testing.T) {
	t.Helper()
	for _, e := range s.Endpoints {
		if e.Keys+e.Values > 0 {
			t.Errorf("%s gave away %d keys and %d values", e.Address, e.Keys, e.Values)
		}
		for _, a := range e.Answers {
			if a.Keys+a.Values > 0 {
				t.Errorf("%s: %s over %s gave away a key or a value", e.Address, a.Asked, a.Over)
			}
		}
	}
}

// isDump reports whether a way to ask is one that lists keys.
func isDump(asked string) bool {
	for _, part := range []string{"cachedump", "detail dump", "metadump", "mgdump", "watch"} {
		if strings.Contains(asked, part) {
			return true
		}
	}
	return asked == "me"
}

// putProbed stores the canary.
func putProbed(t *testing.T, mc net.Conn) {
	t.Helper()
	talk(t, mc, fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", probedKey, len(probedValue), probedValue), "STORED\r\n")
}

// Every way to list keys that works on memcached is refused by slabgate, to
// strangers and to clients that are known by where they come in, and memcached
// hears of none.
func TestProbeLearnsNothingThroughSlabgate(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	mc := memcached(t, "-D", ":")
	putProbed(t, mc.Dial(t))
	code, open := probed(t, mc.Addr())
	if code != 1 || !strings.Contains(open.findings(), "PRB-02 PRB-03") {
		t.Fatalf("of an open memcached: exit %d, findings %q", code, open.findings())
	}

	w := newTap(t, mc.Addr())
	s := newPolicySite(t, w.addr(), `version: 1
categories: 1
identities:
  own: {match: [{listener: own}], rules: [{allow: ["@rw", "@stats"], keys: ["prefix:own:"]}]}
  shop: {match: [{sasl: shop}], rules: [{allow: ["@rw"], keys: ["prefix:shop:"]}]}
`, "own", "login")
	d := s.start(t)
	for _, tc := range []struct {
		listener, from string
		code           int
		findings       string
	}{
		{"main", "untrusted", 0, ""},
		{"main", "semi", 0, ""},
		{"main", "trusted", 0, ""},
		{"login", "trusted", 0, ""},
		{"login", "untrusted", 1, "PRB-08"},
		{"own", "trusted", 0, "PRB-03 PRB-06 PRB-14"},
	} {
		t.Run(tc.listener+" from "+tc.from, func(t *testing.T) {
			code, saw := probed(t, "--from", tc.from, "--udp", "--active", strings.Replace(d.addr(t, tc.listener), "localhost", "127.0.0.1", 1))
			got := strings.ReplaceAll(saw.findings(), "PRB-13", "") // its certificate is for another name
			if code != tc.code || strings.TrimSpace(got) != tc.findings {
				t.Errorf("exit %d, findings %q, want %d, %q\n%+v", code, got, tc.code, tc.findings, saw.Records)
			}
			saw.wantNothing(t)
			dumps := 0
			for _, a := range saw.Endpoints[0].Answers {
				if isDump(a.Asked) {
					dumps++
					if a.Outcome != "refused" {
						t.Errorf("%s over %s: %s, %s", a.Asked, a.Over, a.Outcome, a.Said)
					}
				}
			}
			if dumps < 12 {
				t.Errorf("only %d ways to list keys were tried", dumps)
			}
		})
	}
	talk(t, d.dialTo(t, "own"), "get own:marker\r\n", "END\r\n")
	w.wantUnheard(t, "own:marker", "cachedump", "detail", "metadump", "mgdump", "watch", "flush_all", probedKey)
}

// network is a network of its own, joined to another one by a cable.
type network string

// networks makes two of them, with the addresses 10.77.0.1 and 10.77.0.2.
func networks(t *testing.T) (server, client network) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: making networks needs root")
	}
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skip("SKIP: ip is not installed: apt-get install iproute2")
	}
	do := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %q: %v\n%s", args, err, out)
		}
	}
	server, client = network(fmt.Sprintf("sgprobe%da", os.Getpid())), network(fmt.Sprintf("sgprobe%db", os.Getpid()))
	for _, n := range []network{server, client} {
		if out, err := exec.Command(ip, "netns", "add", string(n)).CombinedOutput(); err != nil {
			t.Skipf("SKIP: networks of one's own are not allowed here: %s", out)
		}
		t.Cleanup(func() { exec.Command(ip, "netns", "delete", string(n)).Run() })
	}
	do("link", "add", "cable", "netns", string(server), "type", "veth", "peer", "name", "cable", "netns", string(client))
	for i, n := range []network{server, client} {
		do("-n", string(n), "address", "add", fmt.Sprintf("10.77.0.%d/30", i+1), "dev", "cable")
		do("-n", string(n), "link", "set", "cable", "up")
		do("-n", string(n), "link", "set", "lo", "up")
	}
	return server, client
}

// within runs a function whose connections and processes are in the network.
func (n network) within(t *testing.T, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends here
		f, err := os.Open("/run/netns/" + string(n))
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		run()
	}()
	<-done
	if t.Failed() {
		t.FailNow()
	}
}

// startMemcached starts a memcached with these arguments, puts the canary in it,
// and returns how it is stopped. It is in the network of the caller's thread.
func startMemcached(t *testing.T, network, addr string, args ...string) (stop func()) {
	cmd := exec.Command("memcached", append([]string{"-u", "nobody"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return func() {}
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(stop)
	for range 500 {
		c, err := net.Dial(network, addr)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "set %s 0 0 %d\r\n%s\r\n", probedKey, len(probedValue), probedValue)
		reply := make([]byte, len("STORED\r\n"))
		if _, err := io.ReadFull(c, reply); err != nil {
			t.Errorf("memcached: %v", err)
		}
		return stop
	}
	t.Errorf("memcached does not listen on %s", addr)
	return stop
}

// shipped makes a site of the files that are shipped for a virtual machine, with
// its own folder for those of the system.
func shipped(t *testing.T) *site {
	t.Helper()
	s := newSite(t, "")
	for _, name := range []string{"slabgate.yaml", "policy.yaml"} {
		data, err := os.ReadFile("../deploy/examples/vm/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("/etc/slabgate/tls", "@DIR@", "/etc/slabgate", "@DIR@", "/var/log/slabgate", "@DIR@",
			"/run/slabgate", "@DIR@", "/run/memcached", "@DIR@").Replace(string(data))
		s.write(t, name, text)
	}
	s.write(t, "bundle.pem", s.read(t, "server-key.pem")+s.read(t, "server.pem"))
	return s
}

// A memcached that is opened to a network gives away its keys there, and the probe
// says so. Behind slabgate, as it is shipped, it tells nothing.
func TestProbeFromAnotherNetwork(t *testing.T) {
	if _, err := exec.LookPath("memcached"); err != nil {
		t.Skip("SKIP: memcached is not installed: apt-get install memcached")
	}
	server, client := networks(t)
	testkit.VerifyNoLeaks(t)
	var stop func()
	server.within(t, func() { stop = startMemcached(t, "tcp", "10.77.0.1:11211", "-l", "10.77.0.1", "-p", "11211") })
	client.within(t, func() {
		code, saw := probed(t, "--from", "untrusted", "--udp", "10.77.0.1")
		for _, want := range []string{"PRB-02", "PRB-03", "PRB-05"} {
			if code != 1 || !strings.Contains(saw.findings(), want) {
				t.Errorf("of an open memcached: exit %d, findings %q, want 1, and %s", code, saw.findings(), want)
			}
		}
		if saw.From != "untrusted" || len(saw.Source) != 1 || saw.Source[0] != "10.77.0.2" {
			t.Errorf("from %q, source %q", saw.From, saw.Source)
		}
	})
	stop()

	s := shipped(t)
	server.within(t, func() {
		startMemcached(t, "unix", s.path("memcached.sock"), "-s", s.path("memcached.sock"), "-a", "0700")
	})
	server.within(t, func() { s.launch(t).await(t, "ready") })
	client.within(t, func() {
		for _, from := range []string{"untrusted", "semi"} {
			code, saw := probed(t, "--from", from, "10.77.0.1")
			if got := strings.TrimSpace(strings.ReplaceAll(saw.findings(), "PRB-13", "")); code != 0 || got != "" {
				t.Errorf("from %s, of the shipped slabgate: exit %d, findings %q\n%+v", from, code, got, saw.Records)
			}
			saw.wantNothing(t)
			open := ""
			for _, e := range saw.Endpoints {
				if e.State == "open" {
					open += e.Address + " "
				}
			}
			if open != "10.77.0.1:11212 " {
				t.Errorf("from %s these are open: %s; want 10.77.0.1:11212 alone", from, open)
			}
		}
	})
}

// Where nothing answers a stranger has learned nothing, but from near slabgate has
// to answer.
func TestProbeOfNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	for from, want := range map[string]int{"untrusted": 0, "semi": 2, "trusted": 2} {
		if code, saw := probed(t, "--from", from, addr); code != want {
			t.Errorf("from %s: exit %d, want %d\n%+v", from, code, want, saw.Records)
		}
	}
	if code, saw := probed(t, "--from", "untrusted", "unix:/nonexistent/socket"); code != 2 {
		t.Errorf("of a socket that is not there: exit %d, want 2\n%+v", code, saw.Records)
	}
}
