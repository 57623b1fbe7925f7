package e2e_test

import (
	"bufio"
	be "encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// answer is a reply in words that are the same in every dialect.
type answer struct {
	word       string // ok, miss, the text of an error, or why there is no reply
	key, value string // of the items that were read, with commas between them
}

// dialect is how a client says what all of them can say. Requests are for one
// key, and have one reply.
type dialect struct {
	name         string
	get          func(key string) string // the reply has the key
	set          func(key, value string, ttl int) string
	remove, incr func(key string) string
	touch        func(key string, ttl int) string // reading the item where that can be done at once
	flush        string
	login        func(user, password string) string
	read         func(*bufio.Reader) (answer, error)
}

var dialects = []dialect{classic, meta, packets}

var (
	classic = dialect{
		name: "classic",
		get:  func(key string) string { return "get " + key + "\r\n" },
		set: func(key, value string, ttl int) string {
			return fmt.Sprintf("set %s 0 %d %d\r\n%s\r\n", key, ttl, len(value), value)
		},
		remove: func(key string) string { return "delete " + key + "\r\n" },
		incr:   func(key string) string { return "incr " + key + " 1\r\n" },
		touch:  func(key string, ttl int) string { return fmt.Sprintf("gat %d %s\r\n", ttl, key) },
		flush:  "flush_all\r\n",
		login:  login,
		read:   readText,
	}
	meta = dialect{
		name: "meta",
		get:  func(key string) string { return "mg " + key + " k v\r\n" },
		set: func(key, value string, ttl int) string {
			return fmt.Sprintf("ms %s %d T%d\r\n%s\r\n", key, len(value), ttl, value)
		},
		remove: func(key string) string { return "md " + key + "\r\n" },
		incr:   func(key string) string { return "ma " + key + " v\r\n" },
		touch:  func(key string, ttl int) string { return fmt.Sprintf("mg %s k v T%d\r\n", key, ttl) },
		flush:  "flush_all\r\n",
		login:  login,
		read:   readText,
	}
	packets = dialect{
		name: "binary",
		get:  func(key string) string { return packet(testkit.OpGetK, key, "") },
		set: func(key, value string, ttl int) string {
			return string(testkit.Packet{Op: testkit.OpSet, Extras: "\x00\x00\x00\x00" + number(ttl), Key: key, Value: value}.Bytes())
		},
		remove: func(key string) string { return packet(testkit.OpDelete, key, "") },
		incr: func(key string) string {
			extras := number(0) + number(1) + number(0) + number(0) + "\xff\xff\xff\xff" // by 1, and never made
			return string(testkit.Packet{Op: testkit.OpIncrement, Extras: extras, Key: key}.Bytes())
		},
		touch: func(key string, ttl int) string {
			return string(testkit.Packet{Op: testkit.OpGATK, Extras: number(ttl), Key: key}.Bytes())
		},
		flush: packet(testkit.OpFlush, "", ""),
		login: func(user, password string) string {
			return packet(testkit.OpSASLAuth, "PLAIN", "\x00"+user+"\x00"+password)
		},
		read: readPacket,
	}
)

// number is four bytes of a packet's extras.
func number(n int) string { return string(be.BigEndian.AppendUint32(nil, uint32(n))) }

// textWords are the replies of the ASCII dialects that are one line.
var textWords = map[string]string{
	"STORED": "ok", "DELETED": "ok", "TOUCHED": "ok", "OK": "ok", "HD": "ok", "END": "miss",
	"NOT_FOUND": "miss", "NOT_STORED": "miss", "EN": "miss", "NS": "miss", "NF": "miss",
}

// readText reads a reply of the ASCII dialects.
func readText(in *bufio.Reader) (a answer, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return a, err
		}
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			return a, fmt.Errorf("a line %q", line)
		case f[0] == "VALUE" && len(f) >= 4:
			err = a.item(in, f[1], f[3])
		case f[0] == "VA" && len(f) >= 2:
			return a, a.item(in, keyFlag(f), f[1])
		case f[0] == "END" && a.word == "ok":
			return a, nil
		default:
			return a, a.line(strings.TrimSpace(line), f[0])
		}
		if err != nil {
			return a, err
		}
	}
}

