package proxy

import (
	"regexp"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// canonical is a command as it may go upstream: its words, then the flags that a
// proxy may send, each with a number if it has one, then the mark, then the line
// end. There is no place in it for quiet forms, for the client's opaque, or for
// having the key repeated.
var canonical = regexp.MustCompile(`^(m[sgda]) ([^\x00-\x20\x7f]+)( [0-9]+)?((?: (?:[cfhlstuvIx]|[CDEFJ][0-9]+|[NRT]-?[0-9]+|M[ADEPR]))*) O([0-9a-f]{16})\r\n`)

// readSent reads a command that goes upstream and fails the test if it is not
// canonical, or more than one. It returns it without its mark, too.
func readSent(t testing.TB, text string) (req testkit.Request, plain string) {
	t.Helper()
	m := canonical.FindStringSubmatch(text)
	if m == nil {
		t.Errorf("%q goes upstream, which is not canonical", text)
		return testkit.Request{Verb: "mn"}, text
	}
	req = testkit.Request{Verb: m[1], Args: []string{m[2]}, Flags: append(fields(m[4]), "O"+m[5])}
	body, letters := text[len(m[0]):], map[byte]bool{}
	for _, f := range req.Flags {
		letters[f[0]] = true
	}
	good := body == "" && m[3] == ""
	if req.Verb == "ms" {
		req.Args = append(req.Args, strings.TrimSpace(m[3]))
		req.Value = strings.TrimSuffix(body, "\r\n")
		good = req.Args[1] == itoa(len(req.Value)) && body == req.Value+"\r\n"
	}
	if !good || len(letters) < len(req.Flags) || len(m[2]) > protocol.MaxKey {
		t.Errorf("%q goes upstream, which is not one canonical command", text)
	}
	return req, m[1] + " " + m[2] + m[3] + m[4] + "\r\n" + body
}
