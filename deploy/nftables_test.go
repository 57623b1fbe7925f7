package deploy_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	rulesFile = "nftables/slabgate.nft"
	// inNamespace tells the test binary that it is the copy of itself that runs
	// in a network of its own, and which rules to load there.
	inNamespace = "SLABGATE_TEST_RULES"

	guardUser = 1 // stands for slabgate's account: daemon, on every Linux
	otherUser = 65534
)

// loadable is a copy of the rules that names an account this host has.
func loadable(t *testing.T, rules string) string {
	t.Helper()
	rules = replace(t, rules, "define guard_user = slabgate", fmt.Sprintf("define guard_user = %d", guardUser))
	return write(t, filepath.Join(t.TempDir(), "slabgate.nft"), rules)
}

// checkRules asks nft whether it would load the rules, in a network of its own.
func checkRules(t *testing.T, rules string) error {
	asRoot(t)
	tool(t, "nft")
	return quiet(tool(t, "unshare"), "-n", "nft", "-c", "-f", loadable(t, rules))
}

func TestRulesAreValid(t *testing.T) {
	rules := read(t, rulesFile)
	if err := checkRules(t, rules); err != nil {
		t.Error(err)
	}
	edited := replace(t, rules, "# elements", "elements")
	if err := checkRules(t, edited); err != nil {
		t.Errorf("with the example elements: %v", err)
	}
	testBroken(t, rules, []broken{
		{"misspelt", "tcp dport", "tpc dport", "syntax error"},
		{"reset of udp", `udp dport $cache_port counter name plaintext_blocked drop`,
			`udp dport $cache_port counter name plaintext_blocked reject with tcp reset`, "cannot use tcp reset"},
		{"no such set", "@tls_clients4", "@tls_client4", "No such file"},
	}, checkRules)
}

// checkOwnTable finds commands of a rules file that reach beyond its own table.
func checkOwnTable(_ *testing.T, rules string) error {
	var errs []error
	want := []string{"add table inet slabgate", "delete table inet slabgate", "table inet slabgate {"}
	var got []string
	for line := range strings.Lines(rules) {
		line = strings.TrimRight(line, "\n")
		if strings.Contains(line, "flush") {
			errs = append(errs, fmt.Errorf("it flushes: %q", line))
		}
		top := line != "" && !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "#") && line != "}"
		if top && !strings.HasPrefix(line, "define ") {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		errs = append(errs, fmt.Errorf("its commands are %q, want %q", got, want))
	}
	return errors.Join(errs...)
}

func TestRulesTouchOnlyTheirOwnTable(t *testing.T) {
	rules := read(t, rulesFile)
	if err := checkOwnTable(t, rules); err != nil {
		t.Error(err)
	}
	testBroken(t, rules, []broken{
		{"flush", "add table inet slabgate", "flush ruleset\nadd table inet slabgate", "it flushes"},
		{"other table", "delete table inet slabgate\n", "delete table inet filter\n", "its commands are"},
		{"not replaced", "delete table inet slabgate\n", "", "its commands are"},
	}, checkOwnTable)
}

// tryRules runs TestRulesAtWork in a fresh network, so that it never changes
// the firewall of the host.
func tryRules(t *testing.T, rules string) error {
	asRoot(t)
	tool(t, "nft")
	tool(t, "ip")
	cmd := exec.Command(tool(t, "unshare"), "-n", os.Args[0], "-test.run=^TestRulesAtWork$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"="+loadable(t, rules))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestRulesAtWork") {
		return fmt.Errorf("in a network of its own: %w\n%s", err, out)
	}
	return nil
}

func TestRulesInANetworkOfTheirOwn(t *testing.T) {
	rules := read(t, rulesFile)
	if err := tryRules(t, rules); err != nil {
		t.Error(err)
	}
	testBroken(t, rules, []broken{
		{"flush", "add table inet slabgate", "flush ruleset\nadd table inet slabgate", "inet other still there"},
		{"others let in", "{ 0, $guard_user }", fmt.Sprintf("{ 0, $guard_user, %d }", otherUser), "uid 65534"},
		{"slabgate shut out", "{ 0, $guard_user }", "{ 0 }", "uid 1"},
		{"old connections live", "meta skuid >= 0", "meta skuid 4242", "from before"},
		{"last packets blocked", "meta skuid >= 0 ", "", "after closing"},
	}, tryRules)
}

func TestRulesAtWork(t *testing.T) {
	rules := os.Getenv(inNamespace)
	if rules == "" {
		t.Skip("SKIP: runs inside TestRulesInANetworkOfTheirOwn")
	}
	must(t, "ip", "link", "set", "lo", "up")
	must(t, "nft", "add", "table", "inet", "other")
	l, err := net.Listen("tcp", "127.0.0.1:11211")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before, err := dialAs(otherUser)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	for range 2 { // the second time replaces the first
		must(t, "nft", "-f", rules)
	}
	if tables := must(t, "nft", "list", "tables"); !strings.Contains(tables, "table inet other") {
		t.Errorf("after loading: got tables %q, want inet other still there", tables)
	}

	for uid, want := range map[int]error{0: nil, guardUser: nil, otherUser: syscall.ECONNREFUSED} {
		c, err := dialAs(uid)
		if !errors.Is(err, want) {
			t.Errorf("uid %d: got %v, want %v", uid, err, want)
		}
		if err == nil {
			c.Close()
		}
	}
	checkCut(t, before)
	checkClosing(t, l)
}

// checkCut wants the end of a connection that is older than the rules.
func checkCut(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection of another user from before: got %v, want a reset", err)
	}
}

// checkClosing wants the last packets of the guard's closed connections to get
// through: they have no owner any more, and are not to count as blocked.
func checkClosing(t *testing.T, l net.Listener) {
	t.Helper()
	counter := func() string { return must(t, "nft", "list", "counter", "inet", "slabgate", "local_blocked") }
	was := counter()
	for range 2 {
		c, err := dialAs(guardUser)
		if err != nil {
			t.Fatal(err)
		}
		server := acceptFrom(t, l, c.LocalAddr())
		c.Close()
		if err := server.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := server.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("after a close: got %d bytes, error %v, want an end", n, err)
		}
		server.Close() // its FIN is acknowledged by a socket that nobody owns
	}
	time.Sleep(300 * time.Millisecond) // a blocked acknowledgement is sent again after 200 ms
	if now := counter(); now != was {
		t.Errorf("after closing the guard's connections: got %s, want %s", now, was)
	}
}

// acceptFrom is the accepted connection of the client at addr.
func acceptFrom(t *testing.T, l net.Listener, addr net.Addr) net.Conn {
	t.Helper()
	for {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() == addr.String() {
			return c
		}
		c.Close()
	}
}

// must runs a command and returns what it prints.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// dialAs connects to memcached's port with a socket that belongs to uid. Only
// the calling thread takes that identity, and only for file access and sockets.
func dialAs(uid int) (net.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := setFSUID(uid); err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("tcp", "127.0.0.1:11211", 5*time.Second)
	return c, errors.Join(err, setFSUID(0))
}

// setFSUID changes the file system identity of this thread.
func setFSUID(uid int) error {
	for range 2 { // the call returns what was before, so the second tells whether the first worked
		was, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(uid), 0, 0)
		if int(was) == uid {
			return nil
		}
	}
	return fmt.Errorf("setfsuid(%d) was refused", uid)
}
