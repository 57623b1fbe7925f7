package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// talk sends text and returns as many bytes as want has, or what came until
// the connection closed.
func talk(t *testing.T, c net.Conn, text, want string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("%.60q: %v", text, err)
	}
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	if string(got[:n]) != want {
		t.Fatalf("%.60q: got %.200q, %v, want %.200q", text, got[:n], err, want)
	}
	c.SetDeadline(time.Time{})
}

// ask is talk for a goroutine that is not the test's own.
func ask(c net.Conn, in *bufio.Reader, text string, lines int) (string, error) {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	var got strings.Builder
	for range lines {
		line, err := in.ReadString('\n')
		got.WriteString(line)
		if err != nil {
			return got.String(), fmt.Errorf("after %q: %w", got.String(), err)
		}
	}
	return got.String(), nil
}

// wantClosed fails the test unless the peer closes without another byte.
func wantClosed(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(c)
	var timeout net.Error
	if len(got) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("got %.200q, %v, want the connection closed", got, err)
	}
}

// login is an ASCII login as name.
func login(name, password string) string {
	token := name + " " + password
	return fmt.Sprintf("set auth 0 0 %d\r\n%s\r\n", len(token), token)
}
