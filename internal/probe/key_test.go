package probe

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestKeysAreFound(t *testing.T) {
	for _, tc := range []struct {
		name, data   string
		find         func([]byte, *tally)
		keys, values int
		ask          string
	}{
		{"cachedump", "ITEM a:1 [5 b; 0 s]\r\nITEM b:2 [5 b; 0 s]\r\nEND\r\n", findLines, 2, 0, "a:1"},
		{"cachedump, cut", "ITEM a:1 [5 b; 0 s]\r\nITEM b", findLines, 2, 0, "a:1"},
		{"metadump", "key=a%3A1 exp=-1 la=1 cas=1\nkey=b%20c exp=-1\nEND\r\n", findLines, 2, 0, "a:1"},
		{"metadump, not askable first", "key=b%20c exp=-1\nkey=d exp=-1\nEND\r\n", findLines, 2, 0, "d"},
		{"metadump, no encoding", "key=a%zz exp=-1\n", findLines, 1, 0, ""},
		{"mgdump", "mg a:1\r\nmg b\r\nEN\r\n", findLines, 2, 0, "a:1"},
		{"watch", "OK\r\nts=1.2 gid=1 type=item_get key=a%3A1 status=found\nts=1.3 gid=2 type=conn_new\n", findLines, 1, 0, "a:1"},
		{"detail", "PREFIX shop get 1 hit 1 set 1 del 0\r\nEND\r\n", findLines, 1, 0, ""},
		{"me", "ME a:1 exp=-1 la=5 cas=1\r\n", findLines, 1, 0, "a:1"},
		{"me of a key that nobody has", "ME " + strange + " exp=-1\r\n", findLines, 0, 0, strange},
		{"get", "VALUE a:1 0 5\r\napple\r\nEND\r\n", findLines, 1, 1, ""},
		{"nothing", "END\r\n", findLines, 0, 0, ""},
		{"statistics", "STAT pid 1\r\nEND\r\n", findLines, 0, 0, ""},
		{"the same twice", "ITEM a [1 b; 0 s]\r\nITEM a [1 b; 0 s]\r\n", findLines, 1, 0, "a"},
		{"packets", string(response(opStat, 0, "detail", "PREFIX shop get 1\r\nEND")) + string(response(opStat, 0, "", "")), findPackets, 1, 0, ""},
		{"packets with lines as keys", string(response(opStat, 0, "ITEM a", "1")), findPackets, 1, 0, "a"},
		{"a value in a packet", string(response(opGet, 0, "", "apple")), findValue, 0, 1, ""},
		{"no value in a packet", string(response(opGet, statusMiss, "", "no")), findValue, 0, 0, ""},
	} {
		tal := newTally()
		tc.find([]byte(tc.data), tal)
		if tal.keys() != tc.keys || len(tal.values) != tc.values {
			t.Errorf("%s: got %d keys and %d values, want %d and %d", tc.name, tal.keys(), len(tal.values), tc.keys, tc.values)
		}
		if tal.known.key != tc.ask && tc.ask != strange {
			t.Errorf("%s: asks for %q, want %q", tc.name, tal.known.key, tc.ask)
		}
	}
}

func TestItemsAreCounted(t *testing.T) {
	tal := newTally()
	findItems([]byte("STAT items:1:number 3\r\nSTAT items:1:age 9\r\nSTAT items:5:number 4\r\nSTAT items:7:number 0\r\nSTAT items:x:number 4\r\nSTAT items:1 1:number 4\r\nEND\r\n"), tal)
	findItems([]byte("STAT items:1:number 3\r\nEND\r\n"), tal) // again
	if !slices.Equal(tal.known.classes, []string{"1", "5"}) || tal.items != 7 {
		t.Errorf("classes %q, items %d, want 1 and 5, 7", tal.known.classes, tal.items)
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "STAT items:%d:number 1\r\n", i+1)
	}
	findItems([]byte(many.String()), tal)
	if len(tal.known.classes) != maxClasses {
		t.Errorf("%d classes are asked for, want %d", len(tal.known.classes), maxClasses)
	}
}

