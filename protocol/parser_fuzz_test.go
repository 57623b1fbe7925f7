package protocol

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// refusals are all lines that a parser may answer with. Whatever is not one of
// them would hold bytes of the client.
var refusals = []string{
	"",
	"ERROR\r\n",
	"CLIENT_ERROR bad command line format\r\n",
	"CLIENT_ERROR bad data chunk\r\n",
	"CLIENT_ERROR invalid exptime argument\r\n",
	"CLIENT_ERROR invalid numeric delta argument\r\n",
	"CLIENT_ERROR line too long\r\n",
	"CLIENT_ERROR command not supported\r\n",
	"SERVER_ERROR object too large for cache\r\n",
}

// FuzzParser checks what a proxy's safety rests on: what is taken is what came,
// in order and however it came; what goes upstream is canonical and means what
// was parsed; and no answer holds a byte of the client.
func FuzzParser(f *testing.F) {
	for i, row := range allRows() {
		if len(row.in) < 4096 {
			f.Add([]byte(row.in+probe), uint64(i), row.maxItem == 0)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, large bool) {
		maxItem := 512
		if large {
			maxItem = 0
		}
		whole := &transcript{parser: Parser{MaxItem: maxItem}}
		whole.visit = func(r *Request) { checkRequest(t, r, maxItem) }
		whole.arrive(string(in))
		whole.end()
		if !bytes.HasPrefix(in, whole.taken) || len(whole.taken)+len(whole.buf) != len(in) {
			t.Errorf("took %q of %q", whole.taken, in)
		}
		checkRefusals(t, whole.events)
		if diff := same(whole, run(maxItem, cut(in, seed)...)); diff != "" {
			t.Errorf("%q in pieces by seed %d: %s", in, seed, diff)
		}
	})
}

// cut cuts in into pieces of random sizes.
func cut(in []byte, seed uint64) []string {
	src := rand.New(rand.NewPCG(seed, 0))
	most := 1 + src.IntN(20) + len(in)/500 // a long input is not copied too often
	var out []string
	for len(in) > 0 {
		n := min(len(in), 1+src.IntN(most))
		out, in = append(out, string(in[:n])), in[n:]
	}
	return out
}

// checkRefusals checks the events that answer the client.
func checkRefusals(t *testing.T, events []string) {
	t.Helper()
	for i, e := range events {
		line, refused := strings.CutPrefix(e, "! ")
		if !refused {
			continue
		}
		line, closed := strings.CutSuffix(line, closes)
		if line == "silent" {
			line = ""
		} else {
			line += "\r\n"
		}
		if !slices.Contains(refusals, line) {
			t.Errorf("answered %q, which is no known line", line)
		}
		if closed && i != len(events)-1 {
			t.Errorf("%q comes after the parser closed", events[i+1])
		}
	}
}

// checkRequest checks one request and every form of it upstream.
func checkRequest(t *testing.T, r *Request, maxItem int) {
	t.Helper()
	if r.Verb.Route == RouteKeyless {
		checkKeyless(t, r)
	}
	if (len(r.Keys) == 0) != (r.Verb.Route != RouteKeys) {
		t.Errorf("%s: has %d keys", describe(r), len(r.Keys))
	}
	if maxItem > 0 && len(r.Value) > maxItem {
		t.Errorf("%s: value of %d bytes exceeds %d", r.Verb.Name, len(r.Value), maxItem)
	}
	if len(r.Value) != r.Size() || len(r.Keys) > MaxGetKeys {
		t.Errorf("%s: value of %d bytes, size %d, %d keys", r.Verb.Name, len(r.Value), r.Size(), len(r.Keys))
	}
	for i := range r.Keys {
		c := r.Command(i)
		if fault := checkCanonical(AppendMeta(nil, &c, 0xfeed), &c, 0xfeed, 0); fault != "" {
			t.Errorf("%s as meta: %s", describe(r), fault)
		}
		classic := AppendClassic(nil, &c)
		if fault := checkCanonical(classic, &c, 0, 1); fault != "" {
			t.Errorf("%s as classic: %s", describe(r), fault)
		}
		checkSame(t, r, i, classic)
	}
}

// checkSame parses a canonical form anew: it is the request about its i-th key,
// loud.
func checkSame(t *testing.T, r *Request, i int, classic []byte) {
	t.Helper()
	one := *r
	one.Keys, one.NoReply = r.Keys[i:i+1], false
	p := Parser{MaxItem: maxU31}
	again, n, err := p.Next(classic)
	if err != nil || n != len(classic) {
		t.Errorf("%q: parsed anew, %d bytes taken, %v", classic, n, err)
		return
	}
	if got, want := describe(again), describe(&one); got != want || again.Verb != r.Verb {
		t.Errorf("%q: parsed anew it is %s, want %s", classic, got, want)
	}
}

// checkKeyless checks a command about no key: composed, it is one line without
// control bytes, and parsing it gives the same arguments.
func checkKeyless(t *testing.T, r *Request) {
	t.Helper()
	wire := AppendKeyless(nil, r)
	line := strings.TrimSuffix(string(wire), "\r\n")
	if strings.Join(strings.Fields(line), " ") != line || hasControl([]byte(line)) || strings.Contains(line, "noreply") {
		t.Errorf("%s: composed as %q", describe(r), wire)
	}
	for _, tok := range strings.Fields(line) {
		if len(tok) > 1 && tok[0] == '0' && tok[1] != '.' || tok[0] == '+' || tok == "-0" {
			t.Errorf("%s: %q is no canonical number", describe(r), tok)
		}
	}
	var p Parser
	again, n, err := p.Next(wire)
	if err != nil || n != len(wire) || again.Verb != r.Verb || !bytes.Equal(again.Args, r.Args) {
		t.Errorf("%q: parsed anew, %d bytes taken, %v", wire, n, err)
	}
}
