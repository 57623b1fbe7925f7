package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// TestQuickRun is the whole tool with memcached and slabgate alone.
func TestQuickRun(t *testing.T) {
	if _, err := exec.LookPath("memcached"); err != nil {
		t.Skip("memcached is not installed: apt-get install memcached")
	}
	testkit.VerifyNoLeaks(t)
	dir := t.TempDir()
	binary, file := filepath.Join(dir, "slabgate"), filepath.Join(dir, "figures.json")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/slabgate").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out bytes.Buffer
	err := run(context.Background(), []string{
		"-quick", "-peers", "none", "-cases", "16x1,multiget,open,handshake", "-rounds", "1", "-each", "50ms",
		"-rate", "500", "-json", file, "-slabgate", binary,
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"SKIP haproxy: not among -peers", "16x1: 16 connections", "slabgate ÷ row", "targets"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	checkSamples(t, file, map[string][]string{
		"16x1":      {"memcached", "memcached socket", "memcached -Z", "slabgate", "slabgate meta", "slabgate binary SASL"},
		"multiget":  {"memcached", "memcached socket", "memcached -Z", "slabgate", "slabgate meta", "slabgate binary SASL"},
		"open":      {"memcached", "memcached socket", "memcached -Z", "slabgate", "slabgate meta", "slabgate binary SASL"},
		"handshake": {"memcached -Z", "memcached -Z mTLS", "slabgate", "slabgate meta", "slabgate binary SASL", "slabgate server-auth"},
	})
}

// checkSamples wants one round, with requests answered, of these rows in these
// cells, and no other.
func checkSamples(t *testing.T, file string, want map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]sample{}
	for _, s := range doc.Samples {
		got[s.Cell+" "+s.Row] = s
	}
	total := 0
	for cell, rows := range want {
		total += len(rows)
		for _, row := range rows {
			if s := got[cell+" "+row]; s.Requests == 0 || s.P50 <= 0 || s.RSS <= 0 {
				t.Errorf("%s, %s: got %+v, want requests, a latency and memory", cell, row, s)
			}
		}
	}
	if len(doc.Samples) != total || len(doc.Targets) != len(goals) {
		t.Errorf("got %d samples and %d targets, want %d and %d", len(doc.Samples), len(doc.Targets), total, len(goals))
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // in the error; empty for none
	}{
		{"", ""},
		{"-quick -peers haproxy,hitch -cases 1x1,idle", ""},
		{"-peers none", ""},
		{"-peers nobody", `no peer "nobody"`},
		{"-cases 2x2", `no case "2x2"`},
		{"-rounds 1000", "-rounds: 1000 is not within"},
		{"-each 1ms", "-each: 1 is not within"},
		{"-rate -1", "-rate: -1 is not within"},
	} {
		_, err := parseOptions(strings.Fields(c.args), new(bytes.Buffer))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want %q", c.args, err, c.want)
		}
	}
}

func TestQuickLeavesOutSecondRows(t *testing.T) {
	full, err := parseOptions(nil, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	quick, err := parseOptions([]string{"-quick"}, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if quick.rounds >= full.rounds || quick.each >= full.each || quick.idle >= full.idle {
		t.Errorf("quick is %+v, not less than full, which is %+v", quick, full)
	}
}
