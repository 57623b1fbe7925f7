package protocol

import (
	"strings"
	"testing"
)

// flagRow is a flag with a token that is good, and what it becomes for each
// command: what is said upstream, and behind an arrow what the reply repeats.
type flagRow struct {
	flag           string
	mg, ms, md, ma string
	newer          bool // only a newer memcached knows it
}

// dropped is a flag that means nothing to a command, and invalidMode one whose
// token is no good for it.
const (
	dropped     = ""
	invalidMode = "!"
)

// flagRows are all flags there are, written down a second time.
func flagRows() []flagRow {
	repeated := func(flag string) string { return flag + " -> " + flag }
	same := func(flag string) flagRow { return flagRow{flag: flag, mg: flag, ms: flag, md: flag, ma: flag} }
	opaque := " -> Oabc"
	newCAS := same("E5")
	newCAS.newer = true
	return []flagRow{
		{flag: "b", mg: " -> b", ms: " -> b", md: " -> b", ma: " -> b"},
		{flag: "c", mg: repeated("c"), ms: repeated("c"), md: dropped, ma: repeated("c")},
		{flag: "f", mg: repeated("f")},
		{flag: "h", mg: repeated("h")},
		{flag: "k", mg: " -> k", ms: " -> k", md: " -> k", ma: " -> k"},
		{flag: "l", mg: repeated("l")},
		{flag: "q", mg: "quiet", ms: "quiet", md: "quiet", ma: "quiet"},
		{flag: "s", mg: repeated("s"), ms: repeated("s")},
		{flag: "t", mg: repeated("t"), ma: repeated("t")},
		{flag: "u", mg: "u"},
		{flag: "v", mg: repeated("v"), ma: repeated("v")},
		{flag: "x", md: "x", newer: true},
		same("C5"),
		{flag: "D5", ma: "D5"},
		newCAS,
		{flag: "F5", ms: "F5", md: "F5"},
		{flag: "I", ms: "I", md: "I"},
		{flag: "J5", ma: "J5"},
		{flag: "L5"},
		{flag: "MA", ms: "MA", ma: invalidMode},
		{flag: "MD", ms: invalidMode, ma: "MD"},
		{flag: "N5", mg: "N5", ms: "N5", ma: "N5"},
		{flag: "Oabc", mg: opaque, ms: opaque, md: opaque, ma: opaque},
		{flag: "P5"},
		{flag: "R5", mg: "R5"},
		same("T5"),
	}
}

// becomes is what the row's flag becomes for a command.
func (r flagRow) becomes(word string) string {
	return map[string]string{"mg": r.mg, "ms": r.ms, "md": r.md, "ma": r.ma}[word]
}

// metaWithFlag is a command whose key is base64 and text alike, with one flag.
func metaWithFlag(word, flag string) string {
	in := word + " Zm9v"
	if word == "ms" {
		return in + " 7 " + flag + "\r\nget pwn\r\n"
	}
	return in + " " + flag + "\r\n"
}

// TestEveryFlagOfEveryCommand gives every flag to every command, for a memcached
// that knows all of them and one that does not.
func TestEveryFlagOfEveryCommand(t *testing.T) {
	for _, row := range flagRows() {
		for _, word := range []string{"mg", "ms", "md", "ma"} {
			for _, knows := range []Features{0, allFeatures} {
				want := wantFlag(word, row)
				if row.newer && knows == 0 {
					want = badFlag
				}
				testRows(t, []parserRow{{in: metaWithFlag(word, row.flag), want: want, knows: knows}})
			}
		}
	}
}

// wantFlag is the event of a command with the row's flag.
func wantFlag(word string, row flagRow) string {
	key, becomes := "Zm9v", row.becomes(word)
	if becomes == invalidMode {
		return badMode
	}
	if row.flag == "b" {
		key = "foo"
	}
	said, repeated, arrow := strings.Cut(becomes, "-> ")
	want := word + " " + key
	if word == "ms" {
		want += " 7"
	}
	quiet := strings.TrimSpace(said) == "quiet"
	if s := strings.TrimSpace(said); s != "" && !quiet {
		want += " " + s
	}
	if word == "ms" {
		want += ` "get pwn"`
	}
	if arrow {
		want += " -> " + repeated
	}
	if quiet {
		want += " quiet"
	}
	return want
}

// TestNoOtherFlags: every letter that is no flag is refused, and the data block
// that follows is skipped.
func TestNoOtherFlags(t *testing.T) {
	known := map[byte]bool{'M': true}
	for _, row := range flagRows() {
		known[row.flag[0]] = true
	}
	for c := 0x21; c < 0x100; c++ {
		if known[byte(c)] || c == 0x7f {
			continue
		}
		for _, word := range []string{"mg", "ms", "md", "ma"} {
			for _, tok := range []string{"", "5", "x"} {
				testRows(t, []parserRow{{in: metaWithFlag(word, string([]byte{byte(c)})+tok), want: badFlag, knows: allFeatures}})
			}
		}
	}
}

// TestEveryFlagOnce: a flag that stands twice is refused, also one that means
// nothing to the command.
func TestEveryFlagOnce(t *testing.T) {
	for _, row := range flagRows() {
		for _, word := range []string{"mg", "ms", "md", "ma"} {
			want := duplicate
			if row.becomes(word) == invalidMode {
				want = badMode
			}
			testRows(t, []parserRow{{in: metaWithFlag(word, row.flag+" "+row.flag), want: want, knows: allFeatures}})
		}
	}
}
