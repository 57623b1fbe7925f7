package protocol

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// names of the categories, as a policy has them.
func categoryNames() map[Category]string {
	return map[Category]string{
		CatRead: "read", CatTouch: "touch", CatVivify: "vivify", CatStore: "store", CatDelete: "delete",
		CatArith: "arith", CatFlush: "flush", CatStats: "stats", CatKeyspace: "keyspace",
		CatSettings: "settings", CatDanger: "danger", CatConn: "conn", CatAuth: "auth",
	}
}

// listing is the table as text, a row a line.
func listing() []byte {
	var b bytes.Buffer
	for _, v := range Verbs() {
		fmt.Fprintf(&b, "%s: %s\n", v.Name, strings.Join(listingOf(v), "; "))
	}
	return b.Bytes()
}

// listingOf is what a row says, each part in words.
func listingOf(v *Verb) []string {
	var out []string
	add := func(ok bool, format string, args ...any) {
		if ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	access := []string{"-", "read", "write", "read+write"}
	add(true, "grant %s of @%s", v.Grant, categoryNames()[v.Category])
	add(v.Apart, "apart")
	add(true, "keys %s; %s", access[v.Access], []string{"local", "keys", "keyless"}[v.Route])
	add(v.Local != LocalRefusal, "answers %s", localNames()[v.Local])
	add(v.packet.read != nil, "packet %s", shapeOf(v))
	add(v.canon.word != "", "upstream %s", strings.Join(append([]string{v.canon.word}, partTokens(&v.canon.params)...), " "))
	add(v.canon.classic != "", "classic %s", v.canon.classic)
	add(v.args != "", "arguments %s", v.args)
	add(v.quiet != 0, "quiet hides %s", strings.Join(statusWords(v.quiet), " "))
	add(v.Denied != StatusNone, "denied as %s", statusNames()[v.Denied])
	return out
}

// localNames say what slabgate answers by itself.
func localNames() map[Local]string {
	return map[Local]string{
		LocalRefusal: "that it is not served", LocalVersion: "version", LocalNoOp: "no-op", LocalQuit: "farewell",
		LocalMechs: "mechanisms", LocalAuth: "login", LocalStep: "login step",
	}
}

// shapeOf is the shape of an opcode's packets.
func shapeOf(v *Verb) string {
	k := v.packet
	s := fmt.Sprintf("%#02x", k.code)
	if k.twin != 0 {
		s += fmt.Sprintf(" or quiet %#02x", k.twin)
	}
	s += fmt.Sprintf(", %d extras", k.extras)
	if k.optional {
		s += " or 0"
	}
	s += ", " + map[keyRule]string{keyNone: "no key", keyNeeded: "key", keyOptional: "key or none"}[k.key]
	if k.echo {
		s += " that is echoed"
	}
	if v.canon.value {
		s += ", value"
	}
	return s
}

// statusNames are the statuses in words.
func statusNames() [statusCount]string {
	return [statusCount]string{
		StatusNone: "none", StatusOK: "ok", StatusValue: "value", StatusNumber: "number", StatusMiss: "miss", StatusNotFound: "not-found",
		StatusNotStored: "not-stored", StatusExists: "exists", StatusNonNumeric: "non-numeric", StatusTooLarge: "too-large",
		StatusNoMemory: "no-memory", StatusRefused: "refused", StatusLost: "lost", StatusDown: "down", StatusDropped: "dropped",
		StatusBusy: "busy", StatusUnfit: "unfit", StatusDenied: "denied", StatusInvalid: "invalid", StatusUnauthenticated: "unauthenticated",
		StatusLimitRate: "limit-rate", StatusLimitBytes: "limit-bytes", StatusLimitInFlight: "limit-in-flight", StatusLimitValue: "limit-value",
		StatusLimitTTL: "limit-ttl", StatusLimitKeys: "limit-keys", StatusLimitConns: "limit-conns", StatusFrozen: "frozen",
	}
}

func statusWords(set statuses) []string {
	var words []string
	for s := range statusCount {
		if set.has(s) {
			words = append(words, statusNames()[s])
		}
	}
	return words
}

// TestVerbsAreAsListed makes every change of the command table visible. Run it
// with -update to write the listing anew.
func TestVerbsAreAsListed(t *testing.T) {
	const name = "testdata/verbs.txt"
	got := listing()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	was := strings.Split(string(want), "\n")
	for _, row := range strings.Split(string(got), "\n") {
		if !slices.Contains(was, row) {
			t.Errorf("%s lacks: %s", name, row)
		}
	}
	t.Errorf("the command table has %d rows that differ from %s, or their order does", len(Verbs()), name)
}
