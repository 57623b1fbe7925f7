package poll

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxEvents is how many connections one wait reports at most.
const maxEvents = 256

// Event says what a connection has become ready for.
type Event struct {
	Read  bool // there are bytes, or an end
	Write bool // there is room again
	Gone  bool // there is an end, behind what may still be read
}

// Handler is called on the loop's goroutine when its connection is ready. It may
// be called for nothing.
type Handler interface {
	Ready(e Event)
}

// Loop watches connections. Make one with [New], and have one goroutine run it.
type Loop struct {
	epoll  int
	wake   int // an eventfd
	events [maxEvents]unix.EpollEvent

	mu       sync.Mutex
	handlers map[int]Handler // by descriptor
	posted   []func()
	stopped  bool

	habits [Now]habit
	due    []ready // of this cycle
	run    []func()
}

// ready is a handler and what it is to be told.
type ready struct {
	handler Handler
	event   Event
}

// New returns a loop that watches nothing yet.
func New() (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("poll: epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("poll: eventfd: %w", err)
	}
	l := &Loop{epoll: epoll, wake: wake, handlers: make(map[int]Handler)}
	if err := l.control(unix.EPOLL_CTL_ADD, wake, unix.EPOLLIN|unix.EPOLLET); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *Loop) control(op, fd int, events uint32) error {
	if err := unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("poll: epoll_ctl: %w", err)
	}
	return nil
}

// What is watched of a connection, edge by edge. Room to write is asked for only
// while it is waited for: a unix socket has some after each thing its peer reads.
const (
	watched = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	andRoom = watched | unix.EPOLLOUT
)

// Watch has h called for c, from now on and until c is closed. What c is ready
// for already is reported as well.
func (l *Loop) Watch(c *Conn, h Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return errStopped
	}
	if err := l.control(unix.EPOLL_CTL_ADD, c.fd, watched); err != nil {
		return err
	}
	l.handlers[c.fd] = h
	c.loop = l
	return nil
}

// forget must come before the descriptor is closed and given to somebody else.
func (l *Loop) forget(fd int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.handlers, fd)
}

// Post has f called on the loop's goroutine, after whatever was posted before. It
// reports whether that will happen: not once the loop has been stopped.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.posted = append(l.posted, f)
	if len(l.posted) == 1 {
		l.ring()
	}
	return true
}

// ring ends the loop's wait. The write can't fail but by a full counter, which
// has it woken already.
func (l *Loop) ring() {
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// Stop has Run return once what was posted is done.
func (l *Loop) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.stopped = true
		l.ring()
	}
}

// Outlook says how long it may take until something is ready.
type Outlook uint8

const (
	Idle Outlook = iota // as long as the clients like
	Soon                // an answer is under way
	Now                 // there is more to do at once
)

// Run serves until Stop. After all that was ready at a time it calls turn, which
// says what is to come.
func (l *Loop) Run(turn func() Outlook) error {
	defer l.close()
	for outlook := Idle; ; outlook = turn() {
		if err := l.wait(outlook); err != nil {
			return err
		}
		for i := range l.due {
			l.due[i].handler.Ready(l.due[i].event)
		}
		clear(l.due)
		l.due = l.due[:0]
		if l.runPosted() {
			return nil
		}
	}
}

// wait gathers what is ready. If nothing is, it waits, unless there is more to do.
func (l *Loop) wait(o Outlook) error {
	if o == Now {
		_, err := l.look(0)
		return err
	}
	h, start := &l.habits[o], time.Now()
	for h.eager() && time.Since(start) < eagerness {
		if found, err := l.look(0); found || err != nil {
			h.learn(time.Since(start))
			return err
		}
		yield()
	}
	_, err := l.look(-1)
	h.learn(time.Since(start))
	return err
}

// look gathers what is ready within so many milliseconds; -1 is for ever. What was
// posted counts as found.
func (l *Loop) look(timeout int) (found bool, err error) {
	n, err := unix.EpollWait(l.epoll, l.events[:], timeout)
	if err == syscall.EINTR {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("poll: epoll_wait: %w", err)
	}
	l.gather(l.events[:n])
	return n > 0, nil
}

// gather looks up whom the events are for.
func (l *Loop) gather(events []unix.EpollEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		e := &events[i]
		if h := l.handlers[int(e.Fd)]; h != nil {
			gone := e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
			l.due = append(l.due, ready{h, Event{
				Read:  gone || e.Events&unix.EPOLLIN != 0,
				Write: gone || e.Events&unix.EPOLLOUT != 0,
				Gone:  gone,
			}})
		}
	}
}

// runPosted calls what was posted, and reports whether the loop is to end.
func (l *Loop) runPosted() (ends bool) {
	l.mu.Lock()
	l.run, l.posted = l.posted, l.run[:0]
	ends = l.stopped // after which nothing is posted
	l.mu.Unlock()
	for _, f := range l.run {
		f()
	}
	clear(l.run)
	return ends
}

// close gives the descriptors back. Nothing is posted from then on: they may be
// somebody else's.
func (l *Loop) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	unix.Close(l.epoll)
	unix.Close(l.wake)
}
