package e2e_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// Another process of the same user must not get at keys and passwords.
func TestMemoryIsOutOfReachOfTheSameUser(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	look := func(pid int, name string) (string, error) {
		said, err := asNobody(exec.Command("cat", fmt.Sprintf("/proc/%d/%s", pid, name))).CombinedOutput()
		return string(said), err
	}
	open := asNobody(exec.Command("sleep", "60"))
	if err := open.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { open.Process.Kill(); open.Wait() }()
	if said, err := look(open.Process.Pid, "environ"); err != nil {
		t.Skipf("SKIP: no process of this user can look at another one here: %v: %s", err, said)
	}
	for _, name := range []string{"mem", "environ", "maps", "auxv"} {
		said, err := look(d.cmd.Process.Pid, name)
		if err == nil || !strings.Contains(said, "Permission denied") {
			t.Errorf("/proc/PID/%s: got %.100q, %v, want permission denied", name, said, err)
		}
	}
}

func TestThereAreNoCoreDumps(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("a core dump is allowed:\n%s", limits)
	}
}

// What clients leave behind is nothing: no file, no goroutine.
func TestClientsLeaveNothingBehind(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	talk(t, s.dial(t, d, "shop"), apple, "STORED\r\n")
	sessions := s.comeAndGo(t, d)
	d.awaitCount(t, "session ended", sessions)
	before := d.descriptors(t)
	for range 9 {
		sessions += s.comeAndGo(t, d)
	}
	// Some more connections to memcached may have been made, which stay.
	eventually(t, func() string { return fmt.Sprintf("%d open files, not %d", before, d.descriptors(t)) },
		func() bool { return d.descriptors(t) <= before+4 })
	d.awaitCount(t, "session ended", sessions)
	d.signal(t, syscall.SIGQUIT)
	d.wantExit(t, 2)
	goroutines := len(regexp.MustCompile(`(?m)^goroutine \d+ `).FindAllString(d.text(), -1))
	t.Logf("%d goroutines and %d files are left of %d sessions", goroutines, before, sessions)
	if goroutines == 0 || goroutines > 32 {
		t.Errorf("%d goroutines are left, want a few:\n%s", goroutines, d.text())
	}
}

// comeAndGo makes clients of every sort that leave in the middle of something,
// and returns how many.
func (s *site) comeAndGo(t *testing.T, d *daemon) int {
	t.Helper()
	open := []net.Conn{dialRaw(t, d.addr(t, "main")), d.dialPlain(t)} // the first shakes no hands
	for _, name := range []string{"shop", "shop", "blog", "", "nobody"} {
		open = append(open, s.dial(t, d, name))
	}
	talk(t, open[2], getItem+"gte\r\n", item+"ERROR\r\n")
	talk(t, open[3], "mn\r\nset shop:2 0 0 100\r\nhalf", "MN\r\n")
	for _, c := range open {
		c.Close()
	}
	return len(open)
}

// vocabulary is every line there is, those of level debug included.
var vocabulary = []string{
	"started", "ready", "reloaded", "reload refused", "login refused", "server down", "server up", "connection burnt",
	"draining", "session ended", "request denied", "lines suppressed", "admin refused", "admin socket stopped", "stopped",
	"admin http served", "admin http not served", "admin http stopped",
	"audit reopened", "files can be read again", "surroundings",
}

// canaries are planted wherever a client or an operator can put something.
const (
	passwordCanary = "pa55word-canary"
	valueCanary    = "va1ue-canary"
	tailCanary     = "tai1-canary"
)

