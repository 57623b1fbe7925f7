package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/finding"
)

// envPrefix begins the name of every variable that is a setting.
const envPrefix = "SLABGATE_"

// kubernetes matches the variables that Kubernetes sets in every pod for a
// Service whose name begins with slabgate. No setting may have such a name.
// It would take reusePort, which is the end of a key of ours, for a port of theirs.
var kubernetes = regexp.MustCompile(`^SLABGATE_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

const reusePort = "__REUSE_PORT"

// setting is the value that one layer gives one key.
type setting struct {
	path  string // listeners[0].address
	value any    // as plain makes it
	where string // the variable or flag
}

// layer is everything that the environment, or the flags, say.
type layer struct {
	doc      *document // of the file; tells which list elements there are
	source   Source
	settings []setting
	list     finding.List
}

// readEnviron lays the variables of environ, NAME=value each, over doc. A
// variable that sets nothing is a warning: it may be meant for someone else.
func readEnviron(doc *document, environ []string) *layer {
	l := &layer{doc: doc, source: SourceEnv}
	values := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, envPrefix) && (!kubernetes.MatchString(name) || strings.HasSuffix(name, reusePort)) {
			values[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		segments := strings.Split(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "__")
		unknown := func(problem, fix string) {
			l.list.Warnf("SG1016", "", fix, "the variable %s sets nothing: %s", clip(name), problem)
		}
		if values[name] == "" {
			l.list.Errorf("SG1017", "", "unset it, or give it a value", "the variable %s is empty", clip(name))
			continue
		}
		l.set(name, segments, values[name], unknown)
	}
	return l
}

// readFlags lays flags, by dotted key, over doc.
func readFlags(doc *document, flags map[string]string) *layer {
	l := &layer{doc: doc, source: SourceFlag}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		unknown := func(problem, fix string) {
			l.list.Errorf("SG1018", "", fix, "--set %s sets nothing: %s", clip(name), problem)
		}
		l.set("--set "+name, strings.Split(name, "."), flags[name], unknown)
	}
	return l
}

// set finds the key that segments spell and gives it the value of text.
func (l *layer) set(where string, segments []string, text string, unknown func(problem, fix string)) {
	t := target{text: text}
	if segments[0] == "version" {
		t.problem, t.fix = "the version is the file's own", "set it in the file"
	} else {
		t.walk(reflect.ValueOf(l.doc).Elem(), segments, "")
	}
	switch {
	case t.problem != "":
		unknown(t.problem, t.fix)
	case t.err != nil:
		l.list.Errorf("SG1019", t.path, fixOf(t.err), "%s (set by %s)", t.err, clip(where))
	default:
		l.settings = append(l.settings, setting{t.path, t.value, where})
	}
}

// target is the search for the key that a variable or flag means.
type target struct {
	text    string
	path    string // of the key, once found
	value   any    // what text says there
	err     error  // why text says nothing there
	problem string // why there is no such key
	fix     string
}

// walk follows segments from v, which stands at path. A section that the file
// leaves out comes to be once something in it is set.
func (t *target) walk(v reflect.Value, segments []string, path string) {
	switch {
	case v.Kind() == reflect.Pointer:
		section := reflect.New(v.Type().Elem())
		t.walk(section.Elem(), segments, path)
		if v.IsNil() && t.problem == "" {
			v.Set(section)
		}
	case isScalar(v.Type()), v.Kind() == reflect.Slice && isScalar(v.Type().Elem()):
		t.leaf(v.Type(), segments, path)
	case len(segments) == 0:
		t.fail(path+" is more than one value", "name one of its keys")
	case v.Kind() == reflect.Slice:
		t.element(v, segments, path)
	default:
		t.field(v, segments, path)
	}
}

// field goes on at the key that the first segment names.
func (t *target) field(v reflect.Value, segments []string, path string) {
	fields := fieldsOf(v.Type())
	f, ok := find(fields, segments[0])
	if ok {
		t.walk(v.FieldByIndex(f.index), segments[1:], child(path, f.name))
		return
	}
	t.fail(fmt.Sprintf("unknown key %q", clip(child(path, segments[0]))), "the keys here are "+strings.Join(names(fields), ", "))
	if near := nearest(segments[0], names(fields)); near != "" {
		t.fix = fmt.Sprintf("did you mean %q?", near)
	}
}

// element goes on at the list element that the first segment names. Variables
// have no hyphen, so an underscore stands for it.
func (t *target) element(v reflect.Value, segments []string, path string) {
	name, ok := find(fieldsOf(v.Type().Elem()), "name")
	if !ok {
		t.fail("the elements of "+path+" have no name", "set it in the file")
		return
	}
	for i := range v.Len() {
		if strings.ReplaceAll(v.Index(i).FieldByIndex(name.index).String(), "-", "_") == strings.ReplaceAll(segments[0], "-", "_") {
			t.walk(v.Index(i), segments[1:], element(path, i))
			return
		}
	}
	t.fail(fmt.Sprintf("nothing in %s is called %q", path, clip(segments[0])), "add it to the file first")
}

// leaf reads text as a value of type typ; a list is written with commas.
func (t *target) leaf(typ reflect.Type, segments []string, path string) {
	if len(segments) > 0 {
		t.fail(path+" is one value", "set "+path+" itself")
		return
	}
	t.path = path
	v := reflect.New(typ).Elem()
	if isScalar(typ) {
		t.err = setScalar(v, t.text, false)
		t.value = plain(v)
		return
	}
	for part := range strings.SplitSeq(t.text, ",") {
		e := reflect.New(typ.Elem()).Elem()
		t.err = cmp.Or(t.err, setScalar(e, part, false))
		v.Set(reflect.Append(v, e))
	}
	t.value = plain(v)
}

func (t *target) fail(problem, fix string) { t.problem, t.fix = problem, fix }
