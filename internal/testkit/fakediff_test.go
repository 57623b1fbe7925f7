package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// metaTalk makes random canonical meta commands. A CAS id is written as a name,
// which each server replaces by the number it gave out itself.
type metaTalk struct {
	*rand.Rand
	version string
}

func (m metaTalk) one(of ...string) string { return of[m.IntN(len(of))] }

// exp is an expiry far from any second at which a test could run.
func (m metaTalk) exp() string { return m.one("0", "0", "100", "300", "-1", "2592001") }

// unique is the name of a CAS id: the last that was seen of the key, one below
// it, one far above it, or none.
func (m metaTalk) unique() string { return "C{" + m.one("same", "same", "low", "high", "none") + "}" }

// choose returns some of the flags, each once and in any order.
func (m metaTalk) choose(flags ...string) string {
	line := ""
	for _, i := range m.Perm(len(flags)) {
		if m.IntN(3) == 0 {
			line += " " + flags[i]
		}
	}
	return line
}

// request is one command with its data block, and the key it is about.
func (m metaTalk) request() (key, text string) {
	key = m.one("a", "b", "n", "z")
	switch m.IntN(9) {
	case 0:
		return key, "me " + key + "\r\n"
	case 1, 2, 7:
		return key, "mg " + key + m.choose(m.newer("mg", "v", "c", "f", "t", "h", "l", "s", "u", "O1", m.unique(), "T"+m.exp(), "N"+m.exp(), "R"+m.one("0", "200"))...) + "\r\n"
	case 3, 4:
		return key, m.store(key)
	case 5:
		flags := m.newer("md", m.unique(), "I", "O2", "T"+m.exp())
		return key, "md " + key + m.choose(flags...) + "\r\n"
	case 6:
		return key, m.arith(key)
	}
	return key, m.classic(key)
}

func (m metaTalk) store(key string) string {
	value := m.one("", "x", m.number(key))
	mode := m.one("S", "S", "E", "R", "A", "P")
	if mode == "A" || mode == "P" {
		value = m.one("", "x")
	}
	flags := m.newer("ms", m.unique(), "I", "F7", "T"+m.exp(), "c", "O3")
	return fmt.Sprintf("ms %s %d M%s%s\r\n%s\r\n", key, len(value), mode, m.choose(flags...), value)
}

func (m metaTalk) arith(key string) string {
	mode := "MI"
	if key == "z" {
		mode = "MD"
	}
	initial := "J" + m.number(key)
	flags := m.newer("ma", m.unique(), "N"+m.exp(), initial, "D3", "T"+m.exp(), "v", "t", "c", "O4")
	return "ma " + key + " " + mode + m.choose(flags...) + "\r\n"
}

// number is a number that keeps its length: z is counted down, the others up.
func (m metaTalk) number(key string) string {
	if key == "z" {
		return m.one("5", "0")
	}
	return m.one("500000", "700000")
}

// newer adds the flags that only newer versions have.
func (m metaTalk) newer(verb string, flags ...string) []string {
	takes := commands(m.version)[verb].flags
	for _, more := range []string{"x", "s", "N100", "E{next}"} {
		if strings.ContainsRune(takes, rune(more[0])) && !hasLetter(flags, more[0]) {
			flags = append(flags, more)
		}
	}
	return flags
}

func hasLetter(flags []string, letter byte) bool {
	for _, f := range flags {
		if f[0] == letter {
			return true
		}
	}
	return false
}

// classic sees what the meta commands left behind.
func (m metaTalk) classic(key string) string {
	number := m.number(key)
	return m.one("gets "+key, "get "+key, "touch "+key+" "+m.exp(), "gats "+m.exp()+" "+key, "delete "+key,
		fmt.Sprintf("set %s 3 0 %d\r\n%s", key, len(number), number), "append "+key+" 0 0 1\r\nx", fmt.Sprintf("add %s 0 0 %d\r\n%s", key, len(number), number)) + "\r\n"
}

// talkedTo is one of two servers that are asked the same.
type talkedTo struct {
	conn net.Conn
	seen map[string]uint64 // last CAS id of each key
}

var (
	casName    = regexp.MustCompile(`\{(\w+)\}`)
	casReturn  = regexp.MustCompile(`(?m)^(?:(?:VA|HD|EX|NS|NF).* c|ME.* cas=|VALUE \w+ \d+ \d+ )(\d+)`)
	timeReturn = regexp.MustCompile(` (l|t|exp=|la=|cls=)(\d+|-\d\d+)`)
)

// ask sends text with the server's own CAS ids and returns the reply without
// them, and without remaining times.
func (s *talkedTo) ask(t *testing.T, key, text string) string {
	text = casName.ReplaceAllStringFunc(text, func(name string) string {
		last := s.seen[key]
		ids := map[string]uint64{"{same}": last, "{low}": last - min(last, 1), "{high}": last + 1<<20, "{none}": 0, "{next}": last + 1<<10}
		return strconv.FormatUint(ids[name], 10)
	})
	reply := string(Transcript(t, s.conn, []byte(text), patience))
	reply = timeReturn.ReplaceAllString(reply, " ${1}N")
	for _, at := range casReturn.FindAllStringSubmatchIndex(reply, 1) {
		id := reply[at[2]:at[3]]
		if id == "0" { // what was not stored has no id
			continue
		}
		s.seen[key], _ = strconv.ParseUint(id, 10, 64)
		reply = reply[:at[2]] + "N" + reply[at[3]:]
	}
	return reply
}

// TestFakeAgreesWithMemcached asks both the same random commands.
func TestFakeAgreesWithMemcached(t *testing.T) {
	VerifyNoLeaks(t)
	real := talkedTo{StartMemcached(t, "-o", "no_lru_crawler,no_lru_maintainer").Dial(t), map[string]uint64{}}
	version := strings.Fields(string(Transcript(t, real.conn, []byte("version\r\n"), patience)))[1]
	if !atLeast(version, "1.6.18") {
		t.Skipf("SKIP: %s speaks no meta dialect", version)
	}
	fake := talkedTo{StartFake(t, FakeOptions{Version: version}).Dial(t), map[string]uint64{}}
	rounds := 20000
	if testing.Short() {
		rounds = 4000
	}
	talk := metaTalk{rand.New(rand.NewPCG(1, 2)), version}
	var history []string
	for i := range rounds {

		key, text := talk.request()
		history = append(history, text)
		want := real.ask(t, key, text)
		if got := fake.ask(t, key, text); got != want {
			t.Fatalf("request %d: %q\ngot  %.200q\nwant %.200q\nafter %q", i+1, text, got, want, history[max(0, i-20):i])
		}
	}
}
