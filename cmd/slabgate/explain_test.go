package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		as, cmd, verdict string
		says             []string // of the text
	}{
		{"web", "get web:1", "allow", []string{"allow rules grant all of it", "  rule    own", "allows      own: ", "not_named   kept: "}},
		{"web", "get other:1", "deny", []string{`not_keys    own: `, `  fix     add "prefix:other:" to read: of identities.web.rules[0]`}},
		{"web", "get web:1 other:1", "deny", []string{"allows_part own: ", `add "prefix:other:" to read: of identities.web.rules[0]`}},
		{"web", "delete web:kept:1", "deny", []string{"  rule    kept", "denies      kept: ", "  fix     remove identities.web.rules[1]"}},
		{"web", "flush_all", "deny", []string{"no allow rule names the command", `  fix     add "@flush" to allow: of identities.web.rules[0]`}},
		{"web", "stats", "deny", []string{`add "@stats" to allow: of identities.web.rules[0]`}},
		{"web", "version", "allow", []string{"it concerns the connection alone and is always allowed"}},
		{"trial", "get other:1", "would_deny", []string{`add "prefix:other:" to read: of identities.trial.rules[0]`}},
		{"trial", "get trial:1", "allow", nil},
		{"web", "mg web:1 v", "allow", []string{"allows      own: "}},
		{"trial", "mg trial:1 v N30", "would_deny", []string{"  need    @vivify", `  fix     add "@vivify" to allow: of identities.trial.rules[0]`}},
		{"web", "mg d2ViOmtlcHQ6MQ== b v T-1", "deny", []string{"  need    @delete", "denies      kept: "}},
		{"web", "mg web:1 v Z", "deny", []string{"it is refused before the policy is asked: "}},
		{"web", "watch", "deny", []string{"it is refused before the policy is asked: ", "command not supported"}},
		{"web", "gte web:1", "deny", []string{"it is refused before the policy is asked: ", "ERROR"}},
		{"web", "get " + strings.Repeat("k", 251), "deny", []string{"it is refused before the policy is asked: "}},
		{"web", "set web:1 0 60", "deny", []string{"it is refused before the policy is asked: "}},
		{"web", "get web:1\r\nflush_all", "deny", []string{"it is refused before the policy is asked: "}},
		{"web", "", "deny", []string{"it is refused before the policy is asked: "}},
	} {
		t.Run(tc.as+"/"+tc.cmd[:min(len(tc.cmd), 20)], func(t *testing.T) {
			s := newSite(t)
			o := s.call(t, "explain", "--as", tc.as, "--cmd", tc.cmd)
			o.want(t, exitOK, append(tc.says, tc.verdict+"  ")...)
			if !strings.HasPrefix(o.out, tc.verdict+"  ") || o.err != "" {
				t.Errorf("got %q and %q beside it, want %s first and nothing beside it", o.out, o.err, tc.verdict)
			}
			if fix := strings.Contains(o.out, "\n  fix "); fix && tc.verdict == "allow" {
				t.Errorf("a fix for what is allowed:\n%s", o.out)
			}
			checkExplanation(t, o, s.call(t, "explain", "-o", "json", "--as", tc.as, "--cmd", tc.cmd))
		})
	}
}

// checkExplanation compares the two forms of one explanation.
func checkExplanation(t *testing.T, text, data outcome) {
	t.Helper()
	data.want(t, exitOK)
	var e explanation
	dec := json.NewDecoder(strings.NewReader(data.out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		t.Fatalf("%v in %s", err, data.out)
	}
	if e.Steps == nil {
		t.Errorf("steps are null in %s", data.out)
	}
	for _, part := range []string{e.Verdict, e.Reason, e.Need, e.Rule, e.Fix} {
		if !strings.Contains(text.out, part) {
			t.Errorf("text lacks %q:\n%s", part, text.out)
		}
	}
	for _, s := range e.Steps {
		if !strings.Contains(text.out, s.Outcome) || !strings.Contains(text.out, s.Rule+": "+s.Text) {
			t.Errorf("text lacks the step %+v:\n%s", s, text.out)
		}
	}
}

func TestExplainNeedsAnIdentityOfThePolicy(t *testing.T) {
	newSite(t).call(t, "explain", "--as", "wbe", "--cmd", "get web:1").
		want(t, exitUsage, `no identity is called "wbe"`, `"trial" "web"`)
}

// Opcodes of the binary protocol are asked about by the names of the classic
// commands that a policy grants them by.
func TestExplainOfAnOpcodeSaysWhatToAsk(t *testing.T) {
	s := newSite(t)
	for cmd, want := range map[string]string{
		"GETK other:a":           "GETK is granted as get: ask with 'get other:a'",
		"GETKQ other:a":          "GETKQ is granted as get: ask with 'get other:a'",
		"INCREMENT web:n 1":      "INCREMENT is granted as incr: ask with 'incr web:n 1'",
		"SET web:1":              "SET is granted as set: ask with a command line of set",
		"STAT":                   "STAT is granted as stats: ask with 'stats'",
		"NOOP":                   "NOOP is granted as mn: ask with 'mn'",
		"GET web:1\r\nflush_all": "GET is granted as get: ask with a command line of get",
		" FLUSH":                 "FLUSH is granted as flush_all: ask with 'flush_all'",
		"TOUCH web:1 60":         "TOUCH is granted as touch: ask with 'touch web:1 60'",
	} {
		o := s.call(t, "explain", "--as", "web", "--cmd", cmd)
		o.want(t, exitUsage, want)
		if o.out != "" {
			t.Errorf("%q: a verdict on what was not asked: %s", cmd, o.out)
		}
	}
	for _, cmd := range []string{"SASL_AUTH PLAIN", "Get web:1", "GETX web:1", "Q"} {
		s.call(t, "explain", "--as", "web", "--cmd", cmd).want(t, exitOK, "it is refused before the policy is asked: ")
	}
}

// A policy can be looked at where certificates and users are not to be had.
func TestExplainNeedsThePolicyOnly(t *testing.T) {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "tls/server-bundle.pem", "tls/none.pem")
	s.edit(t, "slabgate.yaml", "users: users.yaml", "users: none.yaml")
	s.call(t, "explain", "--as", "web", "--cmd", "get web:1").want(t, exitOK, "allow  get web:1")
}

func TestExplainOfARefusedPolicyTellsItsFaults(t *testing.T) {
	s := newSite(t)
	s.edit(t, "policy.yaml", "expect: allow", "expect: deny")
	o := s.call(t, "explain", "--as", "web", "--cmd", "get web:1")
	o.want(t, exitConfig, "error SG1131", "policy.yaml:14:5")
	if o.out != "" {
		t.Errorf("it explains by a policy that is not in force: %s", o.out)
	}
}
