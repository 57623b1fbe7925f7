package policy

import (
	"fmt"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/protocol"
)

// RunTests asks every question of doc.Tests at now, in Unix seconds, and
// returns an error for each that is not answered as expected. What an identity
// in audit mode would be denied counts as denied, and so does a command that
// parse refuses, because it never reaches the policy. The request that parse
// returns is used until the next call.
func (p *Policy) RunTests(doc *Document, now int64, parse func(cmd string) (*protocol.Request, error)) finding.List {
	var out finding.List
	for i, t := range doc.Tests {
		got, why := p.runTest(t, now, parse)
		if got != t.Expect {
			out.Errorf(codeTestFailed, fmt.Sprintf("tests[%d]", i), "correct the test or the rules; slabgate explain shows each rule",
				"%s: %q is expected to be %s and is %s: %s", t.As, clip(t.Cmd), pastOf(t.Expect), pastOf(got), why)
		}
	}
	return out
}

// runTest answers one test: what the outcome is, and why.
func (p *Policy) runTest(t Test, now int64, parse func(string) (*protocol.Request, error)) (outcome, why string) {
	id, ok := p.Find(t.As)
	if !ok {
		return expectDeny, "there is no such identity"
	}
	req, err := parse(t.Cmd)
	if err != nil {
		return expectDeny, fmt.Sprintf("it is refused before the policy is asked: %v", err)
	}
	e := id.Explain(req, now)
	why = e.Decision.Reason.Text()
	if rule := e.Decision.Rule.String(); rule != "" {
		why += " (" + rule + ")"
	}
	if e.Decision.Verdict == Allow {
		return expectAllow, why
	}
	if e.Fix != "" {
		why += "; to allow it " + e.Fix
	}
	return expectDeny, why
}

// pastOf is allow or deny as it reads in a sentence.
func pastOf(outcome string) string {
	if outcome == expectAllow {
		return "allowed"
	}
	return "denied"
}
