package proxy

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/policy"
)

// loginTable says what each message does in each state of a login: the status
// that answers it in hexadecimal; + if the session goes on and . if it ends; and
// who the client is then. In the first four states nobody knows the client; in
// the last four its listener makes it "app".
const loginTable = `
                LIST      RIGHT     WRONG     NONESUCH  BEGIN     STEP      ASIDE     GET       NOOP      VERSION   QUIT      UNKNOWN   SHAPE
nothing         00+       00+bob    20+       20+       21+       20+       20+       20.       20.       20.       20.       20.       20.
in PLAIN        00+       20+       20+       20+       20+       00+bob    20+       20.       20.       20.       20.       20.       20.
in SCRAM        00+       20+       20+       20+       20+       20+       20+       20.       20.       20.       20.       20.       20.
failed twice    00+       00+bob    20.       20.       21+       20.       20.       20.       20.       20.       20.       20.       20.
done            00+alice  20+alice  20+alice  20+alice  20+alice  20+alice  20+alice  01+alice  00+alice  00+alice  00.alice  81+alice  04.alice
known           00+app    00+bob    20+app    20+app    21+app    20+app    20+app    01+app    00+app    00+app    00.app    81+app    04.app
known in PLAIN  00+app    20+app    20+app    20+app    20+app    00+bob    20+app    20.app    20.app    20.app    20.app    81+app    04.app
known, failed   00+app    00+bob    20+app    20+app    21+app    20+app    20+app    20.app    20.app    20.app    20.app    81+app    04.app
known, served   00+app    20+app    20+app    20+app    20+app    20+app    20+app    01+app    00+app    00+app    00.app    81+app    04.app
late            00+alice  20+alice  20+alice  20+alice  20+alice  20+alice  20+alice  01+alice  00+alice  00+alice  00.alice  81+alice  04.alice
`

// loginMessages are the columns of the table.
var loginMessages = map[string]testkit.Packet{
	"LIST":     listMechs,
	"RIGHT":    plainPacket("bob", "open"),
	"WRONG":    plainPacket("bob", "wrong"),
	"NONESUCH": authPacket("NONESUCH", "x"),
	"BEGIN":    authPacket(auth.Plain, ""),
	"STEP":     stepPacket(auth.Plain, "\x00bob\x00open"),
	"ASIDE":    stepPacket("SCRAM-SHA-1", "\x00bob\x00open"),
	"GET":      getAlices,
	"NOOP":     {Op: testkit.OpNoop},
	"VERSION":  {Op: testkit.OpVersion},
	"QUIT":     {Op: testkit.OpQuit},
	"UNKNOWN":  {Op: 0x55, Key: "k", Value: "v"},
	"SHAPE":    {Op: testkit.OpNoop, Value: "surplus"},
}

// loginStates are the rows of the table: what the client has said before.
var loginStates = map[string][]testkit.Packet{
	"nothing":        nil,
	"in PLAIN":       {authPacket(auth.Plain, "")},
	"in SCRAM":       {authPacket("SCRAM-SHA-256", "n,,n=bob,r=nonce")},
	"failed twice":   {plainPacket("bob", "wrong"), plainPacket("bob", "wrong")},
	"done":           {plainPacket("alice", "sesame")},
	"known":          nil,
	"known in PLAIN": {authPacket(auth.Plain, "")},
	"known, failed":  {plainPacket("alice", "wrong")},
	"known, served":  {getAlices},
	"late":           {plainPacket("alice", "sesame")},
}

// loginCase is one cell of the table.
type loginCase struct {
	state, message string
	status         uint16
	lives          bool
	identity       string
}

func loginCases(t *testing.T) (cases []loginCase) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(loginTable), "\n")
	columns := fields(lines[0])
	const cellsFrom = 16
	for _, line := range lines[1:] {
		cells := fields(line[cellsFrom:])
		if len(cells) != len(columns) || len(columns) != len(loginMessages) {
			t.Fatalf("%q has %d cells, want %d", line, len(cells), len(loginMessages))
		}
		for i, cell := range cells {
			status, err := strconv.ParseUint(cell[:2], 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			cases = append(cases, loginCase{strings.TrimSpace(line[:cellsFrom]), columns[i], uint16(status), cell[2] == '+', cell[3:]})
		}
	}
	return cases
}

// known reports whether the client is somebody before it logs in.
func (c *loginCase) known() bool { return strings.HasPrefix(c.state, "known") || c.state == "late" }

// weakly is saslLogins with an identity for whoever comes to the listener.
func weakly() *policy.Document {
	doc := saslLogins()
	doc.Identities["app"] = policy.IdentityDoc{
		Match: []policy.Match{{Listener: ref("main")}},
		Rules: []policy.Rule{rule("@rw", "*")},
	}
	return doc
}

// TestEveryMessageInEveryStateOfALogin holds slabgate to the table.
func TestEveryMessageInEveryStateOfALogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	users := usersOf(t, 1, "alice:sesame", "bob:open")
	for _, c := range loginCases(t) {
		t.Run(c.state+"/"+c.message, func(t *testing.T) { c.run(t, fake, users) })
	}
}

func (c *loginCase) run(t *testing.T, fake *testkit.Fake, users *auth.Users) {
	doc := saslLogins()
	if c.known() {
		doc = weakly()
	}
	r := startRig(t, fake.Addr(), rigOptions{doc: doc, users: users, listen: takesSASL(auth.Plain, "SCRAM-SHA-256")})
	cl := r.client(t)
	for _, p := range loginStates[c.state] {
		cl.asksPacket(p)
	}
	before := fake.Received()
	cl.wantsStatus(loginMessages[c.message], c.status)
	if c.identity == "" && !bytes.Equal(fake.Received(), before) {
		t.Errorf("memcached was sent %q", fake.Received()[len(before):])
	}
	if c.lives {
		cl.wantsStatus(listMechs, packetOK)
		cl.Close()
	} else {
		cl.wantsEnd()
	}
	if got := r.sessionFields(t)["identity"]; got != c.identity {
		t.Errorf("the client was %q, want %q", got, c.identity)
	}
	if n := r.server.Metrics.Requests.Load(); c.identity == "" && n != 0 {
		t.Errorf("%d requests were served", n)
	}
}
