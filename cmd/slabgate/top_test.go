package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// pty is a terminal: what is written to keys was pressed.
type pty struct {
	keys, own *os.File
	shown     *buffer
	done      chan struct{}
}

func newPTY(t *testing.T) *pty {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIP: no pseudo terminals: %v", err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skipf("SKIP: no pseudo terminals: %v", err)
	}
	own, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIP: no pseudo terminals: %v", err)
	}
	if err := unix.IoctlSetWinsize(int(own.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 80}); err != nil {
		t.Fatal(err)
	}
	p := &pty{keys, own, new(buffer), make(chan struct{})}
	go func() {
		defer close(p.done)
		b := make([]byte, 4096)
		for {
			n, err := keys.Read(b)
			if err != nil {
				return // the terminal is gone
			}
			p.shown.Write(b[:n])
		}
	}()
	return p
}

// close hangs up.
func (p *pty) close() {
	p.own.Close()
	<-p.done
	p.keys.Close()
}

func (p *pty) await(t *testing.T, text string) {
	t.Helper()
	if !eventually(func() bool { return strings.Contains(p.shown.String(), text) }) {
		t.Fatalf("waited in vain for %q in %q", text, p.shown.String())
	}
}

func TestTopOnATerminal(t *testing.T) {
	for name, end := range map[string]func(p *pty, stop context.CancelFunc){
		"q":         func(p *pty, _ context.CancelFunc) { p.keys.WriteString("q") },
		"interrupt": func(p *pty, _ context.CancelFunc) { p.keys.WriteString("\x03") },
		"a signal":  func(_ *pty, stop context.CancelFunc) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", "xterm")
			w := startWatched(t)
			w.stays(t, "get web:1")
			p := newPTY(t)
			before, err := unix.IoctlGetTermios(int(p.own.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			code := make(chan int, 1)
			go func() {
				code <- run(ctx, []string{"top", "--socket", w.dir + "/admin"}, stdio{p.own, p.own, p.own})
			}()
			p.await(t, otherScreen)
			p.await(t, "CLIENTS  1  unix 1")
			p.await(t, "by ops ")
			p.keys.WriteString("\x1b[A") // an arrow is no key
			p.keys.WriteString("p")
			p.await(t, "by plaintext ")
			p.keys.WriteString("/nob\x7fx")
			p.await(t, "filter: nox_")
			p.keys.WriteString("\r")
			p.await(t, "with nox ")
			end(p, stop)
			if c := <-code; c != exitOK {
				t.Errorf("exit %d", c)
			}
			p.await(t, ownScreen)
			after, err := unix.IoctlGetTermios(int(p.own.Fd()), unix.TCGETS)
			if err != nil || *after != *before {
				t.Errorf("the terminal is left as %+v, %v; it was %+v", after, err, before)
			}
			p.close()
			w.stop(t)
		})
	}
}

func TestTopOnADumbTerminal(t *testing.T) {
	t.Setenv("TERM", "dumb")
	w := startWatched(t)
	p := newPTY(t)
	code := make(chan int, 1)
	go func() {
		code <- run(context.Background(), []string{"top", "--socket", w.dir + "/admin"}, stdio{p.own, p.own, p.own})
	}()
	p.await(t, "CLIENTS  0")
	p.keys.WriteString("q")
	if c := <-code; c != exitOK || strings.Contains(p.shown.String(), "\x1b") {
		t.Errorf("exit %d after %q", c, p.shown.String())
	}
	p.close()
	w.stop(t)
}

// The terminal is made what it was, too, when slabgate stops under it.
func TestTopEndsWithSlabgate(t *testing.T) {
	t.Setenv("TERM", "xterm")
	w := startWatched(t)
	p := newPTY(t)
	code := make(chan int, 1)
	go func() {
		code <- run(context.Background(), []string{"top", "--socket", w.dir + "/admin"}, stdio{p.own, p.own, p.own})
	}()
	p.await(t, "CLIENTS  0")
	w.stop(t)
	if c := <-code; c != exitUnavailable {
		t.Errorf("exit %d", c)
	}
	p.await(t, ownScreen)
	if s, err := term.GetState(int(p.own.Fd())); err != nil || s == nil {
		t.Errorf("the terminal is gone: %v", err)
	}
	p.close()
}

func TestTopWithoutATerminal(t *testing.T) {
	w := startWatched(t)
	w.asks(t, "get other:1")
	w.call(t, "top").want(t, exitOK, "slabgate "+release, "DENIED  1 in 1 group", "ops/s")
	w.call(t, "top", "--once", "-n", "1", "--sort", "denied").want(t, exitOK, "DENIED  1 in 1 group")
	w.call(t, "top", "--sort", "colour").want(t, exitUsage, `"colour" is not known; want bytes, conns, denied, ops, p99, plaintext`)
	w.call(t, "top", "-n", "0").want(t, exitUsage, "too few rows")
	w.stop(t)
}

func TestTerminalShowsWhatFits(t *testing.T) {
	var out buffer
	tt := terminal{out: &out, dumb: true, size: func() (int, int, error) { return 5, 3, nil }}
	tt.show([]string{"1234567", "b", "c", "d", "help"})
	if got := out.String(); got != "1234…\r\nb\r\nhelp\r\n" {
		t.Errorf("got %q", got)
	}
}
