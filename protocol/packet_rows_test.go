package protocol

import (
	"fmt"
	"strings"
	"testing"
)

func packetRows() []parserRow {
	var rows []parserRow
	for _, row := range []struct {
		op   byte
		p    packetParts
		want string
	}{
		{0x00, packetParts{key: "k"}, "GET k f c v"},
		{0x09, packetParts{key: "k"}, "GET k f c v quiet"},
		{0x0d, packetParts{key: "k"}, "GETK k f c v quiet"},
		{0x1d, packetParts{key: "k", extras: bytesOf(60)}, "GAT k f c v T60"},
		{0x24, packetParts{key: "k", extras: bytesOf(0)}, "GATK k f c v T0 quiet"},
		{0x1c, packetParts{key: "k", extras: bytesOf(0xffffffff)}, "TOUCH k f c T2147483647"},
		{0x1c, packetParts{key: "k", extras: bytesOf(0x80000000)}, "TOUCH k f c T2147483647"},
		{0x01, packetParts{key: "k", extras: bytesOf(5, 60), value: "vv"}, `SET k 2 c F5 T60 "vv"`},
		{0x11, packetParts{key: "k", extras: bytesOf(0xffffffff, 0), value: ""}, `SET k 0 c F4294967295 T0 "" quiet`},
		{0x01, packetParts{key: "k", extras: bytesOf(0, 0), value: "v", cas: 9}, `SET k 1 c C9 T0 "v"`},
		{0x02, packetParts{key: "k", extras: bytesOf(0, 0), value: "v"}, `ADD k 1 c ME T0 "v"`},
		{0x02, packetParts{key: "k", extras: bytesOf(0, 0), value: "v", cas: 9}, `ADD k 1 c C9 T0 "v"`},
		{0x03, packetParts{key: "k", extras: bytesOf(0, 0), value: "v", cas: 9}, `REPLACE k 1 c C9 T0 "v"`},
		{0x0e, packetParts{key: "k", value: "v"}, `APPEND k 1 c MA "v"`},
		{0x1a, packetParts{key: "k", value: "v", cas: maxU64}, `PREPEND k 1 c MP C18446744073709551615 "v" quiet`},
		{0x04, packetParts{key: "k", cas: 3}, "DELETE k C3"},
		{0x05, packetParts{key: "k", extras: bytesOf(uint64(5), uint64(7), 0xffffffff)}, "INCREMENT k c v D5"},
		{0x05, packetParts{key: "k", extras: bytesOf(uint64(5), uint64(7), 60)}, "INCREMENT k c v D5 J7 N60"},
		{0x16, packetParts{key: "k", extras: bytesOf(uint64(maxU64), uint64(0), 0)}, "DECREMENT k c v MD D18446744073709551615 J0 N0 quiet"},
		{0x15, packetParts{key: "k", extras: bytesOf(uint64(1), uint64(0), 0xfffffffe)}, "INCREMENT k c v D1 J0 N2147483647 quiet"},
		{0x00, packetParts{key: key(250)}, "GET " + key(250) + " f c v"},
		{0x00, packetParts{key: "\x80\xff"}, "GET \x80\xff f c v"},
		{0x00, packetParts{key: "a b"}, invalid},
		{0x00, packetParts{key: "a\r\nflush_all"}, invalid},
		{0x01, packetParts{key: "a\x00", extras: bytesOf(0, 0), value: string(noop)}, invalid},
		{0x11, packetParts{key: "a\x7f", extras: bytesOf(0, 0), value: string(noop)}, invalid},
		{0x08, packetParts{}, "flush_all"},
		{0x08, packetParts{extras: bytesOf(0)}, "flush_all"},
		{0x18, packetParts{extras: bytesOf(10)}, "flush_all 10 quiet"},
		{0x10, packetParts{}, "stats"},
		{0x10, packetParts{key: "settings"}, "stats settings"},
		{0x10, packetParts{key: "reset"}, "stats reset"},
		{0x10, packetParts{key: "resetXYZ"}, "! 0x01"},
		{0x10, packetParts{key: "detail dump"}, "! 0x01"},
		{0x10, packetParts{key: "items\r\nflush_all"}, "! 0x01"},
		{0x10, packetParts{key: "cachedump 1 1"}, "! 0x01"},
		{0x07, packetParts{}, "QUIT"},
		{0x17, packetParts{}, "QUIT quiet"},
		{0x0b, packetParts{}, "VERSION"},
		{0x20, packetParts{}, "SASL_LIST_MECHS"},
		{0x21, packetParts{key: "PLAIN", value: "\x00u\x00p"}, `SASL_AUTH PLAIN "\x00u\x00p"`},
		{0x21, packetParts{key: "PLAIN"}, `SASL_AUTH PLAIN ""`},
		{0x22, packetParts{key: "X", value: strings.Repeat("v", MaxSASL)}, fmt.Sprintf("SASL_STEP X %q", strings.Repeat("v", MaxSASL))},
		{0x22, packetParts{key: "X", value: strings.Repeat("v", MaxSASL+1)}, noAuth + closes},
		{0x21, packetParts{key: key(32), value: "v"}, "SASL_AUTH " + key(32) + ` "v"`},
		{0x1b, packetParts{extras: bytesOf(1)}, notKnown},
		{0x55, packetParts{extras: bytesOf(1, 1), key: key(16)}, notKnown},
	} {
		want := row.want
		if byOpcode[row.op] != nil && byOpcode[row.op].Name == "FLUSH" {
			want = strings.Replace(want, "flush_all", "FLUSH", 1)
		}
		rows = append(rows, parserRow{in: string(pack(row.op, row.p)), want: want})
	}
	return append(rows, brokenPacketRows()...)
}

// brokenPacketRows are streams that are no packets, or none that is complete.
func brokenPacketRows() []parserRow {
	set := pack(0x01, packetParts{key: "k", extras: bytesOf(0, 0), value: strings.Repeat("v", 965)})
	fit := pack(0x01, packetParts{key: "k", extras: bytesOf(0, 0), value: strings.Repeat("v", 964)})
	huge := pack(0x01, packetParts{key: "k", extras: bytesOf(0, 0), value: strings.Repeat("v", 2049)})
	return []parserRow{
		{in: string(noop) + "get a\r\n", want: "NOOP; ! silent" + closes},
		{in: string(noop) + "\x81", want: "NOOP; ! silent" + closes},
		{in: string(set), want: largeBody, maxItem: 1024},
		{in: string(fit), want: fmt.Sprintf("SET k 964 c T0 %q", strings.Repeat("v", 964)), maxItem: 1024},
		{in: string(huge), want: largeBody + closes, maxItem: 1024},
		{in: string(set[:len(set)-30]), want: largeBody + "; owes", maxItem: 2000 - 976},
	}
}

func TestParserReadsPackets(t *testing.T) { testRows(t, packetRows()) }
