package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/slabgate/slabgate/internal/finding"
)

// DecodeStrict reads the one YAML document in data into out, whose yaml tags
// say which keys there are. It refuses what a lenient reader would swallow:
// unknown, repeated and empty keys, anchors and tags, a second document, and
// text where a number or a truth value belongs. It reports everything it finds,
// with file as the name of the file; if anything is an error, out holds only
// what could be read. Out keeps what it held for keys that are not in data.
func DecodeStrict[T any](file string, data []byte, out *T) (Positions, finding.List) {
	return decode(file, data, reflect.ValueOf(out).Elem(), nil)
}

// decode is DecodeStrict for a value of any type; later, if it is not nil, says
// which unknown keys belong to another version, and what to tell of them.
func decode(file string, data []byte, out reflect.Value, later notYet) (Positions, finding.List) {
	p := Positions{file: file, at: map[string]position{}}
	root, list := parse(data)
	if root == nil || list.Failed() {
		return p, placed(file, list)
	}
	r := &reader{at: p.at, lines: splitLines(data), list: list, later: later}
	r.mark("", root)
	r.value(root, out, "")
	return p, p.Place(r.list)
}

// placed puts findings that say no place at the top of file.
func placed(file string, list finding.List) finding.List {
	return Positions{file: file}.Place(list)
}

// parse reads the one document in data. Without a root the list says why.
func parse(data []byte) (*yaml.Node, finding.List) {
	var list finding.List
	if !utf8.Valid(data) {
		list.Errorf("SG1003", "", "save it as UTF-8", "the file is not UTF-8 text")
		return nil, list
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && empty(&doc) {
		list.Errorf("SG1005", "", "write it, or name another file", "the file is empty")
		return nil, list
	}
	if err == nil {
		err = dec.Decode(&second)
		if errors.Is(err, io.EOF) {
			return doc.Content[0], list
		}
	}
	if err != nil {
		return nil, syntax(err, data)
	}
	list.Errorf("SG1006", "", "keep one document and delete the line ---", "a second document starts here")
	list[0].Line, list[0].Col = max(second.Line, 1), max(second.Column, 1)
	return nil, list
}

// empty reports whether a document holds nothing at all.
func empty(doc *yaml.Node) bool {
	return len(doc.Content) != 1 || isNull(doc.Content[0])
}

// syntaxLine is the line in an error of the yaml package, which names none if
// the fault is on the first.
var syntaxLine = regexp.MustCompile(`^(?:line (\d+): )?(.*)`)

// bareGroup is a command group that somebody forgot to quote: YAML keeps the @
// for itself.
var bareGroup = regexp.MustCompile(`[\[,:\-\s](@[a-z]+)`)

// syntax is the finding for a text that is not YAML.
func syntax(err error, data []byte) finding.List {
	text := bytes.Split(data, []byte("\n"))
	m := syntaxLine.FindStringSubmatch(strings.TrimPrefix(err.Error(), "yaml: "))
	line, _ := strconv.Atoi(m[1])
	// Of what its parser misses, other than of what its scanner finds, the
	// package counts lines from 0.
	if line > 0 && strings.HasPrefix(m[2], "did not find expected") {
		line++
	}
	line = min(max(line, 1), len(text))
	var list finding.List
	if at := bareGroup.FindSubmatchIndex(text[line-1]); at != nil && strings.Contains(m[2], "cannot start any token") {
		group := text[line-1][at[2]:at[3]]
		list.Errorf("SG1004", "", fmt.Sprintf("write %q, with the quotes", group), "not YAML: %s has to stand in quotes", group)
		list[0].Line, list[0].Col = line, at[2]+1
		return list
	}
	list.Errorf("SG1004", "", "look at the indentation, quotes and colons on this line and the one above", "not YAML: %s", m[2])
	list[0].Line, list[0].Col = line, 1
	return list
}

// reader walks a document along a type.
type reader struct {
	at    map[string]position
	lines [][]byte
	list  finding.List
	later notYet
}

// mark remembers that path stands where n does.
func (r *reader) mark(path string, n *yaml.Node) {
	r.at[path] = position{max(n.Line, 1), byteColumn(r.lines, n.Line, n.Column)}
}

// refuse adds an error that stands at n.
func (r *reader) refuse(n *yaml.Node, f finding.Finding) {
	f.Line, f.Col = max(n.Line, 1), byteColumn(r.lines, n.Line, n.Column)
	r.list = append(r.list, f)
}

// value reads n into v, which stands at path.
func (r *reader) value(n *yaml.Node, v reflect.Value, path string) {
	if what := cleverness(n); what != "" {
		r.list.Errorf("SG1011", path, "write the value out in plain", "%s is not read here", what)
		return
	}
	if isNull(n) {
		r.list.Errorf("SG1010", path, "give it a value, or delete the key", "has no value")
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		r.value(n, v.Elem(), path)
		return
	}
	s := shapeOf(v.Type())
	if s == nil {
		panic("BUG: config cannot read " + v.Type().String())
	}
	if n.Kind != s.node {
		r.list.Errorf("SG1009", path, s.fix, "is %s where %s belongs", nodeWords[n.Kind], nodeWords[s.node])
		return
	}
	s.read(r, n, v, path)
}

// shape is how values of one sort are written.
type shape struct {
	node yaml.Kind
	fix  string
	read func(r *reader, n *yaml.Node, v reflect.Value, path string)
}

// shapeOf is the shape of values of type t, or nil if they cannot be written.
func shapeOf(t reflect.Type) *shape {
	const mapping = "write its keys below it, indented: key: value"
	switch {
	case isScalar(t):
		return &shape{yaml.ScalarNode, "write one value after the colon", (*reader).scalar}
	case t.Kind() == reflect.Struct:
		return &shape{yaml.MappingNode, mapping, (*reader).structure}
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		return &shape{yaml.MappingNode, mapping, (*reader).dictionary}
	case t.Kind() == reflect.Slice:
		return &shape{yaml.SequenceNode, "write it as a list: [a, b]", (*reader).sequence}
	}
	return nil
}

// nodeWords are the operator's words for the sorts of YAML node.
var nodeWords = map[yaml.Kind]string{
	yaml.ScalarNode:   "a single value",
	yaml.MappingNode:  "a mapping",
	yaml.SequenceNode: "a list",
	yaml.AliasNode:    "an alias",
}

// scalar reads one value.
func (r *reader) scalar(n *yaml.Node, v reflect.Value, path string) {
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if err := setScalar(v, n.Value, quoted); err != nil {
		r.list.Errorf("SG1012", path, fixOf(err), "%s", err)
	}
}

// sequence reads a list. An element that cannot be read keeps its place, so
// that the indexes in paths stay those of the file.
func (r *reader) sequence(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		p := element(path, i)
		r.mark(p, c)
		r.value(c, v.Index(i), p)
	}
}

