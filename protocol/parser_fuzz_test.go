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
	"CLIENT_ERROR invalid flag\r\n",
	"CLIENT_ERROR duplicate flag\r\n",
	"CLIENT_ERROR bad token in command line format\r\n",
	"CLIENT_ERROR invalid mode\r\n",
	"CLIENT_ERROR error decoding key\r\n",
	"CLIENT_ERROR opaque token too long\r\n",
	"CLIENT_ERROR options flags are too long\r\n",
	"SERVER_ERROR object too large for cache\r\n",
}

// FuzzParser checks what a proxy's safety rests on: what is taken is what came,
// in order and however it came; what goes upstream is canonical and means what
// was parsed; and no answer holds a byte of the client.
func FuzzParser(f *testing.F) {
	for i, row := range allRows() {
		if len(row.in) < 4096 {
			f.Add([]byte(row.in+probeOf(row)), uint64(i), row.maxItem == 0, row.knows != 0, i%2 == 0, row.forwards)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, large, newer, prefixed, forwards bool) {
		row := parserRow{in: string(in), maxItem: 512, forwards: forwards}
		if large {
			row.maxItem = 0
		}
		if newer {
			row.knows = allFeatures
		}
		if prefixed {
			row.prefix, row.maxKey = 100, 150
		}
		checkStream(t, row, seed)
	})
}

// checkStream checks all that holds for every stream: as FuzzParser says.
func checkStream(t *testing.T, row parserRow, seed uint64) {
	t.Helper()
	whole := run(row)
	whole.visit = func(r *Request) { checkRequest(t, r, row) }
	whole.refuse = func(r *Refusal) { checkRefusal(t, r) }
	whole.arrive(row.in)
	whole.end()
	if !strings.HasPrefix(row.in, string(whole.taken)) || len(whole.taken)+len(whole.buf) != len(row.in) {
		t.Errorf("took %q of %q", whole.taken, row.in)
	}
	checkClosed(t, whole.events)
	if diff := same(whole, run(row, cut([]byte(row.in), seed)...)); diff != "" {
		t.Errorf("%q in pieces by seed %d: %s", row.in, seed, diff)
	}
	checkUnwanted(t, row, seed)
}

