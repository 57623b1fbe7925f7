package protocol

import (
	"strings"
	"testing"
)

// TestMetaAnswers has a reply of memcached to each kind of meta command, and what
// the client reads: its own flags in its own order, and memcached's notes.
func TestMetaAnswers(t *testing.T) {
	all := AskFlags | AskCAS | AskHit | AskAccess | AskSize | AskTTL
	hit := Reply{Status: StatusOK, Flags: 7, CAS: 8, Hit: 1, Access: 9, ItemSize: 3, TTL: -1, told: all}
	item := hit
	item.Status, item.Size = StatusValue, 3
	stale := Reply{Status: StatusOK, Notes: notes("XZ")}
	number := Reply{Status: StatusNumber, Number: maxU64, TTL: 60, CAS: 5, told: AskTTL | AskCAS}
	for _, row := range []struct {
		cmd  string
		r    Reply
		want string
	}{
		{"mg k f c h l s t", hit, "HD f7 c8 h1 l9 s3 t-1|"},
		{"mg k t s l h c f", hit, "HD t-1 s3 l9 h1 c8 f7|"},
		{"mg k v k f q O12 t", item, "VA 3 kk f7 O12 t-1|[value]|"},
		{"mg k v", item, "VA 3|[value]|"},
		{"mg k O t", hit, "HD O t-1|"},
		{"mg azE= b k v", item, "VA 3 kazE= b|[value]|"},
		{"mg azE= k b O9", hit, "HD kazE= b O9|"},
		{"mg k k", stale, "HD kk X Z|"},
		{"mg k O1 v k f", Reply{Status: StatusMiss}, "EN O1 kk|"},
		{"mg azE= b k", Reply{Status: StatusMiss}, "EN kazE= b|"},
		{"mg k", Reply{Status: StatusMiss}, "EN|"},
		{"mg k P1 L2 u", Reply{Status: StatusOK}, "HD|"},
		{"ms k 0 k c O1 s", Reply{Status: StatusOK, CAS: 5, told: AskCAS}, "HD kk c5 O1|"},
		{"ms k 0 s c", Reply{Status: StatusOK, CAS: 5, ItemSize: 3, told: AskCAS | AskSize}, "HD s3 c5|"},
		{"ms k 0 k c O1", Reply{Status: StatusNotStored, told: AskCAS}, "NS kk c0 O1|"},
		{"ms k 0 C1 O1 c", Reply{Status: StatusExists, told: AskCAS}, "EX O1 c0|"},
		{"ms k 0 C1", Reply{Status: StatusNotFound}, "NF|"},
		{"ms k 0", Reply{Status: StatusTooLarge}, "SERVER_ERROR object too large for cache|"},
		{"ms k 0 O1 k", Reply{Status: StatusNoMemory}, "SERVER_ERROR out of memory storing object|"},
		{"md k k O1", Reply{Status: StatusOK}, "HD kk O1|"},
		{"md k O1", Reply{Status: StatusNotFound}, "NF O1|"},
		{"md k C1", Reply{Status: StatusExists}, "EX|"},
		{"ma k v t O1 k c", number, "VA 20 t60 O1 kk c5|18446744073709551615|"},
		{"ma k v", Reply{Status: StatusNumber}, "VA 1|0|"},
		{"ma k O1", Reply{Status: StatusNumber, Number: 5}, "HD O1|"},
		{"ma k t", Reply{Status: StatusOK, TTL: 5, told: AskTTL}, "HD t5|"},
		{"ma k v O1", Reply{Status: StatusNonNumeric}, "CLIENT_ERROR cannot increment or decrement non-numeric value|"},
		{"ma k v k", Reply{Status: StatusNotFound}, "NF kk|"},
		{"ma k N0", Reply{Status: StatusNotStored}, "NS|"},
		{"mg k v O1 k", Reply{Status: StatusDenied}, "CLIENT_ERROR access denied|"},
		{"ms k 0 q O1", Reply{Status: StatusUnfit}, "SERVER_ERROR upstream too old for this command|"},
		{"mg k t", Reply{Status: StatusLost}, "SERVER_ERROR upstream connection lost|"},
		{"md k q", Reply{Status: StatusUnauthenticated}, "CLIENT_ERROR unauthenticated|"},
	} {
		r, err := ParseLine([]byte(row.cmd))
		if err != nil {
			t.Fatalf("%s: %v", row.cmd, err)
		}
		if got := string(answerTo(r, &row.r)); got != strings.ReplaceAll(row.want, "|", crlf) {
			t.Errorf("%s: got %q, want %q", row.cmd, got, row.want)
		}
	}
}

