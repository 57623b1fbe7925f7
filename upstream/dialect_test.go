package upstream

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
)

// script is every command on a key, one after the other, and how each ends.
var script = []struct {
	cmd   protocol.Command
	want  protocol.Status
	value string
}{
	{cmd("get", "k"), protocol.StatusMiss, ""},
	{cmd("gets", "k"), protocol.StatusMiss, ""},
	{timed("gat", "k", 100), protocol.StatusMiss, ""},
	{timed("gats", "k", 100), protocol.StatusMiss, ""},
	{cmd("delete", "k"), protocol.StatusNotFound, ""},
	{timed("touch", "k", 100), notTouched, ""},
	{delta("incr", "k", 1), protocol.StatusNotFound, ""},
	{store("replace", "k", []byte("0")), protocol.StatusNotStored, ""},
	{store("append", "k", []byte("0")), protocol.StatusNotStored, ""},
	{store("prepend", "k", []byte("0")), protocol.StatusNotStored, ""},
	{unique(store("cas", "k", []byte("0")), 1), protocol.StatusNotFound, ""},
	{store("add", "k", []byte("5")), protocol.StatusOK, ""},
	{store("add", "k", []byte("6")), protocol.StatusNotStored, ""},
	{cmd("get", "k"), protocol.StatusValue, "5"},
	{store("append", "k", []byte("0")), protocol.StatusOK, ""},
	{store("prepend", "k", []byte("1")), protocol.StatusOK, ""},
	{cmd("gets", "k"), protocol.StatusValue, "150"},
	{delta("incr", "k", 7), protocol.StatusNumber, "157"},
	{timed("gat", "k", 0), protocol.StatusValue, "157"},
	{delta("decr", "k", 100), protocol.StatusNumber, "57"},
	{delta("incr", "k", 1<<64-1), protocol.StatusNumber, "56"},
	{timed("touch", "k", 100), protocol.StatusOK, ""},
	{unique(store("cas", "k", []byte("0")), 1<<63), protocol.StatusExists, ""},
	{store("set", "k", []byte("END\r\nVALUE x 0 1\r\n1\r\nEND\r\n")), protocol.StatusOK, ""},
	{timed("gats", "k", 100), protocol.StatusValue, "END\r\nVALUE x 0 1\r\n1\r\nEND\r\n"},
	{delta("decr", "k", 1), protocol.StatusNonNumeric, ""},
	{store("replace", "k", nil), protocol.StatusOK, ""},
	{cmd("get", "k"), protocol.StatusValue, ""},
	{cmd("delete", "k"), protocol.StatusOK, ""},
	{cmd("get", "k"), protocol.StatusMiss, ""},
	{timed("set", "k", -1), protocol.StatusOK, ""},
	{cmd("get", "k"), protocol.StatusMiss, ""},
}

// notTouched stands for how each dialect says that there is nothing to touch.
const notTouched = protocol.Status(255)

func timed(word, key string, exptime int32) protocol.Command {
	c := cmd(word, key)
	c.Exptime = exptime
	return c
}

func delta(word, key string, by uint64) protocol.Command {
	c := cmd(word, key)
	c.Delta = by
	return c
}

func unique(c protocol.Command, cas uint64) protocol.Command {
	c.CAS = cas
	return c
}

// TestEveryCommand runs the script in both dialects, on the fake and on
// memcached, in one batch, one by one, and alone on a leased connection.
func TestEveryCommand(t *testing.T) {
	backends := []struct {
		name, dialect string
		meta          bool
		start         func(t *testing.T) string
	}{
		{"fake", "auto", true, fakeOf("1.6.45")},
		{"fake 1.6.18", "meta", true, fakeOf("1.6.18")},
		{"fake 1.5.22", "auto", false, fakeOf("1.5.22")},
		{"memcached", "auto", true, func(t *testing.T) string { return testkit.StartMemcached(t).Addr() }},
		{"memcached", "classic", false, func(t *testing.T) string { return testkit.StartMemcached(t).Addr() }},
	}
	for _, b := range backends {
		t.Run(b.name+" "+b.dialect, func(t *testing.T) {
			testkit.VerifyNoLeaks(t)
			r := startRig(t, b.start(t), func(c *Config) { c.Dialect = b.dialect })
			t.Run("one batch", func(t *testing.T) { playBatch(t, r) })
			t.Run("one by one", func(t *testing.T) { playEach(t, r) })
			t.Run("alone", func(t *testing.T) { playAlone(t, r) })
			if info, ok := r.Info(); !ok || info.Meta != b.meta {
				t.Errorf("info %+v, %v; want meta %v", info, ok, b.meta)
			}
			r.wantBurns(burns{})
			r.wantFree()
			r.wantIdle()
		})
	}
}

