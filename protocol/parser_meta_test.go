package protocol

import (
	"fmt"
	"strings"
	"testing"
)

// Refusals of meta commands as events.
const (
	badFlag      = "! CLIENT_ERROR invalid flag"
	duplicate    = "! CLIENT_ERROR duplicate flag"
	badToken     = "! CLIENT_ERROR bad token in command line format"
	badMode      = "! CLIENT_ERROR invalid mode"
	badBase64    = "! CLIENT_ERROR error decoding key"
	longOpaque   = "! CLIENT_ERROR opaque token too long"
	tooManyFlags = "! CLIENT_ERROR options flags are too long"
)

func metaGetRows() []parserRow {
	return []parserRow{
		{in: "mg\r\n", want: unknown},
		{in: "mg a\r\n", want: "mg a"},
		{in: "mg a\n", want: "mg a"},
		{in: "mg  a   v \r\n", want: "mg a v -> v"},
		{in: "mg a v\r\n", want: "mg a v -> v"},
		{in: "mg a vt\r\n", want: "mg a v -> v"},
		{in: "mg a q\r\n", want: "mg a quiet"},
		{in: "mg a v q k\r\n", want: "mg a v -> v k quiet"},
		{in: "mg a t v s l k h f c\r\n", want: "mg a f c h l s v t -> t v s l k h f c"},
		{in: "mg a O1 k\r\n", want: "mg a -> O1 k"},
		{in: "mg a T60\r\n", want: "mg a T60"},
		{in: "mg a T0\r\n", want: "mg a T0"},
		{in: "mg a T-1 N-1 R-1\r\n", want: "mg a T-1 N-1 R-1"},
		{in: "mg a T5 t N6 R7\r\n", want: "mg a T5 t N6 R7 -> t"},
		{in: "mg a t R7 v N6 T5 k\r\n", want: "mg a v t R7 N6 T5 -> t v k"},
		{in: "mg a R7 t\r\n", want: "mg a R7 t -> t"},
		{in: "mg a N30 R10 u\r\n", want: "mg a u N30 R10"},
		{in: "mg a C5 E6\r\n", want: "mg a C5 E6", knows: allFeatures},
		{in: "mg a E6\r\n", want: badFlag},
		{in: "mg a x\r\n", want: "mg a", knows: allFeatures},
		{in: "mg a x\r\n", want: badFlag},
		{in: "mg a P L\r\n", want: "mg a"},
		{in: "mg a Pproxy/hint Lanother v\r\n", want: "mg a v -> v"},
		{in: "mg a P" + strings.Repeat("p", 1000) + "\r\n", want: "mg a"},
		{in: "mg a noreply\r\n", want: badFlag},
		{in: "mg a S1\r\n", want: badFlag},
		{in: "mg a Mx M\r\n", want: duplicate},
		{in: "mg noreply v\r\n", want: "mg noreply v -> v"},
		{in: "mg v v\r\n", want: "mg v v -> v"},
		{in: "mg a\x00\r\n", want: badFormat},
		{in: "mg a v\x01\r\n", want: badFormat},
		{in: "mg a\tb\r\n", want: badFormat},
		{in: "mg a Ox\rz\r\n", want: badFormat},
		{in: " mg a\r\n", want: unknown},
		{in: "mg " + key(250) + "\r\n", want: "mg " + key(250)},
		{in: "mg " + key(251) + "\r\n", want: badFormat},
		{in: "version\r\nmg " + key(251) + "\r\nmn\r\n", want: "version; " + badFormat + "; mn"},
		{in: "mg \xff\x80 v\r\n", want: "mg \xff\x80 v -> v"},
		{in: "mg / HTTP/1.1\r\n", want: badFlag},
	}
}

