package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/protocol"
)

var (
	// errBackingOff says that a dial failed so recently that none is made.
	errBackingOff = errors.New("upstream: waiting before the next dial")

	// errClosed says that the pool has been closed.
	errClosed = errors.New("upstream: pool is closed")
)

// maxItem is the largest item size limit that memcached takes (-I), in bytes.
const maxItem = 1 << 30

// handshakeLines bounds the answer to stats settings.
const handshakeLines = 512

// gate spaces out dials to a memcached that is down: after each failure nobody
// dials for a while, twice as long each time up to a bound, and not quite the
// same time for everybody. Then one dials, and the others wait for how it ends.
type gate struct {
	min, max time.Duration

	mu      sync.Mutex
	until   time.Time
	wait    time.Duration // 0 while memcached is up
	probing bool          // somebody dials although the last dial failed
}

// shut reports whether the last dial failed.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wait != 0
}

// enter reports whether the caller may dial, and whether it is the one that
// does after a failure. It must tell succeeded or failed how that went.
func (g *gate) enter(now time.Time) (probe, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait == 0 {
		return false, true
	}
	if g.probing || now.Before(g.until) {
		return false, false
	}
	g.probing = true
	return true, true
}

// failed closes the gate for a while and reports whether it was the first
// failure after a success. Dials that began together fail together, and count
// once.
func (g *gate) failed(now time.Time, probe bool) (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait != 0 && !probe {
		return false
	}
	if probe {
		g.probing = false
	}
	first = g.wait == 0
	g.wait = min(max(2*g.wait, g.min), g.max)
	g.until = now.Add(g.wait/2 + rand.N(g.wait/2+1))
	return first
}

// left says that the caller has given up before there was anything to tell.
func (g *gate) left(probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
}

// succeeded opens the gate and reports whether it was the first success.
func (g *gate) succeeded(probe bool) (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	first = g.wait != 0
	g.wait, g.until = 0, time.Time{}
	return first
}

// dial makes a connection that has proven to speak with a memcached of a
// dialect that the configuration takes.
func (p *Pool) dial(ctx context.Context) (*conn, error) {
	probe, err := p.mayDial()
	if err != nil {
		return nil, err
	}
	return p.dialAs(ctx, probe)
}

// mayDial reports whether the caller may dial now, which it then must, and whether
// it is the one that does after a failure.
func (p *Pool) mayDial() (probe bool, err error) {
	if p.isClosed() {
		return false, errClosed
	}
	probe, ok := p.gate.enter(time.Now())
	if !ok {
		return false, errBackingOff
	}
	return probe, nil
}

// dialAs makes the connection that mayDial allowed. That ctx ends says nothing of
// memcached.
func (p *Pool) dialAs(ctx context.Context, probe bool) (*conn, error) {
	c, err := p.connect(ctx, time.Now())
	if why := ended(ctx); err != nil && why != nil {
		p.gate.left(probe)
		return nil, fmt.Errorf("upstream: %w while memcached was dialled", why)
	}
	if err != nil {
		p.metrics.DialFails.Add(1)
		if p.gate.failed(time.Now(), probe) {
			p.log.Warn("server down", zap.String("upstream", p.cfg.Name), zap.String("address", p.cfg.Address), zap.Error(err))
		}
		return nil, err
	}
	p.metrics.Dials.Add(1)
	p.metrics.UpstreamOpen.Add(1)
	c.open = &p.metrics.UpstreamOpen
	info := c.info
	if old := p.info.Swap(&info); p.gate.succeeded(probe) || old == nil || *old != info {
		p.log.Info("server up", zap.String("upstream", p.cfg.Name), zap.String("address", p.cfg.Address),
			zap.String("version", info.Version), zap.Bool("meta", info.Meta), zap.Int("item_size_max", info.MaxItem))
	}
	return c, nil
}

// connect dials and shakes hands.
func (p *Pool) connect(ctx context.Context, now time.Time) (*conn, error) {
	network, address := "tcp", p.cfg.Address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	dialer := net.Dialer{Timeout: p.cfg.ConnectTimeout}
	nc, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	c := &conn{
		Conn: nc, seq: rand.Uint64(),
		rbuf: make([]byte, readSize), wbuf: make([]byte, 0, writeSize),
	}
	release := c.within(ctx, p.cfg.ConnectTimeout-time.Since(now))
	err = c.shakeHands(p.cfg.Dialect)
	if err == nil {
		err = c.ownedBy(p.cfg.ExpectUID)
	}
	if err = release(err); err != nil {
		nc.Close()
		return nil, fmt.Errorf("upstream: handshake: %w", err)
	}
	return c, nil
}

// shakeHands asks for the version and the item size limit, and nothing may be
// left to read after it. A memcached that is full says so before it is asked,
// which is no answer to version.
func (c *conn) shakeHands(dialect string) error {
	version, err := c.askVersion()
	if err != nil {
		return err
	}
	c.info = Info{Version: version, MaxItem: protocol.DefaultMaxItem, Knows: protocol.FeaturesOf(version)}
	c.info.Meta = dialect != "classic" && protocol.SpeaksMeta(version)
	if dialect == "meta" && !c.info.Meta {
		return fmt.Errorf("version %q does not speak the meta dialect", version)
	}
	if err := c.askSettings(); err != nil {
		return err
	}
	return c.drained()
}

func (c *conn) askVersion() (string, error) {
	c.wbuf = append(c.wbuf, "version\r\n"...)
	if err := c.send(); err != nil {
		return "", err
	}
	for {
		version, n, err := protocol.ParseVersion(c.rbuf[c.r:c.w])
		c.r += n
		if err != protocol.ErrShort {
			return version, err
		}
		if err := c.fill(); err != nil {
			return "", err
		}
	}
}

// askSettings reads the item size limit from stats settings.
func (c *conn) askSettings() error {
	c.wbuf = append(c.wbuf, "stats settings\r\n"...)
	if err := c.send(); err != nil {
		return err
	}
	settings := &protocol.Request{Form: protocol.Form{Verb: protocol.ByGrant("stats")[0]}}
	for range handshakeLines {
		line, last, err := c.keylessLine(settings)
		if err != nil || last {
			return err
		}
		name, value, ok := protocol.ParseStat(line)
		if ok && string(name) == "item_size_max" {
			if n, err := strconv.Atoi(string(value)); err == nil && n > 0 && n <= maxItem {
				c.info.MaxItem = n
			}
		}
	}
	return errors.New("too many settings")
}

// keylessLine reads one line of the reply to a command about no key. The line is
// valid until the next read.
func (c *conn) keylessLine(r *protocol.Request) ([]byte, bool, error) {
	for {
		line, last, err := protocol.ParseAlone(c.rbuf[c.r:c.w], r)
		c.r += len(line)
		if err != protocol.ErrShort {
			return line, last, err
		}
		if err := c.fill(); err != nil {
			return nil, false, err
		}
	}
}
