package systemd

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// heard returns what a listener in systemd's place hears of call.
func heard(t *testing.T, call func() error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := call(); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestWhatSystemdHears(t *testing.T) {
	for _, tc := range []struct {
		call func() error
		want string
	}{
		{func() error { return Ready("serving") }, `^READY=1\nSTATUS=serving$`},
		{Reloading, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+\n?$`},
		{func() error { return Stopping("waiting") }, `^STOPPING=1\nSTATUS=waiting$`},
		{func() error { return Status("draining") }, `^STATUS=draining$`},
		{Alive, `^WATCHDOG=1$`},
	} {
		if got := heard(t, tc.call); !regexp.MustCompile(tc.want).MatchString(got) {
			t.Errorf("got %q, want %s", got, tc.want)
		}
	}
}

func TestNobodyHears(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Alive(); err != nil || Present() {
		t.Errorf("without systemd: %v, present %v", err, Present())
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := Alive(); err == nil || !Present() {
		t.Errorf("systemd does not answer: %v, present %v", err, Present())
	}
}

func TestWatchdog(t *testing.T) {
	for _, tc := range []struct {
		usec, pid string
		want      time.Duration
		fails     bool
	}{
		{"", "", 0, false},
		{"3000000", "", 3 * time.Second, false},
		{"3000000", strconv.Itoa(os.Getpid()), 3 * time.Second, false},
		{"3000000", "1", 0, false},
		{"soon", "", 0, true},
	} {
		t.Setenv("WATCHDOG_USEC", tc.usec)
		t.Setenv("WATCHDOG_PID", tc.pid)
		if tc.usec == "" {
			os.Unsetenv("WATCHDOG_USEC")
		}
		if tc.pid == "" {
			os.Unsetenv("WATCHDOG_PID")
		}
		if got, err := Watchdog(); got != tc.want || (err != nil) != tc.fails {
			t.Errorf("WATCHDOG_USEC=%s WATCHDOG_PID=%s: got %v, %v, want %v", tc.usec, tc.pid, got, err, tc.want)
		}
	}
}

// Descriptors that are another process's are left alone. Those of one's own are
// looked at where a process is started with them.
func TestSocketsOfAnotherProcess(t *testing.T) {
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("LISTEN_PID", "1")
	if list := Sockets(); len(list) != 0 {
		t.Errorf("got %v", list)
	}
	if _, there := os.LookupEnv("LISTEN_FDS"); there {
		t.Error("LISTEN_FDS is left for children")
	}
}
