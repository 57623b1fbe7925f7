package proxy

import (
	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/denials"
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

// denied merges a session's equal denials: the first of them is an event at
// once, the rest one event with a count when the session ends.
type denied map[denial]int64

// add counts a denial and reports whether it is the first of its kind.
func (ds *denied) add(d denial) (first bool) {
	if *ds == nil {
		*ds = make(denied)
	}
	if _, known := (*ds)[d]; !known && len(*ds) >= maxDenials {
		d = denial{kind: d.kind, verb: "other"}
	}
	(*ds)[d]++
	return (*ds)[d] == 1
}

// observeDenial counts a denial, and has it written down.
func (s *session) observeDenial(req *protocol.Request, d policy.Decision) {
	kind := audit.WouldDeny
	if d.Verdict == policy.Learned {
		s.server.Learned.Add(s.x.identity.Name, req)
		return
	}
	if d.Verdict == policy.Deny {
		kind = audit.Deny
		s.counts.denied++
		s.server.Metrics.Denied.Add(1)
	} else {
		s.counts.wouldDeny++
		s.server.Metrics.WouldDeny.Add(1)
	}
	s.writeDown(kind, req, d)
}

// writeDown keeps a denial for the operator and writes down the first of its kind.
func (s *session) writeDown(kind audit.Kind, req *protocol.Request, d policy.Decision) {
	id := s.remember(kind, req, d)
	if !s.denials.add(denial{kind, req.Verb.Name, d.Rule, d.Reason}) {
		return
	}
	e := audit.Decided(kind, req.Verb.Name, refusedKey(req, d), d)
	e.ID = id
	s.writeDenial(e)
}

// writeDenial writes down a denial, or has a later one stand for it.
func (s *session) writeDenial(e audit.Event) {
	if others, ok := s.server.refusals.pass(s.server.now(), maxRefusals); ok {
		e.Count += others
		s.writeEvent(e)
	}
}

// refusedKey is the key that a request was denied for, nil if it was for none. It
// is the request's.
func refusedKey(req *protocol.Request, d policy.Decision) []byte {
	if d.Key >= 0 && d.Key < len(req.Keys) {
		return req.Keys[d.Key]
	}
	return nil
}

// remember keeps a denial for the operator to ask about, if the server keeps any,
// and returns its id. The first of its kind, of all clients, is logged.
func (s *session) remember(kind audit.Kind, req *protocol.Request, d policy.Decision) string {
	ring := s.server.Denials
	if ring == nil {
		return ""
	}
	key := refusedKey(req, d)
	n := denials.Denial{
		Kind: string(kind), Identity: s.x.identity.Name, Verb: req.Verb.Name,
		Rule: d.Rule.String(), Reason: d.Reason.String(), Shape: policy.Shape(key),
		Sample: denials.Sample{
			Peer: s.peer(), Listener: s.listener.Name, Source: string(s.source), Line: string(req.AppendAsked(nil, max(0, d.Key))),
			Key: key, TLS: s.facts.TLS, Addr: s.facts.Addr, Now: s.server.now(),
		},
	}
	id, first, merged := ring.Add(n)
	if first {
		s.server.Log.Info("request denied", zap.String("id", id), zap.String("event", n.Kind), zap.String("client", n.Sample.Peer),
			zap.String("identity", n.Identity), zap.String("verb", n.Verb), zap.String("rule", n.Rule), zap.String("reason", n.Reason),
			zap.Int64("merged", merged))
	}
	return id
}

// observePermitted learns what a client in mode learn asks for, and writes down
// one in so many of all that are permitted.
func (s *session) observePermitted(req *protocol.Request, d policy.Decision) {
	if s.x.identity.Mode == policy.ModeLearn {
		s.server.Learned.Add(s.x.identity.Name, req)
	}
	if !s.server.Sampler.Take() {
		return
	}
	var key []byte
	if len(req.Keys) > 0 {
		key = req.Keys[0]
	}
	s.writeEvent(audit.Decided(audit.Allow, req.Verb.Name, key, d))
}

// summarise writes down how often each denial was repeated.
func (s *session) summarise() {
	for d, n := range s.denials {
		if n == 1 {
			continue
		}
		e := audit.Decided(d.kind, d.verb, nil, policy.Decision{Rule: d.rule, Reason: d.reason, Key: -1})
		e.Count = n - 1
		s.writeDenial(e)
	}
}

// writeEvent writes down an event of this session.
func (s *session) writeEvent(e audit.Event) {
	e.Listener, e.Peer, e.Source = s.listener.Name, s.peer(), s.source
	if s.snap != nil {
		e.Generation = s.snap.Number
	}
	if s.x != nil {
		e.Identity = s.x.identity.Name
	}
	s.server.Audit.Write(e)
}
