package policy

import (
	"fmt"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// Outcome is what one rule did to one request.
type Outcome uint8

const (
	OutcomeNotNamed   Outcome = iota // the rule names nothing that the request needs
	OutcomeNotKeys                   // it names the command and covers none of its keys
	OutcomeDenies                    // it is a deny rule and matches
	OutcomeAllows                    // it is an allow rule and grants all of the request
	OutcomeAllowsPart                // it grants part of the request: some keys, or some of what is done to them
	OutcomeNotNow                    // its condition does not hold
	OutcomeOff                       // it is in mode off
)

var outcomeWords = [...]string{"not_named", "not_keys", "denies", "allows", "allows_part", "not_now", "off"}

// String is the word for o.
func (o Outcome) String() string { return wordOf(outcomeWords[:], int(o)) }

// Step is what one rule did to one request.
type Step struct {
	Rule    RuleRef
	Text    string // the rule as written, a long list shortened
	Outcome Outcome
}

// Explanation is a decision with everything that led to it. It may quote keys
// of the request, so it is for the operator alone.
type Explanation struct {
	Identity string
	Decision Decision // what Decide answers, or that a limit is exceeded
	Steps    []Step   // every rule of the identity, in the order written; none if the request can't be decided on
	Fix      string   // the smallest edit of the policy that would allow the request; "" if the rules allow it, or none would
}

// Explain decides on req as [Identity.Decide] does and says what every rule had to
// do with it. What rules grant is denied if it exceeds a limit by itself.
func (id *Identity) Explain(req *protocol.Request, at *At) Explanation {
	e := Explanation{Identity: id.Name, Decision: id.Decide(req, at)}
	ds := new(demands).of(req, at.Now)
	if len(ds) == 0 {
		return e
	}
	for i := range ds {
		ds[i].rules = id.ownOf(&ds[i])
	}
	for _, r := range id.rules {
		e.Steps = append(e.Steps, Step{r.ref, r.String(), r.outcome(ds, req.Keys, at)})
	}
	if !e.Decision.Granted() {
		e.Fix = joinEdits(id.edits(ds, req, at))
		return e
	}
	copied := *req // whose expiry may be shortened
	if limit := LimitKey(id.Limits.Exceeded(&copied, at.Now)); limit != "" {
		e.Decision = Decision{Reason: ReasonLimit, Rule: RuleRef{ID: limit}, Key: -1}
		e.Fix = id.Raise(limit)
	}
	return e
}

// outcome tells what r does to a request with these demands and keys.
func (r *rule) outcome(ds []demand, keys [][]byte, at *At) Outcome {
	if r.hasMode && r.mode == ModeOff {
		return OutcomeOff
	}
	named, hits, total := false, 0, 0
	for i := range ds {
		d := &ds[i]
		on := keys
		if d.access == 0 {
			on = [][]byte{nil}
		}
		total += len(on)
		if !r.names(d) {
			continue
		}
		named = true
		hits += r.countCovered(d, on)
	}
	switch {
	case !named:
		return OutcomeNotNamed
	case hits == 0:
		return OutcomeNotKeys
	case !r.when.holds(at):
		return OutcomeNotNow
	case r.deny:
		return OutcomeDenies
	case hits == total:
		return OutcomeAllows
	}
	return OutcomeAllowsPart
}

// countCovered returns how many of keys r, which names d, covers.
func (r *rule) countCovered(d *demand, keys [][]byte) int {
	n := 0
	for _, key := range keys {
		if r.covers(d, key) {
			n++
		}
	}
	return n
}

// edit is one change of a document.
type edit struct {
	remove bool   // else it adds
	at     string // path of the rule, or of the identity that is to have a new one
	list   string // key of a list or a setting there; "" for the rule as a whole
	value  string // what is added to the list or taken out of it; "" for all of the setting
	rule   *Rule  // the rule that is added
}

// String is the change as a person makes it.
func (e *edit) String() string {
	if e.rule != nil {
		return fmt.Sprintf("add {%s} to rules: of %s", (&rule{written: *e.rule}).String(), e.at)
	}
	if e.list == "" {
		return "remove " + e.at
	}
	if e.value == "" {
		return fmt.Sprintf("remove %s: of %s", e.list, e.at)
	}
	if e.remove {
		return fmt.Sprintf("remove %q from %s: of %s", e.value, e.list, e.at)
	}
	return fmt.Sprintf("add %q to %s: of %s", e.value, e.list, e.at)
}

// joinEdits writes the edits as one sentence; all of them are needed.
func joinEdits(edits []edit) string {
	const most = 8
	var texts []string
	for i := range edits {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more like these", len(edits)-most))
			break
		}
		texts = append(texts, edits[i].String())
	}
	return strings.Join(texts, "; ")
}