// structure reads a mapping whose keys are known.
func (r *reader) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	r.pairs(n, path, func(k, c *yaml.Node) {
		p := child(path, clip(k.Value))
		f, ok := find(fields, k.Value)
		if !ok {
			r.unknown(k, p, names(fields))
			return
		}
		r.mark(p, k)
		r.value(c, v.FieldByIndex(f.index), p)
	})
}

// dictionary reads a mapping whose keys are data.
func (r *reader) dictionary(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	r.pairs(n, path, func(k, c *yaml.Node) {
		p := child(path, k.Value)
		r.mark(p, k)
		entry := reflect.New(v.Type().Elem()).Elem()
		r.value(c, entry, p)
		v.SetMapIndex(reflect.ValueOf(k.Value).Convert(v.Type().Key()), entry)
	})
}

// pairs calls each for every key of a mapping that is plain text and new.
func (r *reader) pairs(n *yaml.Node, path string, each func(k, c *yaml.Node)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		p := child(path, clip(k.Value))
		if k.Kind != yaml.ScalarNode || cleverness(k) != "" || isNull(k) || k.ShortTag() == "!!merge" {
			r.refuse(k, finding.Finding{Code: "SG1013", Key: path, Fix: "write a plain name before the colon",
				Problem: "a key here is not plain text"})
			continue
		}
		if first, ok := lines[k.Value]; ok {
			r.refuse(k, finding.Finding{Code: "SG1007", Key: p, Fix: "keep one of the two",
				Problem: fmt.Sprintf("is already on line %d", first)})
			continue
		}
		lines[k.Value] = k.Line
		each(k, c)
	}
}

// unknown refuses the key k at path, where only known keys belong.
func (r *reader) unknown(k *yaml.Node, path string, known []string) {
	if r.later != nil {
		if sentence, ok := r.later(path); ok {
			r.refuse(k, finding.Finding{Code: "SG1014", Key: path, Fix: "delete the key", Problem: sentence})
			return
		}
	}
	f := finding.Finding{Code: "SG1008", Key: path, Problem: fmt.Sprintf("unknown key %q", clip(k.Value))}
	f.Fix = "the keys here are " + strings.Join(known, ", ")
	if near := nearest(k.Value, known); near != "" {
		f.Fix = fmt.Sprintf("did you mean %q?", near)
	}
	r.refuse(k, f)
}

// cleverness names what makes n mean something else than it says, or is "".
// The files are read by people and reviewed: what stands there is what counts.
func cleverness(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return fmt.Sprintf("the alias *%s", clip(n.Value))
	case n.Anchor != "":
		return fmt.Sprintf("the anchor &%s", clip(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		return fmt.Sprintf("the tag %s", clip(n.Tag))
	}
	return ""
}

// isNull reports whether n is written as nothing, ~ or null.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}
