package policy

import (
	"strings"
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// decideCase is a request and what the one rule set of its test must say.
type decideCase struct {
	cmd    string
	want   Verdict
	reason Reason
	rule   string // as RuleRef.String
	key    int
}

// runDecide decides every case for the identity web of doc.
func runDecide(t *testing.T, doc string, tests []decideCase) {
	t.Helper()
	id := mustFind(t, mustCompile(t, head+doc), "web")
	for _, tt := range tests {
		got := id.Decide(mustParse(t, tt.cmd), at)
		if got.Verdict != tt.want || got.Reason != tt.reason || got.Rule.String() != tt.rule || got.Key != tt.key {
			t.Errorf("%q:\ngot  %v %v %q key %d\nwant %v %v %q key %d", tt.cmd,
				got.Verdict, got.Reason, got.Rule, got.Key, tt.want, tt.reason, tt.rule, tt.key)
		}
	}
}

const (
	own  = "identities.web.rules[0]"
	own1 = "identities.web.rules[1]"
)

func TestDecideReader(t *testing.T) {
	runDecide(t, web(`rules: [{id: catalog, allow: ["@read"], read: ["prefix:catalog:", "exact:build-id"]}]`), []decideCase{
		{"get catalog:1", Allow, ReasonRule, "catalog", -1},
		{"gets catalog:1", Allow, ReasonRule, "catalog", -1},
		{"get catalog:1 catalog:2 build-id", Allow, ReasonRule, "catalog", -1},
		{"get catalog:", Allow, ReasonRule, "catalog", -1},
		{"get build-id", Allow, ReasonRule, "catalog", -1},
		{"get catalog", Deny, ReasonKeyNotCovered, "catalog", 0},
		{"get catalog2:1", Deny, ReasonKeyNotCovered, "catalog", 0},
		{"get CATALOG:1", Deny, ReasonKeyNotCovered, "catalog", 0},
		{"get build-id2", Deny, ReasonKeyNotCovered, "catalog", 0},
		{"get build-i", Deny, ReasonKeyNotCovered, "catalog", 0},
		{"get secret:2 catalog:1", Deny, ReasonKeyNotCovered, "catalog", 0},
		{"get catalog:1 secret:2", Deny, ReasonKeyNotCovered, "catalog", 1}, // one bad key, whole command
		{"get catalog:1 catalog:1 catalog:1 x catalog:1", Deny, ReasonKeyNotCovered, "catalog", 3},
		{"gat 60 catalog:1", Deny, ReasonNotGranted, "", -1}, // it also writes
		{"gats 60 catalog:1", Deny, ReasonNotGranted, "", -1},
		{"touch catalog:1 60", Deny, ReasonNotGranted, "", -1},
		{"set catalog:1 0 0 1", Deny, ReasonNotGranted, "", -1},
		{"set catalog:1 0 0 1 noreply", Deny, ReasonNotGranted, "", -1},
		{"delete catalog:1", Deny, ReasonNotGranted, "", -1},
		{"incr catalog:1 1", Deny, ReasonNotGranted, "", -1},
		{"flush_all", Deny, ReasonNotGranted, "", -1},
		{"stats", Deny, ReasonNotGranted, "", -1},
		{"watch", Deny, ReasonNotGranted, "", -1},
		{"shutdown", Deny, ReasonNotGranted, "", -1},
		{"me catalog:1", Deny, ReasonNotGranted, "", -1},
		{"version", Allow, ReasonConn, "", -1},
		{"mn", Allow, ReasonConn, "", -1},
	})
}

func TestDecideEveryKeyPosition(t *testing.T) {
	runDecide(t, web(`rules: [{allow: ["@rw"], keys: ["prefix:a:"]}]`), []decideCase{
		{"get a:1", Allow, ReasonRule, own, -1},
		{"gat 60 a:1", Allow, ReasonRule, own, -1},
		{"gats 60 a:1 a:2", Allow, ReasonRule, own, -1},
		{"touch a:1 60", Allow, ReasonRule, own, -1},
		{"set a:1 0 0 1", Allow, ReasonRule, own, -1},
		{"add a:1 0 0 1", Allow, ReasonRule, own, -1},
		{"replace a:1 0 0 1", Allow, ReasonRule, own, -1},
		{"append a:1 0 0 1", Allow, ReasonRule, own, -1},
		{"prepend a:1 0 0 1", Allow, ReasonRule, own, -1},
		{"cas a:1 0 0 1 7", Allow, ReasonRule, own, -1},
		{"delete a:1", Allow, ReasonRule, own, -1},
		{"incr a:1 1", Allow, ReasonRule, own, -1},
		{"decr a:1 1", Allow, ReasonRule, own, -1},
		{"get b:1", Deny, ReasonKeyNotCovered, own, 0},
		{"gat 60 b:1", Deny, ReasonKeyNotCovered, own, 0},
		{"gat 60 a:1 b:1", Deny, ReasonKeyNotCovered, own, 1},
		{"gats 0 b:1", Deny, ReasonKeyNotCovered, own, 0},
		{"touch b:1 60", Deny, ReasonKeyNotCovered, own, 0},
		{"set b:1 0 0 1", Deny, ReasonKeyNotCovered, own, 0},
		{"add b:1 0 0 1", Deny, ReasonKeyNotCovered, own, 0},
		{"replace b:1 0 0 1", Deny, ReasonKeyNotCovered, own, 0},
		{"append b:1 0 0 1", Deny, ReasonKeyNotCovered, own, 0},
		{"prepend b:1 0 0 1", Deny, ReasonKeyNotCovered, own, 0},
		{"cas b:1 0 0 1 7", Deny, ReasonKeyNotCovered, own, 0},
		{"delete b:1", Deny, ReasonKeyNotCovered, own, 0},
		{"incr b:1 1", Deny, ReasonKeyNotCovered, own, 0},
		{"decr b:1 1", Deny, ReasonKeyNotCovered, own, 0},
	})
}

func TestDecideReadAndWriteApart(t *testing.T) {
	runDecide(t, web(`rules: [{allow: ["@read", "@store", "@touch", "@arith"], read: ["prefix:in:", "prefix:io:"], write: ["prefix:out:", "prefix:io:"]}]`), []decideCase{
		{"get in:1", Allow, ReasonRule, own, -1},
		{"get out:1", Deny, ReasonKeyNotCovered, own, 0},
		{"set out:1 0 0 1", Allow, ReasonRule, own, -1},
		{"set in:1 0 0 1", Deny, ReasonKeyNotCovered, own, 0},
		{"touch out:1 60", Allow, ReasonRule, own, -1},
		{"touch in:1 60", Deny, ReasonKeyNotCovered, own, 0},
		{"gat 60 in:1", Deny, ReasonKeyNotCovered, own, 0}, // both read and written
		{"gat 60 out:1", Deny, ReasonKeyNotCovered, own, 0},
		{"gat 60 io:1", Allow, ReasonRule, own, -1},
		{"incr io:1 1", Allow, ReasonRule, own, -1},
		{"incr in:1 1", Deny, ReasonKeyNotCovered, own, 0},
		{"incr out:1 1", Deny, ReasonKeyNotCovered, own, 0},
	})
	// What is read and what is written may be covered by two rules, if both
	// allow the command.
	runDecide(t, web(`rules: [
    {allow: [gat], read: ["prefix:a:"], write: ["prefix:x:"]},
    {allow: ["@touch"], read: ["prefix:x:"], write: ["prefix:a:"]},
    {allow: [set], write: ["prefix:b:"]}, {allow: ["@touch"], read: ["prefix:b:"], write: ["prefix:x:"]}]`), []decideCase{
		{"gat 60 a:1", Allow, ReasonRule, own, -1},
		{"gat 60 x:1", Allow, ReasonRule, own1, -1},
		{"gat 60 a:1 x:1", Allow, ReasonRule, own, -1},
		{"gat 60 b:1", Deny, ReasonKeyNotCovered, own, 0}, // set alone lets b: be written
		{"touch a:1 60", Allow, ReasonRule, own1, -1},
		{"set a:1 0 0 1", Deny, ReasonKeyNotCovered, "identities.web.rules[2]", 0},
	})
	// Several keys may be covered by several rules.
	runDecide(t, web(`rules: [{allow: [get], keys: ["prefix:a:"]}, {allow: ["@read"], read: ["prefix:b:"]}]`), []decideCase{
		{"get a:1 b:1", Allow, ReasonRule, own, -1},
		{"get b:1 a:1", Allow, ReasonRule, own1, -1},
		{"gets b:1", Allow, ReasonRule, own1, -1},
		{"gets b:1 a:1", Deny, ReasonKeyNotCovered, own1, 1}, // only get is allowed on a:
	})
}

func TestDecideKeysIsShortForBoth(t *testing.T) {
	runDecide(t, web(`rules: [{allow: ["@read", "@store"], keys: ["prefix:a:"], read: ["prefix:b:"]}]`), []decideCase{
		{"get a:1", Allow, ReasonRule, own, -1},
		{"set a:1 0 0 1", Allow, ReasonRule, own, -1},
		{"get b:1", Allow, ReasonRule, own, -1},
		{"set b:1 0 0 1", Deny, ReasonKeyNotCovered, own, 0},
	})
}

func TestDecideDenyWins(t *testing.T) {
	for _, rules := range []string{
		`rules: [{allow: ["@rw"], keys: ["*"]}, {id: no, deny: ["@read", "@delete"], keys: ["prefix:secret:"]}]`,
		`rules: [{id: no, deny: ["@read", "@delete"], keys: ["prefix:secret:"]}, {id: "", allow: ["@rw"], keys: ["*"]}]`,
	} {
		first := own
		if strings.HasPrefix(rules, "rules: [{id: no") {
			first = own1
		}
		runDecide(t, web(rules), []decideCase{
			{"get a", Allow, ReasonRule, first, -1},
			{"get secret", Allow, ReasonRule, first, -1},
			{"get secret:1", Deny, ReasonDenyRule, "no", 0},
			{"get a b secret:1", Deny, ReasonDenyRule, "no", 2},
			{"delete secret:1", Deny, ReasonDenyRule, "no", 0},
			{"set secret:1 0 0 1", Allow, ReasonRule, first, -1},
			{"set secret:1 0 -1 1", Deny, ReasonDenyRule, "no", 0}, // it makes the key vanish
			{"touch secret:1 -1", Deny, ReasonDenyRule, "no", 0},
			{"touch secret:1 60", Allow, ReasonRule, first, -1},
			{"gat 60 secret:1", Allow, ReasonRule, first, -1}, // gat is @touch, not @read
			{"stats", Deny, ReasonNotGranted, "", -1},
		})
	}
}

func TestDecideDenyWithoutKeys(t *testing.T) {
	runDecide(t, web(`rules: [{allow: ["@all"], keys: ["*"]}, {id: no, deny: ["@store", delete, "@flush", "@stats"]}]`), []decideCase{
		{"get a", Allow, ReasonRule, own, -1},
		{"set a 0 0 1", Deny, ReasonDenyRule, "no", 0},
		{"delete a", Deny, ReasonDenyRule, "no", 0},
		{"touch a 60", Allow, ReasonRule, own, -1},
		{"touch a -1", Deny, ReasonDenyRule, "no", 0}, // delete stands for @delete
		{"flush_all", Deny, ReasonDenyRule, "no", -1},
		{"flush_all 10 noreply", Deny, ReasonDenyRule, "no", -1},
		{"stats", Deny, ReasonDenyRule, "no", -1},
		{"stats items", Deny, ReasonDenyRule, "no", -1},
		{"stats conns", Deny, ReasonDenyRule, "no", -1}, // a denied group holds what is kept apart
		{"stats reset", Deny, ReasonDenyRule, "no", -1},
		{"verbosity 1", Allow, ReasonRule, own, -1},
	})
	runDecide(t, web(`rules: [{allow: ["@all"], keys: ["*"]}, {id: no, deny: ["@all"]}]`), []decideCase{
		{"get a", Deny, ReasonDenyRule, "no", 0},
		{"flush_all", Deny, ReasonDenyRule, "no", -1},
		{"stats conns", Deny, ReasonDenyRule, "no", -1},
		{"version", Allow, ReasonConn, "", -1},
		{"quit", Allow, ReasonConn, "", -1},
	})
}

func TestDecideDenyOnOneAccess(t *testing.T) {
	runDecide(t, web(`rules: [{allow: ["@rw"], keys: ["*"]}, {id: noread, deny: ["@rw"], read: ["prefix:r:"]}, {id: nowrite, deny: ["@rw"], write: ["prefix:w:"]}]`), []decideCase{
		{"get r:1", Deny, ReasonDenyRule, "noread", 0},
		{"set r:1 0 0 1", Allow, ReasonRule, own, -1},
		{"touch r:1 60", Allow, ReasonRule, own, -1},
		{"gat 60 r:1", Deny, ReasonDenyRule, "noread", 0},
		{"incr r:1 1", Deny, ReasonDenyRule, "noread", 0},
		{"get w:1", Allow, ReasonRule, own, -1},
		{"set w:1 0 0 1", Deny, ReasonDenyRule, "nowrite", 0},
		{"touch w:1 60", Deny, ReasonDenyRule, "nowrite", 0},
		{"gat 60 w:1", Deny, ReasonDenyRule, "nowrite", 0},
		{"delete w:1", Deny, ReasonDenyRule, "nowrite", 0},
		{"get x w:1 r:1", Deny, ReasonDenyRule, "noread", 2},
	})
}

func TestDecideDenyOnKeysLeavesKeyless(t *testing.T) {
	runDecide(t, web(`rules: [{allow: ["@all"], keys: ["*"]}, {id: no, deny: ["@all"], keys: ["prefix:secret:"]}]`), []decideCase{
		{"get secret:1", Deny, ReasonDenyRule, "no", 0},
		{"me secret:1", Deny, ReasonDenyRule, "no", 0},
		{"get a", Allow, ReasonRule, own, -1},
		{"stats", Allow, ReasonRule, own, -1},
		{"flush_all", Allow, ReasonRule, own, -1},
	})
}

func TestDecideAddedDelete(t *testing.T) {
	runDecide(t, web(`rules: [{allow: ["@store", "@touch"], keys: ["prefix:a:"]}, {id: del, allow: ["@delete"], write: ["prefix:a:tmp:"]}]`), []decideCase{
		{"set a:1 0 60 1", Allow, ReasonRule, own, -1},
		{"set a:1 0 0 1", Allow, ReasonRule, own, -1},
		{"set a:1 0 -1 1", Deny, ReasonKeyNotCovered, "del", 0},
		{"set a:tmp:1 0 -1 1", Allow, ReasonRule, own, -1},
		{"set a:1 0 2591999 1", Allow, ReasonRule, own, -1},
		{"set a:1 0 2592001 1", Deny, ReasonKeyNotCovered, "del", 0},    // a time long past
		{"set a:1 0 1782864000 1", Deny, ReasonKeyNotCovered, "del", 0}, // now
		{"set a:1 0 1782864001 1", Allow, ReasonRule, own, -1},          // in a second
		{"touch a:1 -1", Deny, ReasonKeyNotCovered, "del", 0},
		{"touch a:tmp:1 -1", Allow, ReasonRule, own, -1},
		{"gat -1 a:tmp:1 a:1", Deny, ReasonKeyNotCovered, "del", 1},
		{"gat -1 a:tmp:1 a:tmp:2", Allow, ReasonRule, own, -1},
		{"delete a:1", Deny, ReasonKeyNotCovered, "del", 0},
		{"delete a:tmp:1", Allow, ReasonRule, "del", -1},
		{"append a:1 0 -1 1", Allow, ReasonRule, own, -1}, // its expiry is not used
	})
	for _, grant := range []string{"delete", "'@delete'", "'@rw'", "'@all'"} {
		runDecide(t, web(`rules: [{allow: [touch], write: ["*"]}, {allow: [`+grant+`], keys: ["*"]}]`), []decideCase{
			{"touch a -1", Allow, ReasonRule, own, -1},
		})
	}
	for _, grant := range []string{"touch", "'@touch'", "set", "md"} {
		runDecide(t, web(`rules: [{allow: [touch], write: ["*"]}, {allow: [`+grant+`], keys: ["*"]}]`), []decideCase{
			{"touch a -1", Deny, ReasonNotGranted, "", -1},
		})
	}
}

func TestDecideByName(t *testing.T) {
	runDecide(t, web(`rules: [{allow: [get, touch, stats, slabs], keys: ["*"]}]`), []decideCase{
		{"get a", Allow, ReasonRule, own, -1},
		{"gets a", Deny, ReasonNotGranted, "", -1},
		{"touch a 60", Allow, ReasonRule, own, -1},
		{"gat 60 a", Deny, ReasonNotGranted, "", -1},
		{"stats", Allow, ReasonRule, own, -1},
		{"stats items", Allow, ReasonRule, own, -1},
		{"stats settings", Allow, ReasonRule, own, -1},
		{"stats conns", Deny, ReasonNotGranted, "", -1},
		{"stats reset", Deny, ReasonNotGranted, "", -1},
		{"stats cachedump", Deny, ReasonNotGranted, "", -1},
		{"slabs automove 1", Allow, ReasonRule, own, -1},
		{"verbosity 1", Deny, ReasonNotGranted, "", -1},
	})
	runDecide(t, web(`rules: [{allow: ["@all"], keys: ["*"]}, {id: no, deny: [gets, "stats:conns"]}]`), []decideCase{
		{"get a", Allow, ReasonRule, own, -1},
		{"gets a", Deny, ReasonDenyRule, "no", 0},
		{"stats", Allow, ReasonRule, own, -1},
		{"stats conns", Deny, ReasonDenyRule, "no", -1},
		{"stats reset", Allow, ReasonRule, own, -1},
	})
}

func TestDecideApart(t *testing.T) {
	tests := []struct {
		allow                string
		stats, conns, resets bool
	}{
		{`"@stats"`, true, false, false},
		{`stats`, true, false, false},
		{`"stats:conns"`, false, true, false},
		{`stats, "stats:conns"`, true, true, false},
		{`"@stats", "stats:reset"`, true, false, true},
		{`"@settings"`, false, false, false},
		{`"@keyspace", "@danger", "@flush"`, false, false, false},
		{`"@all"`, true, true, true},
	}
	for _, tt := range tests {
		keys := ", read: ['*']"
		if !strings.Contains(tt.allow, "@keyspace") {
			keys = ", keys: ['*']"
		}
		if !strings.Contains(tt.allow, "@all") && !strings.Contains(tt.allow, "@keyspace") {
			keys = ""
		}
		id := mustFind(t, mustCompile(t, head+web("rules: [{allow: ["+tt.allow+"]"+keys+"}]")), "web")
		for cmd, want := range map[string]bool{"stats": tt.stats, "stats sizes": tt.stats, "stats conns": tt.conns, "stats reset": tt.resets} {
			if got := id.Decide(mustParse(t, cmd), at); (got.Verdict == Allow) != want {
				t.Errorf("allow %s: %q is %v (%v), want allowed %v", tt.allow, cmd, got.Verdict, got.Reason, want)
			}
		}
	}
}

func TestDecideNothingAllowed(t *testing.T) {
	for _, rules := range []string{"rules: []", `rules: [{deny: ["@flush"]}]`} {
		runDecide(t, web(rules), []decideCase{
			{"get a", Deny, ReasonNoRule, "", -1},
			{"stats", Deny, ReasonNoRule, "", -1},
			{"version", Allow, ReasonConn, "", -1},
		})
	}
}

func TestDecideRolesAndOwnRules(t *testing.T) {
	runDecide(t, `
roles:
  reader: {rules: [{id: all, allow: ["@read"], read: ["prefix:app:"]}]}
  guard:  {rules: [{deny: ["@flush", "@keyspace", "@settings", "@danger"]}, {deny: ["@rw"], keys: ["prefix:app:priv:"]}]}
identities:
  web: {match: [{ascii: web}], roles: [reader, guard], rules: [{id: one, allow: [set], write: ["exact:app:one"]}]}
`, []decideCase{
		{"get app:x", Allow, ReasonRule, "all", -1},
		{"set app:one 0 0 1", Allow, ReasonRule, "one", -1},
		{"set app:x 0 0 1", Deny, ReasonKeyNotCovered, "one", 0},
		{"get app:priv:x", Deny, ReasonDenyRule, "roles.guard.rules[1]", 0},
		{"flush_all", Deny, ReasonDenyRule, "roles.guard.rules[0]", -1},
		{"shutdown", Deny, ReasonDenyRule, "roles.guard.rules[0]", -1},
		{"stats", Deny, ReasonNotGranted, "", -1},
	})
}

func TestDecideAudit(t *testing.T) {
	const rules = `rules: [{allow: [get], read: ["prefix:a:"]}, {id: no, deny: [get], read: ["prefix:a:b:"]}]`
	cases := []decideCase{
		{"get a:1", Allow, ReasonRule, own, -1},
		{"get a:b:1", WouldDeny, ReasonDenyRule, "no", 0},
		{"get b", WouldDeny, ReasonKeyNotCovered, own, 0},
		{"set a:1 0 0 1", WouldDeny, ReasonNotGranted, "", -1},
		{"version", Allow, ReasonConn, "", -1},
	}
	runDecide(t, web("mode: audit, "+rules), cases)
	runDecide(t, "defaults: {mode: audit}\n"+web(rules), cases)
	for i := range cases {
		if cases[i].want == WouldDeny {
			cases[i].want = Deny
		}
	}
	runDecide(t, web(rules), cases)
	runDecide(t, "defaults: {mode: audit}\n"+web("mode: enforce, "+rules), cases)
}

func TestDecideSaysWhatIsMissing(t *testing.T) {
	id := mustFind(t, mustCompile(t, head+web(`rules: [{allow: ["@touch", "@read"], read: ["*"], write: ["prefix:a:"]}]`)), "web")
	tests := []struct {
		cmd    string
		need   string
		access protocol.Access
	}{
		{"get a:1", "", 0},
		{"set a:1 0 0 1", "@store", protocol.Writes},
		{"touch b:1 60", "@touch", protocol.Writes},
		{"gat 60 b:1", "@touch", protocol.Writes},
		{"touch a:1 -1", "@delete", protocol.Writes},
		{"incr a:1 1", "@arith", protocol.Reads},
		{"flush_all", "@flush", 0},
	}
	for _, tt := range tests {
		got := id.Decide(mustParse(t, tt.cmd), at)
		if GroupName(got.Need) != tt.need || got.Access != tt.access {
			t.Errorf("%q: got %q access %d, want %q access %d", tt.cmd, GroupName(got.Need), got.Access, tt.need, tt.access)
		}
	}
}

// TestDecideRefusesWhatItCannotJudge checks that a request which no parser
// makes is refused by an identity that may do everything, in audit mode too.
func TestDecideRefusesWhatItCannotJudge(t *testing.T) {
	id := mustFind(t, mustCompile(t, head+web(`mode: audit, rules: [{allow: ["@all"], keys: ["*"]}]`)), "web")
	keys := [][]byte{[]byte("a")}
	tests := []struct {
		name string
		req  protocol.Request
	}{
		{"no verb", protocol.Request{}},
		{"no verb with key", protocol.Request{Keys: keys}},
		{"no category", protocol.Request{Form: protocol.Form{Verb: &protocol.Verb{Grant: "get", Access: protocol.Reads}}, Keys: keys}},
		{"two categories", protocol.Request{Form: protocol.Form{Verb: &protocol.Verb{Grant: "get", Category: protocol.CatRead | protocol.CatConn, Access: protocol.Reads}}, Keys: keys}},
		{"keys missing", protocol.Request{Form: protocol.Form{Verb: protocol.ByGrant("get")[0]}}},
		{"expiry of a command without keys", protocol.Request{Form: protocol.Form{Verb: protocol.ByGrant("stats")[0]},
			Params: protocol.Params{Has: protocol.HasExptime, Exptime: -1}}},
		{"keys of a command without keys", protocol.Request{Form: protocol.Form{Verb: protocol.ByGrant("stats")[0]}, Keys: keys}},
	}
	for _, tt := range tests {
		got := id.Decide(&tt.req, at)
		if got.Verdict != Deny || got.Reason != ReasonInvalid || got.Key != -1 {
			t.Errorf("%s: got %+v, want deny, invalid", tt.name, got)
		}
		if e := id.Explain(&tt.req, at); e.Decision != got || len(e.Steps) > 0 || e.Fix != "" {
			t.Errorf("%s: explained as %+v", tt.name, e)
		}
	}
	later := protocol.Request{Form: protocol.Form{Verb: &protocol.Verb{Grant: "new", Category: 1 << 30, Access: protocol.Reads}}, Keys: keys}
	if got := id.Decide(&later, at); got.Verdict != WouldDeny || got.Reason != ReasonNotGranted {
		t.Errorf("a category that is not in the table: got %+v, want it not granted by @all", got)
	}
}

func TestDecideWords(t *testing.T) {
	for i, want := range []string{"deny", "allow", "would_deny", "learned", "unknown"} {
		if got := Verdict(i).String(); got != want {
			t.Errorf("verdict %d is %q, want %q", i, got, want)
		}
	}
	for i, want := range []string{"invalid", "rule", "conn", "deny_rule", "no_rule", "not_granted", "key_not_covered", "namespace", "flush", "trial_rule", "limit", "unknown"} {
		r := Reason(i)
		if r.String() != want || r.Text() == "" || (r.Text() == "unknown") != (want == "unknown") {
			t.Errorf("reason %d is %q, %q, want %q", i, r, r.Text(), want)
		}
	}
	for i, want := range []string{"not_named", "not_keys", "denies", "allows", "allows_part", "not_now", "off", "unknown"} {
		if got := Outcome(i).String(); got != want {
			t.Errorf("outcome %d is %q, want %q", i, got, want)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	id := mustFind(t, mustCompile(t, head+web(`rules: [
    {allow: ["@read", "@touch"], keys: ["a:*", "b:*", "c:*", "d:*", "e:*", "f:*", "g:*", "h:*", "i:*", "j:*", "exact:k"]},
    {deny: [gets, "stats:conns"]}, {deny: ["@rw"], keys: ["a:secret:*"]}]`)), "web")
	for _, cmd := range []string{"get a:1 b:1 j:1 k", "get a:secret:1", "gat -1 k", "get z", "set a 0 0 1", "stats conns", "version"} {
		req := mustParse(t, cmd)
		if n := testing.AllocsPerRun(100, func() { id.Decide(req, at) }); n != 0 {
			t.Errorf("%q: %v allocations, want none", cmd, n)
		}
	}
}
