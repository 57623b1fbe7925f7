package upstream

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// prefixed puts a prefix before the key of c.
func prefixed(prefix string, c protocol.Command) protocol.Command {
	c.Prefix = []byte(prefix)
	return c
}

// TestPrefixesKeepItemsApart checks that what is stored under a prefix is read
// under it and under no other, in both dialects, and by the name that it has in
// memcached.
func TestPrefixesKeepItemsApart(t *testing.T) {
	for name, dialect := range map[string]string{"meta": "meta", "classic": "classic"} {
		t.Run(name, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			r := startRig(t, testkit.StartMemcached(t).Addr(), func(c *Config) { c.Dialect = dialect })
			hashed := prefixed("a:#1234", store("set", strings.Repeat("k", 250), []byte("hashed")))
			hashed.Hashed = true
			r.do(prefixed("a:", store("set", "k", []byte("one"))), prefixed("b:", store("set", "k", []byte("other"))), hashed)
			b := r.do(prefixed("a:", cmd("get", "k")), prefixed("b:", cmd("get", "k")), cmd("get", "k"), cmd("get", "a:k"), cmd("gets", "a:#1234"))
			want := []string{"one", "other", "", "one", "hashed"}
			for i := range want {
				if got := string(b.Value(i)); got != want[i] {
					t.Errorf("read %d: got %q, want %q", i, got, want[i])
				}
			}
			if got := r.stream(prefixed("b:", cmd("get", "k")), &sink{}); got.err != nil || !bytes.Equal(got.value, []byte("other")) {
				t.Errorf("alone: %v, %q", got.err, got.value)
			}
			r.wantBurns(burns{})
		})
	}
}

// TestDebugTellsOfThePrefixedItem checks it of memcached itself.
func TestDebugTellsOfThePrefixedItem(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	r := startRig(t, testkit.StartMemcached(t).Addr(), nil)
	r.do(prefixed("a:", store("set", "k", []byte("v"))))
	req := keyless(t, "me k")
	req.Prefix = []byte("a:")
	reply, status := r.Keyless(context.Background(), req)
	if got := string(req.AppendAlone(nil, reply)); status != protocol.StatusOK || !strings.HasPrefix(got, "ME k exp=") || strings.Contains(got, "a:k") {
		t.Errorf("status %d, the client reads %q", status, got)
	}
	if reply, _ := r.Keyless(context.Background(), keyless(t, "me k")); string(reply) != "EN\r\n" {
		t.Errorf("without the prefix: %q", reply)
	}
	r.wantBurns(burns{})
}

// TestPrefixCountsForTheRound checks that what does not fit into one write because
// of its prefix goes into the next.
func TestPrefixCountsForTheRound(t *testing.T) {
	l := &Lane{conn: &conn{wbuf: make([]byte, writeSize-256-100, writeSize)}}
	for _, row := range []struct {
		prefix, key int
		full        bool
	}{{0, 100, false}, {50, 50, false}, {0, 101, true}, {51, 50, true}} {
		c := prefixed(strings.Repeat("p", row.prefix), cmd("get", string(slices.Repeat([]byte("k"), row.key))))
		if got := l.full(&c); got != row.full {
			t.Errorf("prefix of %d and key of %d: full is %t, want %t", row.prefix, row.key, got, row.full)
		}
	}
}
