package testkit

import (
	"bytes"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// canonical is what the fake must answer as memcached does. A command stands
// on a line; a data block follows after '|'.
const canonical = `version
mg a v O1
mg a O1 c f
ms a 2 c O2 T0 F5|hi
mg a f v c O3 t s h l
mg a f v c O3 t s h l
mg a u
ms a 2 ME O4 c|ho
ms a 2 MR O4 c|ho
ms zz 2 MR O4 c|ho
ms zz 2 MA O4 c|ho
ms a 2 MA O4 c|<<
ms a 2 MP O4 c|>>
ms a 2 C1 O4 c|ho
ms a 2 C1 ME O4|ho
ms zz 2 C1 O4 c|ho
ms zz 2 C1 MR O4 c|ho
ms zz 2 C1 MA O4 c|ho
mg a v f c
ms a 2 C4 O4 c|ok
md a C1 O5
md a I O5 T300
mg a v c O6
mg a v O6
mg a O6
ms a 2 C1 I O6 c|ux
ms a 2 C100 I O6 c|ux
mg a v c O6
md a O7
md a O7
mg v N300 v c O1
mg v N300 v c O1
ms v 1 O1|x
mg v v O1
mg v R30 O1
touch v 10
mg v R30 O1
mg v R30 O1
mg v T0 t O1
ma n O1
ma n N0 J10 v O1 c t
ma n N0 J10 v O1 c t
ma n D5 O1
ma n MD D2 v O1
ma n MD D20 O1
ma n v C1 O1 c
ma n D18446744073709551615
ma n D2
ms s 3 O1|abc
ma s v O2
ms s 2 F5|12
ma s v O2
ma s v T-1
get s
set s 7 0 3|abc
get s
gets s none s
add s 0 0 1|x
add s2 1 0 1|x
replace s2 2 0 2|xy
replace none 2 0 2|xy
append s2 9 0 1|z
prepend s2 9 0 1|a
append none 0 0 1|z
gets s2
cas s2 0 0 1 1|x
cas none 0 0 1 1|x
cas s2 0 0 0 18446744073709551615|
gat 0 s none
gats 100 s s2
touch none 0
touch s 0
incr s 1
set s 0 0 20|18446744073709551615
incr s 1
incr s 41
decr s 1
incr none 1
decr none 1
set s 0 -1 1|x
get s
set t 0 2592001 1|x
get t
set t 0 2592000 1|x
get t
gat -1 t
get t
mg s t T-1
ms g 1 T-1 O1|x
mg g v O1
ms g 1 T0 O1|x
mg g T-1 O2 v
mg g v
delete s
delete s2
delete s2
set e 0 0 0|
get e
mg e v s
set L 0 0 1048517|LARGE
ms L 1048517 O1|LARGE
set L 0 0 1048516|LARGE
mg L s
append L 0 0 1|x
ms L 1 MA|x
add L 0 0 1048517|LARGE
mg L s
ms L 1048517 ME|LARGE
mg L s
set L 1 0 1048512|LARGE
mg L s f
set L 1 0 1048513|LARGE
get L
flush_all
get e
mn`

// request turns a line of canonical into bytes.
func request(line string) []byte {
	line, block, has := strings.Cut(line, "|")
	if !has {
		return []byte(line + "\r\n")
	}
	if block == "LARGE" {
		size, _ := strconv.Atoi(regexp.MustCompile(`10485\d\d`).FindString(line))
		block = strings.Repeat("x", size)
	}
	return []byte(line + "\r\n" + block + "\r\n")
}

func TestFakeAnswersAsMemcachedDoes(t *testing.T) {
	for _, binary := range append(MemcachedBinaries(), "") {
		if binary == "" && len(MemcachedBinaries()) > 0 {
			continue
		}
		t.Run(binary, func(t *testing.T) {
			VerifyNoLeaks(t)
			real := MemcachedConfig{Binary: binary}.Start(t).Dial(t)
			line := Transcript(t, real, []byte("version\r\n"), patience)
			version := strings.Fields(string(line))[1]
			if !atLeast(version, "1.6.18") {
				t.Skipf("SKIP: %s speaks no meta dialect", version)
			}
			fake := StartFake(t, FakeOptions{Version: version}).Dial(t)
			for i, line := range strings.Split(canonical, "\n") {
				want := Transcript(t, real, request(line), patience)
				got := Transcript(t, fake, request(line), patience)
				if !bytes.Equal(got, want) {
					t.Errorf("request %d: %q\ngot  %.200q\nwant %.200q", i+1, line, got, want)
				}
			}
		})
	}
}

func TestFakeTellsItsSettings(t *testing.T) {
	opts := FakeOptions{ItemSizeMax: 2048, MaxConns: 16, Extra: map[string]string{"stats  odd": "STAT x 1\r\nEND\r\n"}}
	f := StartFake(t, opts)
	c := f.Dial(t)
	for _, want := range []string{"STAT item_size_max 2048\r\n", "STAT maxconns 16\r\n"} {
		if got := Transcript(t, c, []byte("stats settings\r\n"), patience); !strings.Contains(string(got), want) {
			t.Errorf("stats settings: got %q, want %q in it", got, want)
		}
	}
	if got, want := string(Transcript(t, c, []byte("stats  odd\r\n"), patience)), "STAT x 1\r\nEND\r\nMN\r\n"; got != want {
		t.Errorf("extra line: got %q, want %q", got, want)
	}
	if got, err := ask(c, "version", patience); got != "VERSION 1.6.18\r\n" {
		t.Errorf("version: got %q, %v, want 1.6.18", got, err)
	}
	f.SetVersion("1.5.22")
	if got, err := ask(c, "version", patience); got != "VERSION 1.5.22\r\n" {
		t.Errorf("version: got %q, %v, want 1.5.22", got, err)
	}
}

func TestFakeKnowsFlagsOfNewerVersions(t *testing.T) {
	c := StartFake(t, FakeOptions{Version: "1.6.45"}).Dial(t)
	for _, x := range []struct{ in, want string }{
		{"ms a 1 E50 c s|x", "HD c50 s1\r\n"},
		{"md a E60 I", "HD\r\n"},
		{"mg a c", "HD c60 X W\r\n"},
		{"ms b 1 MA N0 E70|x", "HD\r\n"},
		{"md b x F9 O1", "HD O1\r\n"},
		{"mg b v f c", "VA 0 f9 c70\r\n\r\n"},
		{"md b I x E71", "HD\r\n"},
		{"mg b C70 v f", "VA 0 f0 X W\r\n\r\n"},
		{"mg b C71 v f", "HD f0 Z X\r\n"},
		{"ma n N0 J5 E80 c v", "VA 1 c80\r\n5\r\n"},
		{"mg w N0 E90 c", "HD c90 W\r\n"},
		{"ms z 1 C5 c s O9|x", "NF c0 s0 O9\r\n"},
	} {
		if got := Transcript(t, c, request(x.in), patience); string(got) != x.want+"MN\r\n" {
			t.Errorf("%q: got %q, want %q", x.in, got, x.want)
		}
	}
}

func TestFakeRecordsWhatItReceives(t *testing.T) {
	f := StartFake(t, FakeOptions{})
	in := "get a\r\nset a 0 0 4\r\n\r\n\r\n\r\nmn\r\n"
	Transcript(t, f.Dial(t), []byte(strings.TrimSuffix(in, "mn\r\n")), patience)
	if got := f.Received(); string(got) != in {
		t.Errorf("received: got %q, want %q", got, in)
	}
	want := [][]byte{[]byte("get a\r\n"), []byte("set a 0 0 4\r\n\r\n\r\n\r\n"), []byte("mn\r\n")}
	if got := f.Requests(); !bytes.Equal(bytes.Join(got, []byte{0}), bytes.Join(want, []byte{0})) {
		t.Errorf("requests: got %q, want %q", got, want)
	}
	c := f.Dial(t)
	c.Write([]byte("set a 0 0 10\r\nabc"))
	c.Close() // a request that is given up is no violation
	Eventually(t, "the half request", func() bool { return bytes.HasSuffix(f.Received(), []byte("\nabc")) })
	if got := len(f.Requests()); got != 3 {
		t.Errorf("got %d requests, want 3", got)
	}
}

func TestViolationsFailTheTestAndCloseTheConnection(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"get a\n", `line ends without CR: "get a\n"`},
		{"get a noreply\r\nset a 0 0 1 noreply\r\n", `set: "noreply" after its last argument: "set a 0 0 1 noreply\r\n"`},
		{"mg a v q\r\n", `mg: flag "q" is not canonical: "mg a v q\r\n"`},
		{"set a 0 0 1\r\nxyz\r\n", `data block does not end where its length says: "set a 0 0 1\r\n"`},
		{"\x80\x0a\r\n", `line ends without CR: "\x80\n"`},
		{strings.Repeat("g", 80<<10), `buffer full: "ggg`},
	} {
		inner := &fakeTB{TB: t}
		f := StartFake(inner, FakeOptions{})
		f.Dial(t).Write([]byte(c.in + "mn\r\n"))
		Eventually(t, "a violation", func() bool { return len(f.Violations()) > 0 })
		Eventually(t, "the end of the connection", func() bool { return f.Conns() == 0 })
		if got := inner.finish(); !strings.Contains(got, c.want) {
			t.Errorf("%.80q: got %q, want %s", c.in, got, c.want)
		}
	}
}

