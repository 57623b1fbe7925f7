package protocol

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// metaConversation is a sequence of meta commands that depend on each other. $CAS
// is the last CAS id that was read, and | is a line end.
func metaConversation() []string {
	return strings.SplitAfter(strings.ReplaceAll(`mg a
mg a v
mg a v q
mg a k O1 v t
mg a k O1 q
md a
md a q
md a k Oabc q
ma a
ma a q
ma a v k O9
ms a 5|hello
mg a
mg a q
mg a v
mg a v q k
mg a s v f c t l h k O1 q u
mg a h
mg a h t s
mg a s
mg a P L v
mg a Pabc/def Lxyz O k
ms a 5 q|world
ms a 3 k O7 q|abc
ms a 3 k O7|abc
ms a 3 O7 k c|abc
mg a c v
ms a 3 C$CAS F5 T1000|abd
mg a c f v t k O
ms a 3 C1|abe
ms a 3 C1 k O5 q|abe
ms a 3 C1 c k|abe
ms missing 3 C1|abe
ms missing 3 C1 c k O4 q|abe
ms a 3 ME|abf
ms a 3 ME q k O1 c|abf
ms a 3 MR|abf
ms missing 3 MR|abf
ms missing 3 MR q|abf
ms a 3 MA|abf
ms a 3 MA q k O1|abf
ms a 3 MP T5|abf
ms missing 3 MA|abf
ms missing 3 MP q O1|abf
ms app 3 MA N1000|abf
ms a 3 MS I|abf
mg a v c
ms a 2 C1 I c|xx
mg a v c
ms a 2 C18446744073709551615 I k|xx
mg a v c
mg a v k O1
ms a 0|
mg a v
mg a s v k q
ms n 2|10
ma n
ma n v
ma n v q
ma n v t c k O1
ma n D5 v
ma n MD v
ma n M- D100 v
ma n MI D18446744073709551615 v
ma n M+ v
ma n T1000 t v
ma n N0 v
ma m
ma m q
ma m N1000 J13 v t
ma m N1000 J13 v k O2
ma m2 N0
ma m2 N0 q v
ma m3 N0 J18446744073709551615 v
ma m3 v
ma a
ma a q O1
ma n C1
ma n C1 q k O1
mg n c v
ma n C$CAS v
ma missing C1 k
md n C1
md n C1 q k O3
mg n c v
md n C$CAS
mg n v
ms s 1|x
md s I
mg s v c
mg s v k O1
mg s v
ms s 1|y
mg s v
md s I T30 q
mg s t v
mg s t v
ma s
ms s 1|5
md s I
ma s v
ms r 1 T10|x
mg r R30 v
mg r R30 v
mg r R5 t
mg viv N30 v t
mg viv N30 v t k O1
mg viv v
mg viv2 N30 q
mg viv2 N30 q k O1
mg viv3 N0 s v f h l t
mg a T1000 t
mg a t T500
mg a T0 v t
mg missing T0 v
mg missing T10 k O1
mg a T-1 v
mg a v
ms a 1 T-1|x
mg a v
ms a 1 T2592001|x
mg a v
ms a 1 T2147483647|x
mg a v
ms Zm9v 2 b|hi
mg foo v
mg Zm9v b v
mg Zm9v b v k O1
md Zm9v b k
md Zm9v b k
mg Zm9v b k
ma Zm9v b N0 k O1 v
ma Zm9v b k v
ms bar 3|bar
mg YmFy b v
md YmFy b
me missing
mn
mg
ma
md
mg a !
mg a S
mg a v v
mg a Txx
mg = b
`, "\n", "\r\n"), "\r\n")
}

// elapsing are numbers of a reply that change with time: the seconds since an
// item was touched, and those that it has left.
var elapsing = regexp.MustCompile(` (l|t)([0-9]+)`)

// timeless is a reply whose seconds are coarse: of those that are left, which the
// tests set to whole tens, the few that have passed are given back.
func timeless(reply string) string {
	return elapsing.ReplaceAllStringFunc(reply, func(flag string) string {
		seconds, err := strconv.ParseUint(flag[2:], 10, 64)
		if flag[1] == 'l' || err != nil {
			return flag[:2]
		}
		return fmt.Sprint(flag[:2], (seconds+9)/10*10)
	})
}

// lastMetaCAS is a CAS id in a meta reply.
var lastMetaCAS = regexp.MustCompile(` c([0-9]+)`)

// ownAnswers are what slabgate answers by its own rules: a key is given back as the
// client wrote it, whoever stored the item; quiet arithmetic is quiet whether or
// not it made the item.
func ownAnswers() [][2]string {
	return [][2]string{
		{"ms a2V5 2 b|hi|", "HD|"},
		{"mg key k v|", "VA 2 kkey|hi|"},
		{"mg a2V5 b k v|", "VA 2 ka2V5 b|hi|"},
		{"md key k|", "HD kkey|"},
		{"mg key N30 k|", "HD kkey W|"},
		{"mg a2V5 b k s|", "HD ka2V5 b s0 Z|"},
		{"ma fresh N0 q v|", ""},
		{"ma fresh v|", "VA 1|1|"},
		{"ms a 2 MX|hi|", "CLIENT_ERROR invalid mode|"},
		{"ma a MX|", "CLIENT_ERROR invalid mode|"},
	}
}

func TestMetaAnswersAreOwn(t *testing.T) {
	l := markedLink(t)
	for _, row := range ownAnswers() {
		in, want := strings.ReplaceAll(row[0], "|", "\r\n"), strings.ReplaceAll(row[1], "|", "\r\n")
		if got := through(l, in, true); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestMetaAnswersAreMemcacheds: a client of the meta dialect reads through
// slabgate, byte for byte, what it would read from memcached.
func TestMetaAnswersAreMemcacheds(t *testing.T) {
	pair := newMetaPair(t)
	for _, in := range metaConversation() {
		pair.compare(in)
	}
	for _, rows := range [][]parserRow{metaGetRows(), metaSetRows(), metaOtherRows(), metaFlagRows()} {
		for _, row := range rows {
			if isPlainMeta(row) {
				pair.compare(row.in)
			}
		}
	}
}

// isPlainMeta reports whether every request of a row is served, and none is
// answered by slabgate's own rules, as a base64 key that is given back is.
func isPlainMeta(row parserRow) bool {
	encoded := strings.HasSuffix(row.want, " b") || strings.Contains(row.want, " b ")
	return !encoded && row.knows == 0 && !strings.Contains(row.want, "! ") && !strings.Contains(row.want, "waits for")
}

// metaPair are a memcached that is spoken to directly and one that is spoken to
// through the parser and the composers.
type metaPair struct {
	t          *testing.T
	one, other *link
	cas        string // the last CAS id that was read
}

func newMetaPair(t *testing.T) *metaPair {
	t.Helper()
	return &metaPair{t: t, one: markedLink(t), other: markedLink(t), cas: "1"}
}

// compare sends a meta command to both, and compares what comes back.
func (p *metaPair) compare(in string) (answer string) {
	p.t.Helper()
	in = strings.ReplaceAll(strings.ReplaceAll(in, "$CAS", p.cas), "|", "\r\n")
	want, got := direct(p.one, in), through(p.other, in, true)
	if m := lastMetaCAS.FindStringSubmatch(want); m != nil {
		p.cas = m[1]
	}
	if timeless(got) != timeless(want) {
		p.t.Errorf("%q:\n got  %.300q\n want %.300q", in, got, want)
	}
	return want
}
