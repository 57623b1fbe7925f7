package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slabgate/slabgate/internal/status"
)

// exampleStatus is a document in which nothing is empty.
func exampleStatus(t *testing.T) *status.Document {
	t.Helper()
	data, err := os.ReadFile("../../internal/status/testdata/document.json")
	if err != nil {
		t.Fatal(err)
	}
	d := new(status.Document)
	if err := json.Unmarshal(data, d); err != nil {
		t.Fatal(err)
	}
	return d
}

const exampleScreen = `slabgate 0.1.0  cache-0  up 3d04h  config 3f9a61c… RELOAD REFUSED 11:00Z
DRAINING: clients are asked to leave
upstream ok 0.11 ms  memcached 1.6.18  cert main 61d  ca 2920d
9.1k req/s  in 400 kB/s  out 4.2 MB/s  p99 0.31 ms

HOLDS  so far 12 requests refused, 3 conns killed, 4 turned away
  FROZEN       writes  since Jan 2 11:59Z by uid 0
  FROZEN       identity shop  since Jan 2 12:00Z by uid 0
  QUARANTINED  10.0.0.9/32  until Jan 2 13:00Z by uid 1000

PLAINTEXT LEFT  2 clients  14 conns
  enforcing now would break 2 or more: legacy-batch trial
  10.2.9.17                ascii   legacy-batch         12 conns  last 4 s ago
  10.2.9.22                binary  (nobody)              2 conns  last 3 h ago

DENIED  37 in 2 groups
  7Q2AB  shop             flush_all            x36    no rule
         fix  add "@flush" to allow: of identities.shop.rules[0]
  7Q5CD  trial            mg user:77 N30       ~1     not granted, own
         fix  add "@vivify" to allow: of identities.trial.rules[0]

CLIENTS  234  tls 220  plaintext 14
  identity             transport  conns     ops   deny    bytes      p99  oldest
  shop                 tls          220    918k     36   1.0 GB  0.29 ms   2h00m
  legacy-batch         plaintext     12    4.4k     12   9.5 MB    12 ms     30m
  (nobody yet)         plaintext      2       0      0      0 B        -      1s

WARNINGS
  SG1306  TLS 1.2 is accepted, which the default does not
`

func TestScreen(t *testing.T) {
	s := screen{doc: exampleStatus(t), order: "conns", rows: 8}
	if got := strings.Join(s.lines(), "\n") + "\n"; got != exampleScreen {
		t.Errorf("got\n%s\nwant\n%s", got, exampleScreen)
	}
}

// What a client or a policy brings in is no escape sequence and makes no line too
// long.
func TestScreenIsPlainAndNarrow(t *testing.T) {
	d := exampleStatus(t)
	d.Host = "\x1b[2Jhost"
	d.Denials.Groups[0].Command = "get \x1b]0;x\x07" + strings.Repeat("é", 200)
	d.Plaintext.Clients[0].Identity = strings.Repeat("i", 300)
	d.Upstream.Up, d.Upstream.Error = false, strings.Repeat("down\n", 50)
	for _, line := range (&screen{doc: d, order: "conns", rows: 8}).lines() {
		if utf8.RuneCountInString(line) > screenWidth || strings.ContainsAny(line, "\x1b\x07\n") {
			t.Errorf("got the line %q", line)
		}
	}
}

func TestScreenShowsTheFirstAndCountsTheRest(t *testing.T) {
	d := exampleStatus(t)
	d.Denials.GroupsTotal = 300
	s := screen{doc: d, order: "conns", rows: 1}
	text := strings.Join(s.lines(), "\n")
	for _, want := range []string{"  and 1 more", "  and 299 more", "  and 2 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	s.filter = "10.2.9.22"
	if text = strings.Join(s.lines(), "\n"); !strings.Contains(text, "10.2.9.22") || strings.Contains(text, "10.2.9.17") {
		t.Errorf("the filter shows\n%s", text)
	}
}

// What was held up is told after it was lifted, and nothing as long as nothing was.
func TestScreenTellsWhatWasHeld(t *testing.T) {
	d := exampleStatus(t)
	d.Holds.Freezes, d.Holds.Quarantines, d.Holds.Refused, d.Holds.Turned = nil, nil, 1, 0
	s := screen{doc: d}
	if got := strings.Join(s.held(), "\n"); got != "HOLDS  so far 1 request refused, 3 conns killed, 0 turned away\n" {
		t.Errorf("got %q", got)
	}
	d.Holds.Refused, d.Holds.Killed = 0, 0
	if got := s.held(); got != nil {
		t.Errorf("got %q of nothing", got)
	}
}

// As long as somebody is not known, nothing is said to be safe.
func TestScreenSaysWhatIsNotKnown(t *testing.T) {
	for want, e := range map[string]status.Enforcement{
		"  enforcing now would break nothing":          {Safe: true},
		"  enforcing now: NOT KNOWN, 2 requests of":    {Untold: 2},
		"  enforcing now would break 1: web":           {Total: 1, Learning: []string{"web"}},
		"  enforcing now would break 1 or more: trial": {Total: 1, Untold: 1, WouldDeny: []string{"trial"}},
	} {
		if got := breaks(&e); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestScreenSorts(t *testing.T) {
	d := exampleStatus(t)
	d.Clients.Groups[1].Denied = 99
	for order, first := range map[string]string{"conns": "shop", "plaintext": "legacy-batch", "denied": "legacy-batch", "ops": "shop", "bytes": "shop", "p99": "legacy-batch"} {
		s := screen{doc: d, order: order, rows: 8}
		if got := s.groups()[0].Identity; got != first {
			t.Errorf("%s: got %q first, want %q", order, got, first)
		}
	}
	if len(groupOrders) != 6 {
		t.Errorf("%d orders, of which 6 are tested", len(groupOrders))
	}
}

// Rates are what came between two documents. Clients that left make none negative.
func TestScreenRates(t *testing.T) {
	d, before := exampleStatus(t), exampleStatus(t)
	before.Time = d.Time.Add(-2 * time.Second)
	before.Clients.Groups[0].Requests -= 200
	before.Clients.Groups[0].BytesOut -= 4000
	before.Clients.Groups[1].Requests += 1000
	rows := (&screen{doc: d, before: before, order: "ops"}).groups()
	if rows[0].ops != 100 || rows[0].bytes != 2000 || rows[0].denied != 0 {
		t.Errorf("got %+v", rows[0])
	}
	if i := slices.IndexFunc(rows, func(r groupRow) bool { return r.ops < 0 }); i >= 0 {
		t.Errorf("got %+v", rows[i])
	}
}