func fakeOf(version string) func(*testing.T) string {
	return func(t *testing.T) string {
		return testkit.StartFake(t, testkit.FakeOptions{Version: version}).Addr()
	}
}

func playBatch(t *testing.T, r *rig) {
	b := NewBatch()
	for _, s := range script {
		b.Add(s.cmd)
	}
	testkit.Within(t, "Do", func() { r.Lane().Do(b) })
	for i := range script {
		wantStep(t, i, &b.Calls[i].Reply, b.Value(i))
	}
}

func playEach(t *testing.T, r *rig) {
	b, lane := NewBatch(), r.Lane()
	for i, s := range script {
		b.Reset()
		b.Add(s.cmd)
		testkit.Within(t, "Do", func() { lane.Do(b) })
		wantStep(t, i, &b.Calls[0].Reply, b.Value(0))
	}
}

func playAlone(t *testing.T, r *rig) {
	for i, s := range script {
		got := r.stream(s.cmd, &sink{})
		if got.err != nil {
			t.Errorf("step %d: %v", i, got.err)
		}
		wantStep(t, i, &got.reply, got.value)
	}
}

func wantStep(t *testing.T, i int, r *protocol.Reply, value []byte) {
	t.Helper()
	s, status := script[i], r.Status
	if status == protocol.StatusNumber {
		value = strconv.AppendUint(value, r.Number, 10)
	}
	match := status == s.want || s.want == notTouched && (status == protocol.StatusMiss || status == protocol.StatusNotFound)
	if !match || string(value) != s.value {
		t.Errorf("step %d, %s: status %d, value %q; want %d, %q", i, s.cmd.Verb.Name, status, value, s.want, s.value)
	}
}

// TestDialects checks which dialect is taken for which version.
func TestDialects(t *testing.T) {
	tests := []struct {
		dialect, version string
		refused, meta    bool
	}{
		{"auto", "1.6.45", false, true},
		{"auto", "1.6.18", false, true},
		{"auto", "1.6.17", false, false},
		{"auto", "1.5.22", false, false},
		{"auto", "unknown", false, false},
		{"meta", "1.6.18", false, true},
		{"meta", "1.6.17", true, false},
		{"meta", "1.5.22", true, false},
		{"meta", "unknown", true, false},
		{"classic", "1.6.45", false, false},
		{"classic", "1.5.22", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.dialect+" "+tt.version, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{Version: tt.version}, func(c *Config) { c.Dialect = tt.dialect })
			want := protocol.StatusMiss
			if tt.refused {
				want = protocol.StatusDown
			}
			if got := r.do(cmd("get", "k")).Calls[0].Reply.Status; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
			if info, ok := r.Info(); ok == tt.refused || info.Meta != tt.meta {
				t.Errorf("info %+v, %v; want meta %v, refused %v", info, ok, tt.meta, tt.refused)
			}
			received := fake.Received()
			if meta := bytes.Contains(received, []byte("mg k")); meta != tt.meta {
				t.Errorf("memcached was sent %q, want meta %v", received, tt.meta)
			}
		})
	}
}

