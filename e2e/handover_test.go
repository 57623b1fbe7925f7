package e2e_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// replacements is how many processes take each other's place.
func replacements() int {
	if long() {
		return 100
	}
	return 5
}

// traffic is what goes on while processes come and go.
type traffic struct {
	stop                         atomic.Bool
	wg                           sync.WaitGroup
	requests, connects, sentAway atomic.Int64
}

// begin has clients of every dialect talk to addr, each on one connection for as long
// as slabgate keeps it, and one that connects anew for every request.
func (s *site) begin(t *testing.T, addr string) *traffic {
	t.Helper()
	w := &traffic{}
	for i := range 2 * len(speakers) {
		name := []string{"shop", "blog"}[i%2]
		w.wg.Go(func() {
			for n := 0; !w.stop.Load(); {
				if err := w.client(s, addr, name, speakers[i%len(speakers)], fmt.Sprint(name, ":", i), &n, false); err != nil {
					t.Errorf("client %d, request %d: %v", i, n, err)
					return
				}
			}
		})
	}
	w.wg.Go(func() {
		for n := 0; !w.stop.Load(); time.Sleep(5 * time.Millisecond) {
			if err := w.client(s, addr, "all", sayClassic, "all:1", &n, true); err != nil {
				t.Errorf("connection %d: %v", w.connects.Load(), err)
				return
			}
		}
	})
	return w
}

// client makes a connection and asks until it is sent away, or once. A connection
// that is refused or reset is an error, and so is a reply that breaks off; one that
// ends properly between two replies is not.
func (w *traffic) client(s *site, addr, name string, say phrase, key string, n *int, once bool) error {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, s.tlsConfig(name))
	if errors.Is(err, io.EOF) {
		w.sentAway.Add(1)
		return nil
	}
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer c.Close()
	w.connects.Add(1)
	for in := bufio.NewReader(c); !w.stop.Load(); {
		*n++
		switch err := speak(c, in, say, key, *n); {
		case errors.Is(err, io.EOF):
			w.sentAway.Add(1)
			return nil
		case err != nil:
			return err
		}
		w.requests.Add(1)
		if once {
			return nil
		}
	}
	return nil
}

// end stops the traffic, and tells how much there was.
func (w *traffic) end(t *testing.T) {
	t.Helper()
	w.stop.Store(true)
	w.wg.Wait()
	t.Logf("%d requests on %d connections; %d were ended between two requests", w.requests.Load(), w.connects.Load(), w.sentAway.Load())
	if w.requests.Load() < 100 || w.connects.Load() < 10 {
		t.Error("that is too little to say anything")
	}
}

// flowing waits until the traffic gets through what there is now.
func (w *traffic) flowing(t *testing.T) {
	t.Helper()
	was := w.requests.Load()
	eventually(t, func() string { return "traffic" }, func() bool { return w.requests.Load() > was+50 })
}

// retire asks a process to end, and waits until it has.
func (d *daemon) retire(t *testing.T) {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
	d.wantExit(t, 0)
	if n := strings.Count(d.text(), "clients were cut off"); n > 0 {
		t.Errorf("clients were cut off:\n%s", d.text())
	}
}

// activated is a command that starts the site with sockets handed over as systemd
// does.
func (s *site) activated(t *testing.T, names string, sockets ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "run", "-c", s.path("slabgate.yaml"))
	cmd.ExtraFiles = sockets
	cmd.Env = []string{fmt.Sprintf("LISTEN_FDS=%d", len(sockets)), "LISTEN_FDNAMES=" + names}
	return cmd
}

// bound is a socket that the test holds in systemd's place, and its address.
func bound(t *testing.T) (*os.File, string) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, l.Addr().String()
}

// A service whose socket systemd holds is restarted: between two processes clients
// wait, and none is refused.
func TestRestartsBehindASocketOfSystemd(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	s.edit(t, "slabgate.yaml", "name: main\n    address: \"127.0.0.1:0\"", "name: main\n    address: systemd:web")
	s.edit(t, "slabgate.yaml", "log: {level: debug", "log: {level: info")
	socket, addr := bound(t)
	d := follow(t, s.activated(t, "web", socket))
	d.await(t, "ready")
	w := s.begin(t, addr)
	for i := range replacements() {
		w.flowing(t)
		if i%2 == 0 { // one after the other, as systemctl restart does
			d.retire(t)
			d = follow(t, s.activated(t, "web", socket))
			d.await(t, "ready")
			continue
		}
		next := follow(t, s.activated(t, "web", socket))
		next.await(t, "ready")
		d.retire(t)
		d = next
	}
	w.flowing(t)
	w.end(t)
}

