package testkit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
)

// fakeConn is one connection to a Fake. Its goroutine alone uses in and held.
type fakeConn struct {
	fake *Fake
	conn net.Conn
	in   *bufio.Reader
	held []byte // reply that waits for the one after it
}

// accept serves connections until the fake is closed.
func (f *Fake) accept() {
	for {
		conn, err := f.ln.Accept()
		if err != nil {
			return
		}
		c := &fakeConn{fake: f, conn: conn}
		c.in = bufio.NewReaderSize(c, maxGetLine+maxLine)
		f.wg.Go(c.serve)
	}
}

// Read reads from the peer and records what came.
func (c *fakeConn) Read(p []byte) (int, error) {
	n, err := c.conn.Read(p)
	c.fake.record(p[:n])
	return n, err
}

// enter puts c among the open connections and returns the banner. It reports
// false if the fake is being closed.
func (c *fakeConn) enter() (banner string, ok bool) {
	c.fake.mu.Lock()
	defer c.fake.mu.Unlock()
	select {
	case <-c.fake.closing:
		return "", false
	default:
		c.fake.conns[c] = true
		return c.fake.opts.Banner, true
	}
}

func (c *fakeConn) leave() {
	c.fake.mu.Lock()
	defer c.fake.mu.Unlock()
	delete(c.fake.conns, c)
}

// serve answers requests until either side closes, a fault cuts the
// connection, or a request is not canonical.
func (c *fakeConn) serve() {
	defer c.conn.Close()
	banner, ok := c.enter()
	if !ok {
		return
	}
	defer c.leave()
	if banner != "" && c.send([]byte(banner+"\r\n")) != nil {
		return
	}
	for {
		slice, err := c.in.ReadSlice('\n')
		line := bytes.Clone(slice) // the next read overwrites slice
		if err == nil {
			err = c.answer(line)
		}
		var v *violation
		if errors.As(err, &v) || errors.Is(err, bufio.ErrBufferFull) {
			c.fake.violation(string(line), err)
		}
		if err != nil {
			return // also in the midst of a request: the peer may give up at any time
		}
	}
}

// violation is an error that is the peer's fault.
type violation struct{ why string }

func (v *violation) Error() string { return v.why }

// answer reads the rest of the request that line begins, executes it and
// replies. It owns line.
func (c *fakeConn) answer(line []byte) error {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return &violation{"line ends without CR"}
	}
	req, err := c.fake.parse(string(text))
	if err != nil {
		return &violation{err.Error()}
	}
	raw, err := c.body(req, line)
	if err != nil {
		return err
	}
	reply, fault := c.fake.execute(req, raw)
	if fault.apply == nil {
		return c.send(reply)
	}
	return fault.apply(c, reply)
}

// parse reads a line by the table of the version the fake has now.
func (f *Fake) parse(line string) (*fakeRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.opts.Extra[line]; ok {
		return &fakeRequest{line: line, command: &fakeCommand{}}, nil
	}
	return parseLine(f.commands, line)
}

// namesKey reports whether the request is about a key.
func (r *fakeRequest) namesKey() bool {
	return slices.ContainsFunc(r.command.args, func(spec string) bool {
		return spec == "key" || spec == "key+"
	})
}

// body reads the data block that follows the line of req, if one does, and
// returns the whole request.
func (c *fakeConn) body(req *fakeRequest, line []byte) ([]byte, error) {
	if req.command.body == 0 {
		return line, nil
	}
	size := seconds(req.args[req.command.body]) + 2
	var raw bytes.Buffer // grows with what arrives, not with what is declared
	raw.Write(line)
	if _, err := io.CopyN(&raw, c.in, size); err != nil {
		return nil, err
	}
	block := raw.Bytes()[len(line):]
	value, ok := bytes.CutSuffix(block, []byte("\r\n"))
	if !ok {
		return nil, &violation{"data block does not end where its length says"}
	}
	req.body = bytes.Clone(value)
	return raw.Bytes(), nil
}

// send writes reply, and after it the one that was held back.
func (c *fakeConn) send(reply []byte) error {
	out := append(reply, c.held...)
	c.held = nil
	if len(out) == 0 {
		return nil
	}
	_, err := c.conn.Write(out)
	return err
}
