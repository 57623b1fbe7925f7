package testkit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Script is a conversation read from a file: what one side sends and what it
// must hear. The file holds one line for each step:
//
//	# what is shown; the first line must say it, further comments may follow
//	@key value    a directive; the lines of a repeated key are joined
//	> text        sends text and CRLF
//	>| "text"     sends exactly the bytes of a Go string
//	< text        expects the line text and CRLF
//	<| "text"     expects exactly the bytes of a Go string
//	<~ regexp     expects a line, which ends in CRLF, that matches as a whole
//	> bin packet  sends a packet of the binary dialect
//	< bin packet  expects one
//	<EOF          expects the peer to close, and nothing before that
//
// {{a*251}} in a step stands for 251 times "a". Empty lines mean nothing.
//
// A packet is written as the name of its opcode and fields, in any order:
//
//	> bin SET key=a flags=5 exp=10 value=hello opaque=7 cas=0
//	< bin SET opaque=7 cas=*
//	> bin GET key="a b" value=hex:00ff
//	< bin GET status=1 value="Not found"
//	> bin op=0x55 key=a extras=hex:00 bodylen=1000
//
// What is not written is 0 or empty. The fields of both are key, extras, value,
// opaque, cas and datatype; of a request also vbucket, and of a reply status and
// number, which is a value of eight bytes. A text is bare, a Go string, or hex:
// and digits; a number may be 0x and digits. Instead of extras, their parts may
// be written: flags, exp, delta and initial of a request that has them, which
// has them even if they are not written, and flags of a reply. The fields magic,
// keylen, extlen and bodylen of a request override what the header would say.
// In a reply cas, value, extras and opaque may be *, which is anything.
type Script struct {
	Name       string            // the file's name without folder and ending
	About      string            // its first line
	Directives map[string]string // a key that stands twice has its values on lines of their own
	Steps      []Step
}

// Step is one line of a Script.
type Step struct {
	Pos  string         // file:line
	Kind StepKind       // what the step does
	Data string         // bytes to send or expect, CRLF included
	Re   *regexp.Regexp // of a Match step, for the line without its CRLF

	Packet Packet   // of an ExpectPacket step
	Any    []string // the packet's fields that may hold anything
}

// StepKind says what a step does.
type StepKind string

// The kinds of steps.
const (
	Send   StepKind = "send"
	Expect StepKind = "expect"
	Match  StepKind = "match"
	EOF    StepKind = "eof"

	ExpectPacket StepKind = "packet"
)

// maxExpansion bounds what one {{text*n}} stands for, in bytes.
const maxExpansion = 16 << 20

// LoadScripts reads every file that glob matches, in the order of their names,
// and fails the test if there is none or one is malformed.
func LoadScripts(t testing.TB, glob string) []Script {
	t.Helper()
	paths, err := filepath.Glob(glob)
	if err != nil || len(paths) == 0 {
		t.Fatalf("testkit: no script matches %q (%v)", glob, err)
	}
	var scripts []Script
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("testkit: %v", err)
		}
		s, err := parseScript(path, string(text))
		if err != nil {
			t.Fatalf("testkit: %v", err)
		}
		scripts = append(scripts, s)
	}
	return scripts
}

// parseScript reads the text of one file.
func parseScript(path, text string) (Script, error) {
	base := filepath.Base(path)
	s := Script{Name: strings.TrimSuffix(base, filepath.Ext(base)), Directives: map[string]string{}}
	lines := strings.Split(text, "\n")
	about, ok := strings.CutPrefix(lines[0], "# ")
	if !ok {
		return s, fmt.Errorf("%s:1: the first line is no comment: %.64q", path, lines[0])
	}
	s.About = about
	for i, line := range lines[1:] {
		pos := fmt.Sprintf("%s:%d", path, i+2)
		if err := s.add(pos, line); err != nil {
			return s, fmt.Errorf("%s: %v: %.64q", pos, err, line)
		}
	}
	return s, nil
}

// add reads one line of the file.
func (s *Script) add(pos, line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	if line[0] == '@' {
		key, value, _ := strings.Cut(line[1:], " ")
		if old, twice := s.Directives[key]; twice {
			value = old + "\n" + value
		}
		s.Directives[key] = value
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	read := stepKinds[word]
	if read == nil {
		return errors.New("no step begins so")
	}
	expanded, err := expand(rest)
	if err != nil {
		return err
	}
	step, err := read(expanded)
	step.Pos = pos
	s.Steps = append(s.Steps, step)
	return err
}

// stepKinds says what a line's first word makes of its rest.
var stepKinds = map[string]func(rest string) (Step, error){
	">":    func(rest string) (Step, error) { return lineOrPacket(Send, rest, sendPacket) },
	"<":    func(rest string) (Step, error) { return lineOrPacket(Expect, rest, expectPacket) },
	">|":   func(rest string) (Step, error) { return quoted(Send, rest) },
	"<|":   func(rest string) (Step, error) { return quoted(Expect, rest) },
	"<~":   matching,
	"<EOF": func(rest string) (Step, error) { return Step{Kind: EOF}, wantEmpty(rest) },
}

// lineOrPacket reads a line of text, or a packet if it begins with bin, which
// is no word of the text dialects.
func lineOrPacket(kind StepKind, rest string, packet func(string) (Step, error)) (Step, error) {
	if note, ok := strings.CutPrefix(rest, "bin "); ok {
		return packet(note)
	}
	return Step{Kind: kind, Data: rest + "\r\n"}, nil
}

func quoted(kind StepKind, rest string) (Step, error) {
	text, err := strconv.Unquote(rest)
	if err == nil && text == "" {
		err = errors.New("empty string")
	}
	return Step{Kind: kind, Data: text}, err
}

func matching(rest string) (Step, error) {
	re, err := regexp.Compile("^(?:" + rest + ")$")
	return Step{Kind: Match, Re: re}, err
}

func wantEmpty(rest string) error {
	if rest != "" {
		return errors.New("something stands after <EOF")
	}
	return nil
}

// expand replaces each {{text*n}} in line by n times text.
func expand(line string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(line, "{{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		inner, after, found := strings.Cut(rest, "}}")
		star := strings.LastIndexByte(inner, '*')
		if !found || star < 0 {
			return "", errors.New("want {{text*count}}")
		}
		n, err := strconv.Atoi(inner[star+1:])
		if err != nil || n < 0 || n > maxExpansion/max(star, 1) {
			return "", fmt.Errorf("bad count %.64q in {{text*count}}", inner[star+1:])
		}
		b.WriteString(strings.Repeat(inner[:star], n))
		line = after
	}
}