// answerTo renders the reply to a request about one key; [value] stands for the
// value that memcached sends.
func answerTo(r *Request, reply *Reply) []byte {
	var out []byte
	if reply.Status == StatusValue {
		out = append(r.AppendHead(nil, r.Keys[0], reply), "[value]"...)
		return r.AppendItemsEnd(r.AppendValueEnd(out))
	}
	return r.AppendItemsEnd(r.AppendAnswer(nil, r.Keys[0], reply))
}

// TestQuietHides lists what the quiet form of each command leaves unsaid, and
// that nothing is left unsaid without it.
func TestQuietHides(t *testing.T) {
	const denied = " denied limit-rate limit-bytes limit-in-flight limit-value limit-ttl limit-keys limit-conns frozen"
	const failed = "none refused lost down dropped busy unfit" + denied
	want := map[string]string{
		"mg": "miss", "ms": "ok", "md": "ok", "ma": "ok number",
		"GET": "miss no-memory " + failed, "GETK": "miss no-memory " + failed, "GAT": "miss no-memory " + failed, "GATK": "miss no-memory " + failed,
		"SET": "ok" + denied, "ADD": "ok" + denied, "REPLACE": "ok" + denied, "APPEND": "ok" + denied, "PREPEND": "ok" + denied,
		"DELETE": "ok" + denied, "INCREMENT": "number" + denied, "DECREMENT": "number" + denied, "FLUSH": "ok" + denied, "QUIT": "ok",
	}
	for _, v := range Verbs() {
		for status := range statusCount {
			name := statusNames()[status]
			loud, quiet, mute := Form{Verb: v}, Form{Verb: v, Quiet: true}, Form{Verb: v, NoReply: true}
			if got := quiet.Silent(status); got != inWords(want[v.Name], name) {
				t.Errorf("%s, quiet: %s is silent: %t", v.Name, name, got)
			}
			if loud.Silent(status) || !mute.Silent(status) {
				t.Errorf("%s: %s is silent without quiet: %t, and with noreply: %t", v.Name, name, loud.Silent(status), mute.Silent(status))
			}
		}
	}
}

// TestQuietMiss: a denial that looks like a miss is as quiet as a miss.
func TestQuietMiss(t *testing.T) {
	for in, want := range map[string]string{
		"mg k v q\r\n": "", "mg k v\r\n": "EN\r\n", "mg k k O1\r\n": "EN kk O1\r\n", "md k q\r\n": "NF\r\n", "ma k q O1\r\n": "NF O1\r\n",
		"ms k 1 q O1\r\nx\r\n": "NS O1\r\n", "ms k 1 c k\r\nx\r\n": "NS c0 kk\r\n", "ms k 1 c C5\r\nx\r\n": "NF c0\r\n", "get a b\r\n": "END\r\n", "delete k noreply\r\n": "", "incr k 1\r\n": "NOT_FOUND\r\n",
		"set k 0 0 1 noreply\r\nx\r\n": "", "touch k 0\r\n": "NOT_FOUND\r\n", "mg azE= b k\r\n": "EN kazE= b\r\n",
		string(pack(0x09, packetParts{key: "k"})):  "",
		string(pack(0x0d, packetParts{key: "k"})):  "",
		string(pack(0x14, packetParts{key: "k"})):  string(answerOf(0x14, 0x01, "Not found")),
		string(pack(0x00, packetParts{key: "k"})):  string(answerOf(0x00, 0x01, "Not found")),
		string(pack(0x1a, packetParts{key: "k"})):  string(answerOf(0x1a, 0x05, "Not stored.")),
		string(pack(0x0a, packetParts{opaque: 0})): "none",
	} {
		r := requestOf(t, in)
		var key []byte
		if len(r.Keys) > 0 {
			key = r.Keys[0]
		}
		got, ok := r.AppendMiss([]byte("x"), key)
		if !ok {
			got = []byte("xnone")
		}
		if string(got) != "x"+want {
			t.Errorf("%q: denied as %q, want %q", in, got, want)
		}
	}
}