func TestFakeTalksUnasked(t *testing.T) {
	f := StartFake(t, FakeOptions{Banner: "ERROR Too many open connections"})
	c := f.Dial(t)
	if got, want := string(Transcript(t, c, nil, patience)), "ERROR Too many open connections\r\nMN\r\n"; got != want {
		t.Errorf("banner: got %q, want %q", got, want)
	}
	f.SetBanner("")
	f.Say("SERVER_ERROR odd\r\n")
	if got, want := string(Transcript(t, c, nil, patience)), "SERVER_ERROR odd\r\nMN\r\n"; got != want {
		t.Errorf("said: got %q, want %q", got, want)
	}
	if got := Transcript(t, f.Dial(t), nil, patience); string(got) != "MN\r\n" {
		t.Errorf("without banner: got %q, want MN", got)
	}
	f.CloseConns()
	Eventually(t, "both connections to end", func() bool { return f.Conns() == 0 })
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read after CloseConns: got %d bytes, %v", n, err)
	}
}

func TestMissingBinaryIsSkipped(t *testing.T) {
	if _, err := exec.LookPath("no-such-memcached"); err == nil {
		t.Skip("SKIP: no-such-memcached exists")
	}
	var skipped bool
	t.Run("inner", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		MemcachedConfig{Binary: "no-such-memcached"}.Start(t)
	})
	if !skipped {
		t.Error("a missing binary did not skip the test")
	}
}
