package policy

import (
	"testing"

	"github.com/slabgate/slabgate/protocol"
)

// TestLaterCommandsAreNotGranted checks that a command of a later table is
// denied, whatever a policy of this one allows and in every mode.
func TestLaterCommandsAreNotGranted(t *testing.T) {
	later := &protocol.Verb{Name: "mx", Grant: "mx", Category: protocol.CatRead, Access: protocol.Reads, Since: protocol.CategoriesVersion + 1}
	now := *later
	now.Since = protocol.CategoriesVersion
	for _, body := range []string{`rules: [{allow: ["@all"], keys: ["*"]}]`, `mode: "off", rules: [{allow: ["@read"], keys: ["*"]}]`} {
		id := mustFind(t, mustCompile(t, head+web(body)), "web")
		for v, want := range map[*protocol.Verb]Verdict{later: Deny, &now: Allow} {
			req := &protocol.Request{Form: protocol.Form{Verb: v}, Keys: [][]byte{[]byte("k")}}
			if got := id.Decide(req, at); got.Verdict != want {
				t.Errorf("%s: a command of version %d is %v, want %v", body, v.Since, got.Verdict, want)
			}
		}
	}
	if len(lexiconOf(protocol.CategoriesVersion)) != len(newLexicon()) {
		t.Error("the lexicon of the newest version lacks names")
	}
}