// Two processes share an address, a state folder and an admin socket while one takes
// the other's place.
func TestProcessesTakeEachOthersPlace(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	socket, addr := bound(t)
	socket.Close() // only the port was wanted
	s.edit(t, "slabgate.yaml", "name: main\n    address: \"127.0.0.1:0\"", "name: main\n    reuse_port: true\n    address: \""+addr+"\"")
	s.edit(t, "slabgate.yaml", "log: {level: debug", "state: @DIR@/state\nadmin: {socket: @DIR@/admin.sock}\nlog: {level: info")
	if err := os.Mkdir(s.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	giveToDaemon(t, s.dir)
	d := s.start(t)
	w := s.begin(t, addr)
	for range replacements() {
		w.flowing(t)
		next := s.start(t)
		d.retire(t)
		next.await(t, "generations are written down")
		d = next
	}
	w.flowing(t)
	w.end(t)
	if code, said := s.call(t, "", "healthcheck", "--ready", "--socket", s.path("admin.sock")); code != 0 {
		t.Errorf("healthcheck: exit %d: %s", code, said)
	}
}

// A start that fails on a shared address leaves the process that runs as it was.
func TestFailedStartTakesNothingOver(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	socket, addr := bound(t)
	socket.Close() // only the port was wanted
	s.edit(t, "slabgate.yaml", "name: main\n    address: \"127.0.0.1:0\"", "name: main\n    reuse_port: true\n    address: \""+addr+"\"")
	s.edit(t, "slabgate.yaml", "log: {level: debug", "admin: {socket: @DIR@/admin.sock}\nlog: {level: info")
	giveToDaemon(t, s.dir)
	d := s.start(t)
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	next := s.launch(t, "--set", "listeners.main.address="+held.Addr().String())
	next.wantExit(t, 77)
	if text := next.text(); !strings.Contains(text, "SG1406") {
		t.Errorf("it does not say why:\n%s", text)
	}
	if code, said := s.call(t, "", "healthcheck", "--ready", "--socket", s.path("admin.sock")); code != 0 {
		t.Errorf("the one that runs: exit %d: %s", code, said)
	}
	// With an address that nobody may have and a memcached that is away, it is
	// memcached that the start fails of: the shared address is not touched before.
	last := s.launch(t, "--set", "listeners.main.address="+held.Addr().String(), "--set", "upstreams.local.address=127.0.0.1:1", "--require-upstream")
	last.wantExit(t, 69)
	d.retire(t)
}

// Sockets of several names, one that nobody wants, and one that is not there.
func TestSocketsOfSystemdByName(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	s.edit(t, "slabgate.yaml", "name: main\n    address: \"127.0.0.1:0\"", "name: main\n    address: systemd:web")
	s.edit(t, "slabgate.yaml", "name: plain\n    address: \"127.0.0.1:0\"", "name: plain\n    address: systemd:local")
	one, first := bound(t)
	two, second := bound(t)
	local, plain := bound(t)
	spare, _ := bound(t)
	d := follow(t, s.activated(t, "web:local:web:spare", one, local, two, spare))
	d.await(t, "ready")
	for _, addr := range []string{first, second} {
		c, err := tls.Dial("tcp", addr, s.tlsConfig("shop"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		talk(t, c, "mn\r\n", "MN\r\n")
	}
	c := dialRaw(t, plain)
	defer c.Close()
	talk(t, c, "mn\r\n", "MN\r\n")
	if text := d.text(); !strings.Contains(text, "warning SG1184") || !strings.Contains(text, `"spare"`) {
		t.Errorf("nothing is said of the spare socket:\n%s", text)
	}
	d.retire(t)

	all, err := net.ListenTCP("tcp", &net.TCPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	exposed, err := all.File()
	if err != nil {
		t.Fatal(err)
	}
	defer exposed.Close()
	for _, tc := range []struct {
		names   string
		sockets []*os.File
		want    []string
	}{
		{"web", []*os.File{one}, []string{"error SG1181", "listeners[1].address", `"local"`}},
		{"", nil, []string{"error SG1181", "listeners[0].address", `"web"`}},
		{"web:local", []*os.File{one, exposed}, []string{"error SG1183", "listeners[1].address", "beyond this host"}},
	} {
		d := follow(t, s.activated(t, tc.names, tc.sockets...))
		d.wantExit(t, 78)
		for _, want := range tc.want {
			if !strings.Contains(d.text(), want) {
				t.Errorf("sockets %q: %q is not in:\n%s", tc.names, want, d.text())
			}
		}
	}
}

// TestWhatSystemdIsTold listens in systemd's place.
func TestWhatSystemdIsTold(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	path := s.path("notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	giveToDaemon(t, s.dir)
	cmd := exec.Command(binary, "run", "-c", s.path("slabgate.yaml"))
	cmd.Env = []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=300000"}
	d := follow(t, cmd)
	told := func(prefix string) (said string) {
		t.Helper()
		buf := make([]byte, 4096)
		c.SetReadDeadline(time.Now().Add(patience))
		for !strings.HasPrefix(said, prefix) {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %s: %v\n%s", prefix, err, d.text())
			}
			said = string(buf[:n])
		}
		return said
	}
	if got := told("READY=1"); !strings.Contains(got, "STATUS=serving 2 listeners; configuration ") {
		t.Errorf("at the start: %q", got)
	}
	for range 3 {
		told("WATCHDOG=1")
	}
	d.signal(t, syscall.SIGHUP)
	if got := told("RELOADING=1"); !strings.Contains(got, "\nMONOTONIC_USEC=") {
		t.Errorf("at a reload: %q", got)
	}
	told("READY=1")
	d.signal(t, syscall.SIGUSR2)
	told("STATUS=sending idle clients away, and serving 2 listeners")
	d.signal(t, syscall.SIGTERM)
	told("STOPPING=1")
	d.wantExit(t, 0)
}
