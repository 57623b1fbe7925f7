package host

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// The trials there are.
const (
	TrialItem = "item" // store, read and delete one random key
	TrialPort = "port" // listen on the port beside memcached's for a moment
)

// trier is a source at which more may be tried than to look.
type trier interface {
	try(ctx context.Context, what, address string) error
}

// mostTrials bounds how many memcached are tried.
const mostTrials = 8

// gatherTrials tries what a neighbour could do, if that is allowed.
func (g *gathering) gatherTrials(ctx context.Context) {
	if !g.options.Active {
		return
	}
	source, ok := g.source.(trier)
	if !ok {
		g.unseen("trials", errNoTrial)
		return
	}
	for i := range g.facts.Memcached[:min(len(g.facts.Memcached), mostTrials)] {
		m := &g.facts.Memcached[i]
		if ctx.Err() != nil {
			g.unseen("trials from "+m.Address+" on", errLate)
			return
		}
		if m.Version != "" {
			g.try(ctx, source, TrialItem, m.Address)
		}
		if beside, ok := g.beside(m.Address); ok {
			g.try(ctx, source, TrialPort, beside)
		}
	}
}

var errNoTrial = errors.New("nothing can be tried at a captured tree")

func (g *gathering) try(ctx context.Context, source trier, what, address string) {
	t := Trial{What: what, Address: address, UID: g.facts.Self.UID}
	if err := source.try(ctx, what, address); err != nil {
		t.Error = whyNot(err)
	}
	g.facts.Trials = append(g.facts.Trials, t)
}

// beside is the next higher port of a loopback address on which nobody listens.
func (g *gathering) beside(address string) (string, bool) {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return "", false
	}
	for port := at.Port() + 1; port > at.Port(); port++ {
		if next := netip.AddrPortFrom(at.Addr(), port); g.listener(next) == nil {
			return next.String(), true
		}
	}
	return "", false
}

func (live) try(ctx context.Context, what, address string) error {
	if what == TrialItem {
		return tryItem(ctx, address)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return dialError(err)
	}
	return ln.Close()
}

// itemLife is how many seconds the key of a trial lives if it cannot be deleted.
const itemLife = 10

// tryItem stores, reads and deletes a key that nobody else uses.
func tryItem(ctx context.Context, address string) error {
	network, at := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, at = "unix", path
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, at)
	if err != nil {
		return dialError(err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	key, value := "doctor:"+rand.Text(), rand.Text()
	in := bufio.NewReader(io.LimitReader(conn, MostBytes))
	return dialError(errors.Join(
		exchange(conn, in, fmt.Sprintf("set %s 0 %d %d\r\n%s\r\n", key, itemLife, len(value), value), "STORED"),
		exchange(conn, in, fmt.Sprintf("get %s\r\n", key), fmt.Sprintf("VALUE %s 0 %d", key, len(value)), value, "END"),
		exchange(conn, in, fmt.Sprintf("delete %s\r\n", key), "DELETED"),
	))
}

// exchange sends a request and wants these lines as its answer.
func exchange(conn net.Conn, in *bufio.Reader, request string, answer ...string) error {
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	for _, want := range answer {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if got := strings.TrimRight(line, "\r\n"); got != want {
			return fmt.Errorf("%.40q instead of %.40q", got, want)
		}
	}
	return nil
}

// try is that of the source.
func (r *Recorder) try(ctx context.Context, what, address string) error {
	source, ok := r.from.(trier)
	if !ok {
		return errNoTrial
	}
	err := source.try(ctx, what, address)
	verdict := done
	if err != nil {
		verdict = whyNot(err)
	}
	r.add(trialsFile, what+" "+quoted(address)+" "+strings.Join(strings.Fields(verdict), " "))
	return err
}