// TestHandshake checks that nothing is asked of a memcached that does not answer
// the handshake, or says more than that.
func TestHandshake(t *testing.T) {
	settings := "STAT maxconns 1024\r\nSTAT item_size_max 1048576\r\nEND\r\n"
	tests := []struct {
		name   string
		banner string
		extra  map[string]string
		item   int // size limit that is learned; 0 if the connection is refused
	}{
		{"full", "ERROR Too many open connections", nil, 0},
		{"greets", "VERSION 1.6.45", nil, 0},
		{"no version", "", map[string]string{"version": "ERROR\r\n"}, 0},
		{"empty version", "", map[string]string{"version": "VERSION \r\n"}, 0},
		{"long version", "", map[string]string{"version": "VERSION " + strings.Repeat("1", 100) + "\r\n"}, 0},
		{"binary version", "", map[string]string{"version": "VERSION 1.6.45\x00\r\n"}, 0},
		{"other word", "", map[string]string{"version": "STAT 1.6.45\r\n"}, 0},
		{"line without CR", "", map[string]string{"version": "VERSION 1.6.45\n"}, 0},
		{"endless line", "", map[string]string{"version": strings.Repeat("V", 5000)}, 0},
		{"settings are no settings", "", map[string]string{"stats settings": "VALUE a 0 1\r\n1\r\nEND\r\n"}, 0},
		{"endless settings", "", map[string]string{"stats settings": strings.Repeat("STAT a 1\r\n", handshakeLines) + "END\r\n"}, 0},
		{"bytes after the settings", "", map[string]string{"stats settings": settings + "STORED\r\n"}, 0},
		{"one byte after the settings", "", map[string]string{"stats settings": settings + "\n"}, 0},

		{"plain", "", nil, 1 << 20},
		{"another limit", "", map[string]string{"stats settings": "STAT item_size_max 2097152\r\nEND\r\n"}, 2 << 20},
		{"settings not to be had", "", map[string]string{"stats settings": "ERROR\r\n"}, 1 << 20},
		{"no limit told", "", map[string]string{"stats settings": "STAT a 1\r\nEND\r\n"}, 1 << 20},
		{"limit is no number", "", map[string]string{"stats settings": "STAT item_size_max 1m\r\nEND\r\n"}, 1 << 20},
		{"limit is nothing", "", map[string]string{"stats settings": "STAT item_size_max 0\r\nEND\r\n"}, 1 << 20},
	}
	for _, tt := range tests {
		for _, dialect := range []string{"auto", "classic"} {
			t.Run(tt.name+", "+dialect, func(t *testing.T) {
				o := testkit.FakeOptions{Banner: tt.banner, Extra: tt.extra}
				fake, r := startFake(t, o, func(c *Config) { c.Dialect = dialect })
				want := protocol.StatusMiss
				if tt.item == 0 {
					want = protocol.StatusDown
				}
				if got := r.do(cmd("get", "k")).Calls[0].Reply.Status; got != want {
					t.Errorf("status %d, want %d", got, want)
				}
				if info, ok := r.Info(); ok != (tt.item != 0) || ok && info.MaxItem != tt.item {
					t.Errorf("info %+v, %v; want a limit of %d", info, ok, tt.item)
				}
				if tt.item == 0 && bytes.Contains(fake.Received(), []byte("k\r\n")) {
					t.Errorf("memcached was sent %q", fake.Received())
				}
				if tt.item == 0 && r.m.DialFails.Load() != 1 {
					t.Errorf("%d failed dials, want 1", r.m.DialFails.Load())
				}
			})
		}
	}
}

// TestSilentHandshake checks that a memcached that accepts and says nothing is
// not waited for longer than the connect timeout.
func TestSilentHandshake(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{}, func(c *Config) { c.ConnectTimeout = 50 * time.Millisecond })
	fake.OnRequest(func(int, []byte) testkit.Fault { return testkit.Stall() })
	if got := r.do(cmd("get", "k")).Calls[0].Reply.Status; got != protocol.StatusDown {
		t.Errorf("status %d, want down", got)
	}
	fake.OnRequest(nil)
	testkit.Eventually(t, "service", func() bool {
		return r.do(cmd("get", "k")).Calls[0].Reply.Status == protocol.StatusMiss
	})
}

// TestVersionChanges checks that each connection speaks the dialect of the
// memcached it reached.
func TestVersionChanges(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{Version: "1.6.45"}, nil)
	for _, version := range []string{"1.6.45", "1.5.22", "1.6.18", "1.4.39"} {
		fake.SetVersion(version)
		fake.CloseConns()
		testkit.Eventually(t, "a connection to "+version, func() bool {
			b := r.do(store("set", "k", []byte(version)), cmd("get", "k"))
			return string(b.Value(1)) == version
		})
		if info, _ := r.Info(); info.Version != version {
			t.Errorf("info says %q, want %q", info.Version, version)
		}
	}
	want := []string{"server up", "server up", "server up", "server up"}
	if got := r.lines(); !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
}

// TestClassicIsAlone checks that in the classic dialect a connection never has
// two requests under way, whoever they come from.
func TestClassicIsAlone(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{Version: "1.5.22"}, nil)
	r.do(cmd("get", "warm"))
	var mu sync.Mutex
	var early [][]byte
	fake.OnRequest(func(_ int, req []byte) testkit.Fault {
		// There is one connection: the last that came must be this request.
		if !bytes.HasSuffix(fake.Received(), req) {
			mu.Lock()
			defer mu.Unlock()
			early = append(early, req)
		}
		return testkit.Fault{}
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			b := NewBatch()
			for n := range 20 {
				b.Reset()
				key := fmt.Sprintf("k%d", g)
				for range 4 {
					b.Add(store("set", key, fmt.Appendf(nil, "%d.%d", g, n)))
					b.Add(cmd("get", key))
				}
				r.lanes[0].Do(b)
				for i := 1; i < 8; i += 2 {
					if got, want := string(b.Value(i)), fmt.Sprintf("%d.%d", g, n); got != want {
						t.Errorf("client %d, turn %d: status %d, value %q", g, n, b.Calls[i].Reply.Status, got)
					}
				}
			}
		})
	}
	testkit.Within(t, "eight clients", wg.Wait)
	if len(early) > 0 {
		t.Errorf("%d requests were followed by another before their reply, first %q", len(early), early[0])
	}
	r.wantBurns(burns{})
}

