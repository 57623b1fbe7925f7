package protocol

import (
	"bytes"
	"testing"
)

// hotStreams are what most clients send most of the time.
func hotStreams() map[string][]byte {
	return map[string][]byte{
		"get":      []byte("get session:0123456789abcdef\r\n"),
		"get many": []byte("get a b c d e f g h i j k l m n o p\r\n"),
		"set":      []byte("set session:0123456789abcdef 0 3600 100\r\n" + string(bytes.Repeat([]byte("v"), 100)) + "\r\n"),
		"incr":     []byte("incr counter:42 1\r\n"),
		"mg":       []byte("mg session:0123456789abcdef v f t k O42 q\r\n"),
		"ms":       []byte("ms session:0123456789abcdef 100 T3600 F5\r\n" + string(bytes.Repeat([]byte("v"), 100)) + "\r\n"),
		"GETKQ":    pack(0x0d, packetParts{key: "session:0123456789abcdef", opaque: 42}),
		"SET":      pack(0x01, packetParts{extras: bytesOf(0, 3600), key: "session:0123456789abcdef", value: "value"}),
	}
}

// TestHotPathsDoNotAllocate: a request costs no memory of its own.
func TestHotPathsDoNotAllocate(t *testing.T) {
	for name, in := range hotStreams() {
		p := Parser{Dialect: dialectOf(string(in))}
		if n := testing.AllocsPerRun(100, func() {
			if _, _, err := p.Next(in); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}); n != 0 {
			t.Errorf("parsing %s allocates %v times, want 0", name, n)
		}
	}
	for _, in := range []string{"get " + key(251) + "\r\n", "foo\r\n", "set a x 0 1\r\n", "stats r\r\n", "mg a !\r\n"} {
		var p Parser
		if n := testing.AllocsPerRun(100, func() {
			p.skip = 0
			if _, _, err := p.Next([]byte(in)); err == nil {
				t.Fatalf("%.20q was accepted", in)
			}
		}); n > 1 { // the conversion of in
			t.Errorf("refusing %.20q allocates %v times, want 0", in, n-1)
		}
	}
	wire := make([]byte, 0, 4096)
	for _, name := range keyCommands() {
		c := command(name)
		c.Value, c.Exptime, c.Flags = []byte("value"), 60, 1
		fits := c.FitsClassic()
		if n := testing.AllocsPerRun(100, func() { wire = AppendMeta(wire[:0], c, 42) }); n != 0 {
			t.Errorf("composing %s as meta allocates %v times, want 0", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { wire = AppendClassic(wire[:0], c) }); fits && n != 0 {
			t.Errorf("composing %s as classic allocates %v times, want 0", name, n)
		}
	}
	for verb, in := range metaReplies() {
		c, line := command(verb), []byte(in)
		var r Reply
		if n := testing.AllocsPerRun(100, func() {
			if _, err := ParseMeta(line, c, 42, &r); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}); n != 0 {
			t.Errorf("reading %q allocates %v times, want 0", line, n)
		}
	}
}

// TestLimitsAndPrefixesDoNotAllocate: nor does a request whose keys have a prefix,
// and whose expiry is limited.
func TestLimitsAndPrefixesDoNotAllocate(t *testing.T) {
	wire, prefix := make([]byte, 0, 4096), []byte("team:")
	for name, in := range hotStreams() {
		var c Command
		p := Parser{Dialect: dialectOf(string(in)), Prefix: len(prefix), MaxKey: MaxKey - len(prefix)}
		if n := testing.AllocsPerRun(100, func() {
			r, _, err := p.Next(in)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r.Prefix = prefix
			r.LimitTTL(60, testNow)
			c = r.Command(0)
			wire = AppendMeta(wire[:0], &c, 42)
		}); n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
}

// metaReplies are the usual replies to some commands with opaque 42.
func metaReplies() map[string]string {
	return map[string]string{
		"get":    "VA 100 f0 O000000000000002a\r\n",
		"gets":   "VA 100 f0 c123456 O000000000000002a\r\n",
		"gat":    "EN O000000000000002a\r\n",
		"set":    "HD O000000000000002a\r\n",
		"delete": "NF O000000000000002a\r\n",
		"incr":   "VA 2 O000000000000002a\r\n17\r\n",
		"decr":   "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
	}
}

func benchmarkParser(b *testing.B, name string) {
	in := hotStreams()[name]
	p := Parser{Dialect: dialectOf(string(in))}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Next(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParserGet(b *testing.B)     { benchmarkParser(b, "get") }
func BenchmarkParserGetMany(b *testing.B) { benchmarkParser(b, "get many") }
func BenchmarkParserSet(b *testing.B)     { benchmarkParser(b, "set") }
func BenchmarkParserIncr(b *testing.B)    { benchmarkParser(b, "incr") }
func BenchmarkParserMg(b *testing.B)      { benchmarkParser(b, "mg") }
func BenchmarkParserMs(b *testing.B)      { benchmarkParser(b, "ms") }
func BenchmarkParserGETKQ(b *testing.B)   { benchmarkParser(b, "GETKQ") }
func BenchmarkParserSET(b *testing.B)     { benchmarkParser(b, "SET") }

func benchmarkAppend(b *testing.B, verb string) {
	c := command(verb)
	c.Key, c.Value, c.Exptime = []byte("session:0123456789abcdef"), bytes.Repeat([]byte("v"), 100), 3600
	wire := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		wire = AppendMeta(wire[:0], c, 0x0123456789abcdef)
	}
}

func BenchmarkAppendMetaGet(b *testing.B) { benchmarkAppend(b, "get") }
func BenchmarkAppendMetaSet(b *testing.B) { benchmarkAppend(b, "set") }

func BenchmarkAppendClassicGet(b *testing.B) {
	c := command("get")
	c.Key = []byte("session:0123456789abcdef")
	wire := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		wire = AppendClassic(wire[:0], c)
	}
}

func benchmarkParseMeta(b *testing.B, verb string) {
	c, line := command(verb), []byte(metaReplies()[verb])
	var r Reply
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMeta(line, c, 42, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseMetaGet(b *testing.B)  { benchmarkParseMeta(b, "get") }
func BenchmarkParseMetaGets(b *testing.B) { benchmarkParseMeta(b, "gets") }
func BenchmarkParseMetaSet(b *testing.B)  { benchmarkParseMeta(b, "set") }

func BenchmarkParseClassicGet(b *testing.B) {
	c, line := command("get"), []byte("VALUE session:0123456789abcdef 5 100\r\n")
	c.Key = []byte("session:0123456789abcdef")
	var r Reply
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseClassic(line, c, 0, &r); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkRender renders a value's reply to the request of a stream.
func benchmarkRender(b *testing.B, name string) {
	in := hotStreams()[name]
	p := Parser{Dialect: dialectOf(string(in))}
	req, _, err := p.Next(in)
	if err != nil {
		b.Fatal(err)
	}
	r := Reply{Status: StatusValue, Size: 100, Flags: 5, CAS: 42}
	wire := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		wire = req.AppendHead(wire[:0], req.Keys[0], &r)
		wire = req.AppendValueEnd(wire)
		wire = req.AppendItemsEnd(wire)
	}
}

func BenchmarkRenderGet(b *testing.B)   { benchmarkRender(b, "get") }
func BenchmarkRenderMg(b *testing.B)    { benchmarkRender(b, "mg") }
func BenchmarkRenderGETKQ(b *testing.B) { benchmarkRender(b, "GETKQ") }

func BenchmarkParseLogin(b *testing.B) {
	in := []byte("set auth 0 0 9\r\nuser pass\r\n")
	var l Login
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseLogin(in, &l); err != nil || l.Token == nil {
			b.Fatal(err)
		}
	}
}