// mischief is what a client that may do something, and one that may not, send.
var mischief = []string{
	"get other:0123456789-" + tailCanary + "\r\n",
	"get shop:1 other:0123456789-" + tailCanary + "\r\n",
	"get shop:" + strings.Repeat("x", 251) + tailCanary + "\r\n",
	"set other:0123456789-" + tailCanary + " 0 0 12\r\n" + valueCanary + "\r\n",
	"set shop:0123456789-" + tailCanary + " 0 0 12\r\n" + valueCanary + "\r\n",
	"set shop:1 0 0 4\r\n" + valueCanary + "\r\n",
	"set shop:1 x 0 12\r\n" + valueCanary + "\r\n",
	"incr shop:0123456789-" + tailCanary + " 1\r\n",
	valueCanary + "\r\n",
	"\x00" + valueCanary + "\r\n",
	"mg other:0123456789-" + tailCanary + " v\r\n",
	"mg shop:1 O" + valueCanary + " k X\r\n",
	"ms shop:1 12 I" + valueCanary + "\r\n" + valueCanary + "\r\n",
	packet(testkit.OpGet, "other:0123456789-"+tailCanary, ""),
	packet(testkit.OpAppend, "other:0123456789-"+tailCanary, valueCanary),
	packet(testkit.OpAppend, "shop:1", valueCanary),
	packet(0x55, "shop:1", valueCanary),
	packet(testkit.OpSASLAuth, "PLAIN", "\x00shop\x00"+passwordCanary),
	packet(testkit.OpSASLAuth, "PLAIN", "\x00"+passwordCanary+"\x00"+passwordCanary) + packet(testkit.OpGet, "shop:1", ""),
	packet(testkit.OpSASLAuth, "SCRAM-SHA-256", "n,,n=shop,r="+passwordCanary) + packet(testkit.OpSASLStep, "SCRAM-SHA-256", passwordCanary),
	packet(testkit.OpSASLAuth, passwordCanary, passwordCanary),
	packet(testkit.OpSASLStep, "PLAIN", passwordCanary),
	"stats " + valueCanary + "\r\n",
	"GET /" + valueCanary + " HTTP/1.1\r\nCookie: " + passwordCanary + "\r\n\r\n",
	"\x16\x03\x01" + valueCanary,
	"\x80\x01" + valueCanary,
	login("shop", passwordCanary),
	login(passwordCanary, passwordCanary),
	login("nobody", passwordCanary),
	"set auth 0 0 15\r\n" + passwordCanary + "\r\n",
	"set auth 0 0 15\r\n" + passwordCanary + passwordCanary + "\r\n",
	"set auth 0 0 2000\r\n" + strings.Repeat(passwordCanary, 200) + "\r\n",
	login("shop", shopPassword) + "get other:0123456789-" + tailCanary + "\r\n",
}

// packet is a request of the binary dialect.
func packet(op testkit.Op, key, value string) string {
	return string(testkit.Packet{Op: op, Key: key, Value: value}.Bytes())
}

func TestLogAndAuditHoldNoSecretAndKeepToTheirVocabulary(t *testing.T) {
	mc := memcached(t)
	s := newSite(t, mc.Addr())
	d := s.start(t)
	sessions := 0
	send := func(c net.Conn, text string) {
		sessions++
		defer c.Close()
		// A client that is cut off, or not answered at all, is as good as any.
		_, _ = c.Write([]byte(text))
		if t, ok := c.(*tls.Conn); ok {
			_ = t.CloseWrite()
		} else {
			_ = c.(*net.TCPConn).CloseWrite()
		}
		_, _ = c.Read(make([]byte, 4096))
	}
	all := func() {
		for _, text := range mischief {
			for _, name := range []string{"shop", "nobody", ""} {
				send(s.dial(t, d, name), text)
			}
			send(d.dialPlain(t), text)
			send(dialRaw(t, d.addr(t, "main")), text)
		}
	}
	all()
	s.write(t, "users.yaml", "users: [{name: shop, secrets: [{scram: "+passwordCanary+"}]}, {name: blog, password: "+passwordCanary+"}]")
	d.reload(t, "reload refused")
	s.write(t, "users.yaml", usualUsers)
	d.reload(t, "reloaded")
	mc.Kill(t)
	all()
	d.await(t, "server down")
	d.signal(t, syscall.SIGTERM)
	d.wantExit(t, 0)

	audit := s.read(t, "audit.jsonl")
	for line := range strings.Lines(d.text() + audit) {
		for _, canary := range []string{passwordCanary, valueCanary, tailCanary, shopPassword} {
			if strings.Contains(line, canary) {
				t.Errorf("the canary %s is in the log or the audit: %s", canary, line)
			}
		}
	}
	ended := d.count("session ended")
	for _, l := range d.lines() {
		if l.Msg != "" && !slices.Contains(vocabulary, l.Msg) {
			t.Errorf("a line that is not in the vocabulary: %s", l.raw)
		}
		ended += l.Lines // they end faster than they are logged
	}
	if ended != sessions {
		t.Errorf("%d sessions have ended in the log, want %d", ended, sessions)
	}
	t.Logf("%d sessions, %d lines, %d audit events", sessions, len(d.lines()), strings.Count(audit, "\n"))
}

// dialRaw connects without TLS, whatever the listener expects.
func dialRaw(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The arguments of a process are for everybody to see, so that none of them may
// be a secret.
func TestNoFlagTakesASecret(t *testing.T) {
	s := newSite(t, testkit.StartFake(t, testkit.FakeOptions{TCP: true}).Addr())
	for _, args := range [][]string{
		{"hash", "--password", passwordCanary},
		{"user", "add", "x", "--password", passwordCanary},
		{"user", "passwd", "x", "--secret", passwordCanary},
		{"user", "add", "x", passwordCanary},
	} {
		if code, said := s.call(t, "", args...); code != 64 {
			t.Errorf("%q: exit %d, want 64: %s", args, code, said)
		}
	}
}
