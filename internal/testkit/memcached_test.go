package testkit

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ask sends one line and returns the first bytes of the answer, or an error.
func ask(c net.Conn, line string, wait time.Duration) (string, error) {
	c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write([]byte(line + "\r\n")); err != nil {
		return "", err
	}
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	return string(buf[:n]), err
}

func TestMemcachedAnswersOnBothKindsOfAddress(t *testing.T) {
	for _, c := range []struct {
		config MemcachedConfig
		prefix string
	}{
		{MemcachedConfig{}, "unix:/"},
		{MemcachedConfig{TCP: true}, "127.0.0.1:"},
	} {
		t.Run(strings.TrimRight(c.prefix, ":/"), func(t *testing.T) {
			VerifyNoLeaks(t)
			m := c.config.Start(t)
			if !strings.HasPrefix(m.Addr(), c.prefix) {
				t.Errorf("address: got %q, want %q...", m.Addr(), c.prefix)
			}
			if got, err := ask(m.Dial(t), "mn", patience); got != "MN\r\n" {
				t.Errorf("mn: got %q, %v, want MN", got, err)
			}
		})
	}
}

func TestMemcachedTakesArguments(t *testing.T) {
	m := StartMemcached(t, "-I", "2m")
	got, err := ask(m.Dial(t), "stats settings", patience)
	if !strings.Contains(got, "STAT item_size_max 2097152\r\n") {
		t.Errorf("stats settings: got %q, %v, want item_size_max 2097152", got, err)
	}
}

func TestMemcachedSurvivesKillAndRestart(t *testing.T) {
	m := StartMemcached(t)
	addr, pid, c := m.Addr(), m.Pid(), m.Dial(t)
	m.Kill(t)
	if got, err := ask(c, "mn", patience); err == nil {
		t.Errorf("a killed memcached answered %q", got)
	}
	m.Restart(t)
	if m.Addr() != addr || m.Pid() == pid {
		t.Errorf("after restart: got %s, pid %d, want %s and another pid", m.Addr(), m.Pid(), addr)
	}
	m.Restart(t) // of one that runs
	if got, err := ask(m.Dial(t), "mn", patience); got != "MN\r\n" {
		t.Errorf("mn after restart: got %q, %v, want MN", got, err)
	}
}

func TestMemcachedStopsAndContinues(t *testing.T) {
	m := StartMemcached(t)
	c := m.Dial(t)
	m.Stop(t)
	if got, err := ask(c, "mn", 20*time.Millisecond); err == nil {
		t.Errorf("a stopped memcached answered %q", got)
	}
	m.Cont(t)
	if got, err := ask(c, "mn", patience); !strings.HasPrefix(got, "MN\r\n") {
		t.Errorf("mn after Cont: got %q, %v, want MN", got, err)
	}
	m.Stop(t) // and the cleanup must end it all the same
}

func TestMemcachedIsGoneAfterTheTest(t *testing.T) {
	var m *Memcached
	t.Run("inner", func(t *testing.T) { m = StartMemcached(t) })
	if m == nil {
		t.Skip("SKIP: memcached is not installed: apt-get install memcached")
	}
	if err := syscall.Kill(m.Pid(), 0); err == nil {
		t.Errorf("process %d still runs", m.Pid())
	}
	dir := filepath.Dir(strings.TrimPrefix(m.Addr(), "unix:"))
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
}

func TestMemcachedBinariesAreListedOnce(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, name := range []string{one, two} {
		if err := os.WriteFile(name, []byte("#!/bin/false\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("MEMCACHED", one)
	t.Setenv("SLABGATE_MEMCACHED_BINARIES", two+":"+one+":"+dir+"/missing")
	if got, want := MemcachedBinaries(), []string{one, two}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
