package protocol

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// keyTemplates are requests of the ASCII dialects in which %s is the key.
func keyTemplates() []string {
	return []string{
		"get %s\r\n", "get a %s\r\n", "gets %s b\r\n", "gat 0 %s\r\n", "gats 0 a %s\r\n",
		"touch %s 0\r\n", "touch %s 0 noreply\r\n", "delete %s\r\n", "delete %s noreply\r\n", "incr %s 1\r\n", "decr %s 1 noreply\r\n",
		"set %s 0 0 7\r\nget pwn\r\n", "add %s 0 0 7 noreply\r\nget pwn\r\n", "append %s 0 0 7\r\nget pwn\r\n", "cas %s 0 0 7 1\r\nget pwn\r\n",
		"mg %s v\r\n", "mg %s v q\r\n", "ms %s 7\r\nget pwn\r\n", "ms %s 7 q\r\nget pwn\r\n", "md %s q\r\n", "ma %s\r\n", "me %s\r\n",
	}
}

// TestKeyOverTheLimit: a key that is longer than a client's may be is refused as
// one of 251 bytes is, and its data block is thrown away. A packet with one goes by,
// and its connection goes on: it is one that memcached would take.
func TestKeyOverTheLimit(t *testing.T) {
	const most = 10
	encoded := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(key(n))) }
	check := func(name, fits, over, longest string) {
		t.Helper()
		want := "! 0x04; NOOP"
		if longest != "" {
			want = run(parserRow{in: longest}, longest+probeOf(parserRow{in: longest})).end()
		}
		got := run(parserRow{in: over, maxKey: most}, over+probeOf(parserRow{in: over})).end()
		if got != want || !strings.HasPrefix(got, "! ") {
			t.Errorf("%s with a key of %d: got %q, want %q", name, most+1, got, want)
		}
		if got := run(parserRow{in: fits, maxKey: most}, fits).end(); strings.HasPrefix(got, "! ") {
			t.Errorf("%s with a key of %d: got %q", name, most, got)
		}
	}
	for _, in := range keyTemplates() {
		check(in, fmt.Sprintf(in, key(most)), fmt.Sprintf(in, key(most+1)), fmt.Sprintf(in, key(251)))
	}
	for _, in := range []string{"mg %s b\r\n", "ms %s 7 b q\r\nget pwn\r\n", "md %s b\r\n", "ma %s b\r\n", "me %s b\r\n"} {
		check(in, fmt.Sprintf(in, encoded(most)), fmt.Sprintf(in, encoded(most+1)), fmt.Sprintf(in, encoded(251)))
	}
	for op, s := range shapes() {
		packet := func(n int) string {
			p := s.parts()
			p.key = key(n)
			return string(pack(op, p))
		}
		if byOpcode[op].Access != 0 {
			check(s.name, packet(most), packet(most+1), "")
		}
	}
}

// TestKeyLimitIsForItems: what is no name of an item is not held to it; and no
// limit lets through what memcached does not take.
func TestKeyLimitIsForItems(t *testing.T) {
	testRows(t, []parserRow{
		{in: "stats settings\r\n", want: "stats settings", maxKey: 3},
		{in: string(pack(0x10, packetParts{key: "settings"})), want: "stats settings", maxKey: 3},
		{in: string(pack(0x21, packetParts{key: "PLAIN", value: "v"})), want: `SASL_AUTH PLAIN "v"`, maxKey: 3},
		{in: string(pack(0x55, packetParts{key: "unknown"})), want: notKnown, maxKey: 3},
		{in: "get " + key(250) + "\r\n", want: "get " + key(250), maxKey: 1000},
		{in: "get " + key(251) + "\r\n", want: badFormat, maxKey: 1000},
	})
}

// TestPrefixCountsForTheItemSize: 512 bytes are those of memcached's own, 59, the
// prefix, the key and the value.
func TestPrefixCountsForTheItemSize(t *testing.T) {
	set := func(n int) string { return fmt.Sprintf("set a 0 0 %d\r\n%s\r\n", n, key(n)) }
	ms := func(n int) string { return fmt.Sprintf("ms a %d\r\n%s\r\n", n, key(n)) }
	packet := func(n int) string {
		return string(pack(0x01, packetParts{extras: bytesOf(0, 0), key: "a", value: key(n)}))
	}
	const fits = 512 - 59 - 20 - 1
	testRows(t, []parserRow{
		{in: set(fits), want: fmt.Sprintf("set a 0 0 %d %q", fits, key(fits)), maxItem: 512, prefix: 20},
		{in: set(fits + 1), want: tooLarge, maxItem: 512, prefix: 20},
		{in: ms(fits), want: fmt.Sprintf("ms a %d %q", fits, key(fits)), maxItem: 512, prefix: 20},
		{in: ms(fits + 1), want: tooLarge, maxItem: 512, prefix: 20},
		{in: packet(fits), want: fmt.Sprintf("SET a %d c T0 %q", fits, key(fits)), maxItem: 512, prefix: 20},
		{in: packet(fits + 1), want: largeBody, maxItem: 512, prefix: 20},
	})
}

