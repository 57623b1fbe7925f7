package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/testkit"
)

func TestDenialsAreListedFoundAndExplained(t *testing.T) {
	r := startRig(t)
	r.deny("web", "a")
	id := r.deny("web", "b")
	got, err := r.client.Denials(t.Context())
	if err != nil || len(got.Denials) != 2 || got.Denials[0].ID != id || got.Overwritten != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	want, _ := r.ring.Find(id)
	want.Sample.Now = time.Time{} // which Last says
	if !reflect.DeepEqual(got.Denials[0], want) {
		t.Errorf("got  %+v\nwant %+v", got.Denials[0], want)
	}
	e, err := r.client.Denial(t.Context(), strings.ToLower(id))
	if err != nil || e.Shape != "b" || string(e.Sample.Key) != "\xffb" {
		t.Errorf("got %+v, %v", e, err)
	}
	var answer struct{ Asked string }
	if err := r.client.Explain(t.Context(), id, &answer); err != nil || answer.Asked != "get b" {
		t.Errorf("got %+v, %v", answer, err)
	}
}

func TestFlushAndLearned(t *testing.T) {
	r := startRig(t)
	if f, err := r.client.Flush(t.Context(), "t/web"); err != nil || f != (Flushed{"t/web", 7, 8}) {
		t.Errorf("got %+v, %v", f, err)
	}
	var learned []string
	if err := r.client.Learned(t.Context(), &learned); err != nil || len(learned) != 1 {
		t.Errorf("got %q, %v", learned, err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	r := startRig(t)
	gone := r.deny("gone", "a")
	for _, tc := range []struct {
		method, path string
		status       int
		problem, fix string
	}{
		{"GET", "/denials/ZZZZZ", 404, `no denial has the id "ZZZZZ"`, "slabgate denials lists the latest 1024"},
		{"GET", "/denials/ZZZZZ/explain", 404, `no denial has the id "ZZZZZ"`, "slabgate denials"},
		{"GET", "/denials/" + gone + "/explain", 500, "no such identity", "look at slabgate's log"},
		{"POST", "/flush?namespace=t/other", 404, "no such namespace", "name another"},
		{"POST", "/flush", 400, "the parameter namespace is missing", "write /flush?namespace=NAME"},
		{"GET", "/flush?namespace=t/web", 405, "/flush does not take the method", "use POST"},
		{"DELETE", "/denials", 405, "does not take the method", "use GET"},
		{"GET", "/", 404, `there is no page "/"`, "ask for /denials"},
		{"GET", "/debug/pprof/", 404, "there is no page", "ask for /denials"},
	} {
		_, err := r.client.open(t.Context(), tc.method, tc.path)
		var e *Error
		if !errors.As(err, &e) || e.Status != tc.status || !strings.Contains(e.Problem, tc.problem) || !strings.HasPrefix(e.Fix, tc.fix) {
			t.Errorf("%s %s: got %v, %+v, want %d, %q and %q", tc.method, tc.path, err, e, tc.status, tc.problem, tc.fix)
		}
	}
}

func TestFollowersSeeEveryDenial(t *testing.T) {
	r := startRig(t)
	r.deny("web", "a")
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := r.client.Follow(ctx, func(u Update) error {
		got = append(got, fmt.Sprint(u.Shape, u.Count, u.Lost))
		switch len(got) {
		case 1:
			r.deny("web", "b")
		case 2:
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || strings.Join(got, " ") != "a1 0 b1 0" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A follower that reads nothing holds up nobody, and hears of its loss.
func TestASlowFollowerHoldsUpNobody(t *testing.T) {
	r := startRig(t)
	c, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /denials?follow=1 HTTP/1.1\r\nHost: a\r\n\r\n")
	in := bufio.NewReader(c)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("got %q, %v", line, err)
	}
	for i := range 3 * denials.Most {
		r.deny("web", strings.Repeat("k", 200)+fmt.Sprint(i))
	}
	testkit.Within(t, "the notice", func() {
		for {
			line, err := in.ReadString('\n')
			if err != nil || strings.HasPrefix(line, `{"lost":`) {
				if err != nil {
					t.Errorf("no notice: %v", err)
				}
				return
			}
		}
	})
}

func TestTheServersEndEndsItsFollowers(t *testing.T) {
	r := startRig(t)
	r.deny("web", "a")
	testkit.Within(t, "the follower", func() {
		err := r.client.Follow(t.Context(), func(Update) error {
			r.stop()
			return nil
		})
		if err != nil {
			t.Errorf("got %v, want the end of the stream", err)
		}
	})
	testkit.Eventually(t, "the socket to go", func() bool {
		_, err := os.Lstat(r.path)
		return os.IsNotExist(err)
	})
}

func TestAFollowerMayGiveUp(t *testing.T) {
	r := startRig(t)
	r.deny("web", "a")
	enough := errors.New("enough")
	if err := r.client.Follow(t.Context(), func(Update) error { return enough }); err != enough {
		t.Errorf("got %v, want its own error", err)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	r := startRig(t)
	req, err := http.NewRequest("GET", "http://slabgate/denials", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X", strings.Repeat("x", 2*maxHeader))
	resp, err := r.client.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got status %d", resp.StatusCode)
	}
}

func TestClientSaysWhyThereIsNoAnswer(t *testing.T) {
	dir := socketDir(t)
	if _, err := Dial(filepath.Join(dir, "none")).Denials(t.Context()); !errors.Is(err, syscall.ENOENT) || strings.Contains(err.Error(), "http") {
		t.Errorf("no socket: got %v", err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
		}
		l.Close()
	}()
	if _, err := Dial(path).Denials(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
	testkit.Eventually(t, "the listener to go", func() bool {
		_, err := Dial(path).Denials(t.Context())
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}
