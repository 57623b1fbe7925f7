package main

import (
	"strings"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// telling is how a denial is told: the latest command, and the fix for it, which is
// handed over as the policy has it.
type telling func(e *denials.Entry, fix string) (command, told string)

// inFull tells a denial to who may see whole keys.
func inFull(e *denials.Entry, fix string) (command, told string) { return shown(e), fix }

// published is the status for whoever can reach the admin page, which has no login:
// of keys there is as much in it as the audit record has.
func (d *daemon) published() *status.Document { return d.document(asRecorded(d.audit.Keys())) }

// asRecorded tells a denial with its key as the audit record writes it. A fix whose
// pattern shows more of the key is left out: cut short it would allow something else.
func asRecorded(keys audit.Keys) telling {
	return func(e *denials.Entry, fix string) (command, told string) {
		key := askedKey(e)
		command = e.Verb
		if text := keys.Text(key); text != "" {
			command += " " + text
		}
		if hasPattern(fix) && !keys.Reads(len(bare(policy.Shape(key)))) {
			fix = "type slabgate explain " + e.ID + " on the host"
		}
		return onScreen(command), fix
	}
}

// askedKey is the key that a denial is about, nil if it is about none.
func askedKey(e *denials.Entry) []byte {
	if e.Sample.Key != nil {
		return e.Sample.Key
	}
	req, err := parseLine(e.Sample.Line)
	if err != nil || req.Verb.Route != protocol.RouteKeys || len(req.Keys) == 0 {
		return nil
	}
	return req.Keys[0]
}

// The kinds of patterns that a fix may have made of a key.
var patternKinds = []string{"prefix:", "exact:"}

// hasPattern reports whether a fix may say something of a key.
func hasPattern(fix string) bool {
	for _, kind := range patternKinds {
		if strings.Contains(fix, kind) {
			return true
		}
	}
	return false
}

// bare is what a pattern says of a key.
func bare(pattern string) string {
	for _, kind := range patternKinds {
		if text, ok := strings.CutPrefix(pattern, kind); ok {
			return text
		}
	}
	return pattern
}
