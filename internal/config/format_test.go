package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/policy"
)

// untidy has every key out of order, and comments in many places.
const untidy = `# about the file

# about identities
identities:
    x:   # the x

        # before rules
        rules:
        -   keys: ["*"]
            # before allow
            allow: [ "@read", 'get' ]
            id: a # short
        - {deny: ["@all"]}   # the longer one


        # before match
        match: [{sasl: x}]
categories: 1  # one
version:   1
# the end
`

const tidied = `# about the file

# about identities
version: 1
categories: 1  # one
identities:
  x:  # the x
    # before match
    match: [{sasl: x}]

    # before rules
    rules:
      - id: a  # short
        # before allow
        allow: ["@read", 'get']
        keys: ["*"]
      - {deny: ["@all"]}  # the longer one
# the end
`

func TestFormatOrdersKeysAndKeepsComments(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"everything", untidy, tidied},
		{"what is canonical", tidied, tidied},
		{"comments side by side", "version: 1 # a\ncategories: 1    # b\nidentities: {}\n", "version: 1     # a\ncategories: 1  # b\nidentities: {}\n"},
		{"a number sign in a text", "version: 1\nidentities: {x: {match: [{sasl: 'a # b'}]}}\n", "version: 1\nidentities: {x: {match: [{sasl: 'a # b'}]}}\n"},
		{"a colon in a list", "identities: {x: {match: [{from: [2001:db8::/32, 10.0.0.0/8]}]}}\n", "identities: {x: {match: [{from: [\"2001:db8::/32\", 10.0.0.0/8]}]}}\n"},
		{"other ends of lines", "version: 1\r\n\r\n\r\ncategories: 1\r\n", "version: 1\n\ncategories: 1\n"},
		{"a start of document", "# top\n---\nversion: 1", "# top\nversion: 1\n"},
		{"text over several lines", "version: 1\nidentities:\n  x:\n    namespace: >-\n        t/x/\n", "version: 1\nidentities:\n  x:\n    namespace: >-\n      t/x/\n"},
	} {
		got, ok := format([]byte(row.text))
		if !ok || string(got) != row.want {
			t.Errorf("%s: got %v\n%s\nwant\n%s", row.name, ok, got, row.want)
		}
	}
}

// checkFormatted checks what holds of every text that can be formatted.
func checkFormatted(t *testing.T, name, text string) {
	t.Helper()
	out, ok := format([]byte(text))
	if !ok {
		t.Fatalf("%s: is not formatted:\n%s", name, text)
	}
	again, ok := format(out)
	if !ok || string(again) != string(out) {
		t.Fatalf("%s: is not its own canonical form:\n%s\nbut\n%s", name, out, again)
	}
	if !samePolicy(text, string(out)) {
		t.Fatalf("%s: has lost something:\n%s\ngave\n%s", name, text, out)
	}
	var doc policy.Document
	at, _ := DecodeStrict("", out, &doc)
	if line := firstOutOfOrder(reflect.TypeFor[policy.Document](), "", at); line != "" {
		t.Fatalf("%s: %s:\n%s", name, line, out)
	}
}

// firstOutOfOrder says which key of the struct at path stands before one that it
// should follow.
func firstOutOfOrder(t reflect.Type, path string, at Positions) string {
	last, before := position{}, ""
	for _, f := range fieldsOf(t) {
		p := child(path, f.name)
		here, ok := at.at[p]
		if !ok {
			continue
		}
		if here.line < last.line || here.line == last.line && here.col < last.col {
			return fmt.Sprintf("%s stands before %s", p, before)
		}
		last, before = here, p
	}
	return ""
}

func TestShippedPoliciesAreCanonical(t *testing.T) {
	files, err := filepath.Glob("../../deploy/examples/policies/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, path := range append(files, "../../deploy/examples/policy.yaml") {
		was, is, list := ReadFormatted(path)
		if len(list) > 0 || string(was) != string(is) {
			t.Errorf("%s: %v, want it to be\n%s", path, list, is)
		}
		checkFormatted(t, path, string(was))
	}
}

func TestPoliciesOfThePagesCanBeFormatted(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for part := range strings.SplitSeq(string(page), "```yaml\n") {
		if text, _, _ := strings.Cut(part, "```"); strings.HasPrefix(text, "# policy\n") {
			checkFormatted(t, "policy.md", text)
			n++
		}
	}
	if n < 3 {
		t.Errorf("only %d policies were found", n)
	}
}

// scribe writes a random document of a type, badly.
type scribe struct {
	rnd  *rand.Rand
	out  strings.Builder
	seen int // comments so far
}

// remark writes a comment on a line of its own, or an empty line, or neither.
func (s *scribe) remark(indent string) {
	if s.rnd.IntN(5) == 0 {
		s.out.WriteString("\n")
	}
	if s.rnd.IntN(4) == 0 {
		s.seen++
		fmt.Fprintf(&s.out, "%s# remark %d\n", indent, s.seen)
	}
}

