package config

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
)

// ReadFormatted reads the policy.yaml at path. It returns the file as it is, and in
// its canonical form: keys in the order of the schema, two spaces a level, lists
// and mappings on one line or on several as they were. The data and every comment
// stay. A file that can't be read, or whose comments would not survive, is an error
// in the findings.
func ReadFormatted(path string) (was, is []byte, list finding.List) {
	was, list = readFile(path, settingsFile)
	if list.Failed() {
		return nil, nil, list
	}
	_, faults := decode(path, was, reflect.ValueOf(&policy.Document{}).Elem(), nothingLater)
	if list = append(list, faults...); faults.Failed() {
		return nil, nil, list
	}
	is, ok := format(was)
	if !ok {
		list = append(list, finding.Finding{Code: "SG1170", File: path, Line: 1, Col: 1,
			Problem: "has a comment, or text over several lines, that would not stay as it is",
			Fix:     "put comments on lines of their own, between keys or elements"})
	}
	return was, is, list
}

// WritePolicy puts data in the place of the file at path, which keeps its mode and
// owner. Whoever reads the file at the same time gets one or the other whole.
func WritePolicy(path string, data []byte) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	return replace(real, data, settingsFile)
}

// blankMark stands for an empty line while the text is taken apart: the yaml
// package keeps comments, and no empty lines.
const blankMark = "#~empty-line~"

// format is the canonical form of a policy that can be decoded. It is false if
// there is none with the same data and comments that is its own canonical form.
func format(data []byte) ([]byte, bool) {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	for _, mark := range []string{blankMark, ""} {
		if mark != "" && strings.Contains(text, mark) {
			continue
		}
		out, err := text, error(nil)
		for range 3 { // a comment may take two turns to its place
			var next string
			if next, err = arrange(out, mark); err != nil || next == out {
				break
			}
			out = next
		}
		if again, _ := arrange(out, mark); err == nil && again == out && samePolicy(text, out) {
			return []byte(out), true
		}
	}
	return nil, false
}

// arrange does format's work once. With a mark empty lines stay, one for each run
// of them.
func arrange(text, mark string) (string, error) {
	top, body := cutTop(text)
	body, bottom := cutBottom(body)
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	for i, line := range lines {
		if mark != "" && strings.TrimSpace(line) == "" {
			lines[i] = mark
		}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(strings.Join(lines, "\n")), &doc); err != nil {
		return "", err
	}
	if len(doc.Content) != 1 {
		return "", fmt.Errorf("config: %d documents to format", len(doc.Content))
	}
	sortKeys(doc.Content[0], reflect.TypeFor[policy.Document]())
	quoteColons(doc.Content[0], false)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return "", err
	}
	written := strings.Split(top+out.String()+bottom, "\n")
	return tidy(alignComments(written, lineComments(&doc)), mark), nil
}

// cutTop cuts off what stands above the first key: it is about the file, wherever
// that key goes.
func cutTop(text string) (top, body string) {
	for body = text; ; {
		line, rest, more := strings.Cut(body, "\n")
		clean := strings.TrimSpace(line)
		if !more || clean != "" && clean[0] != '#' {
			return top, body
		}
		top, body = top+clean+"\n", rest
	}
}

// cutBottom cuts off the comments that stand below the last key, at the left: they
// are about the file as well.
func cutBottom(text string) (body, bottom string) {
	lines := strings.SplitAfter(text, "\n")
	end := len(lines)
	for end > 0 && (strings.TrimSpace(lines[end-1]) == "" || lines[end-1][0] == '#') {
		end--
	}
	return strings.Join(lines[:end], ""), strings.Join(lines[end:], "")
}

