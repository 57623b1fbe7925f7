package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/auth"
)

// loopback is where the logins of these tests come from.
var loopback = netip.MustParseAddr("127.0.0.1")

func TestHashVerifies(t *testing.T) {
	file := t.TempDir() + "/password"
	if err := os.WriteFile(file, []byte("from a file\r\nsecond line"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		stdin, password string
		args            []string
		iterations      int
	}{
		{"hunter2", "hunter2", nil, auth.DefaultIterations},
		{"hunter2\n", "hunter2", []string{fast}, 4096},
		{"hunter2\r\nnext", "hunter2", []string{"--iterations", "5000"}, 5000},
		{" with spaces \n", " with spaces ", []string{fast}, 4096},
		{"not this", "from a file", []string{fast, "--password-file", file}, 4096},
		{strings.Repeat("p", auth.MaxPassword) + "\r\n", strings.Repeat("p", auth.MaxPassword), []string{fast}, 4096},
	} {
		o := slabgateIn(t, tc.stdin, append([]string{"hash"}, tc.args...)...)
		o.want(t, exitOK)
		r, err := auth.ParseRecord(strings.TrimSuffix(o.out, "\n"))
		if err != nil || r.Iterations() != tc.iterations {
			t.Errorf("%.20q: got %q, %d iterations, %v, want a record of %d", tc.stdin, o.out, r.Iterations(), err, tc.iterations)
			continue
		}
		if o.err != "" || strings.Contains(o.out, tc.password) {
			t.Errorf("%.20q: got %q and %q beside it", tc.stdin, o.out, o.err)
		}
		if !matches(t, r, tc.password) || matches(t, r, tc.password+"x") {
			t.Errorf("%.20q: the record must take the password, and only it", tc.stdin)
		}
	}
}

// Of several hashes there is a record each, on a line of its own.
func TestHashBySeveralHashes(t *testing.T) {
	o := slabgateIn(t, "hunter2", "hash", fast, "--scram", "SHA-1,SHA-512")
	o.want(t, exitOK)
	var got []auth.Hash
	for line := range strings.Lines(o.out) {
		r, err := auth.ParseRecord(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		got = append(got, r.Hash())
	}
	if want := "[SHA-256 SHA-512 SHA-1]"; fmt.Sprint(got) != want {
		t.Errorf("got records by %v, want %s", got, want)
	}
}

// matches reports whether a user with this record logs in with a password.
func matches(t *testing.T, r auth.Record, password string) bool {
	t.Helper()
	users, found := auth.NewUsers([]auth.User{{Name: "u", Secrets: []auth.StoredSecret{{Record: r}}}}, 1)
	if users == nil {
		t.Fatal(found)
	}
	v, err := auth.NewVerifier(auth.VerifierConfig{Now: time.Now}, users)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(context.Background(), loopback, "u", auth.Secret(password))
	return err == nil
}

func TestHashesOfOnePasswordDiffer(t *testing.T) {
	first, second := slabgateIn(t, "hunter2", "hash", fast), slabgateIn(t, "hunter2", "hash", fast)
	if first.out == second.out {
		t.Errorf("the same salt twice: %q", first.out)
	}
}

func TestHashRefuses(t *testing.T) {
	for _, tc := range []struct {
		stdin string
		args  []string
		says  string
	}{
		{"", nil, "the password is empty"},
		{"\nsecond line", nil, "the password is empty"},
		{strings.Repeat("p", auth.MaxPassword+1), nil, "longer than 1024 bytes"},
		{strings.Repeat("p", 1<<20), nil, "longer than 1024 bytes"},
		{"\xff\xfe", []string{fast}, "UTF-8"},
		{"hunter2", []string{"--iterations", "600001"}, "600001 iterations"},
		{"hunter2", []string{"--scram", "SHA-3"}, `no hash is called "SHA-3"`},
		{"hunter2", []string{"--password-file", "/nonexistent/p"}, "no such file"},
	} {
		o := slabgateIn(t, tc.stdin, append([]string{"hash"}, tc.args...)...)
		o.want(t, exitUsage, tc.says)
		if o.out != "" {
			t.Errorf("%.20q: printed %q all the same", tc.stdin, o.out)
		}
	}
}

func TestPasswordFromABrokenPipe(t *testing.T) {
	broken := errors.New("broken pipe")
	if got, err := firstLine(iotest.ErrReader(broken)); !errors.Is(err, broken) || got != "" {
		t.Errorf("got %v, %v, want %v", got, err, broken)
	}
}

// A terminal is asked twice, and shows nothing of what is typed.
func TestPasswordFromATerminal(t *testing.T) {
	for _, tc := range []struct {
		first, second string
		want          auth.Secret
		err           string
	}{
		{"hunter2", "hunter2", "hunter2", ""},
		{"hunter2", "hunter3", "", "the two passwords differ"},
		{"", "", "", "the password is empty"},
	} {
		master, slave := openTerminal(t)
		shown := make(chan string, 1)
		go func() { shown <- typist(master, tc.first, tc.second) }()
		var p password
		got, err := p.read(stdio{in: slave, out: io.Discard, err: slave})
		slave.Close()
		if got != tc.want || tc.err == "" != (err == nil) || err != nil && err.Error() != tc.err {
			t.Errorf("%q, %q: got %q, %v, want %q, %q", tc.first, tc.second, string(got), err, string(tc.want), tc.err)
		}
		if seen := <-shown; seen != "Password: \r\nAgain: \r\n" {
			t.Errorf("the terminal shows %q, want two questions and no answer", seen)
		}
	}
}

// typist answers each question once the terminal no longer echoes, and returns
// what it has seen when the terminal is closed.
func typist(master *os.File, answers ...string) string {
	var seen strings.Builder
	buf := make([]byte, 1024)
	for asked := 1; ; {
		n, err := master.Read(buf)
		if err != nil {
			return seen.String()
		}
		seen.Write(buf[:n])
		if asked > len(answers) || strings.Count(seen.String(), ": ") < asked {
			continue
		}
		for deadline := time.Now().Add(5 * time.Second); echoes(master) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		fmt.Fprintln(master, answers[asked-1])
		asked++
	}
}

func echoes(tty *os.File) bool {
	mode, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	return err == nil && mode.Lflag&unix.ECHO != 0
}

// openTerminal makes a pseudo terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIP: no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !echoes(slave) {
		t.Fatal("the terminal does not echo to begin with")
	}
	return master, slave
}
