package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// daemon is a running slabgate of one site.
type daemon struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once it has been waited for and its log is read
	killed bool          // its test has ended it, and looks at the exit code itself

	mu  sync.Mutex // guards log
	log []logLine
}

// logLine is one line of the log, and the fields tests look at.
type logLine struct {
	raw       string
	Level     string
	Msg       string
	Listeners []string
	Identity  string
	End       string
	Code      string
	Lines     int // kept back, in a line that says so
}

// start runs the site and returns once it is ready. It ends with the test, which
// fails if it ended otherwise than by a signal's grace.
func (s *site) start(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := s.launch(t, args...)
	d.await(t, "ready")
	return d
}

// launch runs the site and does not wait until it is ready.
func (s *site) launch(t *testing.T, args ...string) *daemon {
	t.Helper()
	return follow(t, exec.Command(binary, append([]string{"run", "-c", s.path("slabgate.yaml")}, args...)...))
}

// follow starts a command that becomes a daemon. What it needs besides is set.
func follow(t *testing.T, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{exited: make(chan struct{}), cmd: asNobody(cmd)}
	d.cmd.Env = append(d.cmd.Env, environ()...)
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.read(bufio.NewScanner(stderr))
	t.Cleanup(func() { d.end(t) })
	return d
}

// read takes the log as it comes, and then waits for the process.
func (d *daemon) read(lines *bufio.Scanner) {
	defer close(d.exited)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l := logLine{raw: lines.Text()}
		// What is no JSON are the findings of the start, kept as they are.
		_ = json.Unmarshal(lines.Bytes(), &l)
		d.mu.Lock()
		d.log = append(d.log, l)
		d.mu.Unlock()
	}
	d.cmd.Wait() // the exit code is in ProcessState
}

// lines returns the log so far.
func (d *daemon) lines() []logLine {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]logLine(nil), d.log...)
}

// text is the log so far as it was written.
func (d *daemon) text() string {
	var b strings.Builder
	for _, l := range d.lines() {
		b.WriteString(l.raw + "\n")
	}
	return b.String()
}

// count is how many lines have these words.
func (d *daemon) count(msg string) (n int) {
	for _, l := range d.lines() {
		if l.Msg == msg {
			n++
		}
	}
	return n
}

// await waits for the first line with these words.
func (d *daemon) await(t *testing.T, msg string) logLine {
	t.Helper()
	d.awaitCount(t, msg, 1)
	for _, l := range d.lines() {
		if l.Msg == msg {
			return l
		}
	}
	panic("BUG: a line has gone")
}

// awaitCount waits until n lines have these words.
func (d *daemon) awaitCount(t *testing.T, msg string, n int) {
	t.Helper()
	eventually(t, func() string { return fmt.Sprintf("%d lines %q in:\n%s", n, msg, d.text()) },
		func() bool { return d.count(msg) >= n || d.gone() && d.count(msg) >= n })
}

// gone reports whether the process has ended.
func (d *daemon) gone() bool {
	select {
	case <-d.exited:
		return true
	default:
		return false
	}
}

// addr is where the listener called name listens.
func (d *daemon) addr(t *testing.T, name string) string {
	t.Helper()
	for _, l := range d.await(t, "ready").Listeners {
		if f := strings.Fields(l); f[0] == name {
			return f[2]
		}
	}
	t.Fatalf("there is no listener %s in:\n%s", name, d.text())
	return ""
}

// dialPlain connects to the listener called plain.
func (d *daemon) dialPlain(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.addr(t, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (d *daemon) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%v: %v\n%s", s, err, d.text())
	}
}

// reload sends SIGHUP and waits for the line that answers it.
func (d *daemon) reload(t *testing.T, answer string) {
	t.Helper()
	n := d.count(answer)
	d.signal(t, syscall.SIGHUP)
	d.awaitCount(t, answer, n+1)
}

// wantExit waits for the process to end and fails the test unless it ended with
// code.
func (d *daemon) wantExit(t *testing.T, code int) {
	t.Helper()
	eventually(t, func() string { return "the end of the process:\n" + d.text() }, d.gone)
	d.killed = true
	if got := d.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code: got %d (%v), want %d\n%s", got, d.cmd.ProcessState, code, d.text())
	}
}

// end stops a daemon that its test has left running, and looks for what may
// never be in a log.
func (d *daemon) end(t *testing.T) {
	if !d.gone() {
		d.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-d.exited:
		case <-time.After(patience):
			d.cmd.Process.Signal(syscall.SIGQUIT) // shows every goroutine
			<-d.exited
			t.Errorf("the process did not end with SIGTERM:\n%s", d.text())
		}
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 && !d.killed {
		t.Errorf("exit code: got %d, want 0\n%s", code, d.text())
	}
	for _, bad := range []string{"DATA RACE", "panic", "fatal error", shopPassword, blogPassword} {
		if text := d.text(); strings.Contains(text, bad) {
			t.Errorf("the log holds %q:\n%s", bad, text)
		}
	}
}

// mustNotHold fails the test if the log so far holds a secret.
func (d *daemon) mustNotHold(t *testing.T, secret string) {
	t.Helper()
	if text := d.text(); strings.Contains(text, secret) {
		t.Errorf("the log holds %q:\n%s", secret, text)
	}
}

// descriptors counts the open files of the process. They are hidden, and none,
// unless the test runs as root: the process is hardened.
func (d *daemon) descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	return len(list)
}
