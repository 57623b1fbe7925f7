package testkit

import (
	"regexp"
	"strings"
	"testing"
)

var k250, k251 = strings.Repeat("k", 250), strings.Repeat("k", 251)

func TestCanonicalLinesAreTaken(t *testing.T) {
	table := commands("1.6.45")
	for _, line := range []string{
		"get a", "get a a", "get noreply", "gets a b c", "get " + k250, "gat 0 a", "gats -1 a b",
		"get " + strings.TrimSpace(strings.Repeat("k ", 1024)),
		"set a 0 0 0", "set a 4294967295 -2147483648 2147483647", "cas a 0 0 1 18446744073709551615",
		"add a 0 0 1", "replace a 0 0 1", "append a 0 0 1", "prepend a 0 0 1",
		"me a", "delete a", "incr a 0", "decr a 18446744073709551615", "touch a 2147483647", "touch \xff\x80 0",
		"mn", "version", "stats settings", "flush_all", "flush_all 10",
		"mg a", "mg a c f h l s t u v", "mg a N30 R-1 T0 O0 E7 v", "mg a O" + strings.Repeat("1", 31),
		"ms a 2", "ms a 2 MS F5 T0 C1 I c O12 E3", "ms a 2 MA N0", "md a C1 I T30 O1", "md a x F1",
		"ma a", "ma a MI N0 J18446744073709551615 D1 v c t O1", "ma a MD C5",
	} {
		if _, err := parseLine(table, line); err != nil {
			t.Errorf("%.80q: got %v, want it taken", line, err)
		}
	}
}

func TestOtherLinesAreViolations(t *testing.T) {
	table := commands("1.6.45")
	for _, c := range []struct{ line, want string }{
		{"", `"" is no command for a proxy to send`},
		{"GET a", `"GET" is no command`},
		{"quit", `"quit" is no command`},
		{"me a b", `"b" after its last argument`},
		{" get a", `"" is no command`},
		{"get", `get lacks its key`},
		{"get ", `"" is no canonical key`},
		{"get a  b", `"" is no canonical key`},
		{"get a ", `"" is no canonical key`},
		{"get " + k251, `is no canonical key`},
		{"get a\tb", `"a\tb" is no canonical key`},
		{"get a\rb", `"a\rb" is no canonical key`},
		{"get a\x00", `"a\x00" is no canonical key`},
		{"get a\x7f", `"a\x7f" is no canonical key`},
		{"set a 0 0 1 noreply", `"noreply" after its last argument`},
		{"set a 0 0", `set lacks its len`},
		{"set a 00 0 1", `"00" is no canonical u32`},
		{"set a 0 +1 1", `"+1" is no canonical exp`},
		{"set a 0 -0 1", `"-0" is no canonical exp`},
		{"set a 0 2147483648 1", `"2147483648" is no canonical exp`},
		{"set a 4294967296 0 1", `"4294967296" is no canonical u32`},
		{"set a 0 0 2147483648", `"2147483648" is no canonical len`},
		{"set a 0 0 -1", `"-1" is no canonical len`},
		{"set a 0 0 1\t", `"1\t" is no canonical len`},
		{"set a  0 0 1", `"" is no canonical u32`},
		{"cas a 0 0 1", `cas lacks its u64`},
		{"incr a 18446744073709551616", `is no canonical u64`},
		{"delete a 0", `"0" after its last argument`},
		{"touch a 0 noreply", `"noreply" after its last argument`},
		{"flush_all noreply", `"noreply" is no canonical exp`},
		{"flush_all 0 0", `"0" after its last argument`},
		{"stats s", `"s" is no canonical settings`},
		{"stats", `stats lacks its settings`},
		{"mn x", `"x" after its last argument`},
		{"mg a q", `flag "q" is not canonical`},
		{"mg a k", `flag "k" is not canonical`},
		{"mg YQ== b", `flag "b" is not canonical`},
		{"mg a S1", `flag "S" is not canonical`},
		{"mg a vt", `flag "vt" is not canonical`},
		{"mg a v v", `flag "v" stands twice`},
		{"mg a  v", `"" after its last argument`},
		{"mg a v ", `"" after its last argument`},
		{"mg a O", `flag "O" is not canonical`},
		{"mg a O1\x01", `flag "O1\x01" is not canonical`},
		{"mg a O" + strings.Repeat("1", 32), `is not canonical`},
		{"mg a T01", `flag "T01" is not canonical`},
		{"ms a", `ms lacks its len`},
		{"ms a S2", `"S2" is no canonical len`},
		{"ms a 2 MSET", `flag "MSET" is not canonical`},
		{"ms a 2 Ms", `flag "Ms" is not canonical`},
		{"ms a 2 MI", `flag "MI" is not canonical`},
		{"ma a MS", `flag "MS" is not canonical`},
		{"ma a M+", `flag "M+" is not canonical`},
		{"md a v", `flag "v" is not canonical`},
		{"mg " + strings.Repeat("a", 200) + " O" + strings.Repeat("1", 2000), "line of 2207 bytes is longer than 2048"},
		{"get" + strings.Repeat(" k", 1<<15), "line of 65541 bytes is longer than 65536"},
	} {
		_, err := parseLine(table, c.line)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: got %v, want %s", c.line, err, c.want)
		}
	}
}