func metaSetRows() []parserRow {
	return []parserRow{
		{in: "ms a 2\r\nhi\r\n", want: `ms a 2 "hi"`},
		{in: "ms a 0\r\n\r\n", want: `ms a 0 ""`},
		{in: "ms a 02 T0 F0\r\nhi\r\n", want: `ms a 2 T0 "hi"`},
		{in: "ms a 2 T60 F5 k O7 c q s\r\nhi\r\n", want: `ms a 2 c s F5 T60 "hi" -> k O7 c s quiet`},
		{in: "ms a 2 ME\r\nhi\r\n", want: `ms a 2 ME "hi"`},
		{in: "ms a 2 MA N0\r\nhi\r\n", want: `ms a 2 MA N0 "hi"`},
		{in: "ms a 2 MP N60 T9\r\nhi\r\n", want: `ms a 2 MP N60 T9 "hi"`},
		{in: "ms a 2 MR\r\nhi\r\n", want: `ms a 2 MR "hi"`},
		{in: "ms a 2 MS\r\nhi\r\n", want: `ms a 2 "hi"`},
		{in: "ms a 2 C5 I\r\nhi\r\n", want: `ms a 2 C5 I "hi"`},
		{in: "ms a 2 E5 C0\r\nhi\r\n", want: `ms a 2 C0 E5 "hi"`, knows: allFeatures},
		{in: "ms a 2 D5 J6 R7 v t h l f u\r\nhi\r\n", want: `ms a 2 "hi"`},
		{in: "ms noreply 2\r\nhi\r\n", want: `ms noreply 2 "hi"`},

		// A block whose length is known is skipped, whatever the fault.
		{in: "ms a 7 M\r\nget pwn\r\n", want: badMode},
		{in: "ms a 7 MX\r\nget pwn\r\n", want: badMode},
		{in: "ms a 7 MSET\r\nget pwn\r\n", want: badMode},
		{in: "ms a 7 Me q\r\nget pwn\r\n", want: badMode},
		{in: "ms a 7 MI\r\nget pwn\r\n", want: badMode},
		{in: "ms a 7 !\r\nget pwn\r\n", want: badFlag},
		{in: "ms a 7 noreply\r\nget pwn\r\n", want: badFlag},
		{in: "ms a 7 S7\r\nget pwn\r\n", want: badFlag},
		{in: "ms a 7 E1\r\nget pwn\r\n", want: badFlag},
		{in: "ms a 7 q q\r\nget pwn\r\n", want: duplicate},
		{in: "ms a 7 Fx\r\nget pwn\r\n", want: badToken},
		{in: "ms a 7 T+1 q\r\nget pwn\r\n", want: badToken},
		{in: "ms a 7 C-1\r\nget pwn\r\n", want: badToken},
		{in: "ms a 7 b\r\nget pwn\r\n", want: badBase64},
		{in: "ms a 7 O" + strings.Repeat("x", 32) + "\r\nget pwn\r\n", want: longOpaque},
		{in: "ms a 7" + strings.Repeat(" q", 18) + "\r\nget pwn\r\n", want: tooManyFlags},
		{in: "ms a\x00 7\r\nget pwn\r\n", want: badFormat},
		{in: "ms a 7 \x01\r\nget pwn\r\n", want: badFormat},
		{in: " ms a 7\r\nget pwn\r\n", want: badFormat},
		{in: "ms " + key(251) + " 7 q\r\nget pwn\r\n", want: badFormat},
		{in: "ms " + key(250) + " 7 q\r\nget pwn\r\n", want: "ms " + key(250) + ` 7 "get pwn" quiet`},

		// Without a length there is no next request.
		{in: "ms\r\n", want: badFormat + closes},
		{in: "ms a\r\nx\r\n", want: badFormat + closes},
		{in: "ms a b\r\nx\r\n", want: badFormat + closes},
		{in: "ms a S1\r\nx\r\n", want: badFormat + closes},
		{in: "ms a -1\r\nx\r\n", want: badFormat + closes},
		{in: "ms a +1\r\nx\r\n", want: badFormat + closes},
		{in: "ms a 4294967298\r\nxx\r\n", want: badFormat + closes},
		{in: "ms a 2147483646\r\nxx\r\n", want: badFormat + closes},
		{in: "ms a 1\t\r\nx\r\n", want: badFormat + closes},
		{in: "ms a 000000000000000000002\r\nxx\r\n", want: badFormat + closes},
		{in: "ms a 2147483645\r\nx\r\n", want: tooLarge + closes},
		{in: "ms a 2147483645 !\r\nx\r\n", want: badFlag + closes},

		// The block.
		{in: "ms a 12\r\nEND\r\nget b\r\n\r\n", want: `ms a 12 "END\r\nget b\r\n"`},
		{in: "ms a 2\r\nxxxx\r\n", want: badChunk + closes},
		{in: "ms a 2 q\r\nx\r\n\r\n", want: badChunk + closes},
		{in: "ms a 2\r\nxx\n\n", want: badChunk + closes},
		{in: "ms a 100\r\nget", want: "waits for a value"},
		{in: "ms a 100 !\r\nget", want: badFlag + "; owes"},
	}
}

