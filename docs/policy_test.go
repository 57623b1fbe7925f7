package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
)

// around is the configuration that the policies of a page are tried in.
const around = `
version: 1
listeners: [{name: local-apps, address: "127.0.0.1:11212", transport: plaintext}]
upstreams: [{name: local, address: "unix:/run/memcached/memcached.sock"}]
policy: policy.yaml
state: state
`

// site is a folder with a policy and the configuration around it.
func site(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "slabgate.yaml", around)
	write(t, dir, "policy.yaml", text)
	return dir
}

// checkPolicy compiles a policy, runs its tests, and wants neither errors nor
// warnings about it.
func checkPolicy(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = site(t, text)
	if !strings.Contains(text, "\ntests:\n") {
		t.Errorf("the policy has no tests:\n%s", text)
	}
	r := run(t, dir, "check", "--config", "slabgate.yaml", "--output", "json")
	var report struct {
		OK       bool
		Findings []struct{ Code, File, Key, Problem string }
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || !report.OK || r.code != 0 {
		t.Errorf("check: exit %d, %v: %s%s\n%s", r.code, err, r.out, r.err, text)
	}
	for _, f := range report.Findings {
		if filepath.Base(f.File) == "policy.yaml" {
			t.Errorf("check: %s %s: %s\n%s", f.Code, f.Key, f.Problem, text)
		}
	}
	return dir
}

// TestPoliciesAreRight tries every policy that is shown, and every explanation
// of one.
func TestPoliciesAreRight(t *testing.T) {
	policies, explanations, dir := 0, 0, ""
	for _, f := range fences(read(t, "policy.md")) {
		switch {
		case f.kind == "yaml" && strings.HasPrefix(f.text, "# policy\n"):
			policies++
			dir = checkPolicy(t, f.text)
		case f.kind == "console":
			explanations++
			line, want, _ := strings.Cut(strings.TrimPrefix(f.text, "$ "), "\n")
			args := append(invocations(line)[0], "--config", "slabgate.yaml")
			if r := run(t, dir, args...); r.out != want {
				t.Errorf("%s\ngot  %s\nwant %s", line, r.out, want)
			}
		}
	}
	if policies < 3 || explanations < 1 {
		t.Errorf("only %d policies and %d explanations were found", policies, explanations)
	}
	checkPolicy(t, literals(read(t, "man/slabgate-policy.5"))[0])
}

// TestGroups compares the table of groups with the one that decides.
func TestGroups(t *testing.T) {
	page, man := read(t, "policy.md"), read(t, "man/slabgate-policy.5")
	for _, g := range policy.Groups() {
		if !strings.Contains(man, "\n.It Sy "+g.Name+"\n") {
			t.Errorf("slabgate-policy.5: %s is missing", g.Name)
		}
		r := rowOf(t, page, g.Name)
		if r == nil || g.Name == "@rw" || g.Name == "@all" {
			continue
		}
		if got := spans(r[1]); !slices.Equal(got, g.Commands) {
			t.Errorf("%s: commands %q, want %q", g.Name, got, g.Commands)
		}
		if got := spans(r[2]); !slices.Equal(got, g.Apart) {
			t.Errorf("%s: only by name %q, want %q", g.Name, got, g.Apart)
		}
	}
}

// answeredBy says who answers a command, as compatibility.md does.
func answeredBy(v *protocol.Verb) string {
	switch {
	case v.Route != protocol.RouteLocal:
		return "memcached"
	case v.Served():
		return "slabgate"
	}
	return "refused"
}

// TestCommandTable compares compatibility.md with the table of commands.
func TestCommandTable(t *testing.T) {
	page := read(t, "compatibility.md")
	for _, v := range protocol.Verbs() {
		r := rowOf(t, page, v.Name)
		if r == nil {
			continue
		}
		if want := answeredBy(v); r[1] != want {
			t.Errorf("%s: answered by %q, want %q", v.Name, r[1], want)
		}
		if want := "`" + policy.GroupName(v.Category) + "`"; r[2] != want {
			t.Errorf("%s: group %s, want %s", v.Name, r[2], want)
		}
		if strings.Contains(r[3], "`"+v.Grant+"`") != v.Apart {
			t.Errorf("%s: granted by name only: %v, but the page says %q", v.Name, v.Apart, r[3])
		}
	}
}

// TestQuietAnswers compares policy.md with what a denial can look like.
func TestQuietAnswers(t *testing.T) {
	got := map[string]string{}
	for _, r := range rows(read(t, "policy.md")) {
		for _, verb := range spans(r[0]) {
			if len(r) == 2 && len(protocol.ByGrant(verb)) > 0 {
				got[verb] = strings.Trim(r[1], "`")
			}
		}
	}
	for _, v := range protocol.Verbs() {
		if v.Name == strings.ToUpper(v.Name) {
			continue // an opcode looks like its classic command
		}
		req := protocol.Request{Form: protocol.Form{Verb: v}}
		line, _ := req.AppendMiss(nil, nil)
		if want := strings.TrimSuffix(string(line), "\r\n"); got[v.Name] != want {
			t.Errorf("%s: looks like %q, want %q", v.Name, got[v.Name], want)
		}
	}
}
