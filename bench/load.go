package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// drainTime is how long replies may take once nothing more is asked.
const drainTime = 5 * time.Second

// inParallel calls do with 0 to n-1, each in a goroutine, and waits for all.
func inParallel(n int, do func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// owed is a batch that was sent.
type owed struct {
	*batch
	since time.Time // when it was sent, or should have been
}

// client is one connection of the load.
type client struct {
	*link
	script *script
	next   int // batch of the script
	owed   []owed
	got    []byte // of the first owed reply, as far as it has come
}

// send sends the next batch. Its latency counts from since.
func (c *client) send(since time.Time) error {
	b := &c.script.batches[c.next]
	c.next = (c.next + 1) % len(c.script.batches)
	c.owed = append(c.owed, owed{b, since})
	_, err := c.Write(b.out)
	return err
}

// receive reads once and reports the batch whose reply is complete by that, if one
// is.
func (c *client) receive() (done owed, err error) {
	if len(c.owed) == 0 {
		return owed{}, cmp.Or(c.silent(), error(again{}))
	}
	first := c.owed[0]
	have := len(c.got)
	c.got = grown(c.got, len(first.want))
	n, err := c.Read(c.got[have:])
	c.got = c.got[:have+n]
	if err != nil || len(c.got) < len(first.want) {
		return owed{}, err
	}
	if err := first.check(c.got); err != nil {
		return owed{}, err
	}
	c.got = c.got[:0]
	c.owed = c.owed[:copy(c.owed, c.owed[1:])]
	return first, nil
}

// grown is b with length n and what it held.
func grown(b []byte, n int) []byte {
	if cap(b) < n {
		b = append(make([]byte, 0, n), b...)
	}
	return b[:n]
}

// loop drives some clients in one thread.
type loop struct {
	*poller
	clients []*client
	latency *histogram
	done    int // requests answered
	until   time.Time

	// An open loop sends a batch every pace, due or not answered; 0 is a closed
	// loop, where each client sends when it has its replies.
	pace time.Duration
	due  time.Time
	turn int // client that is next
}

// run loads the server for each and then waits for the replies still owed.
func (l *loop) run(each time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sharpTimers()
	l.latency, l.done = new(histogram), 0
	now := time.Now()
	l.until, l.due = now.Add(each), now
	if err := l.begin(now); err != nil {
		return err
	}
	for now.Before(l.until) || l.owes() {
		if now.After(l.until.Add(drainTime)) {
			return fmt.Errorf("bench: replies are missing after %v", drainTime)
		}
		if err := l.step(now); err != nil {
			return err
		}
		now = time.Now()
	}
	return l.surplus()
}

// begin has every client of a closed loop send.
func (l *loop) begin(now time.Time) error {
	if l.pace > 0 {
		return nil
	}
	for _, c := range l.clients {
		if err := c.send(now); err != nil {
			return err
		}
	}
	return nil
}

// owes reports whether replies are still to come.
func (l *loop) owes() bool {
	for _, c := range l.clients {
		if len(c.owed) > 0 {
			return true
		}
	}
	return false
}

// surplus finds replies that nobody asked for.
func (l *loop) surplus() error {
	for _, c := range l.clients {
		if err := c.silent(); err != nil {
			return err
		}
	}
	return nil
}

// step sends what is due, waits once, and serves whoever has something to read.
func (l *loop) step(now time.Time) error {
	if err := l.sendDue(now); err != nil {
		return err
	}
	events, err := l.wait(l.patience(now))
	if err != nil {
		return err
	}
	for i := range events {
		if err := l.serve(l.clients[events[i].Fd]); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a wait may take.
func (l *loop) patience(now time.Time) time.Duration {
	if l.pace > 0 && now.Before(l.until) {
		return l.due.Sub(now)
	}
	return 100 * time.Millisecond
}

// sendDue sends everything an open loop should have sent by now.
func (l *loop) sendDue(now time.Time) error {
	for l.pace > 0 && !l.due.After(now) && l.due.Before(l.until) {
		if err := l.clients[l.turn].send(l.due); err != nil {
			return err
		}
		l.turn = (l.turn + 1) % len(l.clients)
		l.due = l.due.Add(l.pace)
	}
	return nil
}

// serve reads what is owed to a client. It stops as soon as nothing is, for one
// more read would be wasted.
func (l *loop) serve(c *client) error {
	for {
		done, err := c.receive()
		switch {
		case errors.Is(err, again{}):
			return nil
		case err != nil:
			return err
		case done.batch == nil:
			continue
		}
		now := time.Now()
		l.latency.add(now.Sub(done.since))
		l.done += done.requests
		if l.pace == 0 && now.Before(l.until) {
			return c.send(now)
		}
		if len(c.owed) == 0 {
			return nil
		}
	}
}