func metaOtherRows() []parserRow {
	return []parserRow{
		{in: "md\r\n", want: unknown},
		{in: "md a\r\n", want: "md a"},
		{in: "md a q k O1\r\n", want: "md a -> k O1 quiet"},
		{in: "md a C5 I T30\r\n", want: "md a C5 I T30"},
		{in: "md a x F5\r\n", want: "md a F5 x", knows: allFeatures},
		{in: "md a x\r\n", want: badFlag},
		{in: "md a E5 I\r\n", want: "md a E5 I", knows: allFeatures},
		{in: "md a v c s t f h l N5 J5 D5 R5 u MX\r\n", want: "md a"},
		{in: "md " + key(251) + " q\r\n", want: badFormat},

		{in: "ma\r\n", want: unknown},
		{in: "ma a\r\n", want: "ma a"},
		{in: "ma a v\r\n", want: "ma a v -> v"},
		{in: "ma a D5 v t c k O1 q\r\n", want: "ma a c v D5 t -> v t c k O1 quiet"},
		{in: "ma a MI\r\n", want: "ma a"},
		{in: "ma a M+\r\n", want: "ma a"},
		{in: "ma a MD D0\r\n", want: "ma a MD D0"},
		{in: "ma a M-\r\n", want: "ma a MD"},
		{in: "ma a Mi\r\n", want: badMode},
		{in: "ma a MIncr\r\n", want: badMode},
		{in: "ma a ME\r\n", want: badMode},
		{in: "ma a M\r\n", want: badMode},
		{in: "ma a N60 J13 T90 C7\r\n", want: "ma a C7 J13 N60 T90"},
		{in: "ma a N0 q\r\n", want: "ma a N0 quiet"},
		{in: "ma a E5\r\n", want: "ma a E5", knows: allFeatures},
		{in: "ma a D18446744073709551616\r\n", want: badToken},
		{in: "ma " + key(251) + " v\r\n", want: badFormat},

		{in: "me\r\n", want: badFormat},
		{in: "me a\r\n", want: "me a"},
		{in: "me a b c\r\n", want: badFormat},
		{in: "me a k\r\n", want: badFormat},
		{in: "me a b\r\n", want: badBase64},
		{in: "me Zm9v b\r\n", want: "me foo"},
		{in: "me Zm9v b q\r\n", want: badFormat},
		{in: "me Zm9v bx\r\n", want: badFormat},
		{in: "me " + key(251) + "\r\n", want: badFormat},

		{in: "mx a\r\n", want: unknown},
		{in: "mgs a\r\n", want: unknown},
		{in: "MG a\r\n", want: unknown},
	}
}

func TestParserReadsMetaGets(t *testing.T)   { testRows(t, metaGetRows()) }
func TestParserReadsMetaStores(t *testing.T) { testRows(t, metaSetRows()) }
func TestParserReadsMetaOthers(t *testing.T) { testRows(t, metaOtherRows()) }
func TestParserReadsMetaKeys(t *testing.T)   { testRows(t, metaKeyRows()) }
func TestParserReadsMetaFlags(t *testing.T)  { testRows(t, metaFlagRows()) }

