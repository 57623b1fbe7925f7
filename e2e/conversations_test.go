package e2e_test

import (
	"net"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// Each file is one connection, with everything in it sent at once: what cannot
// be served is answered in its place, and what follows is served.
func TestConversations(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	d := s.start(t)
	for _, script := range testkit.LoadScripts(t, "testdata/conversations/*.txt") {
		for how, dial := range map[string]func() net.Conn{
			"tls":       func() net.Conn { return s.dial(t, d, "all") },
			"plaintext": func() net.Conn { return d.dialPlain(t) },
		} {
			t.Run(script.Name+"/"+how, func(t *testing.T) {
				talk(t, s.dial(t, d, "all"), "flush_all\r\n", "OK\r\n")
				testkit.RunScript(t, dial(), script, testkit.ScriptOptions{})
			})
		}
	}
}
