package protocol

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// fillStreams are requests that store a large item under a new key, by dialect.
func fillStreams(i int) map[string]string {
	value := strings.Repeat("v", 400_000)
	return map[string]string{
		"classic": fmt.Sprintf("set k%d 0 0 %d\r\n%s\r\n", i, len(value), value),
		"meta":    fmt.Sprintf("ms k%d %d c O1\r\n%s\r\n", i, len(value), value),
		"binary":  string(pack(0x01, packetParts{key: fmt.Sprint("k", i), extras: storing(0, 0), value: value})),
	}
}

// TestFullMemcached fills a memcached that evicts nothing: what it then says is
// understood, and each client reads that there is no memory.
func TestFullMemcached(t *testing.T) {
	for dialect, want := range map[string]string{
		"classic": "SERVER_ERROR out of memory storing object\r\n",
		"meta":    "SERVER_ERROR out of memory storing object\r\n",
		"binary":  string(answerOf(0x01, 0x82, "Out of memory")),
	} {
		l := newLink(t, testkit.StartMemcached(t, "-M", "-m", "2"))
		got := ""
		for i := 0; i < 20 && got != want; i++ {
			got = through(l, fillStreams(i)[dialect], true)
		}
		if got != want {
			t.Errorf("%s: at last got %.100q, want %q", dialect, got, want)
		}
		l.settled()
	}
}
