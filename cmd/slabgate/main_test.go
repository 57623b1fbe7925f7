package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
)

func TestUsageMistakesExit64WithAHint(t *testing.T) {
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"chek"}, `unknown command "chek"`},
		{[]string{"check", "extra"}, `unknown command "extra"`},
		{[]string{"check", "--nope"}, "unknown flag: --nope"},
		{[]string{"check", "-x"}, "unknown shorthand flag"},
		{[]string{"run", "now"}, `unknown command "now"`},
		{[]string{"user", "nope"}, `unknown command "nope"`},
		{[]string{"user", "add"}, "accepts 1 arg(s), received 0"},
		{[]string{"user", "add", "a", "b"}, "accepts 1 arg(s), received 2"},
		{[]string{"user", "passwd", "web", "--keep-for", "soon"}, "--keep-for"},
		{[]string{"cert", "nope"}, `unknown command "nope"`},
		{[]string{"explain", "--as", "web"}, `"cmd" not set`},
		{[]string{"explain", "--cmd", "get a"}, `"as" not set`},
		{[]string{"hash", "hunter2"}, "unknown command"},
		{[]string{"completion", "tcsh"}, `unknown command "tcsh"`},
	} {
		slabgate(t, tc.args...).want(t, exitUsage, "error: ", tc.says, "hint:  slabgate help")
	}
}

func TestUsageMistakesOfOurOwnExit64(t *testing.T) {
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"check", "-o", "yaml"}, `-o "yaml" is not known; want text or json`},
		{[]string{"explain", "--as", "a", "--cmd", "get a", "-o", ""}, `-o "" is not known`},
		{[]string{"version", "-o", "xml"}, `-o "xml" is not known`},
		{[]string{"help", "nope"}, `no command is called "nope"`},
		{[]string{"help", "user", "nope"}, `no command is called "user nope"`},
		{[]string{"help", "SG9999"}, `no finding has the code "SG9999"`},
		{[]string{"check", "--set", "log.level"}, `--set "log.level" has no value`},
		{[]string{"run", "--allow-root", "--set", "log.level"}, `--set "log.level" has no value`},
		{[]string{"user", "list", "--set", "log.level"}, `--set "log.level" has no value`},
	} {
		o := slabgate(t, tc.args...)
		o.want(t, exitUsage, tc.says)
		if o.out != "" {
			t.Errorf("%q wrote %q to standard output", tc.args, o.out)
		}
	}
}

func TestHelpIsDataOnStandardOutput(t *testing.T) {
	for _, tc := range []struct {
		args []string
		says []string
	}{
		{nil, []string{"front of memcached", "check ", "explain ", "user "}},
		{[]string{"--help"}, []string{"Usage:", "completion"}},
		{[]string{"help"}, []string{"Usage:", "completion"}},
		{[]string{"help", "check"}, []string{"exactly as run would", "--strict", "--show-origin"}},
		{[]string{"help", "user", "add"}, []string{"slabgate user add NAME", "--password-file"}},
		{[]string{"help", "run"}, []string{"HUP reloads", "--require-upstream", "exit 69"}},
		{[]string{"check", "--help"}, []string{"--config"}},
		{[]string{"user"}, []string{"passwd", "disable"}},
		{[]string{"cert"}, []string{"dev"}},
		{[]string{"completion"}, []string{"bash", "zsh", "fish"}},
		{[]string{"help", "SG1042"}, []string{"SG1042  "}},
		{[]string{"help", "sg1042"}, []string{"SG1042  "}},
	} {
		o := slabgate(t, tc.args...)
		o.want(t, exitOK, tc.says...)
		if o.err != "" {
			t.Errorf("%q wrote %q to standard error", tc.args, o.err)
		}
	}
}

func TestHelpGroupsListsEveryGroup(t *testing.T) {
	o := slabgate(t, "help", "groups")
	o.want(t, exitOK, "@read", "only by name: ")
	for _, g := range policy.Groups() {
		if !strings.Contains(o.out, g.Name) || !strings.Contains(o.out, g.About) {
			t.Errorf("group %s is missing in:\n%s", g.Name, o.out)
		}
	}
}

func TestHelpExplainsEveryCode(t *testing.T) {
	for _, c := range finding.Codes {
		slabgate(t, "help", c.Code).want(t, exitOK, c.Code, c.Title, c.Text)
	}
	for code := range exitOf {
		slabgate(t, "help", code).want(t, exitOK, code)
	}
}

func TestVersion(t *testing.T) {
	line := slabgate(t, "--version")
	line.want(t, exitOK, "slabgate "+release)
	if strings.Count(line.out, "\n") != 1 {
		t.Errorf("--version prints %q, want one line", line.out)
	}
	text := slabgate(t, "version")
	text.want(t, exitOK, "commit ", "policy categories ")
	if !strings.HasPrefix(text.out, line.out) {
		t.Errorf("version prints %q, want %q first", text.out, line.out)
	}
	var b build
	o := slabgate(t, "version", "-o", "json")
	if err := json.Unmarshal([]byte(o.out), &b); err != nil || b != thisBuild() {
		t.Errorf("version -o json prints %q: got %+v, %v, want %+v", o.out, b, err, thisBuild())
	}
	if orUnknown("") != "unknown" || orUnknown("abc") != "abc" {
		t.Errorf("orUnknown: got %q and %q, want unknown and abc", orUnknown(""), orUnknown("abc"))
	}
}

func TestCompletionScripts(t *testing.T) {
	for shell, start := range map[string]string{
		"bash": "# bash completion V2 for slabgate", "zsh": "#compdef slabgate", "fish": "# fish completion for slabgate",
	} {
		o := slabgate(t, "completion", shell)
		o.want(t, exitOK, start)
		if shell != "bash" {
			continue
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Skip("SKIP: bash is not installed: apt-get install bash")
		}
		cmd := exec.Command(path, "-n")
		cmd.Stdin = strings.NewReader(o.out)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("bash -n: %v: %s", err, said)
		}
	}
}

func TestExitErrorSaysWhatIsLeftToSay(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{exit(exitConfig), "exit 78"},
		{fail(exitUsage, "no %s", "way"), "no way"},
		{&exitError{exitBug, errors.New("broken")}, "broken"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
