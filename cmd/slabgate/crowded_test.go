package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/page"
	"github.com/slabgate/slabgate/internal/testkit"
)

// follows opens a stream of the page's states and reads the first.
func (r *running) follows(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("following: %v, %+v", err, answer)
	}
	if line, err := bufio.NewReader(answer.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
		t.Fatalf("got %.80q, %v", line, err)
	}
}

// TestFollowersKeepNoProbeOut: as many follow as may, a crowd stands in the door, and
// whoever asks for health or metrics is answered.
func TestFollowersKeepNoProbeOut(t *testing.T) {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "unix:/nonexistent/mc.sock", testkit.StartMemcached(t).Addr())
	r := s.start(t, "--set", "admin.http=127.0.0.1:0")
	r.await(t, "admin http served")
	addr := served.FindStringSubmatch(r.log.String())[1]
	for range page.Followers {
		r.follows(t, addr)
	}
	if status, body := r.page(t, "/events"); status != http.StatusServiceUnavailable || !strings.HasPrefix(body, "busy") {
		t.Errorf("one more follower: %d %q", status, body)
	}
	for range 200 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_, _ = io.WriteString(c, "GET /") // it may be turned away meanwhile
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/status", "/"} {
		if status, body := r.page(t, path); status != http.StatusOK {
			t.Errorf("%s: %d %.80q", path, status, body)
		}
	}
	r.stop(t)
}
