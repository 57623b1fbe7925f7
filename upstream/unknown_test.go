package upstream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// unknown makes a command that is in no row.
func unknown(line string) *protocol.Request {
	return &protocol.Request{Form: protocol.Form{Verb: protocol.Unknown}, Args: []byte(line)}
}

// TestUnknownCommand checks that the reply to an unknown command is whatever comes
// before the answer to mn, and that its connection is not used again.
func TestUnknownCommand(t *testing.T) {
	for _, tt := range []struct {
		name, reply string // of memcached to the command, without that to mn
		status      protocol.Status
		cause       metrics.Burn
	}{
		{"an error", "ERROR\r\n", protocol.StatusOK, metrics.BurnClient},
		{"lines of any kind", "FOO 1\r\n\r\nVALUE k 0 1\r\nmn\r\nEND\r\n", protocol.StatusOK, metrics.BurnClient},
		{"nothing", "", protocol.StatusOK, metrics.BurnClient},
		{"a control byte", "FOO \x1b[2J\r\n", protocol.StatusLost, metrics.BurnProof},
		{"a line without CR", "FOO\n", protocol.StatusLost, metrics.BurnProof},
		{"too much", strings.Repeat(strings.Repeat("v", 1000)+"\r\n", maxKeyless/1000), protocol.StatusLost, metrics.BurnProof},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, r := startFake(t, testkit.FakeOptions{Extra: map[string]string{"foo a b": tt.reply}}, nil)
			var reply []byte
			var status protocol.Status
			testkit.Within(t, "Keyless", func() { reply, status = r.Keyless(context.Background(), unknown("foo a b")) })
			want := tt.reply
			if tt.status != protocol.StatusOK {
				want = ""
			}
			if status != tt.status || string(reply) != want {
				t.Errorf("status %d, reply %.80q; want %d and %.80q", status, reply, tt.status, want)
			}
			var n burns
			n[tt.cause] = 1
			r.wantBurns(n)
			r.wantFree()
			if len(r.idle) != 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

// TestUnknownCommandThatTakesMN checks that a command to which mn is an argument
// is given up, and that the next one has a connection of its own.
func TestUnknownCommandThatTakesMN(t *testing.T) {
	_, r := startFake(t, testkit.FakeOptions{Extra: map[string]string{"foo": "FOO\r\n", "mn": ""}}, func(c *Config) {
		c.RequestTimeout = 100 * time.Millisecond
	})
	if reply, status := r.Keyless(context.Background(), unknown("foo")); status != protocol.StatusLost || reply != nil {
		t.Errorf("status %d, reply %q; want lost and none", status, reply)
	}
	if reply, status := r.Keyless(context.Background(), keyless(t, "flush_all")); status != protocol.StatusOK || string(reply) != "OK\r\n" {
		t.Errorf("status %d, reply %q after it", status, reply)
	}
	r.wantBurns(burns{metrics.BurnTimeout: 1})
}

// TestUnknownCommandIsUnfit checks that a memcached without mn is not sent an
// unknown command, and that the connection is kept.
func TestUnknownCommandIsUnfit(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{Version: "1.5.22"}, nil)
	if reply, status := r.Keyless(context.Background(), unknown("foo")); status != protocol.StatusUnfit || reply != nil {
		t.Errorf("status %d, reply %q; want unfit and none", status, reply)
	}
	if n := len(fake.Violations()); n != 0 {
		t.Errorf("%d violations", n)
	}
	r.wantBurns(burns{})
	r.wantIdle()
}

// TestUnknownCommandIsMemcacheds checks what memcached itself makes of a word that
// it does not know, and that the next command is answered as ever.
func TestUnknownCommandIsMemcacheds(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	r := startRig(t, testkit.StartMemcached(t).Addr(), nil)
	for range 3 {
		if reply, status := r.Keyless(context.Background(), unknown("foo a b")); status != protocol.StatusOK || string(reply) != "ERROR\r\n" {
			t.Errorf("status %d, reply %q", status, reply)
		}
		if reply, status := r.Keyless(context.Background(), keyless(t, "verbosity 1")); status != protocol.StatusOK || string(reply) != "OK\r\n" {
			t.Errorf("status %d, reply %q after it", status, reply)
		}
	}
	r.wantBurns(burns{metrics.BurnClient: 3})
}
