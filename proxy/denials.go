package proxy

import (
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// maxDenials bounds the different denials one session keeps apart. A client that
// goes beyond them is counted as one more kind.
const maxDenials = 32

// denial is what makes two denials equal.
type denial struct {
	kind   audit.Kind
	verb   string
	rule   policy.RuleRef
	reason policy.Reason
}

// denials merges a session's equal denials: the first of them is an event at
// once, the rest one event with a count when the session ends.
type denials map[denial]int64

// add counts a denial and reports whether it is the first of its kind.
func (ds *denials) add(d denial) (first bool) {
	if *ds == nil {
		*ds = make(denials)
	}
	if _, known := (*ds)[d]; !known && len(*ds) >= maxDenials {
		d = denial{kind: d.kind, verb: "other"}
	}
	(*ds)[d]++
	return (*ds)[d] == 1
}

// observeDenial counts a denial and writes down the first of its kind.
func (s *session) observeDenial(req *protocol.Request, d policy.Decision) {
	kind := audit.WouldDeny
	if d.Verdict == policy.Deny {
		kind = audit.Deny
		s.counts.denied++
		s.server.Metrics.Denied.Add(1)
	} else {
		s.counts.wouldDeny++
		s.server.Metrics.WouldDeny.Add(1)
	}
	if !s.denials.add(denial{kind, req.Verb.Name, d.Rule, d.Reason}) {
		return
	}
	var key []byte
	if d.Key >= 0 && d.Key < len(req.Keys) {
		key = req.Keys[d.Key]
	}
	s.writeEvent(audit.Decided(kind, req.Verb.Name, key, d))
}

// summarise writes down how often each denial was repeated.
func (s *session) summarise() {
	for d, n := range s.denials {
		if n == 1 {
			continue
		}
		e := audit.Decided(d.kind, d.verb, nil, policy.Decision{Rule: d.rule, Reason: d.reason, Key: -1})
		e.Count = n - 1
		s.writeEvent(e)
	}
}

// writeEvent writes down an event of this session.
func (s *session) writeEvent(e audit.Event) {
	e.Listener, e.Peer, e.Source = s.listener.Name, s.peer(), s.source
	if s.x != nil {
		e.Identity = s.x.identity.Name
	}
	s.server.Audit.Write(e)
}
