// Package e2e_test runs the built slabgate as an operator does: as a user
// without rights, in front of a real memcached, with real certificates, files
// and signals. It has no code of its own to test.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// nobody is the user the daemon runs as if the tests run as root.
const nobody = 65534

// binary is the path of the slabgate under test. TestMain sets it, once.
var binary string

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// build builds slabgate, with the race detector where there is a C compiler,
// and runs the tests.
func build(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "slabgate-e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return 1, err
	}
	binary = filepath.Join(dir, "slabgate")
	args := []string{"build", "-o", binary}
	if _, err := exec.LookPath("gcc"); err == nil {
		args = append(args, "-race")
	}
	said, err := exec.Command("go", append(args, "github.com/slabgate/slabgate/cmd/slabgate")...).CombinedOutput()
	if err != nil {
		return 1, fmt.Errorf("go build: %v\n%s", err, said)
	}
	return m.Run(), nil
}

// long reports whether the long form of a test is asked for.
func long() bool { return os.Getenv("SLABGATE_LONG") == "1" }

// asNobody makes a command run as the daemon's user.
func asNobody(cmd *exec.Cmd) *exec.Cmd {
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// environ is the environment of the binary: a data race ends it, and its end is
// not delayed, as the race detector would.
func environ() []string {
	return append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0")
}

// giveToDaemon gives path and what is in it to the daemon's user.
func giveToDaemon(t testing.TB, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.WalkDir(path, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// patience bounds every wait for something that must happen.
const patience = 10 * time.Second

// eventually waits until cond holds, or fails the test with what was waited for.
func eventually(t testing.TB, what func() string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", patience, what())
		}
	}
}