// line takes a reply that is one line.
func (a *answer) line(line, first string) error {
	if word, ok := textWords[first]; ok {
		a.word = word
		return nil
	}
	if text, ok := strings.CutPrefix(line, "CLIENT_ERROR "); ok {
		a.word = text
		return nil
	}
	if strings.Trim(line, "0123456789") == "" {
		a.word, a.value = "ok", line
		return nil
	}
	a.word = line
	return nil
}

// keyFlag is the key that a meta reply tells.
func keyFlag(f []string) string {
	for _, flag := range f[2:] {
		if flag[0] == 'k' {
			return flag[1:]
		}
	}
	return ""
}

// item takes the value of an item.
func (a *answer) item(in *bufio.Reader, key, size string) error {
	var n int
	if _, err := fmt.Sscan(size, &n); err != nil {
		return err
	}
	value := make([]byte, n+len("\r\n"))
	if _, err := io.ReadFull(in, value); err != nil {
		return err
	}
	if a.word == "ok" {
		a.key, a.value = a.key+",", a.value+","
	}
	a.word, a.key, a.value = "ok", a.key+key, a.value+string(value[:n])
	return nil
}

// readPacket reads a reply of the binary dialect.
func readPacket(in *bufio.Reader) (answer, error) {
	p, err := testkit.ReadPacket(in)
	a := answer{key: p.Key}
	switch {
	case err != nil:
		return a, err
	case p.Status == 0 && p.Op == testkit.OpIncrement:
		a.word, a.value = "ok", fmt.Sprint(be.BigEndian.Uint64([]byte(p.Value)))
	case p.Status == 0:
		a.word, a.value = "ok", p.Value
	case p.Status == 1 || p.Status == 5: // not found, not stored
		a.word, a.key = "miss", ""
	case p.Status == 3:
		a.word = strings.ToLower(strings.TrimSuffix(p.Value, "."))
	default:
		a.word = p.String()
	}
	return a, nil
}

// speaker is a client that speaks a dialect. It belongs to one goroutine.
type speaker struct {
	dialect
	conn net.Conn
	in   *bufio.Reader
}

// speak has a client speak a dialect over c.
func (d dialect) speak(c net.Conn) *speaker {
	return &speaker{d, c, bufio.NewReader(c)}
}

// asks sends requests at once, of which each has a reply, and returns the replies.
func (s *speaker) asks(requests ...string) []answer {
	s.conn.SetDeadline(time.Now().Add(patience))
	all := make([]answer, len(requests))
	_, err := io.WriteString(s.conn, strings.Join(requests, ""))
	for i := range all {
		if err == nil {
			all[i], err = s.read(s.in)
		}
		if err != nil {
			all[i].word = "no reply: " + err.Error()
		}
	}
	return all
}

// ask sends one request and returns its reply.
func (s *speaker) ask(request string) answer { return s.asks(request)[0] }

// want fails the test unless a request has that reply.
func (s *speaker) want(t *testing.T, request string, want answer) {
	t.Helper()
	if got := s.ask(request); got != want {
		t.Errorf("%s: %.80q: got %.200q, want %.200q", s.name, request, got, want)
	}
}

// wantWord is want for a reply of which the word alone matters.
func (s *speaker) wantWord(t *testing.T, request, want string) {
	t.Helper()
	if got := s.ask(request); got.word != want {
		t.Errorf("%s: %.80q: got %.200q, want %q", s.name, request, got, want)
	}
}

// wantGone fails the test unless the connection is closed without another byte.
func (s *speaker) wantGone(t *testing.T) {
	t.Helper()
	s.conn.SetDeadline(time.Now().Add(patience))
	if left, err := io.ReadAll(s.in); len(left) > 0 || err != nil {
		t.Errorf("%s: got %q, %v, want the connection closed", s.name, left, err)
	}
}

// The words of replies.
var (
	fine   = answer{word: "ok"}
	missed = answer{word: "miss"}
)

const noAccess = "access denied"

// holds is the reply with one item.
func holds(key, value string) answer { return answer{"ok", key, value} }
