package e2e_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// shownLogin is the block of clients.md that goes from nothing to a login.
var shownLogin = regexp.MustCompile("(?s)## From nothing to a login\n.*?\n```sh\n(.*?)\n```\n")

// shownAddress is where the listener of the block is.
const shownAddress = "127.0.0.1:11212"

// freeAddress is an address that nobody listened at a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// endJobs makes a shell end what it has started before it ends itself. A subshell
// has no list of jobs, so that the list goes through a file.
const endJobs = "trap 'jobs -p >.jobs; kill $(cat .jobs); wait' EXIT\n"

// runShown runs a block of shell in dir as a reader would, in an ordinary user's
// shell, and returns what it printed. What it leaves in the background ends with
// it.
func runShown(t *testing.T, dir, block string, path ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := asNobody(exec.CommandContext(ctx, "/bin/sh", "-ec", endJobs+block))
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append(environ(), "PATH="+strings.Join(path, ":")+":"+os.Getenv("PATH"))
	runErr := cmd.Run()
	said, err := os.ReadFile(out.Name())
	if runErr != nil || err != nil {
		t.Fatalf("%v, %v:\n%s", runErr, err, said)
	}
	return string(said)
}

// What clients.md shows works as it is shown, but for the port.
func TestShownLogin(t *testing.T) {
	needCyrus(t, caller{user: "shop"})
	python := pythonWith(t, "pylibmc")
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	m := shownLogin.FindSubmatch(page)
	if m == nil || strings.Count(string(m[1]), shownAddress) != 2 {
		t.Fatalf("the block is not read right: %q", m)
	}
	dir, err := os.MkdirTemp("", "slabgate-shown")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	giveToDaemon(t, dir)
	block := strings.ReplaceAll(string(m[1]), shownAddress, freeAddress(t))
	said := runShown(t, dir, block, filepath.Dir(binary), filepath.Dir(python))
	if !strings.Contains(said, "\nTrue apple\n") {
		t.Errorf("it does not print what the page says:\n%s", said)
	}
}
