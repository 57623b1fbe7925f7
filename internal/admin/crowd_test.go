package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
)

// dial connects to the page and writes the beginning of a request.
func (r *webRig) dial(t *testing.T, begin string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, begin); err != nil {
		t.Fatal(err)
	}
	return c
}

// answerOf reads an answer's status and headers.
func answerOf(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}

// TestWhoAsksNothingKeepsNobodyOut: connections that ask nothing, or half of
// something, or announce what they never send, make room for those that ask.
func TestWhoAsksNothingKeepsNobodyOut(t *testing.T) {
	for name, begin := range map[string]string{
		"nothing":                 "",
		"half a line":             "GET /liv",
		"half of the headers":     "GET /livez HTTP/1.1\r\nHost: localhost\r\n",
		"a body that never comes": "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
		"many, read by nobody":    strings.Repeat("GET /livez?verbose HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			r := startWeb(t, &Web{})
			r.served(t)
			for range 3 * maxWebConns {
				if c, err := net.Dial("tcp", r.addr); err == nil {
					t.Cleanup(func() { c.Close() })
					c.SetDeadline(time.Now().Add(10 * time.Second))
					_, _ = io.WriteString(c, begin) // it may be turned away meanwhile
				}
			}
			for range 2 * maxWebConns {
				r.wants(t, "GET /livez", 200, "ok\n")
			}
			if n := r.Metrics.AdminRefused.Load(); n == 0 && len(begin) < 50 {
				t.Error("nobody counts who had to go")
			}
		})
	}
}

// TestBodiesAreNotWaitedFor: what announces one is refused at once.
func TestBodiesAreNotWaitedFor(t *testing.T) {
	r := startWeb(t, &Web{})
	r.served(t)
	for request, want := range map[string]int{
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n":               413,
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n":      413,
		"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n":              405,
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n":               200,
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n":            200,
		"GET /livez HTTP/1.1\r\nHost: evil.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n": 413,
	} {
		if got := answerOf(t, r.dial(t, request)); got.StatusCode != want || !got.Close {
			t.Errorf("%q: got %d, closes %v, want %d and a close", request, got.StatusCode, got.Close, want)
		}
	}
}

// TestSlowAnswersLeaveRoomForHealth: of each kind there are so many at once, who
// comes then is told to come again, and health is answered all the same.
func TestSlowAnswersLeaveRoomForHealth(t *testing.T) {
	done := make(chan struct{})
	var inside atomic.Int64
	slow := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1); <-done })
	r := startWeb(t, &Web{Page: slow})
	r.served(t)
	const request = "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for range maxViews {
		r.dial(t, fmt.Sprintf(request, "/"))
	}
	testkit.Eventually(t, "every view to be taken", func() bool { return inside.Load() == maxViews })
	for _, path := range []string{"/", "/page.js", "/status"} {
		got := answerOf(t, r.dial(t, fmt.Sprintf(request, path)))
		if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d, %v", path, got.StatusCode, got.Header)
		}
		r.wants(t, "GET "+path, 503, "busy")
	}
	for request, part := range map[string]string{"GET /livez": "ok", "GET /readyz": "ok", "GET /metrics": ""} {
		r.wants(t, request, 200, part)
	}
	r.dial(t, fmt.Sprintf(request, "/events")) // the page counts those
	testkit.Eventually(t, "a follower", func() bool { return inside.Load() == maxViews+1 })
	close(done)
	testkit.Eventually(t, "room", func() bool { status, _ := r.ask(t, "GET", "/", "localhost"); return status == 200 })
}

// TestCrowdOfThoseThatAreAnswered: nobody has to go for the next one, who is closed.
func TestCrowdOfThoseThatAreAnswered(t *testing.T) {
	c := newCrowd(nil, new(metrics.Metrics))
	conns := make([]net.Conn, maxWebConns+1)
	for i := range conns {
		conns[i], _ = net.Pipe()
	}
	for _, conn := range conns[:maxWebConns] {
		if out := c.seat(conn); out != nil {
			t.Fatal("somebody has to go although there is room")
		}
		c.note(conn, http.StateNew)
		c.note(conn, http.StateActive)
	}
	last := conns[maxWebConns]
	if out := c.seat(last); out != last {
		t.Error("somebody who is answered has to go")
	}
	c.note(last, http.StateActive)
	c.note(conns[7], http.StateIdle)
	c.note(conns[3], http.StateIdle)
	if out := c.seat(last); out != conns[7] {
		t.Error("the one that has waited for longest stays")
	}
	c.note(conns[7], http.StateActive) // it hears of its end later
	c.note(conns[7], http.StateClosed)
	c.note(conns[5], http.StateClosed)
	if out := c.seat(conns[7]); out != nil {
		t.Error("somebody has to go although one has left")
	}
	if len(c.seats) != maxWebConns {
		t.Errorf("%d have seats, want %d", len(c.seats), maxWebConns)
	}
}

// TestStatusIsMadeOnceASecond: many readers cost as much as one.
func TestStatusIsMadeOnceASecond(t *testing.T) {
	var made atomic.Int64
	w := &Web{Status: func() any { return made.Add(1) }}
	r := startWeb(t, w)
	r.served(t)
	begun := time.Now()
	for range 50 {
		r.ask(t, "GET", "/status", "localhost")
	}
	if most := int64(time.Since(begun)/statusAge) + 1; made.Load() > most {
		t.Errorf("made %d times, want %d at most", made.Load(), most)
	}
	testkit.Eventually(t, "a new one", func() bool { _, body := r.ask(t, "GET", "/status", "localhost"); return body > "1\n" })
}
