package testkit

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// FakeOptions says what a Fake pretends to be. The zero value is a memcached
// 1.6.45 with its default settings on a unix socket.
type FakeOptions struct {
	Version     string            // what it reports, and whose commands it knows; default "1.6.18"
	ItemSizeMax int               // bytes; default 1 MiB
	MaxConns    int               // reported, not enforced; default 1024
	TCP         bool              // listen on a free port of 127.0.0.1 instead of a unix socket
	Banner      string            // line sent to each new connection; none if empty
	Now         func() int64      // the clock, in seconds since 1970; default the real one
	Forgetful   bool              // keeps no record of what it receives, for tests that send very much
	Extra       map[string]string // whole lines, without line end, and their replies, sent as they are
}

// Fake is a memcached for tests of a proxy: it knows what a proxy sends, in
// both text dialects, answers as memcached does, and misbehaves when told to.
// A request that is not canonical (a second space, noreply, a q, k or b flag, a
// flag that the version does not have, a number with a sign or a leading zero,
// a bare line end, a bad key) is a violation: its connection is closed, and the
// test fails when it ends. All methods may be used from any goroutine.
type Fake struct {
	ln      net.Listener
	addr    string
	closing chan struct{} // closed when the fake ends
	wg      sync.WaitGroup

	mu         sync.Mutex // guards what follows
	opts       FakeOptions
	commands   map[string]*fakeCommand
	store      *fakeStore
	conns      map[*fakeConn]bool
	received   []byte
	requests   [][]byte
	executed   int // requests, also those that are not kept
	faults     []Fault
	hook       func(n int, req []byte) Fault
	violations []string
}

// StartFake starts a fake memcached. It ends with the test, and then reports
// the violations it saw as errors of the test.
func StartFake(t testing.TB, opts FakeOptions) *Fake {
	t.Helper()
	opts = opts.withDefaults()
	f := &Fake{
		closing:  make(chan struct{}),
		opts:     opts,
		commands: commands(opts.Version),
		store:    newFakeStore(opts),
		conns:    map[*fakeConn]bool{},
	}
	f.listen(t)
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		t.Helper()
		f.close()
		for _, v := range f.Violations() {
			t.Errorf("testkit: the fake memcached was sent what is not canonical: %s", v)
		}
	})
	return f
}

// withDefaults returns o with what it leaves out.
func (o FakeOptions) withDefaults() FakeOptions {
	if o.Version == "" {
		o.Version = "1.6.18"
	}
	if o.ItemSizeMax == 0 {
		o.ItemSizeMax = 1 << 20
	}
	if o.MaxConns == 0 {
		o.MaxConns = 1024
	}
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().Unix() }
	}
	return o
}

func (f *Fake) listen(t testing.TB) {
	t.Helper()
	var err error
	if f.opts.TCP {
		f.ln, err = net.Listen("tcp", "127.0.0.1:0")
	} else {
		f.ln, err = net.Listen("unix", filepath.Join(socketDir(t), "s"))
	}
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	f.addr = f.ln.Addr().String()
	if !f.opts.TCP {
		f.addr = "unix:" + f.addr
	}
}

// close ends everything and waits for it.
func (f *Fake) close() {
	close(f.closing)
	f.ln.Close()
	f.CloseConns()
	f.wg.Wait()
}

// Addr is where it listens: "unix:/path" or "127.0.0.1:port".
func (f *Fake) Addr() string { return f.addr }

// Dial connects to it; the connection is closed when the test ends.
func (f *Fake) Dial(t testing.TB) net.Conn {
	t.Helper()
	return dialFor(t, f.addr)
}

// Received returns a copy of every byte received, over all connections in the
// order of arrival. A forgetful fake has none.
func (f *Fake) Received() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.received)
}

// Requests returns the complete canonical requests in the order they were
// executed, each with its data block and line ends. They are copies. A forgetful
// fake has none.
func (f *Fake) Requests() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Violations returns what was received that is not canonical, and why.
func (f *Fake) Violations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.violations)
}

// Conns is the number of connections that are open.
func (f *Fake) Conns() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

// Inject lets the next requests that name a key go wrong, one for each fault
// in turn. Probes (version, stats, mn, and the lines of FakeOptions.Extra) use
// none up.
func (f *Fake) Inject(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

// OnRequest sets a hook that is asked about every request that has no injected
// fault: n counts all requests from 1, req is the request with its data block,
// which the hook must not alter. Connections may ask at the same time. A nil
// hook asks no more.
func (f *Fake) OnRequest(hook func(n int, req []byte) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// SetVersion makes it a memcached of another version, with its items kept.
func (f *Fake) SetVersion(version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opts.Version, f.store.version = version, version
	f.commands = commands(version)
}

// SetBanner changes the line sent to each new connection; none if empty.
func (f *Fake) SetBanner(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opts.Banner = line
}

// Say sends raw to every open connection, asked or not.
func (f *Fake) Say(raw string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.conn.Write([]byte(raw)) // a connection that is gone hears nothing
	}
}

// CloseConns closes every open connection. New ones are accepted.
func (f *Fake) CloseConns() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.conn.Close()
	}
}

// record keeps what a connection received.
func (f *Fake) record(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.opts.Forgetful {
		f.received = append(f.received, p...)
	}
}

func (f *Fake) violation(line string, why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.violations = append(f.violations, fmt.Sprintf("%v: %.96q", why, line))
}

// execute runs req and chooses its fault.
func (f *Fake) execute(req *fakeRequest, raw []byte) (reply []byte, fault Fault) {
	f.mu.Lock()
	f.executed++
	if !f.opts.Forgetful {
		f.requests = append(f.requests, raw)
	}
	n, hook := f.executed, f.hook
	if len(f.faults) > 0 && req.namesKey() {
		hook = nil
		fault, f.faults = f.faults[0], f.faults[1:]
	}
	f.mu.Unlock()
	if hook != nil {
		fault = hook(n, raw) // without the lock: it may call the fake
	}
	if fault.unheard {
		return nil, fault
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if text, ok := f.opts.Extra[req.line]; ok {
		return []byte(text), fault
	}
	return []byte(req.command.run(f.store, req)), fault
}
