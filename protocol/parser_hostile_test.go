package protocol

import (
	"strings"
	"testing"
)

// hostileRows are streams that are made to be read in two ways: each is read in
// one, and the command that a stricter or laxer reader would find in it is not
// carried out.
func hostileRows() []parserRow {
	noops := string(noop) + string(noop)
	surplus := func(op byte, extras int) string {
		return string(pack(op, packetParts{extras: strings.Repeat("\x00", extras), key: "k", value: string(noop)}))
	}
	return []parserRow{
		{in: "version\r\nget " + key(251) + "\r\nmn\r\n", want: "version; " + badFormat + "; mn"},
		{in: "set a 0 0 -1 noreply\r\nx\r\nmn\r\n", want: badFormat + closes},
		{in: "set " + key(251) + " 0 0 2 noreply\r\nmn\r\nmn\r\n", want: silent + "; mn"},
		{in: "set a zz 0 1\r\nx\r\nmn\r\n", want: badFormat + "; mn"},
		{in: "set a 0 0 2\r\nxxxx\r\nmn\r\n", want: badChunk + closes},
		{in: "set a 0 0 1 a noreply\r\nx\r\nmn\r\n", want: badFormat + "; mn"},
		{in: "set a 0 0 1 noreply a\r\nx\r\nmn\r\n", want: badFormat + "; mn"},
		{in: "foo noreply\r\nmn\r\n", want: unknown + "; mn"},
		{in: "ms a 2 !\r\nhi\r\nmn\r\n", want: badFlag + "; mn"},
		{in: "ms " + key(251) + " 2 q\r\nmn\r\nmn\r\n", want: badFormat + "; mn"},
		{in: "ms m2 1 MSET\r\nq\r\n", want: badMode},
		{in: "mg a2V2aWwNClZBIDMNCkFCQw0KSEQ= b N30 k\r\n", want: badFormat},
		{in: "ma c N0 q\r\nmn\r\n", want: "ma c N0 quiet; mn"},
		{in: "watch noreply\r\nmn\r\n", want: silent + "; mn"},
		{in: "get a\r\n\x80\x0a", want: "get a; " + unknown},

		// Packets.
		{in: string(pack(0x55, packetParts{extras: strings.Repeat("e", 8), key: key(16)})) + string(noop), want: notKnown + "; NOOP"},
		{in: string(pack(0x1b, packetParts{extras: bytesOf(2)})) + noops, want: notKnown + "; NOOP; NOOP"},
		{in: surplus(0x1d, 4), want: invalid + closes},
		{in: surplus(0x1c, 4), want: invalid + closes},
		{in: surplus(0x24, 4), want: invalid + closes},
		{in: surplus(0x10, 0), want: invalid + closes},
		{in: surplus(0x00, 0), want: invalid + closes},
		{in: surplus(0x05, 20), want: invalid + closes},
		{in: distortion{body: 0xffffffff}.packet(0x01, shapes()[0x01]) + noops, want: largeBody + closes},
		{in: distortion{body: 0x80000000}.packet(0x11, shapes()[0x11]) + noops, want: largeBody + closes},
		{in: distortion{body: 5}.packet(0x01, shapes()[0x01]) + noops, want: notKnown + closes},
		{in: "\x80get a\r\n", want: largeBody + closes},
	}
}

func TestHostileStreams(t *testing.T) { testRows(t, hostileRows()) }

// TestDialectOf: the first byte tells the dialect, and a byte that begins no
// request tells none.
func TestDialectOf(t *testing.T) {
	for first := range 256 {
		d, ok := DialectOf(byte(first))
		line := first >= ' ' && first < 0x7f || first == '\r' || first == '\n'
		if ok != (line || first == 0x80) || (d == Binary) != (first == 0x80) {
			t.Errorf("first byte %#02x: got %s, %t", first, d, ok)
		}
	}
	if ASCII.String() != "ascii" || Binary.String() != "binary" {
		t.Errorf("the dialects are called %s and %s", ASCII, Binary)
	}
}

// TestFeaturesOf: what a memcached knows follows its version.
func TestFeaturesOf(t *testing.T) {
	for version, want := range map[string]Features{
		"1.6.18": 0, "1.6.26": 0, "1.6.26_99": 0, "1.6.27": allFeatures, "1.6.45": allFeatures, "1.6.100": allFeatures, "1.7.0": allFeatures,
		"2.0.0": allFeatures, "1.5.99": 0, "": 0, "x": 0, "1.6": 0, "1.6.": 0,
	} {
		if got := FeaturesOf(version); got != want {
			t.Errorf("FeaturesOf(%q) = %b, want %b", version, got, want)
		}
	}
}
