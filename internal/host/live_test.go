package host

import (
	"context"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// memcachedUID is the user id that testkit runs memcached as.
func memcachedUID(t *testing.T) int {
	t.Helper()
	if os.Geteuid() != 0 {
		return os.Geteuid()
	}
	for _, name := range []string{"memcache", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			return uid
		}
	}
	t.Fatal("no account that memcached runs as")
	return 0
}

// entryAt is the memcached with an address.
func entryAt(f *Facts, address string) *Memcached {
	for i := range f.Memcached {
		if f.Memcached[i].Address == address {
			return &f.Memcached[i]
		}
	}
	return nil
}

func TestGatherFindsARealMemcached(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	uid := memcachedUID(t)
	for _, tcp := range []bool{true, false} {
		m := testkit.MemcachedConfig{TCP: tcp, Args: []string{"-m", "17"}}.Start(t)
		f := Gather(context.Background(), Live(), Options{Memcached: m.Addr()})
		e := entryAt(f, m.Addr())
		if e == nil || e.Process == nil {
			t.Fatalf("%s was not found with its process: %+v", m.Addr(), f.Memcached)
		}
		if len(f.Memcached) != 1 {
			t.Errorf("%s: %d others were found, though one was asked for", m.Addr(), len(f.Memcached)-1)
		}
		if e.Process.UID != uid || !slices.Contains(e.Process.Args, "17") || e.Process.Comm != "memcached" {
			t.Errorf("%s: process %+v, want uid %d and the argument 17", m.Addr(), e.Process, uid)
		}
		if e.Version == "" || e.Settings["maxbytes"] != strconv.Itoa(17<<20) || e.Stats["pid"] != strconv.Itoa(e.Process.PID) {
			t.Errorf("%s: version %q, settings %v, stats %v", m.Addr(), e.Version, e.Settings, e.Stats)
		}
		if want := -1; tcp && e.PeerUID != want || !tcp && e.PeerUID != uid && e.PeerUID != os.Geteuid() {
			t.Errorf("%s: the peer has uid %d", m.Addr(), e.PeerUID)
		}
		if !e.Process.LimitsOK || !e.Process.StatusOK || e.Process.Network == "" || e.Process.Network != f.Self.Network {
			t.Errorf("%s: process %+v", m.Addr(), e.Process)
		}
		if !slices.ContainsFunc(f.Answers, func(a Answer) bool { return a.Address == m.Addr() && a.Version == e.Version }) {
			t.Errorf("%s: answers %+v", m.Addr(), f.Answers)
		}
	}
}

func TestGatherByProcess(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	one := testkit.MemcachedConfig{TCP: true}.Start(t)
	testkit.MemcachedConfig{TCP: true}.Start(t)
	pid := Gather(context.Background(), Live(), Options{Memcached: one.Addr()}).Memcached[0].Process.PID
	f := Gather(context.Background(), Live(), Options{Memcached: strconv.Itoa(pid)})
	if len(f.Memcached) != 1 || f.Memcached[0].Address != one.Addr() {
		t.Errorf("process %d: found %+v, want only %s", pid, f.Memcached, one.Addr())
	}
}

func TestLiveSelf(t *testing.T) {
	f := Gather(context.Background(), Live(), Options{Startup: true})
	if f.Self.PID != os.Getpid() || f.Self.UID != os.Geteuid() || !f.Self.EnvironOK || len(f.Self.Args) != len(os.Args) || !f.Live {
		t.Errorf("self is %+v, want process %d", f.Self, os.Getpid())
	}
	if len(f.Accounts) != 0 || f.Clock.Known {
		t.Error("a start looked at accounts and the clock")
	}
	if why := f.WhyUnseen("/etc/passwd"); why != "" {
		t.Errorf("what a start does not need is told as unseen: %s", why)
	}
}

func TestLiveClockAndFiles(t *testing.T) {
	clock, err := Live().Clock()
	if err != nil || !clock.Known {
		t.Errorf("clock %+v, error %v", clock, err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, make([]byte, MostBytes+1), 0o640); err != nil {
		t.Fatal(err)
	}
	if data, err := Live().ReadFile(path); err != nil || len(data) != MostBytes {
		t.Errorf("read %d bytes, error %v, want %d", len(data), err, MostBytes)
	}
	if _, err := Live().ReadFile(dir); err == nil {
		t.Error("a folder was read as a file")
	}
	info, err := Live().Stat(path)
	if err != nil || info.Mode != 0o640 || info.UID != os.Geteuid() || info.Free <= 0 || info.Free > 1 {
		t.Errorf("stat %+v, error %v", info, err)
	}
	if _, err := Live().List(context.Background(), "rm"); err == nil {
		t.Error("a command that is no listing was run")
	}
}

// say is a server that hands each connection's first bytes to seen and answers
// with a fixed text.
func say(t *testing.T, text string) (address string, heard func() string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- ""
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Write([]byte(text))
		var all []byte
		for buf := make([]byte, 512); ; {
			n, err := c.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil {
				break
			}
		}
		got <- string(all)
	}()
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String(), func() string { return <-got }
}

