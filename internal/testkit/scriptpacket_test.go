package testkit

import (
	"fmt"
	"strings"
	"testing"
)

func TestBinaryScriptsRunOnMemcached(t *testing.T) {
	for _, s := range LoadScripts(t, "testdata/binary/*.txt") {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/split=%v", s.Name, split), func(t *testing.T) {
				VerifyNoLeaks(t)
				RunScript(t, StartMemcached(t).Dial(t), s, ScriptOptions{Split: split})
			})
		}
	}
}

// zeros are the extras of a store without flags and expiry.
const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00"

func TestPacketsAreReadAsWritten(t *testing.T) {
	for _, c := range []struct {
		note string
		want Packet
	}{
		{"GETKQ key=user:1 opaque=7", Packet{Op: OpGetKQ, Key: "user:1", Opaque: 7}},
		{"SET key=a value=hello", Packet{Op: OpSet, Key: "a", Value: "hello", Extras: zeros}},
		{"SETQ flags=1 exp=258 cas=9", Packet{Op: OpSetQ, CAS: 9, Extras: "\x00\x00\x00\x01\x00\x00\x01\x02"}},
		{"ADD extras=", Packet{Op: OpAdd}},
		{"INCREMENT key=n", Packet{Op: OpIncrement, Key: "n", Extras: "\x00\x00\x00\x00\x00\x00\x00\x01" + zeros + "\x00\x00\x00\x00"}},
		{"DECREMENTQ delta=0xff initial=2 exp=0xffffffff", Packet{
			Op: OpDecrementQ, Extras: "\x00\x00\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00\x02\xff\xff\xff\xff",
		}},
		{"GATKQ key=a", Packet{Op: OpGATKQ, Key: "a", Extras: "\x00\x00\x00\x00"}},
		{"FLUSH", Packet{Op: OpFlush}},
		{"FLUSHQ exp=1", Packet{Op: OpFlushQ, Extras: "\x00\x00\x00\x01"}},
		{`SASL_AUTH key=PLAIN value="\x00user\x00pass word"`, Packet{Op: OpSASLAuth, Key: "PLAIN", Value: "\x00user\x00pass word"}},
		{"op=0x55 key=a extras=hex:0001 value=hex:", Packet{Op: 0x55, Key: "a", Extras: "\x00\x01"}},
		{"NOOP vbucket=1 datatype=2", Packet{Op: OpNoop, Status: 1, DataType: 2}},
		{"GET key=a=b", Packet{Op: OpGet, Key: "a=b"}},
	} {
		step, err := sendPacket(c.note)
		if err != nil || step.Data != string(c.want.Bytes()) {
			t.Errorf("%s:\ngot  %x, %v\nwant %x", c.note, step.Data, err, c.want.Bytes())
		}
	}
}

func TestHeadersCanLie(t *testing.T) {
	honest := Packet{Op: OpGet, Key: "abc"}.Bytes()
	for _, c := range []struct {
		field string
		at    int
		want  string
	}{
		{"magic=0x81", 0, "\x81"},
		{"keylen=258", 2, "\x01\x02"},
		{"extlen=4", 4, "\x04"},
		{"bodylen=0x80000001", 8, "\x80\x00\x00\x01"},
	} {
		step, err := sendPacket("GET key=abc " + c.field)
		want := string(honest[:c.at]) + c.want + string(honest[c.at+len(c.want):])
		if err != nil || step.Data != want {
			t.Errorf("%s:\ngot  %x, %v\nwant %x", c.field, step.Data, err, want)
		}
	}
}