func TestShapes(t *testing.T) {
	for key, want := range map[string]string{
		"session:ab12":                "a:a9",
		"user/42/Name":                "a/9/a",
		"ключ":                        "?",
		"a b\x1b[1m":                  "a?a?[9a",
		strings.Repeat("a.", 30):      strings.Repeat("a.", 12) + "…",
		"4f3e2a1b-0000-1111-aaaa-bcd": "9a9a9a9a-9-9-a-a",
	} {
		if got := shape([]byte(key)); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
	tal := newTally()
	for i := range 1000 {
		tal.key([]byte(strings.Repeat(":", i%50+1) + strings.Repeat("a.", i%9) + itoa(i)))
	}
	if len(tal.shapes) > maxShapes+1 {
		t.Errorf("%d shapes are kept", len(tal.shapes))
	}
	if looks := tal.looks(); strings.Count(looks, "(") != toldShapes || !strings.HasSuffix(looks, ", and others") {
		t.Errorf("looks: %q", looks)
	}
}

// Nothing that may be sent changes anything, empties anything or resets what is
// counted, in any spelling.
func TestNothingHarmfulIsAsked(t *testing.T) {
	harmful := regexp.MustCompile(`(?i)^(set|add|replace|append|prepend|cas|incr|decr|delete|touch|gat|gats|ms|md|ma|shutdown|verbosity|cache_memlimit|slabs|misbehave|quit|lru) |^stats? *(r|sizes|detail +o)|^flush_all( *\r| +[0-9]{1,19}\b|.*noreply)|^lru_crawler +(crawl|enable|disable|tocrawl|sleep)`)
	binary := []byte{opGet, opNoop, opVersion, opStat, opMechs}
	for _, k := range []*known{{}, {classes: []string{"1", "2", "31"}, key: "some:key"}} {
		asked := 0
		for _, f := range formsTo(greet, harm) {
			for _, b := range f.ask(k) {
				asked++
				if f.binary {
					if b[0] != 0x80 || !slices.Contains(binary, b[1]) || bytes.HasPrefix(b[header:], []byte("r")) {
						t.Errorf("%s: sends opcode %#x with %q", f.name, b[1], b[header:])
					}
					continue
				}
				if harmful.Match(b) || bytes.Count(b, []byte("\r\n")) != 1 || !bytes.HasSuffix(b, []byte("\r\n")) {
					t.Errorf("%s: sends %q", f.name, b)
				}
				if bytes.HasPrefix(b, []byte("flush_all")) && (f.depth != harm || string(b) != "flush_all 99999999999999999999\r\n") {
					t.Errorf("%s: sends %q", f.name, b)
				}
			}
		}
		if asked < 40 {
			t.Errorf("only %d requests", asked)
		}
	}
	if !harmful.MatchString("stats r\r\n") || !harmful.MatchString("flush_all\r\n") || !harmful.MatchString("flush_all 0\r\n") || harmful.MatchString("flush_all 99999999999999999999\r\n") {
		t.Error("the check itself is wrong")
	}
}

// FuzzFind holds that whatever a target sends, no key gets out, what is kept is
// bounded, and what is asked for next is one line without a space in its key.
func FuzzFind(f *testing.F) {
	f.Add([]byte("ITEM a:1 [5 b; 0 s]\r\nmg b\r\nkey=c%0d%0aflush_all exp\nEND\r\n"))
	f.Add([]byte("STAT items:1:number 3\r\nSTAT items:99999999999:number 1\r\n"))
	f.Add(response(opStat, 0, "detail", "PREFIX shop get 1\r\nEND"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tal := newTally()
		for _, find := range []func([]byte, *tally){findLines, findPackets, findItems, findValue} {
			find(data, tal)
		}
		if len(tal.shapes) > maxShapes+1 || len(tal.known.classes) > maxClasses || tal.keys() > tal.shown || tal.items < 0 {
			t.Errorf("%d shapes, %d classes, %d keys of %d", len(tal.shapes), len(tal.known.classes), tal.keys(), tal.shown)
		}
		for s := range tal.shapes {
			if s != unknownShape && regexp.MustCompile(`[b-zA-Z0-8]|[^\x21-\x7e…]`).MatchString(s) {
				t.Errorf("shape %q", s)
			}
		}
		for _, form := range formsTo(greet, harm) {
			for _, b := range form.ask(tal.known) {
				if !form.binary && (bytes.IndexByte(b, '\n') != len(b)-1 || len(b) > 300) {
					t.Errorf("%s: sends %q", form.name, b)
				}
			}
		}
	})
}