func TestAskSaysNoMoreThanItMust(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	for _, row := range []struct{ answer, want, heard string }{
		{"220 mail ready\r\n", "220 mail ready\r\n", "version\r\n"},
		{"CLIENT_ERROR unauthenticated\r\n", "CLIENT_ERROR unauthenticated\r\n", "version\r\n"},
		{"VERSION 1\r\nSTAT a b\r\nEND\r\nERROR\r\n", "VERSION 1\r\nSTAT a b\r\nEND\r\nERROR\r\n", "version\r\nstats\r\nstats settings\r\n"},
	} {
		address, heard := say(t, row.answer)
		reply, err := Live().Ask(context.Background(), address)
		if err != nil || string(reply.Text) != row.want {
			t.Errorf("%q: got %q, error %v", row.answer, reply.Text, err)
		}
		if got := heard(); got != row.heard {
			t.Errorf("%q: heard %q, want %q", row.answer, got, row.heard)
		}
	}
}

func TestAskGivesUp(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	address, heard := say(t, "VER")
	if reply, err := Live().Ask(context.Background(), address); err == nil {
		t.Errorf("half an answer is %q", reply.Text)
	}
	heard()
	if _, err := Live().Ask(context.Background(), "unix:"+filepath.Join(t.TempDir(), "none")); whyNot(err) != "no such file" {
		t.Errorf("a socket that is not there: %v", err)
	}
}

func TestAskOverUDP(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() {
		buf := make([]byte, 64)
		n, from, err := pc.ReadFrom(buf)
		if err == nil {
			_, _ = pc.WriteTo(append(append([]byte{}, buf[:8]...), "VERSION 1.5.5\r\n"...), from)
		}
		done <- string(buf[:n])
	}()
	reply, err := Live().Ask(context.Background(), "udp:"+pc.LocalAddr().String())
	pc.Close()
	if heard := <-done; err != nil || string(reply.Text) != "VERSION 1.5.5\r\n" || heard != "\x00\x01\x00\x00\x00\x01\x00\x00version\r\n" {
		t.Errorf("got %q, error %v, heard %q", reply.Text, err, heard)
	}
}

func TestRecordedTreeTellsTheSame(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	secret := filepath.Join(t.TempDir(), "tls.key")
	if err := os.WriteFile(secret, []byte("PRIVATE"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := testkit.MemcachedConfig{TCP: true}.Start(t)
	two := testkit.StartMemcached(t)
	subject := &Subject{Upstream: two.Addr(), ExpectUID: -1, Files: map[string]string{secret: "key", "/gone": "users"}}
	dir := t.TempDir()
	recorder := Record(Live(), dir)
	want := Gather(context.Background(), recorder, Options{Subject: subject})
	if err := recorder.Err(); err != nil {
		t.Fatal(err)
	}
	if entryAt(want, one.Addr()) == nil || entryAt(want, two.Addr()) == nil {
		t.Fatalf("found %+v, want %s and %s", want.Memcached, one.Addr(), two.Addr())
	}
	tree, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := Gather(context.Background(), tree, Options{})
	want.Live = false
	for i := range want.Processes {
		hide(&want.Processes[i])
	}
	hide(&want.Self)
	compare(t, got, want)
	if text := grep(t, dir, "PRIVATE"); text != "" {
		t.Errorf("a secret was written to %s", text)
	}
}

// hide does to a process what a record does.
func hide(p *Process) {
	if len(p.Args) > 0 {
		p.Args = splitNUL(maskWords([]byte(strings.Join(p.Args, "\x00"))))
	}
	for i := range p.Environ {
		p.Environ[i] = maskVariable(p.Environ[i])
	}
}

// compare says which fields differ.
func compare(t *testing.T, got, want *Facts) {
	t.Helper()
	g, w := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			t.Errorf("%s differs\n got %+v\nwant %+v", g.Type().Field(i).Name, g.Field(i), w.Field(i))
		}
	}
}

// grep returns the first file below dir that holds text.
func grep(t *testing.T, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || found != "" {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), text) {
			found = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