func TestCommandsComeWithTheirVersion(t *testing.T) {
	for _, c := range []struct {
		version, line string
		taken         bool
	}{
		{"1.6.45", "md a x", true},
		{"1.6.40", "mg a C1 v", true},
		{"1.6.39", "mg a C1 v", true},
		{"1.6.18", "me a", true},
		{"1.5.22", "me a", false},
		{"1.6.27", "md a x", true},
		{"1.6.26", "md a x", false},
		{"1.6.26", "ms a 1 E5", false},
		{"1.6.20", "ms a 1 s MA N0", true},
		{"1.6.19", "ms a 1 N0", true},
		{"1.6.19", "mg a s N0", true},
		{"1.6.18", "mg a v", true},
		{"1.6.9", "mg a v", false},
		{"1.5.22", "mn", false},
		{"1.5.22", "gats 0 a", true},
		{"2.0.0", "md a x", true},
		{"1.6", "mn", false},
	} {
		_, err := parseLine(commands(c.version), c.line)
		if taken := err == nil; taken != c.taken {
			t.Errorf("%s: %q: taken is %v (%v), want %v", c.version, c.line, taken, err, c.taken)
		}
	}
}

func TestFlagsMeanNothingBeforeTheirVersion(t *testing.T) {
	for _, c := range []struct {
		version, line string
		flags         int
	}{
		{"1.6.40", "mg a C1 v", 2},
		{"1.6.39", "mg a C1 v", 1},
		{"1.6.20", "ms a 1 MA N0 s C1", 4},
		{"1.6.19", "ms a 1 MA N0 s C1", 2},
	} {
		req, err := parseLine(commands(c.version), c.line)
		if err != nil || len(req.flags) != c.flags {
			t.Errorf("%s: %q: got flags %v, %v, want %d of them", c.version, c.line, req.flags, err, c.flags)
		}
	}
	if _, err := parseLine(commands("1.6.18"), "ms a 1 s s"); err == nil {
		t.Error("a flag that means nothing may stand twice")
	}
}

// shape is the canonical grammar once more, without ranges and limits: %k is a
// key or opaque, %e a number with a sign, %n one without.
var shape = regexp.MustCompile("^(" + strings.NewReplacer(
	"%k", `[^\x00-\x20\x7f]+`, "%e", `(0|-?[1-9][0-9]*)`, "%n", `(0|[1-9][0-9]*)`,
).Replace(strings.Join([]string{
	`gets?( %k)+`, `gats? %e( %k)+`, `(set|add|replace|append|prepend) %k %n %e %n`, `cas %k %n %e %n %n`,
	`delete %k`, `(incr|decr) %k %n`, `touch %k %e`, `me %k`, `mn`, `version`, `stats settings`, `flush_all( %e)?`,
	`mg %k( ([cfhlstuv]|[NRT]%e|[CE]%n|O%k))*`, `ms %k %n( ([Ics]|M[EAPRS]|[NT]%e|[CEF]%n|O%k))*`,
	`md %k( ([Ix]|T%e|[CEF]%n|O%k))*`, `ma %k( ([ctv]|M[ID]|[NT]%e|[CDEJ]%n|O%k))*`,
}, "|")) + ")$")

// FuzzParseLine checks that what is taken has the canonical shape, and that
// nothing of it is lost: verb, arguments and flags make the same line again.
func FuzzParseLine(f *testing.F) {
	for _, line := range []string{"get a b", "set a 0 0 1", "mg a v O1 T-1", "ms a 1 MA N0", "ma n D5", "flush_all 0", "cas a 1 2 3 4"} {
		f.Add(line)
	}
	table := commands("1.6.45")
	f.Fuzz(func(t *testing.T, line string) {
		req, err := parseLine(table, line)
		if err != nil {
			return
		}
		if !shape.MatchString(line) {
			t.Errorf("%q was taken and is not canonical", line)
		}
		again := strings.Join(append([]string{req.verb}, req.args...), " ")
		for _, flag := range req.flags {
			again += " " + string(flag.letter) + flag.token
		}
		if again != line {
			t.Errorf("%q was taken as %q", line, again)
		}
	})
}
