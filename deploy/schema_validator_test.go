package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// schema is a JSON Schema, or a part of one.
type schema = map[string]any

// validator checks values against the keywords that the shipped schema uses, and
// no others: one that it does not know is a fault of the schema.
type validator struct {
	root   schema
	faults []string
}

// keyword checks one keyword, whose value is want, of the schema s.
type keyword func(v *validator, s schema, want, value any, path string)

var prose = []string{"$schema", "$defs", "title", "description"}

// keywords are those that say something of a value. The others are prose.
func keywords() map[string]keyword {
	return map[string]keyword{
		"$ref": func(v *validator, _ schema, want, value any, path string) {
			v.check(v.lookUp(want.(string)), value, path)
		},
		"type": (*validator).checkType,
		"const": func(v *validator, _ schema, want, value any, path string) {
			v.want(value == want, path, "is not %v", want)
		},
		"enum": func(v *validator, _ schema, want, value any, path string) {
			v.want(slices.Contains(want.([]any), value), path, "%v is none of %v", value, want)
		},
		"pattern":              (*validator).checkPattern,
		"minimum":              func(v *validator, _ schema, want, value any, path string) { v.atLeast(value, want, path) },
		"maximum":              func(v *validator, _ schema, want, value any, path string) { v.atLeast(want, value, path) },
		"minItems":             (*validator).checkSize,
		"minProperties":        (*validator).checkSize,
		"items":                (*validator).checkItems,
		"properties":           (*validator).checkProperties,
		"additionalProperties": (*validator).checkOthers,
		"propertyNames":        (*validator).checkNames,
		"required":             (*validator).checkRequired,
		"oneOf":                (*validator).checkOneOf,
		"not": func(v *validator, _ schema, want, value any, path string) {
			v.want(!v.fits(want.(schema), value), path, "is what it must not be")
		},
	}
}

// want notes a fault unless it is so.
func (v *validator) want(so bool, path, format string, args ...any) {
	if !so {
		v.faults = append(v.faults, path+" "+fmt.Sprintf(format, args...))
	}
}

// check checks value against s.
func (v *validator) check(s schema, value any, path string) {
	known := keywords()
	for _, key := range slices.Sorted(maps.Keys(s)) {
		check, ok := known[key]
		if ok {
			check(v, s, s[key], value, path)
		}
		v.want(ok || slices.Contains(prose, key), path, "the schema has the keyword %s, which is not checked", key)
	}
}

// fits reports whether value has no fault by s.
func (v *validator) fits(s schema, value any) bool {
	try := validator{root: v.root}
	try.check(s, value, "")
	return len(try.faults) == 0
}

// lookUp is what a reference names.
func (v *validator) lookUp(ref string) schema {
	name, _ := strings.CutPrefix(ref, "#/$defs/")
	s, ok := v.root["$defs"].(schema)[name].(schema)
	v.want(ok, ref, "is not there")
	return s
}

// typeOf is the type of a value, in the words of a schema.
func typeOf(value any) string {
	switch n := value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if n == float64(int64(n)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	case schema:
		return "object"
	}
	return "null"
}

func (v *validator) checkType(_ schema, want, value any, path string) {
	is := typeOf(value)
	list, several := want.([]any)
	v.want(want == is || several && slices.Contains(list, any(is)), path, "is %s, not %v", is, want)
}

func (v *validator) checkPattern(_ schema, want, value any, path string) {
	text, ok := value.(string)
	v.want(!ok || regexp.MustCompile(want.(string)).MatchString(text), path, "%q does not fit %v", text, want)
}

// atLeast checks that a number is no less than the other.
func (v *validator) atLeast(value, least any, path string) {
	n, ok := value.(float64)
	m, number := least.(float64)
	v.want(!ok || !number || n >= m, path, "%v is less than %v", n, m)
}

func (v *validator) checkSize(_ schema, want, value any, path string) {
	if kind := reflect.ValueOf(value); kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
		v.atLeast(float64(kind.Len()), want, path)
	}
}

func (v *validator) checkItems(_ schema, want, value any, path string) {
	list, _ := value.([]any)
	for i, item := range list {
		v.check(want.(schema), item, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (v *validator) checkProperties(_ schema, want, value any, path string) {
	fields, _ := value.(schema)
	for key, s := range want.(schema) {
		if one, ok := fields[key]; ok {
			v.check(s.(schema), one, path+"."+key)
		}
	}
}

func (v *validator) checkOthers(s schema, want, value any, path string) {
	known, _ := s["properties"].(schema)
	fields, _ := value.(schema)
	for key, one := range fields {
		if _, ok := known[key]; ok {
			continue
		}
		if of, ok := want.(schema); ok {
			v.check(of, one, path+"."+key)
			continue
		}
		v.want(want == true, path, "has the unknown key %s", key)
	}
}

func (v *validator) checkNames(_ schema, want, value any, path string) {
	fields, _ := value.(schema)
	for key := range fields {
		v.check(want.(schema), key, path+"."+key)
	}
}

func (v *validator) checkRequired(_ schema, want, value any, path string) {
	fields, ok := value.(schema)
	for _, key := range want.([]any) {
		_, there := fields[key.(string)]
		v.want(!ok || there, path, "lacks %s", key)
	}
}

func (v *validator) checkOneOf(_ schema, want, value any, path string) {
	n := 0
	for _, s := range want.([]any) {
		if v.fits(s.(schema), value) {
			n++
		}
	}
	v.want(n == 1, path, "fits %d of the forms, not one", n)
}

// policySchema is the shipped schema.
func policySchema(t *testing.T) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal([]byte(read(t, "policy.schema.json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// plainValue is a YAML node as JSON would have it. A time is text.
func plainValue(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.DocumentNode:
		return plainValue(t, n.Content[0])
	case yaml.MappingNode:
		fields := schema{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			fields[n.Content[i].Value] = plainValue(t, n.Content[i+1])
		}
		return fields
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plainValue(t, c))
		}
		return list
	}
	if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" && tag != "!!bool" && tag != "!!null" {
		return n.Value
	}
	var value any
	if err := n.Decode(&value); err != nil {
		t.Fatal(err)
	}
	if number, ok := value.(int); ok {
		return float64(number)
	}
	return value
}

// faultsOf are the faults of a policy by the schema.
func faultsOf(t *testing.T, s schema, text string) []string {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	v := validator{root: s}
	v.check(s, plainValue(t, &doc), "")
	return v.faults
}
