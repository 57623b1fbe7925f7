package audit

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// listenSyslog is a syslog that takes datagrams on a unix socket.
func listenSyslog(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	os.Remove(path)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// message is the next datagram.
func message(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 8192)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestSyslogTakesEvents also restarts the syslog.
func TestSyslogTakesEvents(t *testing.T) {
	socket := path(t, "log")
	host := listenSyslog(t, socket)
	l, m := open(t, blocking())
	j, err := openJournal("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	l.outputs = []*output{{destination: j}}
	go l.Run()
	for i, reason := range []string{"first", "second"} {
		if i > 0 {
			host.Close()
			host = listenSyslog(t, socket)
			if err := l.Reopen(); err != nil {
				t.Error(err)
			}
		}
		l.Write(Event{Kind: Deny, Reason: reason, RawKey: []byte("a\nb")})
		got := message(t, host)
		head, line, _ := strings.Cut(got, "]: ")
		if !strings.HasPrefix(head, "<38>") || !strings.Contains(head, " slabgate[") { // 4 is auth, 6 is info: 4*8+6
			t.Errorf("%s: got %q, want the head of facility auth and level info", reason, got)
		}
		if !strings.HasPrefix(line, `{"schema":"slabgate.audit/1",`) || !strings.HasSuffix(line, `"key":"\"a\\nb\""}`+"\n") || !strings.Contains(line, reason) {
			t.Errorf("%s: got %q, want the event in one line", reason, line)
		}
	}
	shut(t, l)
	if m.AuditDrops.Load() != 0 {
		t.Errorf("got %d losses", m.AuditDrops.Load())
	}
}

func TestSyslogThatIsAwayIsWaitedFor(t *testing.T) {
	socket := path(t, "log")
	listenSyslog(t, socket)
	l, m := open(t, blocking())
	j, err := openJournal("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(socket)
	j.Close() // as a syslog does that goes away
	l.outputs = []*output{{destination: j}}
	refused := make(chan error, 2)
	l.Told = func(_ string, err error) { refused <- err }
	go l.Run()
	l.Write(Event{Kind: Deny})
	testkit.Within(t, "the refusal", func() {
		if err := <-refused; err == nil {
			t.Error("a syslog that is away took a line")
		}
	})
	host := listenSyslog(t, socket)
	if got := message(t, host); !strings.Contains(got, `"seq":1,`) {
		t.Errorf("got %q, want the event", got)
	}
	shut(t, l)
	if m.AuditDrops.Load() != 0 {
		t.Errorf("got %d losses", m.AuditDrops.Load())
	}
}

func TestNoSyslogIsAnError(t *testing.T) {
	if _, err := openJournal("unixgram", path(t, "log")); err == nil || !strings.HasPrefix(err.Error(), "audit: syslog: ") {
		t.Errorf("got %v, want an error of this package", err)
	}
}

func TestASinkIsAFileOrTheSyslog(t *testing.T) {
	d, err := (&SinkOptions{Syslog: LocalSyslog, File: path(t, "unused"), Mode: 0o600}).open()
	if err != nil && !strings.HasPrefix(err.Error(), "audit: syslog: ") {
		t.Errorf("syslog: got %v", err)
	}
	if err == nil && d.String() != "syslog" {
		t.Errorf("syslog: got %v", d)
	}
	if d, err = (&SinkOptions{File: path(t, "used"), Mode: 0o600}).open(); err != nil || !strings.HasSuffix(d.String(), "/used") {
		t.Errorf("file: got %v, %v", d, err)
	}
}
