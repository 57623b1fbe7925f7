package protocol

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The canonical forms, written down a second time. Bytes are read as Latin-1,
// so that one character is one byte.
const (
	keyForm  = `(?P<key>[\x21-\x7e\x{80}-\x{ff}]{1,250})`
	u32Form  = `(0|[1-9][0-9]{0,9})`
	u64Form  = `(0|[1-9][0-9]{0,19})`
	expForm  = `(?P<exp>0|-?[1-9][0-9]{0,9})`
	lenForm  = `(?P<len>0|[1-9][0-9]{0,9})`
	idForm   = ` O(?P<opaque>[0-9a-f]{16})`
	itemForm = `( F(?P<flags>[1-9][0-9]{0,9}))?( T` + expForm + `)?`
)

// canonicalForms are the only lines, without their terminator, that may go
// upstream for a command: as meta, and as classic text.
var canonicalForms = map[string][2]*regexp.Regexp{
	"get":     forms("mg "+keyForm+" f v", "get "+keyForm),
	"gets":    forms("mg "+keyForm+" f c v", "gets "+keyForm),
	"gat":     forms("mg "+keyForm+" f v T"+expForm, "gat "+expForm+" "+keyForm),
	"gats":    forms("mg "+keyForm+" f c v T"+expForm, "gats "+expForm+" "+keyForm),
	"touch":   forms("mg "+keyForm+" T"+expForm, "touch "+keyForm+" "+expForm),
	"delete":  forms("md "+keyForm, "delete "+keyForm),
	"incr":    forms("ma "+keyForm+" v D(?P<delta>"+u64Form+")", "incr "+keyForm+" (?P<delta>"+u64Form+")"),
	"decr":    forms("ma "+keyForm+" v MD D(?P<delta>"+u64Form+")", "decr "+keyForm+" (?P<delta>"+u64Form+")"),
	"set":     storeForms("set", ""),
	"add":     storeForms("add", " ME"),
	"replace": storeForms("replace", " MR"),
	"append":  storeForms("append", " MA"),
	"prepend": storeForms("prepend", " MP"),
	"cas": forms("ms "+keyForm+" "+lenForm+itemForm+" C(?P<cas>"+u64Form+")",
		"cas "+keyForm+" (?P<flags>"+u32Form+") "+expForm+" "+lenForm+" (?P<cas>"+u64Form+")"),
}

func forms(meta, classic string) [2]*regexp.Regexp {
	return [2]*regexp.Regexp{regexp.MustCompile("^" + meta + idForm + "$"), regexp.MustCompile("^" + classic + "$")}
}

func storeForms(classic, mode string) [2]*regexp.Regexp {
	return forms("ms "+keyForm+" "+lenForm+mode+itemForm,
		classic+" "+keyForm+" (?P<flags>"+u32Form+") "+expForm+" "+lenForm)
}

// latin1 makes one character out of each byte.
func latin1(b []byte) string {
	s := make([]rune, len(b))
	for i, c := range b {
		s[i] = rune(c)
	}
	return string(s)
}

// checkCanonical reports what is wrong with wire as the canonical form of c in
// one dialect, 0 for meta and 1 for classic, or "". It shares no code with the
// composers.
func checkCanonical(wire []byte, c *Command, opaque uint64, dialect int) string {
	line, rest, ok := strings.Cut(string(wire), "\r\n")
	if !ok {
		return "no line"
	}
	form := canonicalForms[c.Verb.Name][dialect]
	m := form.FindStringSubmatch(latin1([]byte(line)))
	if m == nil {
		return fmt.Sprintf("the line does not match %s", form)
	}
	// What a form leaves out is its zero.
	want := map[string]string{
		"key": latin1(c.Key), "exp": strconv.Itoa(int(c.Exptime)), "flags": strconv.FormatUint(uint64(c.Flags), 10),
		"delta": strconv.FormatUint(c.Delta, 10), "cas": strconv.FormatUint(c.CAS, 10),
		"len": strconv.Itoa(len(c.Value)), "opaque": fmt.Sprintf("%016x", opaque),
	}
	for i, name := range form.SubexpNames() {
		got := m[i]
		if name == "exp" && got == "" || name == "flags" && got == "" {
			got = "0"
		}
		if name != "" && got != want[name] {
			return fmt.Sprintf("%s is %q, want %q", name, got, want[name])
		}
	}
	switch {
	case form.SubexpIndex("len") < 0 && rest != "":
		return fmt.Sprintf("%q follows the line", rest)
	case form.SubexpIndex("len") >= 0 && rest != string(c.Value)+"\r\n":
		return "the data block is not the value"
	}
	return ""
}

