package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/policy"
)

// policyFileWith writes a policy and returns its path.
func policyFileWith(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

// failing is the policy of a site with a test that fails, on line 15.
const failing = sitePolicy + "  - {as: web, cmd: \"get other:1\", expect: allow}\n"

func TestPolicyTestTellsEachTest(t *testing.T) {
	path := policyFileWith(t, failing)
	o := slabgate(t, "policy", "test", path)
	o.want(t, exitFindings, "ok    tests[0]  web: get web:1 is to be allowed\n", "FAIL  tests[1]  web: get other:1 is to be allowed\n      "+path+":15:5  web: ", "2 tests, 1 failed\n")
	if o.err != "" {
		t.Errorf("wrote %q to standard error", o.err)
	}
	good := policyFileWith(t, sitePolicy)
	slabgate(t, "policy", "test", good).want(t, exitOK, "1 test, 0 failed")
}

func TestPolicyTestWithoutTestsSaysSo(t *testing.T) {
	text, _, _ := strings.Cut(sitePolicy, "tests:")
	path := policyFileWith(t, text)
	slabgate(t, "policy", "test", path).want(t, exitOK, path+": there are no tests\n")
	slabgate(t, "policy", "test", path, "-o", "github").want(t, exitOK, "::notice file="+path+"::there are no tests\n")
}

func TestPolicyTestTakesThePolicyOfTheConfiguration(t *testing.T) {
	s := newSite(t)
	s.call(t, "policy", "test").want(t, exitOK, s.path("policy.yaml")+": 1 test, 0 failed")
	s.edit(t, "slabgate.yaml", "version: 1", "version: x")
	s.call(t, "policy", "test").want(t, exitConfig, "slabgate.yaml:1:")
	s.call(t, "policy", "fmt").want(t, exitConfig, "slabgate.yaml:1:")
	slabgate(t, "policy", "test", "-c", s.path("none.yaml")).want(t, exitNoFile, "none.yaml")
	slabgate(t, "policy", "test", "--set", "log.level").want(t, exitUsage, `--set "log.level" has no value`)
}

func TestPolicyTestOfABrokenPolicy(t *testing.T) {
	path := policyFileWith(t, strings.Replace(sitePolicy, `"@rw"`, `"@rx"`, 1))
	slabgate(t, "policy", "test", path).want(t, exitConfig, "SG1121", path+":7:27", "@rx")
	slabgate(t, "policy", "test", path, "-o", "github").want(t, exitConfig, "::error file="+path+",line=7,col=27,title=SG1121::")
	slabgate(t, "policy", "test", path+".not").want(t, exitNoFile, "SG1001")
}

func TestPolicyTestNeedsNoUsersOfThisHost(t *testing.T) {
	path := policyFileWith(t, strings.Replace(sitePolicy, "{ascii: web}", "{unix: {gid: no-such-group}}", 1))
	slabgate(t, "policy", "test", path).want(t, exitOK, "1 test, 0 failed")
}

func TestPolicyTestAsJSON(t *testing.T) {
	path := policyFileWith(t, failing)
	var r policyTests
	o := slabgate(t, "policy", "test", path, "-o", "json")
	if err := json.Unmarshal([]byte(o.out), &r); err != nil || o.code != exitFindings {
		t.Fatalf("exit %d, %v: %s", o.code, err, o.out)
	}
	if r.OK || r.File != path || len(r.Findings) != 0 || len(r.Tests) != 2 || !r.Tests[0].OK || r.Tests[1].OK {
		t.Fatalf("got %+v", r)
	}
	bad := r.Tests[1]
	if bad.Test != 1 || bad.As != "web" || bad.Cmd != "get other:1" || bad.Expect != "allow" || len(bad.Findings) != 1 || bad.Findings[0].Line != 15 {
		t.Errorf("got %+v", bad)
	}
}

func TestAnnotationsHoldNothingThatEndsThem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a,b:c%d")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "policy.yaml")
	text := strings.Replace(failing, "get other:1", "get other:%0A", 1)
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	o := slabgate(t, "policy", "test", path, "-o", "github")
	o.want(t, exitFindings, "/a%2Cb%3Ac%25d/policy.yaml,line=15,col=5,title=SG1131::web: ", "get other:%250A")
	if strings.Count(o.out, "\n") != 1 {
		t.Errorf("got more than a line: %q", o.out)
	}
}