// checkUnwanted feeds a stream whose values nobody wants, in pieces: none of them
// is ever handed over in part, and no more is taken than came.
func checkUnwanted(t *testing.T, row parserRow, seed uint64) {
	t.Helper()
	tr := run(row)
	tr.parser.Wanted = wantsNothing
	tr.visit = func(r *Request) {
		if r.Unwanted == (len(r.Value) == r.Size()) && r.Size() > 0 || r.Unwanted && r.Value != nil {
			t.Errorf("%s has a value of %d bytes of %d", describe(r), len(r.Value), r.Size())
		}
	}
	for _, piece := range cut([]byte(row.in), seed) {
		tr.arrive(piece)
	}
	if !strings.HasPrefix(row.in, string(tr.taken)) {
		t.Errorf("took %q of %q", tr.taken, row.in)
	}
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

// checkRefusal checks an answer to the client: a line that is known, or a packet
// with a status and its text, with the opcode and the opaque of the request.
func checkRefusal(t *testing.T, r *Refusal) {
	t.Helper()
	if r.Dialect == ASCII {
		if !slices.Contains(refusals, r.Reply) {
			t.Errorf("answered %q, which is no known line", r.Reply)
		}
		return
	}
	if r.Reply == "" && r.Close {
		return // no packet was understood
	}
	p := packetOf([]byte(r.Reply))
	if p.status == 0 || p.value != codeTexts[code(p.status)] || p.extras+p.key != "" || p.opcode != r.opcode || p.opaque != r.opaque {
		t.Errorf("answered %+v", p)
	}
}

// checkClosed: nothing comes after the parser closed.
func checkClosed(t *testing.T, events []string) {
	t.Helper()
	for i, e := range events {
		if strings.HasPrefix(e, "! ") && strings.HasSuffix(e, closes) && i != len(events)-1 {
			t.Errorf("%q comes after the parser closed", events[i+1])
		}
	}
}

// checkRequest checks one request and every form of it upstream.
func checkRequest(t *testing.T, r *Request, row parserRow) {
	t.Helper()
	switch {
	case r.Verb == Unknown:
		checkUnknown(t, r, row)
	case r.Verb.Route == RouteKeyless:
		checkAlone(t, r)
	}
	if wantsKeys := r.Verb.Access != 0 || r.Verb.Local == LocalAuth || r.Verb.Local == LocalStep; (len(r.Keys) == 0) == wantsKeys {
		t.Errorf("%s: has %d keys", describe(r), len(r.Keys))
	}
	if row.maxItem > 0 && len(r.Value) > max(row.maxItem, MaxSASL) || len(r.Value) != r.Size() || len(r.Keys) > MaxGetKeys {
		t.Errorf("%s: value of %d bytes, size %d, %d keys", r.Verb.Name, len(r.Value), r.Size(), len(r.Keys))
	}
	for i := range r.Keys {
		if r.Verb.Access != 0 && (!ValidKey(r.Keys[i]) || row.maxKey > 0 && len(r.Keys[i]) > row.maxKey) {
			t.Errorf("%s: key %q", r.Verb.Name, r.Keys[i])
		}
		if r.Verb.Route == RouteKeys {
			checkCommand(t, r, i)
			checkPrefixed(t, r, i)
		}
	}
}

// checkCommand checks every form upstream of a request's command about its i-th key.
func checkCommand(t *testing.T, r *Request, i int) {
	t.Helper()
	c := r.Command(i)
	meta := AppendMeta(nil, &c, 0xfeed)
	if fault := checkCanonical(meta, &c, 0xfeed, 0); fault != "" {
		t.Errorf("%s as meta: %s", describe(r), fault)
	}
	checkMetaAgain(t, &c, meta)
	if !c.FitsClassic() {
		return
	}
	classic := AppendClassic(nil, &c)
	if fault := checkCanonical(classic, &c, 0, 1); fault != "" {
		t.Errorf("%s as classic: %s", describe(r), fault)
	}
	if r.Verb.canon.classic != "" {
		checkSame(t, r, i, classic)
	}
}

// checkPrefixed checks the command about an item that is called something else
// upstream: with the prefix before the key, or standing for it.
func checkPrefixed(t *testing.T, r *Request, i int) {
	t.Helper()
	c := r.Command(i)
	c.Prefix = []byte("tenant:0123456789")
	for _, c.Hashed = range []bool{false, true} {
		if !ValidKey([]byte(itemOf(&c))) {
			continue
		}
		meta := AppendMeta(nil, &c, 0xfeed)
		if fault := checkCanonical(meta, &c, 0xfeed, 0); fault != "" {
			t.Errorf("%s as meta with a prefix: %s", describe(r), fault)
		}
		checkMetaAgain(t, &c, meta)
		if !c.FitsClassic() {
			continue
		}
		if fault := checkCanonical(AppendClassic(nil, &c), &c, 0, 1); fault != "" {
			t.Errorf("%s as classic with a prefix: %s", describe(r), fault)
		}
	}
}

// checkMetaAgain parses the canonical meta command anew: it says the same.
func checkMetaAgain(t *testing.T, c *Command, wire []byte) {
	t.Helper()
	p := Parser{MaxItem: maxU31, Knows: allFeatures}
	again, n, err := p.Next(wire)
	if err != nil || n != len(wire) {
		t.Errorf("%q: parsed anew, %d bytes taken, %v", wire, n, err)
		return
	}
	one := c.Params
	if c.Verb.canon.value && one.Exptime == 0 {
		one.Has &^= HasExptime // a store that never expires does not say so
	}
	if !slices.Equal(partTokens(&again.Params), partTokens(&one)) || string(again.Keys[0]) != itemOf(c) ||
		!bytes.Equal(again.Value, c.Value) || again.Quiet || again.NoReply {
		t.Errorf("%q: parsed anew it is %s, want %s", wire, describe(again), partTokens(&one))
	}
}

// checkSame parses a canonical classic command anew: it is the request about its
// i-th key, loud.
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

// checkAlone checks a command about no key: composed, it is one line without
// control bytes, and parsing it gives the same arguments.
func checkAlone(t *testing.T, r *Request) {
	t.Helper()
	wire := AppendAlone(nil, r)
	line := strings.TrimSuffix(string(wire), "\r\n")
	if strings.Join(strings.Fields(line), " ") != line || hasControl([]byte(line)) || strings.HasSuffix(line, " noreply") && len(r.Keys) == 0 {
		t.Errorf("%s: composed as %q", describe(r), wire)
	}
	for _, tok := range strings.Fields(line) {
		if len(tok) > 1 && tok[0] == '0' && tok[1] != '.' || tok[0] == '+' || tok == "-0" {
			t.Errorf("%s: %q is no canonical number", describe(r), tok)
		}
	}
	var p Parser
	again, n, err := p.Next(wire)
	if err != nil || n != len(wire) || again.Verb.upstreamWord() != r.Verb.upstreamWord() || !bytes.Equal(again.Args, r.Args) {
		t.Errorf("%q: parsed anew, %d bytes taken, %v", wire, n, err)
	}
}
