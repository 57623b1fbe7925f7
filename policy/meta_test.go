package policy

import (
	"strings"
	"testing"
)

// metaDoc has one identity for each way to allow meta commands.
const metaDoc = head + `
identities:
  read:    {match: [{sasl: read}],    rules: [{allow: ["@read"], read: ["prefix:k"]}]}
  touch:   {match: [{sasl: touch}],   rules: [{allow: ["@touch"], keys: ["prefix:k"]}]}
  vivify:  {match: [{sasl: vivify}],  rules: [{allow: ["@vivify"], keys: ["prefix:k"]}]}
  renew:   {match: [{sasl: renew}],   rules: [{allow: ["@read", "@touch", "@vivify"], keys: ["prefix:k"]}]}
  half:    {match: [{sasl: half}],    rules: [{allow: ["@read", "@touch", "@vivify"], read: ["prefix:k"], write: ["prefix:other"]}]}
  arith:   {match: [{sasl: arith}],   rules: [{allow: ["@arith"], keys: ["prefix:k"]}]}
  store:   {match: [{sasl: store}],   rules: [{allow: ["@store"], write: ["prefix:k"]}]}
  delete:  {match: [{sasl: delete}],  rules: [{allow: ["@delete"], write: ["prefix:k"]}]}
  name:    {match: [{sasl: name}],    rules: [{allow: [mg, ma, md, ms], keys: ["prefix:k"]}]}
  rw:      {match: [{sasl: rw}],      rules: [{allow: ["@rw"], keys: ["prefix:k"]}]}
  nomg:    {match: [{sasl: nomg}],    rules: [{allow: ["@rw"], keys: ["prefix:k"]}, {deny: [mg]}]}
  keep:    {match: [{sasl: keep}],    rules: [{allow: ["@rw"], keys: ["prefix:k"]}, {deny: ["@vivify"], write: ["exact:k1"]}]}
`

// TestMetaFlagsChangeWhatIsNeeded asks each identity of metaDoc about commands
// whose flags decide their group.
func TestMetaFlagsChangeWhatIsNeeded(t *testing.T) {
	p := mustCompile(t, metaDoc)
	for _, row := range []struct{ cmd, allowed string }{
		{"mg k1 v", "half keep name read renew rw"},
		{"mg k1 t f c s h l k Oabc", "half keep name read renew rw"},
		{"mg azE= b v", "half keep name read renew rw"}, // base64 of k1
		{"mg bzE= b v", ""}, // and of o1
		{"mg k1 v T30", "keep renew rw touch"},
		{"mg k1 v N30", "renew rw vivify"},
		{"mg k2 v N30", "keep renew rw vivify"},
		{"mg k1 v R30", "renew rw vivify"},
		{"mg k1 v E5", "renew rw vivify"},
		{"mg k1 v N30 T30", "renew rw"},
		{"mg k1 v T-1", "keep rw"},
		{"mg o1 v T30", ""},
		{"ma k1", "arith keep name nomg rw"},
		{"ma k1 MD D5 v", "arith keep name nomg rw"},
		{"ma k1 N0", "nomg rw"},
		{"ma k1 T30", "keep nomg rw"},
		{"ma k1 N0 T-1", "nomg rw"},
		{"ma k1 T-1", "keep nomg rw"},
		{"ms k1 2", "keep name nomg rw store"},
		{"ms k1 2 T-1", "keep nomg rw"},
		{"md k1", "delete keep name nomg rw"},
		{"md k1 x", "delete keep name nomg rw"},
		{"md k1 I T30", "delete keep name nomg rw"},
		{"mn", "arith delete half keep name nomg read renew rw store touch vivify"},
	} {
		req, err := parseCmd(row.cmd)
		if err != nil {
			t.Errorf("%s: %v", row.cmd, err)
			continue
		}
		var got []string
		for _, name := range p.Identities() {
			if mustFind(t, p, name).Decide(req, at).Verdict == Allow {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != row.allowed {
			t.Errorf("%s: allowed to %q, want %q", row.cmd, got, row.allowed)
		}
	}
}

// TestMetaFixesFix checks that the edits which are suggested for a meta command
// are all that it lacks.
func TestMetaFixesFix(t *testing.T) {
	p := mustCompile(t, metaDoc)
	for _, row := range []struct{ as, cmd, fix string }{
		{"read", "mg k1 v T30", `add {allow: ["@touch"], keys: ["exact:k1"]} to rules: of identities.read`},
		{"vivify", "mg k1 v N30 T30", `add "@touch" to allow: of identities.vivify.rules[0]`},
		{"nomg", "mg k1 v N30", `remove identities.nomg.rules[1]`},
		{"keep", "mg k1 v N30", `remove identities.keep.rules[1]`},
		{"arith", "ma k1 N0", `add "@vivify" to allow: of identities.arith.rules[0]`},
		{"name", "ms k1 2 T-1", `add "@delete" to allow: of identities.name.rules[0]`},
	} {
		req, err := parseCmd(row.cmd)
		if err != nil {
			t.Errorf("%s: %v", row.cmd, err)
			continue
		}
		if got := mustFind(t, p, row.as).Explain(req, at).Fix; got != row.fix {
			t.Errorf("%s as %s:\ngot  %s\nwant %s", row.cmd, row.as, got, row.fix)
		}
	}
}
