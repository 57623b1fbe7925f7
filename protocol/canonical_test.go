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
	flagForm = `( F(?P<flags>[1-9][0-9]{0,9}))?`
	itemForm = flagForm + `( T` + expForm + `)?`
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
	"cas": forms("ms "+keyForm+" "+lenForm+flagForm+" C(?P<cas>"+u64Form+")( T"+expForm+")?",
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

// Letters of a meta command that ask for something, and those that say how. Each
// stands once, in this order.
const (
	askForm  = `( f)?( c)?( h)?( l)?( s)?( v)?`
	partForm = `( C(?P<cas>` + u64Form + `))?( D(?P<delta>` + u64Form + `))?( E` + u64Form + `)?( J` + u64Form + `)?( I)?( u)?( x)?` +
		`( [NR](0|-?[1-9][0-9]{0,9})| t){0,3}( T` + expForm + `)?( [NR](0|-?[1-9][0-9]{0,9})| t){0,3}`
)

// metaForms are those of the commands that say what a client chose.
var metaForms = map[string]*regexp.Regexp{
	"mg": regexp.MustCompile("^mg " + keyForm + askForm + partForm + idForm + "$"),
	"ms": regexp.MustCompile("^ms " + keyForm + " " + lenForm + askForm + `( M[EAPR])?` + flagForm + partForm + idForm + "$"),
	"md": regexp.MustCompile("^md " + keyForm + flagForm + partForm + idForm + "$"),
	"ma": regexp.MustCompile("^ma " + keyForm + askForm + `( MD)?` + partForm + idForm + "$"),
}

// formOf is the form that c must have in a dialect.
func formOf(c *Command, dialect int) *regexp.Regexp {
	if forms, ok := canonicalForms[c.Verb.Name]; ok {
		return forms[dialect]
	}
	if dialect == 0 {
		return metaForms[c.Verb.canon.word]
	}
	word, _ := c.classic()
	return canonicalForms[word][1]
}

// itemOf is what memcached calls the item of c.
func itemOf(c *Command) string {
	if c.Hashed {
		return string(c.Prefix)
	}
	return string(c.Prefix) + string(c.Key)
}

// writeMeta writes c as its canonical meta command, a second time.
func writeMeta(c *Command, opaque uint64) string {
	tok := []string{c.Verb.canon.word, itemOf(c)}
	if c.Verb.canon.value {
		tok = append(tok, strconv.Itoa(len(c.Value)))
	}
	p := c.Params
	if c.Verb.canon.value && p.Exptime == 0 {
		p.Has &^= HasExptime // a store that never expires does not say so
	}
	tok = append(append(tok, partTokens(&p)...), fmt.Sprintf("O%016x", opaque))
	s := strings.Join(tok, " ") + "\r\n"
	if c.Verb.canon.value {
		s += string(c.Value) + "\r\n"
	}
	return s
}

// checkCanonical reports what is wrong with wire as the canonical form of c in
// one dialect, 0 for meta and 1 for classic, or "". It shares no code with the
// composers.
func checkCanonical(wire []byte, c *Command, opaque uint64, dialect int) string {
	line, rest, ok := strings.Cut(string(wire), "\r\n")
	if !ok {
		return "no line"
	}
	if want := writeMeta(c, opaque); dialect == 0 && string(wire) != want {
		return fmt.Sprintf("it is %q, want %q", wire, want)
	}
	form := formOf(c, dialect)
	m := form.FindStringSubmatch(latin1([]byte(line)))
	if m == nil {
		return fmt.Sprintf("the line does not match %s", form)
	}
	// What a form leaves out is its zero.
	want := map[string]string{
		"key": latin1([]byte(itemOf(c))), "exp": strconv.Itoa(int(c.Exptime)), "flags": strconv.FormatUint(uint64(c.Flags), 10),
		"delta": strconv.FormatUint(c.Delta, 10), "cas": strconv.FormatUint(c.CAS, 10),
		"len": strconv.Itoa(len(c.Value)), "opaque": fmt.Sprintf("%016x", opaque),
	}
	if dialect == 0 && c.Has&HasExptime == 0 {
		want["exp"] = "0"
	}
	if c.Has&HasDelta == 0 {
		want["delta"] = [2]string{"0", "1"}[dialect]
	}
	if c.Has&HasCAS == 0 {
		want["cas"] = "0"
	}
	for i, name := range form.SubexpNames() {
		got := m[i]
		if got == "" && name != "key" && (dialect == 0 || name != "delta") {
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
		params        Params // beside those of every such command
		value         string
		meta, classic string
	}{
		{"get", Params{}, "", "mg k f v" + id, "get k\r\n"},
		{"gets", Params{}, "", "mg k f c v" + id, "gets k\r\n"},
		{"gat", Params{Exptime: 60}, "", "mg k f v T60" + id, "gat 60 k\r\n"},
		{"gat", Params{}, "", "mg k f v T0" + id, "gat 0 k\r\n"},
		{"gats", Params{Exptime: -1}, "", "mg k f c v T-1" + id, "gats -1 k\r\n"},
		{"touch", Params{Exptime: 60}, "", "mg k T60" + id, "touch k 60\r\n"},
		{"touch", Params{}, "", "mg k T0" + id, "touch k 0\r\n"},
		{"touch", Params{Exptime: -math.MaxInt32}, "", "mg k T-2147483647" + id, "touch k -2147483647\r\n"},
		{"delete", Params{}, "", "md k" + id, "delete k\r\n"},
		{"incr", Params{Delta: 5}, "", "ma k v D5" + id, "incr k 5\r\n"},
		{"incr", Params{}, "", "ma k v D0" + id, "incr k 0\r\n"},
		{"decr", Params{Delta: maxU64}, "", "ma k v MD D18446744073709551615" + id, "decr k 18446744073709551615\r\n"},
		{"set", Params{}, "", "ms k 0" + id + "\r\n", "set k 0 0 0\r\n\r\n"},
		{"set", Params{}, "a\r\n", "ms k 3" + id + "a\r\n\r\n", "set k 0 0 3\r\na\r\n\r\n"},
		{"set", Params{Flags: maxU32, Exptime: 9}, "v", "ms k 1 F4294967295 T9" + id + "v\r\n", "set k 4294967295 9 1\r\nv\r\n"},
		{"add", Params{}, "v", "ms k 1 ME" + id + "v\r\n", "add k 0 0 1\r\nv\r\n"},
		{"replace", Params{Flags: 1}, "v", "ms k 1 MR F1" + id + "v\r\n", "replace k 1 0 1\r\nv\r\n"},
		{"append", Params{}, "v", "ms k 1 MA" + id + "v\r\n", "append k 0 0 1\r\nv\r\n"},
		{"prepend", Params{}, "v", "ms k 1 MP" + id + "v\r\n", "prepend k 0 0 1\r\nv\r\n"},
		{"cas", Params{CAS: 7}, "v", "ms k 1 C7" + id + "v\r\n", "cas k 0 0 1 7\r\nv\r\n"},
		{"cas", Params{Flags: 2, Exptime: -3}, "v", "ms k 1 F2 C0 T-3" + id + "v\r\n", "cas k 2 -3 1 0\r\nv\r\n"},
	} {
		c := command(row.verb)
		c.Value = []byte(row.value)
		c.Flags, c.Exptime, c.Delta, c.CAS = row.params.Flags, row.params.Exptime, row.params.Delta, row.params.CAS
		if got := string(AppendMeta([]byte("head"), c, math.MaxUint64)); got != "head"+row.meta {
			t.Errorf("%s as meta: got %q, want %q", row.verb, got, "head"+row.meta)
		}
		if got := string(AppendClassic([]byte("head"), c)); got != "head"+row.classic {
			t.Errorf("%s as classic: got %q, want %q", row.verb, got, "head"+row.classic)
		}
	}
}

// TestCheckerRefuses checks the checker.
func TestCheckerRefuses(t *testing.T) {
	set, get := command("set"), command("get")
	set.Value, set.Flags = []byte("v"), 1
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
