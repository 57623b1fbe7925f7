package policy

import (
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// TestUnknownCommandNeedsAll: a command that is in no table is granted by @all
// alone, and denied by the group it is in, or by every command's.
func TestUnknownCommandNeedsAll(t *testing.T) {
	unknown := &protocol.Request{Form: protocol.Form{Verb: protocol.Unknown}, Args: []byte("foo")}
	for rules, want := range map[string]bool{
		`{allow: ["@all"], keys: ["*"]}`:                                   true,
		`{allow: ["@all"], keys: ["*"]}, {deny: ["@flush"]}`:               true,
		`{allow: ["@all"], keys: ["*"]}, {deny: ["@danger"]}`:              false,
		`{allow: ["@all"], keys: ["*"]}, {deny: ["@all"]}`:                 false,
		`{allow: ["@danger", "@keyspace", "@settings"], read: ["*"]}`:      false,
		`{allow: ["@rw", "@flush", "@danger"], keys: ["*"]}`:               false,
		`{allow: ["shutdown", "watch", "stats", "stats:conns"]}`:           false,
		`{allow: ["@read", "@store", "@delete", "@arith"], keys: ["a:*"]}`: false,
	} {
		id := mustFind(t, mustCompile(t, head+web("rules: ["+rules+"]")), "web")
		if got := id.Decide(unknown, at); (got.Verdict == Allow) != want {
			t.Errorf("%s: %v (%v), want allowed %v", rules, got.Verdict, got.Reason, want)
		}
	}
}
