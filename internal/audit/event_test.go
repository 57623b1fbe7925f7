package audit

import (
	"reflect"
	"testing"

	"github.com/slabgate/slabgate/policy"
)

func TestDecided(t *testing.T) {
	rule := policy.RuleRef{ID: "own", Path: "identities.web.rules[0]"}
	for _, tc := range []struct {
		name string
		kind Kind
		key  []byte
		d    policy.Decision
		want Event
	}{
		{"denied key", Deny, []byte("other:1"), policy.Decision{Reason: policy.ReasonKeyNotCovered, Rule: rule},
			Event{Kind: "deny", Verb: "get", Rule: "own", Reason: "key_not_covered", RawKey: []byte("other:1")}},
		{"rule without an id", WouldDeny, []byte("k"), policy.Decision{Reason: policy.ReasonDenyRule, Rule: policy.RuleRef{Path: "roles.app.rules[1]"}},
			Event{Kind: "would_deny", Verb: "get", Rule: "roles.app.rules[1]", Reason: "deny_rule", RawKey: []byte("k")}},
		{"no key, no rule", Deny, nil, policy.Decision{Reason: policy.ReasonNotGranted, Key: -1},
			Event{Kind: "deny", Verb: "get", Reason: "not_granted"}},
	} {
		if got := Decided(tc.kind, "get", tc.key, tc.d); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}
