package config

import (
	"encoding"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"github.com/slabgate/slabgate/internal/finding"
)

// Load reads the slabgate.yaml at path and lays environ (NAME=value each) and
// then flags (by dotted key: log.level, listeners.main.address) over it. The
// Config is nil if the findings hold an error; warnings may come with it.
//
// Relative paths in any layer are taken from the folder of the file.
func Load(path string, flags map[string]string, environ []string) (*Config, finding.List) {
	data, list := readFile(path, settingsFile)
	if list.Failed() {
		return nil, list
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		list.Errorf("SG1001", "", "name the file by its absolute path", "%s: %s", path, err)
		return nil, list
	}
	l := loader{file: path, dir: dir}
	c, faults := l.load(data, flags, environ)
	return c, append(list, faults...)
}

// loader makes one Config.
type loader struct {
	file string // as the operator wrote it
	dir  string // absolute
}

// load is Load without the file system.
func (l loader) load(data []byte, flags map[string]string, environ []string) (*Config, finding.List) {
	file := &document{}
	at, list := decode(l.file, data, reflect.ValueOf(file).Elem(), settingNotYet)
	refused := keysOf(list)
	env, flag := readEnviron(file, environ), readFlags(file, flags)
	for _, over := range []*layer{env, flag} {
		refused = append(refused, keysOf(over.list)...)
		list = append(list, over.list...)
	}
	if len(at.at) == 0 {
		return nil, list // not YAML, or nothing in it
	}
	merged, origins, err := merge(file, at, env, flag)
	if err != nil {
		list.Errorf("SG1002", "", "report this as a fault of slabgate", "the layers do not fit together: %s", err)
		return nil, list
	}
	c := merged.config(l.dir)
	c.Origins, c.at = origins, at
	list = append(list, c.Place(without(c.Validate(), refused))...)
	if list.Failed() {
		return nil, list
	}
	return c, list
}

// merge lays defaults, file, environment and flags over each other. The order
// is viper's. Viper cannot lay anything over one element of a list, so that a
// list goes in as a mapping by index and comes out as a list again.
func merge(file *document, at Positions, env, flag *layer) (*document, []Origin, error) {
	v := viper.New()
	origin := map[string]Origin{}
	for _, d := range leaves(reflect.ValueOf(defaults(file)), "") {
		v.SetDefault(viperKey(d.path), plain(d.value))
	}
	for _, f := range leaves(reflect.ValueOf(file), "") {
		if where := at.Where(f.path); where != "" {
			if err := v.MergeConfigMap(nest(f.path, plain(f.value))); err != nil {
				return nil, nil, err
			}
			origin[f.path] = Origin{Source: SourceFile, Where: where}
		}
	}
	for _, s := range env.settings {
		if err := v.MergeConfigMap(nest(s.path, s.value)); err != nil {
			return nil, nil, err
		}
		origin[s.path] = Origin{Source: SourceEnv, Where: s.where}
	}
	for _, s := range flag.settings {
		v.Set(viperKey(s.path), s.value)
		origin[s.path] = Origin{Source: SourceFlag, Where: s.where}
	}
	doc := &document{}
	err := v.UnmarshalExact(doc, viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(listHook, textHook)), strict)
	return doc, origins(doc, origin), err
}

// strict takes viper's leniency away: no value changes its type on the way.
func strict(c *mapstructure.DecoderConfig) {
	c.TagName = "yaml"
	c.WeaklyTypedInput = false
}

// listHook turns a mapping by index into the list that it stands for.
func listHook(from, to reflect.Type, value any) (any, error) {
	m, ok := value.(map[string]any)
	if !ok || to.Kind() != reflect.Slice {
		return value, nil
	}
	list := make([]any, len(m))
	for i := range list {
		list[i] = m[strconv.Itoa(i)]
	}
	return list, nil
}

// textHook reads types that have a written form, and takes nothing else for
// them: a bare number is neither a time nor a size.
func textHook(from, to reflect.Type, value any) (any, error) {
	out := reflect.New(to)
	u, ok := out.Interface().(encoding.TextUnmarshaler)
	if !ok {
		return value, nil
	}
	text, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("%v has no unit", value)
	}
	err := u.UnmarshalText([]byte(text))
	return out.Elem().Interface(), err
}

// viperKey is path with list indexes as keys: listeners.0.address.
func viperKey(path string) string {
	return strings.NewReplacer("[", ".", "]", "").Replace(path)
}

// nest is a mapping that holds value at path and nothing else.
func nest(path string, value any) map[string]any {
	segments := strings.Split(viperKey(path), ".")
	for i := len(segments) - 1; i > 0; i-- {
		value = map[string]any{segments[i]: value}
	}
	return map[string]any{segments[0]: value}
}

// origins lists every value of doc with where it came from.
func origins(doc *document, known map[string]Origin) []Origin {
	var out []Origin
	for _, l := range leaves(reflect.ValueOf(doc), "") {
		o, ok := known[l.path]
		if !ok {
			o.Source = SourceDefault
		}
		o.Key, o.Value = l.path, written(plain(l.value))
		out = append(out, o)
	}
	return out
}

// written is a plain value as it would stand in the file.
func written(value any) string {
	if list, ok := value.([]string); ok {
		return "[" + strings.Join(list, ", ") + "]"
	}
	return fmt.Sprint(value)
}

// keysOf are the keys of all errors in list.
func keysOf(list finding.List) []string {
	var keys []string
	for _, f := range list {
		if f.Severity == finding.Error && f.Key != "" {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// without is list less what it says of the refused keys and of all below them:
// a value that could not be read is not judged as well. Warnings wait until all
// values can be read, as what they warn of may be the lack of one.
func without(list finding.List, refused []string) finding.List {
	var out finding.List
	for _, f := range list {
		if !covered(f.Key, refused) && (f.Severity == finding.Error || len(refused) == 0) {
			out = append(out, f)
		}
	}
	return out
}

// Besides is what a later look found, less what may only follow from what the
// first one refused: findings about a refused key, about what is below it, and
// about what it stands in, which may lack nothing but a key that was mistyped.
func Besides(later, first finding.List) finding.List {
	refused := keysOf(first)
	around := map[string]bool{}
	for _, key := range refused {
		for key = parent(key); key != ""; key = parent(key) {
			around[key] = true
		}
	}
	var out finding.List
	for _, f := range without(later, refused) {
		if !around[f.Key] {
			out = append(out, f)
		}
	}
	return out
}

// covered reports whether key or an ancestor of it is in refused.
func covered(key string, refused []string) bool {
	for ; key != ""; key = parent(key) {
		for _, r := range refused {
			if key == r {
				return true
			}
		}
	}
	return false
}