// TestPrefixGoesBeforeTheKey: every command about a key is composed as that about
// the item that memcached has.
func TestPrefixGoesBeforeTheKey(t *testing.T) {
	for _, name := range keyCommands() {
		for _, row := range []struct {
			hashed bool
			item   string
		}{{false, "team:k"}, {true, "team:"}} {
			r := &Request{Form: Form{Verb: verbNamed(name)}, Prefix: []byte("team:"), Hashed: row.hashed, Keys: [][]byte{[]byte("k")}, Value: []byte("v")}
			r.Params = r.Verb.canon.params
			c := r.Command(0)
			plain := r.Verb.Command([]byte(row.item))
			plain.Value = c.Value
			if got, want := AppendMeta(nil, &c, 7), AppendMeta(nil, &plain, 7); !bytes.Equal(got, want) {
				t.Errorf("%s as meta: got %q, want %q", name, got, want)
			}
			if !c.FitsClassic() {
				continue
			}
			if got, want := AppendClassic(nil, &c), AppendClassic(nil, &plain); !bytes.Equal(got, want) {
				t.Errorf("%s as classic: got %q, want %q", name, got, want)
			}
		}
	}
	c := Command{Verb: verbNamed("get"), Params: verbNamed("get").canon.params, Prefix: []byte("team:"), Key: []byte("k")}
	if got, want := string(AppendMeta(nil, &c, 1)), "mg team:k f v O0000000000000001\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPrefixedValueProvesItself: a classic value is of the item that was asked
// for, prefix and all.
func TestPrefixedValueProvesItself(t *testing.T) {
	for _, row := range []struct {
		hashed bool
		line   string
		want   error
	}{
		{false, "VALUE team:k 1 2", nil},
		{false, "VALUE k 1 2", errReplyOwner},
		{false, "VALUE team: 1 2", errReplyOwner},
		{false, "VALUE team:kk 1 2", errReplyOwner},
		{false, "VALUE team:j 1 2", errReplyOwner},
		{false, "VALUE tram:k 1 2", errReplyOwner},
		{false, "VALUE kteam: 1 2", errReplyOwner},
		{false, "VALUE team:k", errReplyOwner},
		{true, "VALUE team: 1 2", nil},
		{true, "VALUE team:k 1 2", errReplyOwner},
		{true, "VALUE k 1 2", errReplyOwner},
		{true, "VALUE team 1 2", errReplyOwner},
	} {
		c := command("get")
		c.Prefix, c.Hashed = []byte("team:"), row.hashed
		var r Reply
		_, err := ParseClassic([]byte(row.line+"\r\nxx\r\nEND\r\n"), c, 0, &r)
		if err != row.want || err == nil && (r.Status != StatusValue || r.Size != 2) {
			t.Errorf("%q, hashed %t: got %v and %+v, want %v", row.line, row.hashed, err, r, row.want)
		}
	}
}

// TestDebugWithPrefix: me asks for the item that memcached has, nothing but that
// item's line is an answer, and the client reads the key that it wrote.
func TestDebugWithPrefix(t *testing.T) {
	const told = " exp=-1 la=5 cas=2\r\n"
	for _, row := range []struct {
		asked  string
		hashed bool
		sent   string
		reply  string
		want   string // what the client reads; empty if the connection burns
	}{
		{"me foo\r\n", false, "me t:foo\r\n", "ME t:foo" + told, "ME foo" + told},
		{"me foo\r\n", false, "me t:foo\r\n", "ME dDpmb28=" + told, "ME foo" + told},
		{"me Zm9v b\r\n", false, "me t:foo\r\n", "ME t:foo" + told, "ME Zm9v" + told},
		{"me Zm9v\r\n", false, "me t:Zm9v\r\n", "ME t:Zm9v" + told, "ME Zm9v" + told},
		{"me foo\r\n", false, "me t:foo\r\n", "ME t:foo\r\n", "ME foo\r\n"},
		{"me foo\r\n", false, "me t:foo\r\n", "EN\r\n", "EN\r\n"},
		{"me foo\r\n", false, "me t:foo\r\n", "SERVER_ERROR x\r\n", "SERVER_ERROR x\r\n"},
		{"me foo\r\n", false, "me t:foo\r\n", "ME foo" + told, ""},
		{"me foo\r\n", false, "me t:foo\r\n", "ME Zm9v" + told, ""},
		{"me foo\r\n", false, "me t:foo\r\n", "ME u:foo" + told, ""},
		{"me foo\r\n", false, "me t:foo\r\n", "ME t:" + told, ""},
		{"me foo\r\n", false, "me t:foo\r\n", "ME t:fooo" + told, ""},
		{"me foo\r\n", true, "me t:\r\n", "ME t:" + told, "ME foo" + told},
		{"me Zm9v b\r\n", true, "me t:\r\n", "ME t:" + told, "ME Zm9v" + told},
		{"me foo\r\n", true, "me t:\r\n", "ME t:foo" + told, ""},
	} {
		r := requestOf(t, row.asked)
		r.Prefix, r.Hashed = []byte("t:"), row.hashed
		if got := string(AppendAlone(nil, r)); got != row.sent {
			t.Errorf("%q: sent as %q, want %q", row.asked, got, row.sent)
		}
		var got string
		line, last, err := ParseAlone([]byte(row.reply), r)
		if err == nil && last {
			got = string(r.AppendAlone(nil, line))
		}
		if got != row.want {
			t.Errorf("%q, then %q: got %q, want %q", row.asked, row.reply, got, row.want)
		}
	}
}

// TestPrefixIsForItems: a command about no key has no prefix.
func TestPrefixIsForItems(t *testing.T) {
	for in, want := range map[string]string{"stats\r\n": "stats\r\n", "stats items\r\n": "stats items\r\n", "flush_all 5\r\n": "flush_all 5\r\n"} {
		r := requestOf(t, in)
		r.Prefix = []byte("t:")
		if got := string(AppendAlone(nil, r)); got != want {
			t.Errorf("%q: sent as %q, want %q", in, got, want)
		}
		const reply = "ME x y\r\n"
		if got := string(r.AppendAlone(nil, []byte(reply))); got != reply {
			t.Errorf("%q: the reply is %q, want %q", in, got, reply)
		}
	}
}
