package config

import (
	"reflect"
	"strconv"
	"strings"
)

// field is one key of a mapping, as the yaml tag of a struct field names it.
type field struct {
	name  string
	index []int
}

// fieldsOf lists the keys of a struct type in the order of its fields.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if options == "inline" {
			for _, sub := range fieldsOf(f.Type) {
				out = append(out, field{sub.name, append([]int{i}, sub.index...)})
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name) // what the yaml package would do
		}
		out = append(out, field{name, []int{i}})
	}
	return out
}

// names are the keys of fields.
func names(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// find is the field called name.
func find(fields []field, name string) (field, bool) {
	for _, f := range fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// leaf is one scalar, or list of scalars, of a document.
type leaf struct {
	path  string // listeners[0].address
	value reflect.Value
}

// leaves lists what v holds, in the order of its fields. What a nil pointer
// does not point to is not there.
func leaves(v reflect.Value, path string) []leaf {
	var out []leaf
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
	case v.Kind() == reflect.Pointer:
		return leaves(v.Elem(), path)
	case isScalar(v.Type()), v.Kind() == reflect.Slice && isScalar(v.Type().Elem()):
		return []leaf{{path, v}}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			out = append(out, leaves(v.Index(i), element(path, i))...)
		}
	case v.Kind() == reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			out = append(out, leaves(v.FieldByIndex(f.index), child(path, f.name))...)
		}
	}
	return out
}

// child is the path of a key in the mapping at path.
func child(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// element is the path of an element of the list at path.
func element(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

// parent is the path that path hangs from, "" at the top.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}
