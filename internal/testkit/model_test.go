package testkit

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestModelAgreesWithMemcached holds random pipelines of all dialects with
// memcached: what it answers must be what the model says, byte for byte.
func TestModelAgreesWithMemcached(t *testing.T) {
	VerifyNoLeaks(t)
	real := StartMemcached(t, "-o", "no_lru_crawler,no_lru_maintainer")
	version := versionOf(t, real)
	if version != "1.6.18" {
		t.Skipf("SKIP: %s gives out other CAS ids", version)
	}
	model := NewModel(FakeOptions{Version: version})
	talks := []*Talk{NewTalk(1, model, TalkOptions{}), NewTalk(2, model, TalkOptions{Binary: true})}
	conns := []net.Conn{real.Dial(t), real.Dial(t)}
	pipelines := 4000
	if testing.Short() {
		pipelines = 800
	}
	for i := range pipelines {
		list := talks[i%2].Pipeline(1 + i%20)
		if err := hold(conns[i%2], list); err != nil {
			t.Fatalf("pipeline %d: %v", i, err)
		}
	}
}

func versionOf(t *testing.T, m *Memcached) string {
	line, err := ask(m.Dial(t), "version", patience)
	var version string
	if _, scan := fmt.Sscanf(line, "VERSION %s", &version); err != nil || scan != nil {
		t.Fatalf("version: %q, %v", line, err)
	}
	return version
}

// hold sends the requests one by one, each with what ends a pipeline after it,
// and compares what comes back.
func hold(c net.Conn, list []Exchange) error {
	c.SetDeadline(time.Now().Add(patience))
	last := list[len(list)-1]
	for i, e := range list {
		sent, want := Wire([]Exchange{e, last})
		if _, err := c.Write(sent); err != nil {
			return err
		}
		got := make([]byte, len(want))
		n, err := io.ReadFull(c, got)
		if wrong := Compare([]Exchange{e, last}, got[:n]); wrong != nil {
			return fmt.Errorf("after %v: %w (%v)", list[:i], wrong, err)
		}
	}
	return nil
}

func TestModelKnowsWhatAClientSees(t *testing.T) {
	m := NewModel(FakeOptions{Now: func() int64 { return 1_700_000_000 }})
	m.MetaReads = true
	text := func(verb, args, flags, value string) Request {
		return Request{Verb: verb, Args: strings.Fields(args), Flags: strings.Fields(flags), Value: value}
	}
	for _, c := range []struct {
		request    Request
		sent, want string
	}{
		{text("mg", "a b", "", ""), "mg a b\r\n", "EN\r\n"},
		{text("mg", "ab", "k b O1", ""), "mg YWI= k b O1\r\n", "EN kYWI= b O1\r\n"},
		{text("mg", "ab", "k q", ""), "mg ab k q\r\n", ""},
		{text("ms", "ab 2", "T100 c b k", "hi"), "ms YWI= 2 T100 c b k\r\nhi\r\n", "HD c1 kYWI= b\r\n"},
		{text("ms", "ab 2", "ME q O2", "ho"), "ms ab 2 ME q O2\r\nho\r\n", "NS O2\r\n"},
		{text("ms", "ab 2", "q", "ho"), "ms ab 2 q\r\nho\r\n", ""},
		{text("mg", "ab", "v q t c", ""), "mg ab v q t c\r\n", "VA 2 t-1 c2\r\nho\r\n"},
		{text("ma", "ab", "q", ""), "ma ab q\r\n", nonNumeric},
		{text("ma", "n", "N100 J5 q v", ""), "ma n N100 J5 q v\r\n", ""},
		{text("ma", "n", "C9 q k", ""), "ma n C9 q k\r\n", "EX kn\r\n"},
		{text("me", "n", "", ""), "me n\r\n", "ME n exp=100 la=0 cas=3 fetch=no cls=1 size=61\r\n"},
		{text("md", "ab", "I q", ""), "md ab I q\r\n", ""},
		{text("gets", "n ab", "", ""), "gets n ab\r\n", "VALUE n 0 1 3\r\n5\r\nVALUE ab 0 2 4\r\nho\r\nEND\r\n"},
		{text("mg", "ab", "c", ""), "mg ab c\r\n", "HD c4 Z X\r\n"},
		{text("md", "none", "q", ""), "md none q\r\n", "NF\r\n"},
		{Request{Verb: "incr", Args: []string{"ab", "1"}, Quiet: true}, "incr ab 1 noreply\r\n", ""},
		{text("cas", "n 0 0 1 2", "", "x"), "cas n 0 0 1 2\r\nx\r\n", "EXISTS\r\n"},
	} {
		if got := string(c.request.Bytes()); got != c.sent {
			t.Errorf("%v is sent as %q, want %q", c.request, got, c.sent)
		}
		if got := string(m.Answer(c.request)); got != c.want {
			t.Errorf("%v: got %q, want %q", c.request, got, c.want)
		}
	}
}