// sortKeys puts the keys of every mapping in n into the order of the fields of t.
// Mappings whose keys are data keep theirs.
func sortKeys(n *yaml.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, c := range n.Content {
			sortKeys(c, t.Elem())
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 1; i < len(n.Content); i += 2 {
			sortKeys(n.Content[i], t.Elem())
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		sortFields(n, t)
	}
}

// sortFields is sortKeys for a mapping whose keys are known.
func sortFields(n *yaml.Node, t reflect.Type) {
	fields := fieldsOf(t)
	var pairs [][2]*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		pairs = append(pairs, [2]*yaml.Node{n.Content[i], n.Content[i+1]})
	}
	place := func(pair [2]*yaml.Node) int { return slices.Index(names(fields), pair[0].Value) }
	slices.SortStableFunc(pairs, func(a, b [2]*yaml.Node) int { return cmp.Compare(place(a), place(b)) })
	n.Content = n.Content[:0]
	for _, pair := range pairs {
		if f, ok := find(fields, pair[0].Value); ok {
			sortKeys(pair[1], t.FieldByIndex(f.index).Type)
		}
		n.Content = append(n.Content, pair[0], pair[1])
	}
}

// quoteColons puts the texts with a colon on one line with others in double quotes:
// the yaml package would write single ones.
func quoteColons(n *yaml.Node, flow bool) {
	if n.Kind == yaml.ScalarNode && n.Style == 0 && flow && strings.Contains(n.Value, ":") {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		quoteColons(c, flow || n.Style&yaml.FlowStyle != 0)
	}
}

// lineComments are the comments of n that stand behind something on its line.
func lineComments(n *yaml.Node) (list []string) {
	if n.LineComment != "" {
		list = append(list, n.LineComment)
	}
	for _, c := range n.Content {
		list = append(list, lineComments(c)...)
	}
	return list
}

// alignComments puts the given comments two spaces behind the longest of the lines
// that follow each other and have one.
func alignComments(lines, comments []string) []string {
	width := make([]int, len(lines)) // of what stands before the comment; 0 if there is none
	for i, line := range lines {
		for _, c := range comments {
			if before, ok := strings.CutSuffix(line, " "+c); ok {
				width[i] = max(width[i], len(strings.TrimRight(before, " ")))
			}
		}
	}
	for from := 0; from < len(lines); {
		to := from
		for to < len(lines) && width[to] > 0 {
			to++
		}
		for i := from; i < to; i++ {
			comment := strings.TrimLeft(lines[i][width[i]:], " ")
			lines[i] = fmt.Sprintf("%-*s  %s", slices.Max(width[from:to]), lines[i][:width[i]], comment)
		}
		from = to + 1
	}
	return lines
}

// loneComma is a comma that the yaml package leaves behind the last element of what
// has a comment below it.
var loneComma = regexp.MustCompile(`,([\]}]+(?: +#.*)?)$`)

// tidy turns marks back into empty lines, of which it leaves one of each run and
// none where something begins or ends.
func tidy(lines []string, mark string) string {
	var out []string
	empty := false
	for _, line := range lines {
		line = loneComma.ReplaceAllString(strings.TrimRight(line, " "), "$1")
		if line == "" || strings.TrimSpace(line) == mark {
			empty = len(out) > 0
			continue
		}
		if empty && indentOf(line) <= indentOf(out[len(out)-1]) {
			out = append(out, "")
		}
		out, empty = append(out, line), false
	}
	return strings.Join(out, "\n") + "\n"
}

// indentOf counts the spaces that line begins with.
func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// samePolicy reports whether two texts have the same data and the same comments.
func samePolicy(a, b string) bool {
	var docs [2]policy.Document
	for i, text := range []string{a, b} {
		if _, list := DecodeStrict("", []byte(text), &docs[i]); list.Failed() {
			return false
		}
	}
	return reflect.DeepEqual(docs[0], docs[1]) && slices.Equal(commentsOf(a), commentsOf(b))
}

// commentsOf are the comments of a text, sorted. A line of a block of text that
// looks like one counts as well.
func commentsOf(text string) (list []string) {
	for line := range strings.SplitSeq(text, "\n") {
		quote, before := byte(0), byte(' ')
		for i := range len(line) {
			c := line[i]
			switch {
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\'') && strings.IndexByte(" [{,:", before) >= 0:
				quote = c
			case quote == 0 && c == '#' && (before == ' ' || before == '\t'):
				list = append(list, strings.TrimSpace(line[i:]))
				quote = '\n' // which no line has: the rest is comment
			}
			before = c
		}
	}
	slices.Sort(list)
	return list
}