// TestClassicFaults checks what burns a connection of the classic dialect, where
// a value proves itself by its key and anything else by being alone.
func TestClassicFaults(t *testing.T) {
	replace := func(from, to string) testkit.Fault {
		return testkit.Rewrite(func(r []byte) []byte { return bytes.Replace(r, []byte(from), []byte(to), 1) })
	}
	tests := []struct {
		name  string
		word  string
		fault testkit.Fault
		want  protocol.Status
		cause metrics.Burn
	}{
		{"value of another key", "get", replace("VALUE k ", "VALUE K "), protocol.StatusLost, metrics.BurnProof},
		{"value of a longer key", "get", replace("VALUE k ", "VALUE kk "), protocol.StatusLost, metrics.BurnProof},
		{"value without END", "get", replace("END", "XND"), protocol.StatusLost, metrics.BurnProof},
		{"value then another", "get", replace("END\r\n", "VALUE k 0 1\r\n"), protocol.StatusLost, metrics.BurnProof},
		{"no CAS", "gets", replace(" 1\r\n", "\r\n"), protocol.StatusLost, metrics.BurnProof},
		{"CAS unasked", "get", replace("VALUE k 0 1", "VALUE k 0 1 1"), protocol.StatusLost, metrics.BurnProof},
		{"value is longer", "get", replace("VALUE k 0 1", "VALUE k 0 0"), protocol.StatusLost, metrics.BurnProof},
		{"value is shorter", "get", replace("VALUE k 0 1", "VALUE k 0 2"), protocol.StatusLost, metrics.BurnTimeout},
		{"STORED for a value", "get", testkit.ErrorLine("STORED"), protocol.StatusLost, metrics.BurnProof},
		{"END for a store", "set", testkit.ErrorLine("END"), protocol.StatusLost, metrics.BurnProof},
		{"DELETED for a store", "set", testkit.ErrorLine("DELETED"), protocol.StatusLost, metrics.BurnProof},
		{"number for a store", "set", testkit.ErrorLine("12"), protocol.StatusLost, metrics.BurnProof},
		{"STORED for a delete", "delete", testkit.ErrorLine("STORED"), protocol.StatusLost, metrics.BurnProof},
		{"signed number", "incr", testkit.ErrorLine("-1"), protocol.StatusLost, metrics.BurnProof},
		{"ERROR", "set", testkit.ErrorLine("ERROR"), protocol.StatusLost, metrics.BurnProof},
		{"empty line before", "get", testkit.ExtraLineBefore(""), protocol.StatusLost, metrics.BurnProof},
		{"answer comes twice", "get", testkit.DuplicateReply(), protocol.StatusLost, metrics.BurnIdle},
		{"store is answered twice", "set", testkit.DuplicateReply(), protocol.StatusOK, metrics.BurnIdle},
		{"cut", "get", testkit.CloseMidReply(10), protocol.StatusLost, metrics.BurnEOF},
		{"no answer", "get", testkit.Stall(), protocol.StatusLost, metrics.BurnTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, r := startFake(t, testkit.FakeOptions{Version: "1.5.22"}, func(c *Config) { c.RequestTimeout = 300 * time.Millisecond })
			r.put("k", []byte("7"))
			fake.Inject(tt.fault)
			if got := r.do(store(tt.word, "k", []byte("7"))).Calls[0].Reply.Status; got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
			var burnt burns
			burnt[tt.cause]++
			r.wantBurns(burnt)
			r.put("k", []byte("9"))
			if b := r.do(cmd("get", "k")); b.Calls[0].Reply.Status != protocol.StatusValue || string(b.Value(0)) != "9" {
				t.Errorf("afterwards: status %d, value %q", b.Calls[0].Reply.Status, b.Value(0))
			}
		})
	}
}

// TestClassicLooksEachTime checks that a connection of the classic dialect is
// looked at before every command, however soon it comes.
func TestClassicLooksEachTime(t *testing.T) {
	fake, r := startFake(t, testkit.FakeOptions{Version: "1.5.22"}, nil)
	for range 20 {
		r.do(store("set", "k", []byte("v")))
		fake.Say("STORED\r\n")
		if got := r.do(store("add", "k", []byte("w"))).Calls[0].Reply.Status; got != protocol.StatusNotStored {
			t.Fatalf("status %d, want not stored", got)
		}
	}
	r.wantBurns(burns{metrics.BurnIdle: 20})
}