// TestTalkSaysAllThereIs makes sure that what should come often does come: every
// status, loud and quiet, and nothing that is to be skipped.
func TestTalkSaysAllThereIs(t *testing.T) {
	m := NewModel(FakeOptions{})
	skip := func(r Request) bool { return r.Verb == "version" }
	seen := map[string]int{}
	for _, talk := range []*Talk{
		NewTalk(1, m, TalkOptions{Proxied: true, Skip: skip}),
		NewTalk(2, m, TalkOptions{Binary: true}),
	} {
		for _, e := range talk.Pipeline(20000) {
			verb, reply := e.Request.Verb, string(e.Want)
			if p, err := ReadPacket(bytes.NewReader(e.Want)); err == nil {
				verb, reply = "packet", fmt.Sprintf("%d ", p.Status)
			}
			seen[verb+" "+strings.TrimRight(reply[:min(3, len(reply))], " \r\n")]++
		}
	}
	if n := seen["version VER"]; n > 0 {
		t.Errorf("%d requests were made that are to be skipped", n)
	}
	for _, want := range strings.Split("get VAL,get END,gats VAL,set STO,set ,add NOT,replace NOT,append STO,append NOT,"+
		"cas STO,cas EXI,cas NOT,cas ,incr CLI,incr NOT,incr 500,decr 0,touch TOU,delete DEL,delete ,mn MN,me ME,me EN,"+
		"mg VA,mg HD,mg EN,mg ,ms HD,ms NS,ms EX,ms NF,ms ,md HD,md NF,md EX,md ,ma HD,ma VA,ma NF,ma EX,ma CLI,ma ,"+
		"packet 0,packet 1,packet 2,packet 5,packet 6, ", ",") {
		if seen[want] < 10 {
			t.Errorf("%q came %d times", want, seen[want])
		}
	}
}

func TestCompareFindsTheWrongReply(t *testing.T) {
	list := []Exchange{
		{Request{Verb: "mg", Args: []string{"a"}}, []byte("EN\r\n")},
		{Request{Verb: "mg", Args: []string{"a"}, Flags: []string{"q"}}, nil},
		{Request{Verb: "mn"}, []byte("MN\r\n")},
	}
	for got, want := range map[string]string{
		"EN\r\nMN\r\n":       "<nil>",
		"EN\r\nEN\r\nMN\r\n": `request 3 of 3, "mn\r\n": got "EN\r\nMN\r\n", want "MN\r\n"`,
		"EN\r\n":             `request 3 of 3, "mn\r\n": got "", want "MN\r\n"`,
		"MN\r\n":             `request 1 of 3, "mg a\r\n": got "MN\r\n", want "EN\r\n"`,
		"EN\r\nMN\r\nMN\r\n": `after the last of 3 requests: got "MN\r\n", want nothing`,
	} {
		if err := fmt.Sprint(Compare(list, []byte(got))); err != want {
			t.Errorf("%q: got %s, want %s", got, err, want)
		}
	}
}

func BenchmarkTalk(b *testing.B) {
	talk := NewTalk(1, NewModel(FakeOptions{}), TalkOptions{Proxied: true})
	for b.Loop() {
		Wire(talk.Pipeline(10))
	}
}
