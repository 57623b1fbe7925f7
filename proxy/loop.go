package proxy

import (
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/slabgate/slabgate/internal/buffers"
	"github.com/slabgate/slabgate/internal/poll"
	"github.com/slabgate/slabgate/upstream"
)

// loop serves clients as long as they wait for nothing but bytes, their own and
// memcached's, for which it has a lane. What its clients send while a round is
// under way is the next one.
type loop struct {
	*poll.Loop
	lane    *upstream.Lane
	records []byte     // what TLS makes of one flush
	again   []*session // have more to do, after the others had theirs
	spare   []*session
	inputs  [][]byte     // buffers of minInput bytes that no client needs
	roused  bool         // a goroutine has been given something to do
	clients int          // how many it has; guarded by Server.mu
	beat    atomic.Int64 // when it has last shown that it turns, in nanoseconds of Unix time
}

// company is how many clients a loop is to have before another is used: what they
// ask at the same time goes to memcached in one write.
const company = 64

// loopFor chooses the loop of the next of so many clients: that with the fewest,
// among as many as have company.
func loopFor(loops []*loop, clients int) *loop {
	used := min(len(loops), 1+clients/company)
	return slices.MinFunc(loops[:used], func(a, b *loop) int { return a.clients - b.clients })
}

// maxInputs is how many of them are kept.
const maxInputs = 256

// input returns a buffer to read a client's bytes into.
func (l *loop) input() []byte {
	last := len(l.inputs) - 1
	if last < 0 {
		return make([]byte, minInput)
	}
	b := l.inputs[last]
	l.inputs = l.inputs[:last]
	return b
}

// takeInput takes the buffer of a client that has sent nothing: most clients are
// idle most of the time.
func (l *loop) takeInput(b []byte) {
	switch {
	case len(b) != minInput:
		buffers.Put(b)
	case len(l.inputs) < maxInputs:
		l.inputs = append(l.inputs, b)
	}
}

func newLoop(p *upstream.Pool) (*loop, error) {
	l, err := poll.New()
	if err != nil {
		return nil, err
	}
	return &loop{Loop: l, lane: p.NewLane(l)}, nil
}

// serve runs until end is posted.
func (l *loop) serve() error { return l.Run(l.turn) }

// turn is what is to be done after all that was ready.
func (l *loop) turn() poll.Outlook {
	again := l.again
	l.again = l.spare[:0]
	for _, s := range again {
		s.proceed()
	}
	clear(again)
	l.spare = again[:0]
	if l.roused { // it must not wait until this loop sleeps
		l.roused = false
		runtime.Gosched()
	}
	outlook := l.lane.Turn()
	if len(l.again) > 0 {
		outlook = poll.Now
	}
	return outlook
}

// post has the loop look at a session.
func (l *loop) post(s *session) {
	if l != nil {
		l.Post(s.look)
	}
}

// end closes the lane and stops the loop. No session may be left.
func (l *loop) end() {
	l.Post(l.lane.Close)
	l.Stop()
}
