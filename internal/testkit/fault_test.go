package testkit

import (
	"bytes"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// faulty starts a fake that has a = hi and treats the next requests so.
func faulty(t *testing.T, faults ...Fault) (*Fake, net.Conn) {
	t.Helper()
	VerifyNoLeaks(t)
	f := StartFake(t, FakeOptions{TCP: true})
	c := f.Dial(t)
	Transcript(t, c, []byte("set a 0 0 2\r\nhi\r\n"), patience)
	f.Inject(faults...)
	return f, c
}

func TestFaultsGoWrongAsTheySay(t *testing.T) {
	const (
		in = "mn\r\nmg a v O17\r\nmg b O18\r\n"
		va = "VA 2 O17\r\nhi\r\n"
		en = "EN O18\r\n"
		mn = "MN\r\n"
	)
	for _, c := range []struct {
		name  string
		fault Fault
		want  string
	}{
		{"none", Fault{}, mn + va + en + mn},
		{"DropReply", DropReply(), mn + en + mn},
		{"DuplicateReply", DuplicateReply(), mn + va + va + en + mn},
		{"DelayReply", DelayReply(time.Millisecond), mn + va + en + mn},
		{"WrongOpaque", WrongOpaque(), mn + "VA 2 O11\r\nhi\r\n" + en + mn},
		{"SwapWithNext", SwapWithNext(), mn + en + va + mn},
		{"CloseBefore", CloseBefore(), mn},
		{"CloseMidReply 0", CloseMidReply(0), mn},
		{"CloseMidReply 9", CloseMidReply(9), mn + va[:9]},
		{"CloseMidReply 99", CloseMidReply(99), mn + va},
		{"ExtraLineBefore", ExtraLineBefore(""), mn + "\r\n" + va + en + mn},
		{"ExtraLineAfter", ExtraLineAfter("END"), mn + va + "END\r\n" + en + mn},
		{"ErrorLine", ErrorLine("SERVER_ERROR out of memory"), mn + "SERVER_ERROR out of memory\r\n" + en + mn},
		{"Rewrite", Rewrite(bytes.ToUpper), mn + strings.ToUpper(va) + en + mn},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, conn := faulty(t, c.fault)
			if got := Transcript(t, conn, []byte(in), patience); string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWrongOpaqueChangesOnlyTheOpaque(t *testing.T) {
	for _, c := range []struct{ reply, want string }{
		{"HD O1\r\n", "HD O2\r\n"},
		{"HD O12 c5\r\n", "HD O11 c5\r\n"},
		{"VA 2 Oab\r\nx O\r\n", "VA 2 Oa1\r\nx O\r\n"},
		{"HD\r\n", "HD\r\n"},
		{"VA 3\r\n O1\r\n", "VA 3\r\n O1\r\n"},
		{"HD O\r\n", "HD O\r\n"},
		{"", ""},
	} {
		var got []byte
		pipe, far := net.Pipe()
		go func() {
			WrongOpaque().apply(&fakeConn{conn: pipe}, []byte(c.reply))
			pipe.Close()
		}()
		buf := make([]byte, 64)
		for n, err := far.Read(buf); err == nil; n, err = far.Read(buf) {
			got = append(got, buf[:n]...)
		}
		if string(got) != c.want {
			t.Errorf("%q: got %q, want %q", c.reply, got, c.want)
		}
	}
}

func TestCloseBeforeDoesNotExecute(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		want  string
	}{
		{CloseBefore(), "VA 2\r\nhi\r\nMN\r\n"},
		{CloseMidReply(0), "EN\r\nMN\r\n"},
	} {
		f, conn := faulty(t, c.fault)
		Transcript(t, conn, []byte("md a\r\n"), patience)
		if got := Transcript(t, f.Dial(t), []byte("mg a v\r\n"), patience); string(got) != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestResetMidReplyResets(t *testing.T) {
	_, conn := faulty(t, ResetMidReply(0))
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write([]byte("mg a v\r\n"))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want %v", err, syscall.ECONNRESET)
	}
}

func TestStallStaysSilentUntilThePeerLeaves(t *testing.T) {
	f, conn := faulty(t, Stall())
	conn.Write([]byte("mg a\r\nmg b\r\n"))
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %d bytes, %v, want silence", n, err)
	}
	if got := f.Conns(); got != 1 {
		t.Errorf("%d connections are open, want 1", got)
	}
	conn.Close()
	Eventually(t, "the fake to leave", func() bool { return f.Conns() == 0 })
}

func TestSlowFaultsEndWithTheTest(t *testing.T) {
	for _, fault := range []Fault{Stall(), DelayReply(time.Hour)} {
		t.Run("", func(t *testing.T) {
			f, conn := faulty(t, fault)
			conn.Write([]byte("mg a\r\n"))
			Eventually(t, "the request", func() bool { return len(f.Requests()) == 3 })
		})
	}
}

func TestFaultsAreUsedUpByRequestsWithAKey(t *testing.T) {
	_, conn := faulty(t, ErrorLine("1"), Fault{}, ErrorLine("3"))
	in := "version\r\nget a\r\nstats settings\r\nget b\r\ndelete a\r\nget a\r\n"
	got := string(Transcript(t, conn, []byte(in), patience))
	settings := "STAT maxconns 1024\r\nSTAT cas_enabled yes\r\nSTAT item_size_max 1048576\r\nEND\r\n"
	if want := "VERSION 1.6.18\r\n1\r\n" + settings + "END\r\n3\r\nEND\r\nMN\r\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestHookSeesEveryRequestWithItsNumber(t *testing.T) {
	f, conn := faulty(t)
	var seen []string
	f.OnRequest(func(n int, req []byte) Fault {
		seen = append(seen, string(req))
		f.Conns() // the fake may be asked from within
		if n == 4 {
			return ErrorLine("ERROR")
		}
		return Fault{}
	})
	got := Transcript(t, conn, []byte("get b\r\nset b 0 0 1\r\nx\r\n"), patience)
	if want := "END\r\nERROR\r\nMN\r\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"get b\r\n", "set b 0 0 1\r\nx\r\n", "mn\r\n"}; !slices.Equal(seen, want) {
		t.Errorf("the hook saw %q, want %q", seen, want)
	}
	f.OnRequest(nil)
	Transcript(t, conn, nil, patience)
	if len(seen) != 3 {
		t.Errorf("the hook was asked after it was taken away: %q", seen)
	}
}
