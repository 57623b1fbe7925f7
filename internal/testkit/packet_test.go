package testkit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestPacketIsWrittenAsTheProtocolSays(t *testing.T) {
	for _, c := range []struct {
		packet Packet
		want   string
	}{
		{Packet{Op: OpNoop}, "800a0000 00000000 00000000 00000000 0000000000000000"},
		{
			Packet{Op: OpSet, Key: "ab", Extras: "\x00\x00\x00\x05\x00\x00\x00\x00", Value: "xyz", Opaque: 7, CAS: 9, Status: 2, DataType: 1},
			"80010002 08010002 0000000d 00000007 0000000000000009 0000000500000000 6162 78797a",
		},
		{
			Packet{Reply: true, Op: OpGetKQ, Status: 0x81, Opaque: 0xdeadbeef, Value: "x"},
			"810d0000 00000081 00000001 deadbeef 0000000000000000 78",
		},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(c.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.packet.Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%v:\ngot  %x\nwant %x", c.packet, got, want)
		}
		in := bytes.NewReader(append(want, "rest"...))
		got, err := ReadPacket(in)
		if err != nil || got != c.packet {
			t.Errorf("%x: read %+v, %v, want %+v", want, got, err, c.packet)
		}
		if in.Len() != len("rest") {
			t.Errorf("%x: %d bytes are left, want 4", want, in.Len())
		}
	}
}

func TestWhatIsNoPacketIsRefused(t *testing.T) {
	whole := string(Packet{Op: OpGet, Key: "abc"}.Bytes())
	for _, c := range []struct {
		name, in string
		want     error // nil for any
	}{
		{"nothing", "", io.EOF},
		{"half a header", whole[:10], io.ErrUnexpectedEOF},
		{"half a body", whole[:25], io.ErrUnexpectedEOF},
		{"no body", whole[:24], io.ErrUnexpectedEOF},
		{"text", "CLIENT_ERROR bad command line\r\n", nil},
		{"key beyond the body", whole[:3] + "\x04" + whole[4:], nil},
		{"body beyond all bounds", whole[:8] + "\xff" + whole[9:], nil},
	} {
		p, err := ReadPacket(strings.NewReader(c.in))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %+v, %v, want %v", c.name, p, err, c.want)
		}
	}
}

func TestOpcodesHaveOneNameEach(t *testing.T) {
	names, codes := map[string]bool{}, map[Op]bool{}
	for _, n := range opNames {
		if names[n.name] || codes[n.op] {
			t.Errorf("%s (%#x) stands twice", n.name, byte(n.op))
		}
		names[n.name], codes[n.op] = true, true
	}
	if got := Op(0x55).String(); got != "op=0x55" {
		t.Errorf("an opcode without a name is called %q", got)
	}
}

// FuzzReadPacket checks that what is read is written as the same bytes, and
// that its notation makes the same packet.
func FuzzReadPacket(f *testing.F) {
	f.Add(Packet{Op: OpSet, Key: "a", Extras: "\x00\x00\x00\x05\x00\x00\x00\x00", Value: "{{x*2}} \"*\"", Opaque: 1}.Bytes())
	f.Add(Packet{Reply: true, Op: OpGet, Extras: "\x00\x00\x00\x05", Value: "hex:00", CAS: 1 << 63}.Bytes())
	f.Add(Packet{Op: 0x55, Key: "*", Status: 1, DataType: 2}.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := ReadPacket(bytes.NewReader(in))
		if err != nil {
			return
		}
		if out := p.Bytes(); !bytes.HasPrefix(in, out) {
			t.Errorf("%x was read as %+v and written as %x", in, p, out)
		}
		n, err := readNote(p.String(), p.Reply)
		if err != nil || n.packet != p {
			t.Errorf("%+v: its notation %q makes %+v, %v", p, p.String(), n.packet, err)
		}
	})
}
