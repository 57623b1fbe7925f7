package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/testkit"
)

func TestServiceSettings(t *testing.T) {
	got := serviceSettings([]host.UnitFile{
		{Path: "unit", Text: "User=outside\n[Unit]\nUser=other\n[Service]\n# User=comment\nUser = slabgate \nSystemCallFilter=@a\nSystemCallFilter=~@b\nExecStart=/a \\\n; between\n  --b\nPrivateTmp\n[Install]\nUser=late\n"},
		{Path: "drop-in", Text: "[Service]\nSystemCallFilter=\nSystemCallFilter=@c\nNoNewPrivileges=yes\nNoNewPrivileges=no"},
	})
	for name, want := range map[string]struct {
		value string
		at    string
	}{
		"User":             {"slabgate", "unit:6"},
		"ExecStart":        {"/a --b", "unit:9"},
		"SystemCallFilter": {"@c", "drop-in:3"},
		"NoNewPrivileges":  {"no", "drop-in:5"},
	} {
		s, ok := got[name]
		if at := s.at.Where(); !ok || s.value != want.value || at != want.at {
			t.Errorf("%s is %q at %s, want %q at %s", name, s.value, at, want.value, want.at)
		}
	}
	if len(got) != 4 {
		t.Errorf("got %v, want four settings", got)
	}
}

func shippedUnit(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "systemd", "slabgate.service"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnitMissesEachConfinement takes each line out of the shipped unit: it counts,
// and what is printed brings it back.
func TestUnitMissesEachConfinement(t *testing.T) {
	unit := shippedUnit(t)
	if open, missing := unitExposure([]host.UnitFile{{Path: "unit", Text: unit}}); open != 0 {
		t.Fatalf("the shipped unit leaves %.1f open: %v", open, missing)
	}
	for _, c := range confinements {
		less := regexp.MustCompile(`(?m)^`+c.name+`=.*$`).ReplaceAllString(unit, "")
		open, missing := unitExposure([]host.UnitFile{{Path: "unit", Text: less}})
		if open <= 0 || len(missing) != 1 || missing[0].name != c.name {
			t.Errorf("without %s the unit leaves %.1f open, missing %v", c.name, open, missing)
			continue
		}
		over := "[Service]\n" + strings.Join(missing[0].lines(), "\n")
		if open, _ := unitExposure([]host.UnitFile{{Path: "unit", Text: less}, {Path: "over", Text: over}}); open != 0 {
			t.Errorf("with %q the unit still leaves %.1f open", over, open)
		}
	}
}

// TestSystemdAgrees holds the judgement against that of systemd, offline.
func TestSystemdAgrees(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for name, tc := range map[string]struct {
		text string
		fine bool
	}{
		"shipped": {shippedUnit(t), true},
		"bare":    {"[Service]\nExecStart=/bin/true\n", false},
	} {
		path := filepath.Join(t.TempDir(), "slabgate.service")
		if err := os.WriteFile(path, []byte(tc.text), 0o644); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, "systemd-analyze", "security", "--offline=true", "--no-pager", path).Output()
		m := regexp.MustCompile(`exposure level for .*: ([0-9.]+)`).FindSubmatch(out)
		if m == nil {
			t.Skipf("this systemd-analyze does not judge a file: %v", err)
		}
		theirs, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		ours, _ := unitExposure([]host.UnitFile{{Path: path, Text: tc.text}})
		if ours <= mostExposure != tc.fine || theirs <= mostExposure != tc.fine {
			t.Errorf("%s: ours is %.1f, systemd's is %.1f, want both fine: %v", name, ours, theirs, tc.fine)
		}
	}
}

// TestPrintedUnitRemovesTheFinding writes the printed lines where the commands put
// them, in a tree.
func TestPrintedUnitRemovesTheFinding(t *testing.T) {
	dir := testkit.Tree(t, "-- /lib/systemd/system/slabgate.service --\n[Service]\nUser=root\nSystemCallFilter=~@mount\n-- time.txt --\n"+fixtureTime+"\n")
	look := func() []Verdict {
		source, err := host.Tree(dir)
		if err != nil {
			t.Fatal(err)
		}
		return judgeUnit(host.Gather(t.Context(), source, host.Options{}))
	}
	before := look()
	if before[0].Status != Fail {
		t.Fatalf("got %+v, want a finding", before)
	}
	for _, command := range before[0].Fix.Commands[:2] {
		command = strings.ReplaceAll(command, "/etc/systemd", filepath.Join(dir, "etc/systemd"))
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	if after := look(); after[0].Status != Pass {
		t.Errorf("got %+v, want the finding gone", after)
	}
}

// FuzzServiceSettings holds that what is told of a setting stands on a line of the
// text, and that a unit is never better than one that has everything.
func FuzzServiceSettings(f *testing.F) {
	f.Add(shippedUnit(f))
	f.Add("[Service]\nA=b \\\n c\nA=\n")
	f.Fuzz(func(t *testing.T, text string) {
		files := []host.UnitFile{{Path: "unit", Text: text}}
		lines := strings.Count(text, "\n") + 1
		for name, s := range serviceSettings(files) {
			if s.at.Line < 1 || s.at.Line > lines || !strings.Contains(text, name) {
				t.Errorf("%q stands on line %d of %d", name, s.at.Line, lines)
			}
		}
		if open, missing := unitExposure(files); open < 0 || open > 10 || open == 0 != (len(missing) == 0) {
			t.Errorf("%v open, %d missing", open, len(missing))
		}
	})
}