func TestMalformedPacketsAreRefusedWithTheirLine(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"> bin get key=a", `no opcode is called "get"`},
		{"> bin op=256", `no opcode is called "op=256"`},
		{"> bin GET key", `want fields as name=text, each once, at "key"`},
		{"> bin GET key=a key=b", `want fields as name=text, each once, at "key=b"`},
		{"> bin GET  key=a", ` key: no field is called so`},
		{"> bin GET flags=1", `flags: no field is called so`},
		{"> bin GET status=1", `status: no field is called so`},
		{"> bin SET flags=4294967296", `flags: strconv.ParseUint: parsing "4294967296": value out of range`},
		{"> bin SET opaque=-1", `opaque: strconv.ParseUint`},
		{"> bin SET opaque=1_0", `opaque: strconv.ParseUint`},
		{`> bin SET opaque="1"`, `opaque: no field is called so, or it is no text`},
		{"> bin SET flags=1 extras=a", `extras stand both whole and in parts`},
		{"> bin SET extras=a flags=1", `extras stand both whole and in parts`},
		{"> bin GET key=hex:0", `key: encoding/hex: odd length hex string`},
		{`> bin GET key="a`, `key: invalid syntax`},
		{`> bin GET key="a"b`, `key: something stands after the quote`},
		{"> bin GET cas=*", `cas: it can't be anything`},
		{"< bin GET key=*", `key: it can't be anything`},
		{"< bin GET bodylen=1", `bodylen: no field is called so`},
		{"< bin GET value=1 number=1", `value stands both as text and as number`},
	} {
		_, err := parseScript("x.txt", "# a\n"+c.line)
		if err == nil || !strings.HasPrefix(err.Error(), "x.txt:2: "+c.want) {
			t.Errorf("%s:\ngot  %v\nwant x.txt:2: %s", c.line, err, c.want)
		}
	}
}

func TestRunScriptComparesPackets(t *testing.T) {
	hit := Packet{Reply: true, Op: OpGet, Extras: "\x00\x00\x00\x05", Value: "hello", Opaque: 7, CAS: 12}
	reply := string(hit.Bytes())
	for _, c := range []struct{ step, reply, want string }{
		{"< bin GET flags=5 value=hello opaque=7 cas=12", reply, ""},
		{"< bin GET flags=5 value=* opaque=* cas=*", reply, ""},
		{"< bin GET extras=* value=hello opaque=7 cas=12", reply, ""},
		{
			"< bin GET status=0x01 value=hello opaque=7 cas=*", reply,
			"x.txt:3: \n\tgot  GET status=0x0 flags=5 value=hello opaque=7 cas=12\n\twant GET status=0x1 value=hello opaque=7 cas=*",
		},
		{
			"< bin INCREMENT number=5", reply,
			"x.txt:3: \n\tgot  GET status=0x0 flags=5 value=hello opaque=7 cas=12\n\twant INCREMENT status=0x0 value=\"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x05\"",
		},
		{"< bin NOOP", "ERROR\r\n", "x.txt:3: \n\tgot  \"ERROR\\r\\n\"\n\twant NOOP status=0x0"},
		{"< bin NOOP", reply[:20], "x.txt:3: \n\tgot  \"\", then unexpected EOF\n\twant NOOP status=0x0"},
		{"< bin NOOP", "", "x.txt:3: \n\tgot  \"\", then EOF\n\twant NOOP status=0x0"},
	} {
		s, err := parseScript("x.txt", "# about\n> get a\n"+c.step)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := runScript(answering(t, c.reply, true), s, ScriptOptions{}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.step, got, c.want)
		}
	}
}

func TestPacketTranscriptEndsWithItsNoop(t *testing.T) {
	real := StartMemcached(t)
	noop := Packet{Op: OpNoop, Opaque: 1}
	for _, c := range []struct {
		in   string
		want []Packet
	}{
		{"", nil},
		{string(Packet{Op: OpGetQ, Key: "a"}.Bytes()), nil},
		{string(noop.Bytes()), []Packet{{Reply: true, Op: OpNoop, Opaque: 1}}},
	} {
		var want string
		for _, p := range append(c.want, Packet{Reply: true, Op: OpNoop, Opaque: lastOpaque}) {
			want += string(p.Bytes())
		}
		if got := PacketTranscript(t, real.Dial(t), []byte(c.in), patience); string(got) != want {
			t.Errorf("%q: got %q, want %q", c.in, got, want)
		}
	}
}
