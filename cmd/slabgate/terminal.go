package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is a terminal that shows one screen after the other and tells each key
// that is pressed. A dumb one shows them below each other.
type terminal struct {
	in    *os.File
	out   io.Writer
	size  func() (width, height int, err error)
	dumb  bool
	state *term.State // before raw
}

// terminalOf is the terminal that a command reads and writes, or nil.
func terminalOf(io stdio) *terminal {
	in, ok := io.in.(*os.File)
	out, too := io.out.(*os.File)
	if !ok || !too || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	name := os.Getenv("TERM")
	return &terminal{in: in, out: out, dumb: name == "" || name == "dumb", size: func() (int, int, error) { return term.GetSize(int(out.Fd())) }}
}

// Escape sequences that every terminal but a dumb one knows (ECMA-48).
const (
	otherScreen = "\x1b[?1049h\x1b[?25l"
	ownScreen   = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	eraseLine   = "\x1b[K"
	eraseBelow  = "\x1b[J"
)

// raw makes the terminal tell single keys, until restore.
func (t *terminal) raw() (err error) {
	if t.state, err = term.MakeRaw(int(t.in.Fd())); err == nil && !t.dumb {
		_, _ = io.WriteString(t.out, otherScreen) // what can't be written is not seen
	}
	return err
}

// restore makes the terminal what it was.
func (t *terminal) restore() {
	if !t.dumb {
		_, _ = io.WriteString(t.out, ownScreen)
	}
	_ = term.Restore(int(t.in.Fd()), t.state)
}

// show shows lines, as many as there is room for. The last of them is always shown.
func (t *terminal) show(lines []string) {
	width, height, err := t.size()
	if err != nil || width < 1 || height < 2 {
		width, height = screenWidth, 24
	}
	if len(lines) > height {
		lines = append(lines[:height-1:height-1], lines[len(lines)-1])
	}
	var b strings.Builder
	for i, line := range lines {
		switch {
		case i > 0:
			b.WriteString("\r\n")
		case !t.dumb:
			b.WriteString(home)
		}
		b.WriteString(clipTo(line, width))
		if !t.dumb {
			b.WriteString(eraseLine)
		}
	}
	if t.dumb {
		b.WriteString("\r\n")
	} else {
		b.WriteString(eraseBelow)
	}
	_, _ = io.WriteString(t.out, b.String())
}

// readSlice is how long a wait for a key goes on without looking at the context.
const readSlice = 100 * time.Millisecond

// read returns the keys that are pressed within wait, none if none are. The end of
// the terminal is io.EOF.
func (t *terminal) read(ctx context.Context, wait time.Duration) ([]byte, error) {
	fds := []unix.PollFd{{Fd: int32(t.in.Fd()), Events: unix.POLLIN}}
	for until := time.Now().Add(wait); ctx.Err() == nil; {
		left := min(readSlice, time.Until(until))
		if left <= 0 {
			return nil, nil
		}
		n, err := unix.Poll(fds, int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return nil, err
		}
		if n > 0 {
			b := make([]byte, 64)
			n, err := t.in.Read(b)
			return b[:n], err
		}
	}
	return nil, nil
}
