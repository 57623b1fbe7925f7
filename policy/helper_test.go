package policy

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/protocol"
)

// now is the time of every test: 2026-07-01T00:00:00Z.
const now = 1782864000

// long reports whether the properties are to be tried a million times.
func long() bool { return os.Getenv("SLABGATE_LONG") == "1" }

// head is what every document of a test begins with.
const head = "version: 1\ncategories: 1\n"

// parseDoc decodes a document as strictly as an operator's file is decoded.
func parseDoc(t testing.TB, text string) *Document {
	t.Helper()
	doc := new(Document)
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(doc); err != nil {
		t.Fatalf("decode: %v\n%s", err, text)
	}
	return doc
}

// mustCompile compiles a document that has no errors.
func mustCompile(t testing.TB, text string) *Policy {
	t.Helper()
	p, list := Compile(parseDoc(t, text))
	if err := list.Err(); err != nil {
		t.Fatalf("compile: %v\n%s", err, text)
	}
	return p
}

// mustFind returns an identity that exists.
func mustFind(t testing.TB, p *Policy, name string) *Identity {
	t.Helper()
	id, ok := p.Find(name)
	if !ok {
		t.Fatalf("no identity %q", name)
	}
	return id
}

// parseCmd parses a command line, which may stand without its data block.
func parseCmd(cmd string) (*protocol.Request, error) {
	return protocol.ParseLine([]byte(cmd))
}

// mustParse returns the request of a command line, or a request of a command
// that is known and never served.
func mustParse(t testing.TB, cmd string) *protocol.Request {
	t.Helper()
	req, err := parseCmd(cmd)
	if err == nil {
		return req
	}
	var verb *protocol.Verb
	for _, v := range protocol.Verbs() {
		if strings.HasPrefix(cmd+" ", v.Name+" ") && (verb == nil || len(v.Name) > len(verb.Name)) {
			verb = v
		}
	}
	if verb == nil {
		t.Fatalf("parse %q: %v", cmd, err)
	}
	req = &protocol.Request{Form: protocol.Form{Verb: verb}}
	if verb.Access != 0 {
		req.Keys = bytes.Fields([]byte(cmd))[1:2]
	}
	return req
}

// brief writes findings one a line, as code, key and problem.
func brief(list finding.List) string {
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintf(&b, "%s %s: %s (fix: %s)\n", f.Code, f.Key, f.Problem, f.Fix)
	}
	return b.String()
}

// at is what every test asks under that does not say otherwise.
var at = &At{Now: now, TLS: true}