const unsorted = "categories: 1 # table\nversion: 1\nidentities: {}\n"

func TestPolicyFormat(t *testing.T) {
	path := policyFileWith(t, unsorted)
	const want = "version: 1\ncategories: 1  # table\nidentities: {}\n"
	if o := slabgate(t, "policy", "fmt", path); o.code != exitOK || o.out != want || o.err != "" {
		t.Errorf("got %+v, want %q", o, want)
	}
	if o := slabgate(t, "policy", "fmt", "--check", path); o.code != exitFindings || o.out != path+"\n" {
		t.Errorf("--check: got %+v", o)
	}
	if data, _ := os.ReadFile(path); string(data) != unsorted {
		t.Errorf("the file was written without -w: %q", data)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	slabgate(t, "policy", "fmt", "-w", path).want(t, exitOK, path+" written")
	st, err := os.Stat(path)
	if data, _ := os.ReadFile(path); err != nil || string(data) != want || st.Mode() != 0o600 {
		t.Errorf("-w: got %q, %v", data, st.Mode())
	}
	for _, flag := range []string{"--check", "-w"} {
		if o := slabgate(t, "policy", "fmt", flag, path); o != (outcome{}) {
			t.Errorf("%s of what is canonical: got %+v, want silence", flag, o)
		}
	}
}

func TestPolicyFormatRefuses(t *testing.T) {
	path := policyFileWith(t, "version: 1\nidentites: {}\n")
	o := slabgate(t, "policy", "fmt", "-w", path)
	o.want(t, exitConfig, "SG1008", `did you mean "identities"?`)
	if data, _ := os.ReadFile(path); !strings.Contains(string(data), "identites") || o.out != "" {
		t.Errorf("it was written all the same: %q", data)
	}
	slabgate(t, "policy", "fmt", "-w", "--check", path).want(t, exitUsage, "check", "write")
	slabgate(t, "policy", "fmt", path+".not").want(t, exitNoFile, "SG1001")
}

func TestPolicyFormatOfTheConfiguration(t *testing.T) {
	s := newSite(t)
	s.write(t, "policy.yaml", unsorted)
	s.call(t, "policy", "fmt", "--check").want(t, exitFindings, s.path("policy.yaml"))
}

func TestPolicyDiff(t *testing.T) {
	was := policyFileWith(t, sitePolicy)
	is := policyFileWith(t, strings.NewReplacer(`["prefix:web:"]`, `["prefix:web:", "prefix:w2:"]`, "mode: audit\n", "mode: enforce\n", "      - {id: kept", "      # - {id: kept").Replace(sitePolicy))
	o := slabgate(t, "policy", "diff", was, is)
	o.want(t, exitFindings,
		"identity trial\n  - mode: audit\n  + mode: enforce\nidentity web\n",
		"  + rule own keys: [\"prefix:w2:\"]\n",
		"newly allowed\n", "  web  \"web:kept:x\"  touch -1, set -1, delete, md: deny -> allow\n",
		"newly denied\n", "  trial  flush_all, ", "would_deny -> deny\n")
	if o := slabgate(t, "policy", "diff", was, was); o.code != exitOK || o.out != "nothing changes for clients\n" {
		t.Errorf("of the same: got %+v", o)
	}
	slabgate(t, "policy", "diff", was).want(t, exitUsage, "accepts 2 arg(s), received 1")
	slabgate(t, "policy", "diff", was, is, "-o", "github").want(t, exitUsage, "want text or json")
	slabgate(t, "policy", "diff", was, is+".not").want(t, exitNoFile, "SG1001")
	broken := policyFileWith(t, strings.Replace(sitePolicy, `"@rw"`, `"@rx"`, 1))
	slabgate(t, "policy", "diff", broken, is).want(t, exitConfig, "SG1121", broken)
}

func TestPolicyDiffAsJSON(t *testing.T) {
	was := policyFileWith(t, sitePolicy)
	is := policyFileWith(t, strings.Replace(sitePolicy, `["prefix:web:"]`, `["prefix:w"]`, 1))
	var d policyDifference
	o := slabgate(t, "policy", "diff", was, is, "-o", "json")
	if err := json.Unmarshal([]byte(o.out), &d); err != nil || o.code != exitFindings || d.Equal {
		t.Fatalf("exit %d, %v: %s", o.code, err, o.out)
	}
	want := policyChange{"web", "rule own keys", `["prefix:web:"]`, `["prefix:w"]`}
	if len(d.Changes) != 1 || d.Changes[0] != want || len(d.Answers) == 0 || d.Answers[0].Was != "deny" || d.Answers[0].Sample != "get w" {
		t.Errorf("got %+v", d)
	}
	if o := slabgate(t, "policy", "diff", was, was, "-o", "json"); o.code != exitOK || o.out != "{\n  \"equal\": true,\n  \"changes\": [],\n  \"answers\": []\n}\n" {
		t.Errorf("of the same: got %+v", o)
	}
}

// TestPolicyDiffNamesUsersAsWritten checks that names that this host does not know
// are neither looked up nor shown as numbers.
func TestPolicyDiffNamesUsersAsWritten(t *testing.T) {
	group := func(name string) string {
		return policyFileWith(t, strings.Replace(sitePolicy, "{ascii: web}", "{unix: {gid: "+name+"}}", 1))
	}
	slabgate(t, "policy", "diff", group("no-such-a"), group("no-such-b")).want(t, exitFindings,
		"  - match: {unix: {gid: \"no-such-a\"}}\n  + match: {unix: {gid: \"no-such-b\"}}\n")
}

func TestALongDifferenceIsCut(t *testing.T) {
	var d policy.Difference
	for i := range 50 {
		d.Changes = append(d.Changes, policy.Change{Identity: fmt.Sprint("x", i), What: "mode", Is: "au\x1bdit"})
	}
	var out strings.Builder
	printDifference(stdio{out: &out}, &d)
	if text := out.String(); strings.Count(text, "\n") != mostDifferences+1 || !strings.HasSuffix(text, "\nand 60 more lines; -o json has all\n") || strings.Contains(text, "\x1b") {
		t.Errorf("got\n%s", text)
	}
}

func TestEffectOf(t *testing.T) {
	for want, a := range map[string]policy.Answer{
		"newly allowed": {Was: policy.Deny, Is: policy.Learned},
		"newly denied":  {Was: policy.WouldDeny, Is: policy.Deny},
		"allowed as before, and reported in another way": {Was: policy.WouldDeny, Is: policy.Allow},
	} {
		if got := effectOf(&a); got != want {
			t.Errorf("%v to %v: got %q, want %q", a.Was, a.Is, got, want)
		}
	}
}

func TestPolicyGroupsIsHelpGroups(t *testing.T) {
	want, got := slabgate(t, "help", "groups"), slabgate(t, "policy", "groups")
	if got != want || got.out == "" {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestExplainAsAServiceAccount(t *testing.T) {
	s := newSite(t)
	s.edit(t, "policy.yaml", "tests:\n", "  k8s:\n    match: [{service_account: {namespace: \"shop-*\", name: cart}}]\n    rules: [{allow: [\"@read\"], keys: [\"prefix:k:\"]}]\ntests:\n")
	s.call(t, "explain", "--as", "k8s:shop-eu/cart", "--cmd", "get k:1").want(t, exitOK, `allow  get k:1 as "k8s"`)
	s.call(t, "explain", "--as", "k8s:billing/cart", "--cmd", "get k:1").want(t, exitUsage, `"k8s:billing/cart" is no service account or certificate of identity "k8s"`)
}
