package testkit

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Memcached is a real memcached that belongs to one test. Its methods are for
// the test's goroutine.
type Memcached struct {
	binary string
	args   []string // the whole command line, the same after a restart
	addr   string
	log    string // file that takes its output
	cmd    *exec.Cmd
	exited chan struct{} // closed once cmd has been waited for
}

// MemcachedConfig says which memcached to start, and how.
type MemcachedConfig struct {
	Binary string   // path; empty means $MEMCACHED, else memcached from $PATH
	TCP    bool     // listen on a free port of 127.0.0.1 instead of a unix socket
	Args   []string // further arguments, such as "-I", "2m"
}

// StartMemcached starts a memcached with further arguments args on a unix
// socket. It returns once the server answers, skips the test if memcached is
// not installed, and stops the server when the test ends.
func StartMemcached(t testing.TB, args ...string) *Memcached {
	t.Helper()
	return MemcachedConfig{Args: args}.Start(t)
}

// MemcachedBinaries lists what tests over several versions run: $MEMCACHED or
// the memcached of $PATH, then those of $SLABGATE_MEMCACHED_BINARIES, a list of
// paths separated by colons. It is empty if there is none.
func MemcachedBinaries() []string {
	var found []string
	names := append([]string{defaultBinary()}, filepath.SplitList(os.Getenv("SLABGATE_MEMCACHED_BINARIES"))...)
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found
}

func defaultBinary() string {
	if b := os.Getenv("MEMCACHED"); b != "" {
		return b
	}
	return "memcached"
}

// Start starts a memcached as c says. It returns once the server answers, skips
// the test if the binary does not exist, and stops the server when the test
// ends.
func (c MemcachedConfig) Start(t testing.TB) *Memcached {
	t.Helper()
	if c.Binary == "" {
		c.Binary = defaultBinary()
	}
	path, err := exec.LookPath(c.Binary)
	if err != nil {
		t.Skip("SKIP: memcached is not installed: apt-get install memcached")
	}
	// A free port may be taken by somebody else before memcached binds it.
	for try := 0; ; try++ {
		m := c.prepare(t, path)
		why := m.start()
		if why == "" {
			t.Cleanup(m.stop)
			return m
		}
		if !c.TCP || try == 3 {
			t.Fatalf("testkit: %s", why)
		}
	}
}

// prepare decides the address and the command line; it starts nothing.
func (c MemcachedConfig) prepare(t testing.TB, path string) *Memcached {
	t.Helper()
	dir := socketDir(t)
	m := &Memcached{binary: path, log: filepath.Join(dir, "log")}
	if c.TCP {
		port := freePort(t)
		m.addr = "127.0.0.1:" + port
		m.args = []string{"-l", "127.0.0.1", "-p", port, "-U", "0"}
	} else {
		m.addr = "unix:" + filepath.Join(dir, "s")
		m.args = []string{"-s", filepath.Join(dir, "s"), "-a", "0700"}
	}
	if os.Geteuid() == 0 {
		m.args = append(m.args, "-u", giveAway(t, dir))
	}
	m.args = append(m.args, c.Args...)
	return m
}

// giveAway makes dir belong to an account without rights and returns its name:
// memcached refuses to run as root, and binds its socket after it stepped down.
func giveAway(t testing.TB, dir string) string {
	t.Helper()
	u, err := user.Lookup("memcache")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatalf("testkit: no account to run memcached as: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	return u.Username
}

func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	return port
}

// start runs the process and waits until it answers. It returns what went
// wrong, with the process gone, or "".
func (m *Memcached) start() string {
	out, err := os.Create(m.log)
	if err != nil {
		return err.Error()
	}
	defer out.Close()
	m.cmd = exec.Command(m.binary, m.args...)
	m.cmd.Stdout, m.cmd.Stderr = out, out
	if err := m.cmd.Start(); err != nil {
		return err.Error()
	}
	exited, cmd := make(chan struct{}), m.cmd
	m.exited = exited
	go func() {
		cmd.Wait() // how it ended does not matter: most of the time it was killed
		close(exited)
	}()
	if poll(func() bool { return m.gone() || m.answers() }) && !m.gone() {
		return ""
	}
	m.stop()
	said, _ := os.ReadFile(m.log)
	return m.binary + " " + strings.Join(m.args, " ") + " does not answer: " + strings.TrimSpace(string(said))
}

func (m *Memcached) gone() bool {
	select {
	case <-m.exited:
		return true
	default:
		return false
	}
}

// answers asks for the version, since a socket that accepts is not yet served.
func (m *Memcached) answers() bool {
	c, err := dial(m.addr)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("version\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "VERSION ")
}

// grace is how long SIGTERM is given. It is short because memcached has nothing
// to save, takes a second to say goodbye, and tests start hundreds of them.
const grace = 50 * time.Millisecond

// stop ends the process: politely, then not. A stopped process hears SIGTERM
// only once it is continued.
func (m *Memcached) stop() {
	m.signal(syscall.SIGCONT)
	m.signal(syscall.SIGTERM)
	select {
	case <-m.exited:
	case <-time.After(grace):
		m.cmd.Process.Kill()
		<-m.exited
	}
}

// signal sends s unless the process is gone, which is no error here.
func (m *Memcached) signal(s os.Signal) { m.cmd.Process.Signal(s) }

// Addr is where it listens, as slabgate's configuration writes it:
// "unix:/path" or "127.0.0.1:port". It stays the same over Restart.
func (m *Memcached) Addr() string { return m.addr }

// Pid is the process id of the memcached that was started last.
func (m *Memcached) Pid() int { return m.cmd.Process.Pid }

// Dial connects to it; the connection is closed when the test ends.
func (m *Memcached) Dial(t testing.TB) net.Conn {
	t.Helper()
	return dialFor(t, m.addr)
}

// Kill ends it with SIGKILL and waits until it is gone. The socket stays in the
// file system, as after a crash.
func (m *Memcached) Kill(t testing.TB) {
	t.Helper()
	m.signal(syscall.SIGKILL)
	<-m.exited
}

// Restart starts it again at the same address, empty, after ending it if it
// still runs. It returns once the server answers.
func (m *Memcached) Restart(t testing.TB) {
	t.Helper()
	m.stop()
	if why := m.start(); why != "" {
		t.Fatalf("testkit: %s", why)
	}
}

// Stop freezes it with SIGSTOP: connections are still accepted by the kernel,
// and nothing is answered until Cont.
func (m *Memcached) Stop(t testing.TB) {
	t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatalf("testkit: stop memcached: %v", err)
	}
	Eventually(t, "every thread of memcached to stop", func() bool { return stopped(m.Pid()) })
}

// stopped reports whether every thread of a process has: a signal reaches them
// one after the other.
func stopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(stat, []byte(") T ")) {
			return false
		}
	}
	return err == nil && len(threads) > 0
}

// Cont lets it run on after Stop.
func (m *Memcached) Cont(t testing.TB) {
	t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatalf("testkit: continue memcached: %v", err)
	}
}
