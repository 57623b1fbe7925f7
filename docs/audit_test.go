package docs_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/audit"
)

// auditFields are the names of an event's fields in a line, in order.
func auditFields(t *testing.T) (names []string) {
	t.Helper()
	typ := reflect.TypeFor[audit.Event]()
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name == "" {
			t.Fatalf("the field %s has no name", typ.Field(i).Name)
		}
		if name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// auditExamples are the lines that audit.md shows.
func auditExamples(t *testing.T) (lines []string) {
	t.Helper()
	for _, f := range fences(read(t, "audit.md")) {
		if f.kind == "json" {
			lines = append(lines, strings.Split(strings.TrimSpace(f.text), "\n")...)
		}
	}
	return lines
}

// TestAuditFieldsAreDocumented wants a row for each field, in order, and the field
// in an example.
func TestAuditFieldsAreDocumented(t *testing.T) {
	page := read(t, "audit.md")
	var described []string
	section, _, _ := strings.Cut(page, "\n## Events\n")
	for _, r := range rows(section) {
		if len(spans(r[0])) == 1 {
			described = append(described, spans(r[0])[0])
		}
	}
	want := auditFields(t)
	if !reflect.DeepEqual(described, want) {
		t.Errorf("audit.md has the fields %q, want %q", described, want)
	}
	examples := strings.Join(auditExamples(t), "\n")
	for _, name := range want {
		if !strings.Contains(examples, `"`+name+`":`) {
			t.Errorf("audit.md: no example has %s", name)
		}
	}
}

// TestAuditEventsAreDocumented wants a row and an example for each kind, and
// examples as slabgate would write them.
func TestAuditEventsAreDocumented(t *testing.T) {
	kinds, shown := constants(t, "../internal/audit/event.go", "Kind", ""), map[string]bool{}
	for i, line := range auditExamples(t) {
		var e audit.Event
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			t.Errorf("audit.md: %s: %v", line, err)
			continue
		}
		if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, []byte(line)) {
			t.Errorf("audit.md shows\n%s\nslabgate would write\n%s", line, again)
		}
		if e.Schema != audit.Schema || e.Seq != uint64(i+1) {
			t.Errorf("audit.md: %s: schema or seq is wrong", line)
		}
		shown[string(e.Kind)] = true
	}
	page := read(t, "audit.md")
	for _, kind := range kinds {
		rowOf(t, page, kind)
		if !shown[kind] {
			t.Errorf("audit.md: no example of %s", kind)
		}
	}
	if len(shown) != len(kinds) {
		t.Errorf("audit.md has examples of %v, want of %q", shown, kinds)
	}
}

// TestAuditChoicesAreDocumented wants the word of audit.events that each kind is
// chosen by, and every default.
func TestAuditChoicesAreDocumented(t *testing.T) {
	page := read(t, "audit.md")
	for _, word := range audit.Default().Events {
		if r := rowOf(t, page, word); r != nil && r[1] != "`"+word+"`" {
			t.Errorf("audit.md: %s is chosen by %s", word, r[1])
		}
	}
	for _, word := range constants(t, "../auth/auth.go", "Source", "Source") {
		if !strings.Contains(strings.Join(rowOf(t, page, "source"), " "), "`"+word+"`") {
			t.Errorf("audit.md: the source %s is missing", word)
		}
	}
	for _, word := range []string{audit.Default().Keys, audit.Block, audit.Drop, "full", "hash", "none"} {
		rowOf(t, page, word)
	}
}

func TestAuditRotationIsTheShippedOne(t *testing.T) {
	shipped := read(t, "../deploy/systemd/logrotate.d/slabgate")
	for _, f := range fences(read(t, "audit.md")) {
		if f.text == shipped {
			return
		}
	}
	t.Errorf("audit.md must show deploy/systemd/logrotate.d/slabgate:\n%s", shipped)
}
