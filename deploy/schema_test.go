package deploy_test

import (
	"encoding"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// walker goes along the schema and the type of a document at once.
type walker struct {
	t     *testing.T
	v     validator
	known int // keys met
}

// resolve is s, or what it refers to.
func (w *walker) resolve(s schema) schema {
	if ref, ok := s["$ref"].(string); ok {
		return w.v.lookUp(ref)
	}
	return s
}

// same checks that s has the keys of the type of, and nothing else, all the way
// down.
func (w *walker) same(s schema, of reflect.Type, path string) {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	s = w.resolve(s)
	switch {
	case reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		if s["type"] != "string" || s["pattern"] == nil {
			w.t.Errorf("%s: is %v, want text with a pattern", path, s)
		}
	case of.Kind() == reflect.Slice:
		w.same(s["items"].(schema), of.Elem(), path+"[]")
	case of.Kind() == reflect.Map:
		w.same(s["additionalProperties"].(schema), of.Elem(), path+".NAME")
	case of.Kind() == reflect.Struct:
		w.sameKeys(s, of, path)
	}
}

// sameKeys is same for a struct.
func (w *walker) sameKeys(s schema, of reflect.Type, path string) {
	if s["additionalProperties"] != false {
		w.t.Errorf("%s: takes keys that it does not know", path)
	}
	props, _ := s["properties"].(schema)
	var keys []string
	for i := range of.NumField() {
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
		keys = append(keys, key)
		prop, ok := props[key].(schema)
		if !ok {
			w.t.Errorf("%s: %s is missing in the schema", path, key)
			continue
		}
		w.known++
		if text, _ := prop["description"].(string); !strings.HasSuffix(text, ".") {
			w.t.Errorf("%s.%s: is described as %q, want a sentence", path, key, text)
		}
		w.same(prop, of.Field(i).Type, path+"."+key)
	}
	for key := range props {
		if !slices.Contains(keys, key) {
			w.t.Errorf("%s: the schema has %s, and a policy does not", path, key)
		}
	}
}

func TestSchemaHasTheKeysOfAPolicy(t *testing.T) {
	s := policySchema(t)
	w := walker{t: t, v: validator{root: s}}
	w.same(s, reflect.TypeFor[policy.Document](), "")
	if len(w.v.faults) > 0 || w.known < 60 {
		t.Errorf("%d keys, %v", w.known, w.v.faults)
	}
}

func TestSchemaHasEveryCommand(t *testing.T) {
	var want []any
	for _, g := range policy.Groups() {
		want = append(want, g.Name)
	}
	for _, grant := range protocol.Grants() {
		want = append(want, grant)
	}
	got := policySchema(t)["$defs"].(schema)["command"].(schema)["enum"]
	if !reflect.DeepEqual(got, any(want)) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// words are the settings that are one of some words, each in a policy that has
// WORD in its place.
var words = map[string]string{
	"mode":            "defaults: {mode: WORD}",
	"deny_reply":      "defaults: {deny_reply: WORD}",
	"multiget_denied": "defaults: {multiget_denied: WORD}",
	"unknown_command": "defaults: {unknown_command: WORD}",
	"overlong_key":    "defaults: {overlong_key: WORD}",
	"flush":           "identities: {x: {match: [{sasl: x}], rules: [], namespace: x/, flush: WORD}}",
	"ttl_over":        "identities: {x: {match: [{sasl: x}], rules: [], limits: {ttl_over: WORD}}}",
	"expect":          "identities: {x: {match: [{sasl: x}], rules: []}}\ntests: [{as: x, cmd: get a, expect: WORD}]",
}

// enums are the words of every key of s that is one of some, by the key.
func (w *walker) enums(s schema, into map[string][]string) {
	for key, prop := range s {
		sub, ok := prop.(schema)
		if !ok {
			continue
		}
		w.enums(sub, into)
		if list, ok := w.resolve(sub)["enum"].([]any); ok && key != "items" && key != "command" {
			into[key] = nil
			for _, word := range list {
				into[key] = append(into[key], word.(string))
			}
		}
	}
}

// TestSchemaHasTheWordsOfAPolicy compares each list of words with the one that
// compiling a policy asks for.
func TestSchemaHasTheWordsOfAPolicy(t *testing.T) {
	s := policySchema(t)
	got := map[string][]string{}
	(&walker{t: t, v: validator{root: s}}).enums(s, got)
	for key, list := range got {
		if _, ok := words[key]; !ok {
			t.Errorf("%s is %v in the schema, and this test does not know it", key, list)
		}
	}
	for key, text := range words {
		want := wordsAskedFor(t, text)
		if slices.Sort(got[key]); !slices.Equal(got[key], want) {
			t.Errorf("%s: the schema has %q, want %q", key, got[key], want)
		}
	}
}

// wordsAskedFor are the words that the fix for a wrong one names, sorted.
func wordsAskedFor(t *testing.T, text string) []string {
	t.Helper()
	doc := &policy.Document{}
	if err := yaml.Unmarshal([]byte("version: 1\ncategories: 1\n"+strings.Replace(text, "WORD", "nonesuch", 1)), doc); err != nil {
		t.Fatal(err)
	}
	_, list := policy.Compile(doc)
	for _, f := range list {
		if strings.Contains(f.Problem, "nonesuch") {
			fix := strings.TrimPrefix(f.Fix, "write ")
			return slices.Sorted(slices.Values(strings.Fields(strings.NewReplacer(",", "", " or ", " ").Replace(fix))))
		}
	}
	t.Fatalf("no finding about the word in %s: %v", text, list)
	return nil
}

// shownPolicies are the policies that are shipped and those of the page about
// them, by where they are.
func shownPolicies(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	files, _ := filepath.Glob("examples/policies/*.yaml")
	others, _ := filepath.Glob("examples/*/policy.yaml")
	for _, f := range slices.Concat(files, others, []string{"examples/policy.yaml"}) {
		texts[f] = read(t, f)
	}
	for i, part := range strings.Split(read(t, "../docs/policy.md"), "```yaml\n") {
		if text, _, _ := strings.Cut(part, "```"); strings.HasPrefix(text, "# policy\n") {
			texts[fmt.Sprint("policy.md ", i)] = text
		}
	}
	if len(texts) < 10 {
		t.Fatalf("only %d policies were found: %v", len(texts), slices.Collect(maps.Keys(texts)))
	}
	return texts
}

func TestSchemaFitsEveryPolicyShown(t *testing.T) {
	s := policySchema(t)
	for name, text := range shownPolicies(t) {
		if faults := faultsOf(t, s, text); len(faults) > 0 {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

// whole is a policy with something of everything; broken ones are made of it.
const whole = `version: 1
categories: 1
defaults: {mode: audit, unauthenticated: deny}
roles:
  r: {rules: [{allow: ["@read"], keys: ["prefix:a:"]}]}
identities:
  x:
    match:
      - {tls: {uri: "spiffe://corp/a", dns: ["*.web.corp"]}, from: ["10.0.0.0/8", "2001:db8::/32"]}
      - {unix: {uid: 33, gid: www}}
      - {service_account: {namespace: shop, name: "*"}}
    roles: [r]
    rules:
      - {id: one, deny: [get, "stats:conns"], read: ["exact:a*", "glob:a*:?", "b*", "*"], when: {until: 2027-01-01T00:00:00Z}}
    namespace: "t/{identity}/{tls.uri[1]}:"
    limits: {rps: 5, bytes_in: 20MiB/s, value_max: 256KiB, ttl_max: 7d}
tests:
  - {as: "x:shop/cart", cmd: "get a", expect: deny, from: "::1", at: 2027-01-01T00:00:00Z}
`

func TestSchemaRefusesBrokenPolicies(t *testing.T) {
	s := policySchema(t)
	if faults := faultsOf(t, s, whole); len(faults) > 0 {
		t.Fatalf("the policy that is right: %q", faults)
	}
	for _, row := range []struct{ from, to, fault string }{
		{"version: 1\n", "", "lacks version"},
		{"version: 1", `version: "1"`, ".version is not 1"},
		{"mode: audit", "mode: log", "none of [enforce audit learn off]"},
		{"unauthenticated", "unauthenticate", "has the unknown key unauthenticate"},
		{"roles:\n  r:", "roles:\n  deny:", ".roles.deny is what it must not be"},
		{"roles:\n  r:", "roles:\n  r r:", `"r r" does not fit`},
		{`allow: ["@read"]`, `allow: ["@reads"]`, "@reads is none of"},
		{`allow: ["@read"]`, `allow: []`, "0 is less than 1"},
		{`allow: ["@read"]`, `allow: get`, "is string, not array"},
		{`allow: ["@read"]`, `allow: [get], deny: [mg]`, "fits 2 of the forms"},
		{`allow: ["@read"], `, ``, "fits 0 of the forms"},
		{`"prefix:a:"`, `"prefix:a*"`, "is what it must not be"},
		{`"prefix:a:"`, `"a:"`, "does not fit"},
		{`"prefix:a:"`, `"exact:a b"`, "does not fit"},
		{`"spiffe://corp/a"`, `"http://corp"`, "does not fit"},
		{`"*.web.corp"`, `"Web.corp"`, "does not fit"},
		{"10.0.0.0/8", "10.0.0.0", "does not fit"},
		{"{uid: 33, gid: www}", "{}", ".unix 0 is less than 1"},
		{"uid: 33", "uid: true", "is boolean, not [string integer]"},
		{", name: \"*\"", "", "lacks name"},
		{"t/{identity}/", "{identity}/", "does not fit"},
		{"t/{identity}/", "t/{user}/", "does not fit"},
		{"{tls.uri[1]}:", "x", "does not fit"},
		{"rps: 5", "rps: 0", "0 is less than 1"},
		{"rps: 5", "rps: 5.5", "is number, not integer"},
		{"rps: 5", "rps: 9999999999", "is less than 9.999999999e+09"},
		{"20MiB/s", "20MB/s", "does not fit"},
		{"256KiB", "256", "is integer, not string"},
		{"ttl_max: 7d", "ttl_max: 07d", "does not fit"},
		{"until: 2027-01-01T00:00:00Z", "until: 2027-01-01", "does not fit"},
		{", expect: deny", "", "lacks expect"},
		{"expect: deny", "expect: denied", "none of [allow deny]"},
		{`"x:shop/cart"`, `"x:shop"`, "does not fit"},
	} {
		faults := faultsOf(t, s, replace(t, whole, row.from, row.to))
		if !strings.Contains(strings.Join(faults, "\n"), row.fault) {
			t.Errorf("%q in place of %q: got %q, want %q", row.to, row.from, faults, row.fault)
		}
	}
}

// TestUnknownKeywordsAreFaults checks that nothing in the schema goes unchecked.
func TestUnknownKeywordsAreFaults(t *testing.T) {
	s := policySchema(t)
	s["properties"].(schema)["version"].(schema)["multipleOf"] = 1.0
	if faults := faultsOf(t, s, whole); len(faults) != 1 || !strings.Contains(faults[0], "multipleOf") {
		t.Errorf("got %q", faults)
	}
}