// metaKeyRows are keys in base64: only the one way of writing a key is one, and
// what it stands for is held to the rules of every key.
func metaKeyRows() []parserRow {
	long := strings.Repeat("a2tr", 62) // 186 bytes in 248
	rows := []parserRow{
		{in: "mg c2VjcmV0QQ== b v\r\n", want: "mg secretA v -> v b"},
		{in: "mg c2VjcmV0QQ== v b k\r\n", want: "mg secretA v -> v k b"},
		{in: "mg Zm9v bxyz\r\n", want: "mg foo -> b"},
		{in: "mg c2VjcmV0QQ== v\r\n", want: "mg c2VjcmV0QQ== v -> v"},
		{in: "ms Zm9v 2 b\r\nhi\r\n", want: `ms foo 2 "hi" -> b`},
		{in: "md Zm9v b\r\n", want: "md foo -> b"},
		{in: "ma Zm9v b\r\n", want: "ma foo -> b"},
		{in: "mg " + long + " b\r\n", want: "mg " + key(186) + " -> b"},
		{in: "mg " + long + "a2tr b\r\n", want: badBase64},
		{in: "mg 4pyT b\r\n", want: "mg \u2713 -> b"},
	}
	for _, alias := range []string{
		"c2VjcmV0QR==", "c2VjcmV0QQ==AAAA", "c2VjcmV0QQ", "c2VjcmV0QQ=", "c2VjcmV0QQ===", "=c2VjcmV0QQ==", "c2Vj=cmV0QQ==",
		"c2VjcmV0QQ==c2VjcmV0QQ==", "Z-m9v", "Z.m.9.v", "Zm9=", "Zm9vZ", "=", "====", "A===", "_-8=", "_w==", "-w==", "/x==", "+", "!!!!", "Zm9v====",
	} {
		rows = append(rows, parserRow{in: "mg " + alias + " b v\r\n", want: badBase64},
			parserRow{in: "ms " + alias + " 7 b\r\nget pwn\r\n", want: badBase64})
	}
	for encoded, why := range map[string]string{
		"YSBi": "a b", "YQpi": "a\nb", "YQ1i": "a\rb", "AA==": "NUL", "YX8=": "a DEL", "YQli": "a tab b", "ZXZpbA0KVkEgMw0KQUJDDQo=": "a reply",
	} {
		rows = append(rows, parserRow{in: "mg " + encoded + " b N30 k\r\n", want: badFormat},
			parserRow{in: "ms " + encoded + " 7 b\r\nget " + why[:1] + "wn\r\n", want: badFormat},
			parserRow{in: "me " + encoded + " b\r\n", want: badFormat})
	}
	for _, raw := range []string{"c2VjcmV0\x0bQQ==", "c2Vj\rcmV0QQ==", "\tc2VjcmV0QQ=="} {
		rows = append(rows, parserRow{in: "mg " + raw + " b\r\n", want: badFormat})
	}
	return rows
}

// metaFlagRows are the bounds of flags.
func metaFlagRows() []parserRow {
	all := "P L q k c h l s t u v f b C1 N1 R1 T1" // 17 of them
	rows := []parserRow{
		{in: "mg Zm9v " + all + "\r\n", want: "mg foo f c h l s v C1 u t N1 R1 T1 -> k c h l s t v f b quiet"},
		{in: "mg Zm9v " + all + " O1\r\n", want: tooManyFlags},
		{in: "mg a" + strings.Repeat(" v", 18) + "\r\n", want: tooManyFlags},
		{in: "mg a" + strings.Repeat(" v", 17) + "\r\n", want: duplicate},
		{in: "ma a v q v\r\n", want: duplicate},
		{in: "md a P1 P2\r\n", want: duplicate},
		{in: "mg a O\r\n", want: "mg a -> O"},
		{in: "mg a O" + strings.Repeat("o", 31) + "\r\n", want: "mg a -> O" + strings.Repeat("o", 31)},
		{in: "mg a O" + strings.Repeat("o", 32) + "\r\n", want: longOpaque},
		{in: "mg a q O" + strings.Repeat("o", 32) + "\r\n", want: longOpaque},
	}
	numbers := []struct{ flag, word, least, most, past string }{
		{"T", "mg", "-2147483647", "2147483647", "2147483648"}, {"N", "mg", "-2147483647", "2147483647", "2147483648"},
		{"R", "mg", "-2147483647", "2147483647", "-2147483648"}, {"T", "ma", "0", "2147483647", "4294967297"},
		{"C", "md", "0", "18446744073709551615", "18446744073709551616"}, {"D", "ma", "0", "18446744073709551615", "18446744073709551616"},
		{"J", "ma", "0", "18446744073709551615", "18446744073709551616"}, {"E", "ma", "0", "18446744073709551615", "18446744073709551616"},
	}
	for _, n := range numbers {
		for _, good := range []string{n.least, n.most} {
			in := fmt.Sprintf("%s a %s%s\r\n", n.word, n.flag, good)
			rows = append(rows, parserRow{in: in, want: strings.TrimSpace(in), knows: allFeatures})
		}
		for _, bad := range []string{n.past, "", "-", "+1", "1x", "x", "0x1", "1.0", "1e3", "000000000000000000001"} {
			rows = append(rows, parserRow{in: fmt.Sprintf("%s a %s%s\r\n", n.word, n.flag, bad), want: badToken, knows: allFeatures})
		}
	}
	for _, bad := range []string{"F4294967296", "F-1", "F+5", "F", "F4294967303"} {
		rows = append(rows, parserRow{in: "ms a 7 " + bad + "\r\nget pwn\r\n", want: badToken})
	}
	return append(rows, parserRow{in: "ms a 2 F4294967295\r\nhi\r\n", want: `ms a 2 F4294967295 "hi"`})
}