// scalarOf is some value of a scalar type as a file may have it.
func (s *scribe) scalarOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Name() {
	case "Bytes":
		return "20MiB"
	case "Rate":
		return "1KiB/s"
	case "Span":
		return "24h"
	case "Instant":
		return "2027-01-01T00:00:00Z"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true"
	case reflect.Int:
		return "7"
	}
	return []string{`"@read"`, "plain", `'it''s'`, `"a # b"`, "prefix:x", `"*"`, "-"}[s.rnd.IntN(6)]
}

// flow writes a value of a type on one line, with lists of at most two.
func (s *scribe) flow(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var parts []string
	switch {
	case isScalar(t):
		return s.scalarOf(t)
	case t.Kind() == reflect.Slice:
		for range s.rnd.IntN(3) {
			parts = append(parts, s.flow(t.Elem()))
		}
		return "[" + strings.Join(parts, ",  ") + " ]"
	case t.Kind() == reflect.Map:
		return "{ k1: " + s.flow(t.Elem()) + "}"
	}
	fields := fieldsOf(t)
	for _, i := range s.rnd.Perm(len(fields))[:s.rnd.IntN(len(fields)+1)] {
		parts = append(parts, fields[i].name+": "+s.flow(t.FieldByIndex(fields[i].index).Type))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// pair writes one key with its value, over several lines if it likes.
func (s *scribe) pair(indent, key string, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s.remark(indent)
	if isScalar(t) || s.rnd.IntN(3) == 0 {
		fmt.Fprintf(&s.out, "%s%s: %s", indent, key, s.flow(t))
		if s.rnd.IntN(4) == 0 {
			s.seen++
			fmt.Fprintf(&s.out, "   # behind %d", s.seen)
		}
		s.out.WriteString("\n")
		return
	}
	fmt.Fprintf(&s.out, "%s%s:\n", indent, key)
	s.below(indent+strings.Repeat(" ", 1+s.rnd.IntN(4)), t)
}

// below writes a value over several lines.
func (s *scribe) below(indent string, t reflect.Type) {
	switch t.Kind() {
	case reflect.Slice:
		for range 1 + s.rnd.IntN(2) {
			s.remark(indent)
			fmt.Fprintf(&s.out, "%s- %s\n", indent, s.flow(t.Elem()))
		}
	case reflect.Map:
		for i := range 1 + s.rnd.IntN(2) {
			s.pair(indent, fmt.Sprint("name", i), t.Elem())
		}
	default:
		fields := fieldsOf(t)
		for _, i := range s.rnd.Perm(len(fields))[:1+s.rnd.IntN(len(fields))] {
			s.pair(indent, fields[i].name, t.FieldByIndex(fields[i].index).Type)
		}
	}
}

// TestFormatKeepsEverything checks many documents that nobody would write.
func TestFormatKeepsEverything(t *testing.T) {
	for seed := range uint64(600) {
		s := scribe{rnd: rand.New(rand.NewPCG(seed, 1))}
		s.below("", reflect.TypeFor[policy.Document]())
		checkFormatted(t, fmt.Sprint("seed ", seed), s.out.String())
	}
}

func TestFormatRefusesWhatDoesNotDecode(t *testing.T) {
	for _, row := range []struct{ text, code string }{
		{"version: 1\nconnect: x\n", "SG1008"},
		{"version: [\n", "SG1004"},
		{"", "SG1005"},
		{"version: 1\n---\nversion: 1\n", "SG1006"},
	} {
		path := writePolicy(t, row.text)
		_, is, list := ReadFormatted(path)
		if is != nil || len(list) != 1 || list[0].Code != row.code || list[0].Line == 0 {
			t.Errorf("%q: got %q and %v, want %s", row.text, is, list, row.code)
		}
	}
}

// TestCommentsAreFound checks what guards the formatter against losing one.
func TestCommentsAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1 # b\n# c":           "# b|# c",
		`a: "x # y" # z`:          "# z",
		"a: it's # yes":           "# yes",
		"a: [ 'x # y', b#c ] # d": "# d",
		"a: x#y":                  "",
	} {
		if got := strings.Join(commentsOf(text), "|"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if samePolicy("version: 1 # a", "version: 1") || samePolicy("version: 1", "version: 2") {
		t.Error("texts that differ are taken for the same")
	}
}

func TestWritePolicyKeepsModeAndLink(t *testing.T) {
	path := writePolicy(t, "version: 1\n")
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WritePolicy(link, []byte("version: 2\n")); err != nil {
		t.Fatal(err)
	}
	st, err := os.Lstat(path)
	data, _ := os.ReadFile(link)
	if err != nil || st.Mode() != 0o604 || string(data) != "version: 2\n" {
		t.Errorf("got mode %v, %v and %q", st.Mode(), err, data)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link has become a file: %v, %v", st, err)
	}
	if err := WritePolicy(link+".not", nil); err == nil {
		t.Error("a file that is not there was written")
	}
}
