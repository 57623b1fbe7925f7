package proxy

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/testkit"
)

// Every file in testdata is a conversation, and shows one behaviour. Beside the
// steps, it may hold:
//
//	@policy NAME        one of the policies in policies_test.go; everything if missing
//	@login USER:PASS …  the listener takes logins, of these users
//	@limit NAME N       one of the limits below
//	@not SERVER WHY     it is not for fake, or not for memcached
//	@unsplit WHY        it is not sent byte by byte
//	@direct             memcached itself, asked the same, says the same
//
// It is held with slabgate in front of the fake and in front of memcached, in
// clear and inside TLS, as written and byte by byte.
func TestConversations(t *testing.T) {
	w := newWorld(t)
	real := testkit.StartMemcached(t)
	for _, s := range testkit.LoadScripts(t, "testdata/*.txt") {
		v := venue{script: s, world: w, real: real}
		if users, ok := s.Directives["login"]; ok {
			v.users = usersOf(t, 1, fields(users)...)
		}
		t.Run(s.Name, v.run)
	}
}

// venue is one conversation and where it may be held.
type venue struct {
	script testkit.Script
	world  *world
	real   *testkit.Memcached
	users  *auth.Users // nil if the listener takes no logins
}

// statsReply answers the forms of stats that the fake has no figures for.
const statsReply = "STAT figure 1\r\nEND\r\n"

// fakeLines are answers of a memcached to what the fake does not know.
var fakeLines = map[string]string{
	"stats":                   statsReply,
	"stats items":             "END\r\n",
	"stats slabs":             statsReply,
	"stats sizes":             statsReply,
	"stats extstore":          "END\r\n",
	"stats conns":             statsReply,
	"stats reset":             "RESET\r\n",
	"verbosity 0":             "OK\r\n",
	"cache_memlimit 64":       "OK\r\n",
	"lru_crawler enable":      "OK\r\n",
	"lru_crawler sleep 100":   "OK\r\n",
	"slabs automove 1":        "OK\r\n",
	"slabs automove ratio .8": "OK\r\n",
}

func (v *venue) run(t *testing.T) {
	if _, ok := v.script.Directives["direct"]; ok {
		v.runDirect(t)
	}
	for _, server := range []string{"fake", "memcached"} {
		for _, transport := range []string{"plain", "tls"} {
			for _, how := range []string{"whole", "split"} {
				if v.excludes(server, how) {
					continue
				}
				t.Run(server+"/"+transport+"/"+how, func(t *testing.T) {
					r := startRig(t, v.start(t, server), v.options(t, transport))
					testkit.RunScript(t, r.dial(t), v.script, testkit.ScriptOptions{Split: how == "split"})
				})
			}
		}
	}
}

// excludes reports whether the script says that it is not for a server, or not to
// be sent byte by byte. In short mode the fake alone is.
func (v *venue) excludes(server, how string) bool {
	if testing.Short() && how == "split" && server != "fake" {
		return true
	}
	for not := range strings.SplitSeq(v.script.Directives["not"], "\n") {
		if name, _, _ := strings.Cut(not, " "); not != "" && name == server {
			return true
		}
	}
	_, whole := v.script.Directives["unsplit"]
	return whole && how == "split"
}

// start returns the address of an empty memcached of that kind.
func (v *venue) start(t *testing.T, server string) string {
	if server == "fake" {
		return testkit.StartFake(t, testkit.FakeOptions{Extra: fakeLines}).Addr()
	}
	v.empty(t)
	return v.real.Addr()
}

// empty makes the one memcached forget what conversations before have left.
func (v *venue) empty(t *testing.T) {
	c := newClient(t, v.real.Dial(t))
	c.asks("flush_all\r\n", "OK\r\n")
	c.Close()
}

// options reads the script's directives.
func (v *venue) options(t *testing.T, transport string) rigOptions {
	name, ok := v.script.Directives["policy"]
	if !ok {
		name = "everything"
	}
	doc := policies[name]
	if doc == nil {
		t.Fatalf("%s: there is no policy %q", v.script.Name, name)
	}
	o := rigOptions{doc: doc(), limits: v.limit(t), users: v.users, login: v.users != nil}
	if transport == "tls" {
		o.tls, o.clients = v.world.server, v.world.app(t)
	}
	return o
}

// limitNames are the limits that @limit can set.
var limitNames = map[string]func(*Limits) *int{
	"max_in_flight": func(l *Limits) *int { return &l.MaxInFlight },
	"max_reply":     func(l *Limits) *int { return &l.MaxReply },
}

func (v *venue) limit(t *testing.T) func(*Limits) {
	text, ok := v.script.Directives["limit"]
	if !ok {
		return nil
	}
	name, value, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(value)
	if limitNames[name] == nil || err != nil {
		t.Fatalf("%s: there is no limit %q", v.script.Name, text)
	}
	return func(l *Limits) { *limitNames[name](l) = n }
}

// runDirect holds the conversation with memcached itself, so that its words and
// ours are known to be the same.
func (v *venue) runDirect(t *testing.T) {
	for _, how := range []string{"whole", "split"} {
		if v.excludes("", how) {
			continue
		}
		t.Run("direct/"+how, func(t *testing.T) {
			v.empty(t)
			var c net.Conn = v.real.Dial(t)
			testkit.RunScript(t, c, v.script, testkit.ScriptOptions{Split: how == "split"})
		})
	}
}
