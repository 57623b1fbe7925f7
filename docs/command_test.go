package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// command is one command as its --help has it.
type command struct {
	path  string // "slabgate user add"
	flags []string
	subs  []string
}

var (
	helpSub  = regexp.MustCompile(`^  ([a-z]+)\s`)
	helpFlag = regexp.MustCompile(`^\s+(?:-[a-z], )?--([a-z-]+)`)
)

// commandAt asks the binary about one command.
func commandAt(t *testing.T, path string) command {
	t.Helper()
	c := command{path: path}
	r := run(t, ".", append(strings.Fields(path)[1:], "--help")...)
	if r.code != 0 {
		t.Fatalf("%s --help: exit %d: %s", path, r.code, r.err)
	}
	part := ""
	for line := range strings.SplitSeq(r.out, "\n") {
		if strings.HasSuffix(line, ":") {
			part = line
		}
		if m := helpSub.FindStringSubmatch(line); m != nil && part == "Available Commands:" {
			c.subs = append(c.subs, m[1])
		}
		if m := helpFlag.FindStringSubmatch(line); m != nil && strings.HasSuffix(part, "Flags:") {
			c.flags = append(c.flags, m[1])
		}
	}
	return c
}

// tree is every command from path downwards.
func tree(t *testing.T, path string) []command {
	t.Helper()
	c := commandAt(t, path)
	all := []command{c}
	for _, sub := range c.subs {
		all = append(all, tree(t, path+" "+sub)...)
	}
	return all
}

var (
	manSection = regexp.MustCompile(`(?m)^\.S[sh] .*$`)
	manFlag    = regexp.MustCompile(`(?m)^\.It .*Fl -([a-z-]+)`)
)

// manSections are the flags of each section of a manual page that describes
// commands. A section without text is described by the one that follows.
func manSections(text string) map[string][]string {
	flags := map[string][]string{}
	at := manSection.FindAllStringIndex(text, -1)
	for i := len(at) - 1; i >= 0; i-- {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name, body := text[at[i][0]+4:at[i][1]], text[at[i][1]:end]
		flags[name] = nil
		for _, m := range manFlag.FindAllStringSubmatch(body, -1) {
			flags[name] = append(flags[name], m[1])
		}
		if strings.TrimSpace(body) == "" {
			flags[name] = flags[text[at[i+1][0]+4:at[i+1][1]]]
		}
	}
	return flags
}

// TestManualHasEveryCommandAndFlag compares slabgate.8 with the whole command
// line, in both directions.
func TestManualHasEveryCommandAndFlag(t *testing.T) {
	page := manSections(read(t, "man/slabgate.8"))
	common := page["Common options"]
	commands := tree(t, "slabgate")
	if len(commands) < 15 {
		t.Fatalf("only %d commands were found: the help is not read right", len(commands))
	}
	known := map[string]bool{}
	for _, c := range commands {
		known[c.path] = true
		described, ok := page[c.path]
		if !ok {
			t.Errorf("slabgate.8 has no section %q", c.path)
		}
		for _, f := range c.flags {
			if !slices.Contains(described, f) && !slices.Contains(common, f) {
				t.Errorf("slabgate.8: %s: --%s is missing", c.path, f)
			}
		}
		for _, f := range described {
			if !slices.Contains(c.flags, f) {
				t.Errorf("slabgate.8: %s: there is no --%s", c.path, f)
			}
		}
	}
	for name := range page {
		if strings.HasPrefix(name, "slabgate") && !known[name] {
			t.Errorf("slabgate.8: there is no command %q", name)
		}
	}
}

var prompt = regexp.MustCompile(`(?m)^ *\$ (.*slabgate .*)$`)

// shownOn are the lines of a page in Markdown that are for a shell: those behind
// a prompt or in a block of shell, and every code span.
func shownOn(text string) []string {
	lines := spans(text)
	for _, m := range prompt.FindAllStringSubmatch(text, -1) {
		lines = append(lines, m[1])
	}
	for _, f := range fences(text) {
		if f.kind == "sh" {
			lines = append(lines, strings.Split(f.text, "\n")...)
		}
	}
	return lines
}

// TestShownCommandsAreReal asks for the help of every command that is shown
// somewhere, with its flags.
func TestShownCommandsAreReal(t *testing.T) {
	shown := map[string][]string{"slabgate.8": strings.Split(strings.Join(literals(read(t, "man/slabgate.8")), ""), "\n")}
	for _, page := range pages(t) {
		shown[page] = shownOn(read(t, page))
	}
	asked := 0
	for page, lines := range shown {
		for _, line := range lines {
			for _, args := range invocations(line) {
				asked++
				if len(args) == 0 || args[0] != "help" { // which is run as it is shown
					args = append(args, "--help")
				}
				if r := run(t, ".", args...); r.code != 0 {
					t.Errorf("%s: %q: exit %d: %s", page, line, r.code, r.err)
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d commands were found: the pages are not read right", asked)
	}
}

var literal = regexp.MustCompile(`(?ms)^\.Bd -literal.*?$\n(.*?)^\.Ed$`)

// literals are a manual page's literal displays.
func literals(text string) (blocks []string) {
	for _, m := range literal.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// TestInvocations checks the reader of shell lines that the tests rely on.
func TestInvocations(t *testing.T) {
	for _, test := range []struct {
		line string
		want [][]string
	}{
		{"slabgate check", [][]string{{"check"}}},
		{"slabgate check --dev && slabgate run   # as you", [][]string{{"check", "--dev"}, {"run"}}},
		{"slabgate explain --cmd 'get a b' | less", [][]string{{"explain", "--cmd", "get a b"}}},
		{"systemctl reload slabgate", nil},
		{"slabgate hash <pw", [][]string{{"hash"}}},
	} {
		got := invocations(test.line)
		if !slices.EqualFunc(got, test.want, slices.Equal[[]string]) {
			t.Errorf("invocations(%q) = %q, want %q", test.line, got, test.want)
		}
	}
}

var shellWord = regexp.MustCompile(`'([^']*)'|(&&|[|<>#])|([^\s'|<>&#]+)`)

// invocations are the arguments of each slabgate in a shell line.
func invocations(line string) (list [][]string) {
	var words []string
	end := func() {
		if len(words) > 0 && words[0] == "slabgate" {
			list = append(list, words[1:])
		}
		words = nil
	}
	for _, m := range shellWord.FindAllStringSubmatch(line, -1) {
		switch {
		case m[2] == "&&":
			end()
		case m[2] != "":
			end()
			return list
		default:
			words = append(words, m[1]+m[3])
		}
	}
	end()
	return list
}
