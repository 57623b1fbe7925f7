package audit

import (
	"strings"
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
			Event{Kind: "deny", Verb: "get", Rule: "own", Reason: "key_not_covered", Key: `"other:1"`}},
		{"rule without an id", WouldDeny, []byte("k"), policy.Decision{Reason: policy.ReasonDenyRule, Rule: policy.RuleRef{Path: "roles.app.rules[1]"}},
			Event{Kind: "would_deny", Verb: "get", Rule: "roles.app.rules[1]", Reason: "deny_rule", Key: `"k"`}},
		{"no key, no rule", Deny, nil, policy.Decision{Reason: policy.ReasonNotGranted, Key: -1},
			Event{Kind: "deny", Verb: "get", Reason: "not_granted"}},
	} {
		if got := Decided(tc.kind, "get", tc.key, tc.d); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestKeysAreClippedAndQuoted(t *testing.T) {
	for _, tc := range []struct{ key, want string }{
		{"", `""`},
		{"user:1", `"user:1"`},
		{"0123456789abcdef", `"0123456789abcdef"`},
		{"0123456789abcdefg", `"0123456789abcdef"…`},
		{strings.Repeat("k", 250), `"kkkkkkkkkkkkkkkk"…`},
		{"a\"b\\c", `"a\"b\\c"`},
		{"new\nline\r\x00", `"new\nline\r\x00"`},
		{"\x1b[31m", `"\x1b[31m"`},
		{"\xff\xfe", `"\xff\xfe"`},
		{"ключ", `"\u043a\u043b\u044e\u0447"`},
		{"0123456789abcde\u00e4", `"0123456789abcde\xc3"…`},
	} {
		if got := clip([]byte(tc.key)); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.key, got, tc.want)
		}
	}
}
