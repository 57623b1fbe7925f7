package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/host"
)

// TestTrialsAreEvidence has a neighbour who stores a key and takes a port, and
// looks for both in the findings that they prove.
func TestTrialsAreEvidence(t *testing.T) {
	const at, beside = "127.0.0.1:11211", "127.0.0.1:11212"
	f := &host.Facts{
		Active: true, Subject: &host.Subject{Path: "/etc/slabgate/slabgate.yaml", Upstream: at, ExpectUID: -1},
		Place:   host.Place{Scope: "host"},
		Answers: []host.Answer{{Address: at, Version: "1.6.18", UID: 1000}},
		Trials:  []host.Trial{{What: host.TrialItem, Address: at, UID: 1000}, {What: host.TrialPort, Address: beside, UID: 1000}},
	}
	for id, want := range map[string]Evidence{
		"MC-13": {Source: at, Text: "uid 1000 stored, read and deleted a key"},
		"MC-14": {Source: beside, Text: "uid 1000 listened there"},
	} {
		var got []Evidence
		for _, r := range Examine(f, Checks()) {
			if r.ID == id && r.Status == Fail {
				got = append(got, r.Evidence...)
			}
		}
		if !slices.Contains(got, want) {
			t.Errorf("%s: evidence is %+v, want %+v in it", id, got, want)
		}
	}
	f.Trials[0].Error, f.Trials[1].UID = "out of memory", 0
	if seen := triedItem(f, at); len(seen) != 1 || !strings.Contains(seen[0].Text, "did not") || !strings.Contains(seen[0].Text, "out of memory") {
		t.Errorf("a trial that did not come off is told as %+v", seen)
	}
	if seen := triedPort(f, at); len(seen) != 0 {
		t.Errorf("that root took a port is told as %+v", seen)
	}
}
