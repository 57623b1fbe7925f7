package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
)

// waiveText lays the waivers of a text over r, as slabgate doctor does.
func waiveText(r *Report, text string) (*Report, finding.List) {
	var w Waivers
	at, found := config.DecodeStrict("justified.yaml", []byte(text), &w)
	if found.Failed() {
		return r, found
	}
	return Waive(r, &w, at.Place)
}

func foundReport() *Report {
	r := &Report{Time: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), Scope: "host", Records: []Record{
		{ID: "NET-09", Severity: Medium, Status: Fail, Subject: "tcp 0.0.0.0:22", Fix: &Fix{}, Score: weights[Medium]},
		{ID: "NET-09", Severity: Medium, Status: Fail, Subject: "tcp 0.0.0.0:23", Fix: &Fix{}, Score: weights[Medium]},
		{ID: "HOST-03", Severity: Low, Status: Skip},
		{ID: "PX-08", Severity: High, Status: Pass},
	}}
	r.Tally()
	return r
}

const waiverOf22 = "waivers:\n  - id: NET-09\n    subject: tcp 0.0.0.0:22\n    reason: the bastion\n    owner: ops\n    expires: 2026-11-26\n"

func TestWaiveCoversOneSubject(t *testing.T) {
	before := foundReport()
	after, found := waiveText(before, waiverOf22)
	if len(found) != 0 {
		t.Fatalf("got %v, want a good file", found)
	}
	rec := &after.Records[0]
	if rec.Status != Waived || rec.WaivedBy != "ops" || rec.Expires != "2026-11-26" || rec.Reason != "the bastion" || rec.Score != 0 {
		t.Errorf("the finding is %+v", rec)
	}
	if after.Records[1].Status != Fail || after.Counts.Waived != 1 || after.Counts.Medium != 1 || len(after.Records) != 4 {
		t.Errorf("it covers more than its subject: %+v", after.Counts)
	}
	if after.Exposure >= before.Exposure || before.Records[0].Status != Fail {
		t.Errorf("exposure %v after %v; the report before is %+v", after.Exposure, before.Exposure, before.Records[0])
	}
}

func TestWaiveCoversAllOfACheck(t *testing.T) {
	after, found := waiveText(foundReport(), strings.Replace(waiverOf22, "    subject: tcp 0.0.0.0:22\n", "", 1))
	if len(found) != 0 || after.Counts.Waived != 2 || after.Counts.Medium != 0 || after.Exposure != 0 {
		t.Errorf("got %v, %+v", found, after.Counts)
	}
}

func TestWaiverSpeaksForItself(t *testing.T) {
	for _, tc := range []struct{ name, old, new, id, status, line string }{
		{"expired", "2026-11-26", "2026-11-25", waiverExpired, "fail", "expired on 2026-11-25"},
		{"of another subject", "0.0.0.0:22", "0.0.0.0:24", waiverIdle, "warn", "covers no finding"},
		{"of a check that passed", "NET-09\n    subject: tcp 0.0.0.0:22", "PX-08", waiverIdle, "warn", "covers no finding"},
		{"of a check that was skipped", "NET-09\n    subject: tcp 0.0.0.0:22", "HOST-03", "", "", ""},
		{"of a scan that was not made", "NET-09", "PRB-01", "", "", ""},
	} {
		after, found := waiveText(foundReport(), strings.Replace(waiverOf22, tc.old, tc.new, 1))
		if len(found) != 0 || after.Counts.Waived != 0 || after.Records[0].Status != Fail {
			t.Errorf("%s: got %v and %+v, want nothing waived", tc.name, found, after.Counts)
		}
		own := after.Records[4:]
		if tc.id == "" {
			if len(own) != 0 {
				t.Errorf("%s: got %+v", tc.name, own)
			}
			continue
		}
		if len(own) != 1 || own[0].ID != tc.id || string(own[0].Status) != tc.status || !strings.Contains(own[0].Text, tc.line) ||
			own[0].Evidence[0].Where() != "justified.yaml:2" || own[0].Fix.Text == "" {
			t.Errorf("%s: got %+v", tc.name, own)
		}
	}
}

func TestWaiversAreReadStrictly(t *testing.T) {
	for _, tc := range []struct{ old, new, code, where string }{
		{"reason: the bastion", "reason: \" \"", "SG1450", "justified.yaml:4:5"},
		{"    owner: ops\n", "", "SG1450", "justified.yaml:2:5"},
		{"NET-09", "NET-9", "SG1451", "justified.yaml:2:5"},
		{"NET-09", waiverExpired, "SG1451", "justified.yaml:2:5"},
		{"2026-11-26", "2026-02-30", "SG1452", "justified.yaml:6:5"},
		{"    expires: 2026-11-26\n", "", "SG1452", "justified.yaml:2:5"},
		{"owner", "ownr", "SG1008", "justified.yaml:5:5"},
		{"waivers:\n", "waivers:\n" + strings.TrimPrefix(waiverOf22, "waivers:\n"), "SG1453", "justified.yaml:7:5"},
		{waiverOf22, "waivers: [\n", "SG1004", "justified.yaml:"},
		{waiverOf22, "", "SG1005", "justified.yaml"},
	} {
		before := foundReport()
		after, found := waiveText(before, strings.Replace(waiverOf22, tc.old, tc.new, 1))
		has := false
		for _, f := range found {
			has = has || f.Code == tc.code && strings.HasPrefix(f.String(), tc.where) && f.Fix != ""
		}
		if !has || !found.Failed() {
			t.Errorf("%q for %q: got %v, want %s at %s", tc.new, tc.old, found, tc.code, tc.where)
		}
		if after != before || after.Counts.Waived != 0 {
			t.Errorf("%q: a refused file waives something", tc.new)
		}
	}
}

// FuzzWaive holds that a file, whatever stands in it, hides no finding that no
// waiver with an owner names.
func FuzzWaive(f *testing.F) {
	f.Add(waiverOf22)
	f.Add("waivers: []\n")
	f.Fuzz(func(t *testing.T, text string) {
		before := foundReport()
		after, _ := waiveText(before, text)
		for i := range before.Records {
			now := &after.Records[i]
			if now.Status != before.Records[i].Status && (now.Status != Waived || now.WaivedBy == "" || now.Reason == "" || now.Expires < "2026-11-26") {
				t.Errorf("%q makes %+v", text, now)
			}
		}
	})
}