// TestCommandsAreComposed has each command once, literally.
func TestCommandsAreComposed(t *testing.T) {
	const id = " Offffffffffffffff\r\n"
	for _, row := range []struct {
		verb          string
		c             Command
		meta, classic string
	}{
		{"get", Command{}, "mg k f v" + id, "get k\r\n"},
		{"gets", Command{}, "mg k f c v" + id, "gets k\r\n"},
		{"gat", Command{Exptime: 60}, "mg k f v T60" + id, "gat 60 k\r\n"},
		{"gat", Command{}, "mg k f v T0" + id, "gat 0 k\r\n"},
		{"gats", Command{Exptime: -1}, "mg k f c v T-1" + id, "gats -1 k\r\n"},
		{"touch", Command{Exptime: 60}, "mg k T60" + id, "touch k 60\r\n"},
		{"touch", Command{}, "mg k T0" + id, "touch k 0\r\n"},
		{"touch", Command{Exptime: -math.MaxInt32}, "mg k T-2147483647" + id, "touch k -2147483647\r\n"},
		{"delete", Command{}, "md k" + id, "delete k\r\n"},
		{"incr", Command{Delta: 5}, "ma k v D5" + id, "incr k 5\r\n"},
		{"incr", Command{}, "ma k v D0" + id, "incr k 0\r\n"},
		{"decr", Command{Delta: maxU64}, "ma k v MD D18446744073709551615" + id, "decr k 18446744073709551615\r\n"},
		{"set", Command{}, "ms k 0" + id + "\r\n", "set k 0 0 0\r\n\r\n"},
		{"set", Command{Value: []byte("a\r\n")}, "ms k 3" + id + "a\r\n\r\n", "set k 0 0 3\r\na\r\n\r\n"},
		{"set", Command{Flags: maxU32, Exptime: 9, Value: []byte("v")}, "ms k 1 F4294967295 T9" + id + "v\r\n", "set k 4294967295 9 1\r\nv\r\n"},
		{"add", Command{Value: []byte("v")}, "ms k 1 ME" + id + "v\r\n", "add k 0 0 1\r\nv\r\n"},
		{"replace", Command{Flags: 1, Value: []byte("v")}, "ms k 1 MR F1" + id + "v\r\n", "replace k 1 0 1\r\nv\r\n"},
		{"append", Command{Value: []byte("v")}, "ms k 1 MA" + id + "v\r\n", "append k 0 0 1\r\nv\r\n"},
		{"prepend", Command{Value: []byte("v")}, "ms k 1 MP" + id + "v\r\n", "prepend k 0 0 1\r\nv\r\n"},
		{"cas", Command{CAS: 7, Value: []byte("v")}, "ms k 1 C7" + id + "v\r\n", "cas k 0 0 1 7\r\nv\r\n"},
		{"cas", Command{Flags: 2, Exptime: -3, Value: []byte("v")}, "ms k 1 F2 T-3 C0" + id + "v\r\n", "cas k 2 -3 1 0\r\nv\r\n"},
	} {
		c := row.c
		c.Verb, c.Key = ByGrant(row.verb)[0], []byte("k")
		if got := string(AppendMeta([]byte("head"), &c, math.MaxUint64)); got != "head"+row.meta {
			t.Errorf("%s as meta: got %q, want %q", row.verb, got, "head"+row.meta)
		}
		if got := string(AppendClassic([]byte("head"), &c)); got != "head"+row.classic {
			t.Errorf("%s as classic: got %q, want %q", row.verb, got, "head"+row.classic)
		}
	}
}

// TestCheckerRefuses checks the checker.
func TestCheckerRefuses(t *testing.T) {
	set := &Command{Verb: Set, Key: []byte("k"), Value: []byte("v"), Flags: 1}
	get := &Command{Verb: ByGrant("get")[0], Key: []byte("k")}
	for _, row := range []struct {
		c    *Command
		wire string
	}{
		{get, "mg k f v O0000000000000001\n"},
		{get, "mg k f v\r\n"},
		{get, "mg k f v q O0000000000000001\r\n"},
		{get, "mg k k f v O0000000000000001\r\n"},
		{get, "mg  k f v O0000000000000001\r\n"},
		{get, " mg k f v O0000000000000001\r\n"},
		{get, "mg k f v O0000000000000001 \r\n"},
		{get, "mg k f v O0000000000000002\r\n"},
		{get, "mg k f v O0000000000000001\r\n\r\n"},
		{get, "mg k\r f v O0000000000000001\r\n"},
		{get, "mg kk f v O0000000000000001\r\n"},
		{set, "ms k 1 F1 O0000000000000001\r\nv\r\nget x\r\n"},
		{set, "ms k 1 F1 O0000000000000001\r\nv"},
		{set, "ms k 01 F1 O0000000000000001\r\nv\r\n"},
		{set, "ms k 1 F01 O0000000000000001\r\nv\r\n"},
		{set, "ms k 1 O0000000000000001\r\nv\r\n"},
		{set, "ms k 1 F1 T+1 O0000000000000001\r\nv\r\n"},
		{set, "set k 1 0 1 noreply\r\nv\r\n"},
	} {
		if checkCanonical([]byte(row.wire), row.c, 1, 0) == "" {
			t.Errorf("%q passes as canonical", row.wire)
		}
	}
	for _, wire := range []string{"get k noreply\r\n", "get k j\r\n", "get\tk\r\n", "gets k\r\n"} {
		if checkCanonical([]byte(wire), get, 1, 1) == "" {
			t.Errorf("%q passes as canonical", wire)
		}
	}
}
