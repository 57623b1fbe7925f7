package poll

import (
	"time"

	"golang.org/x/sys/unix"
)

// eagerness is how long a loop looks again and again before it sleeps. To be
// woken takes a thread longer than many a wait would have lasted.
const eagerness = 50 * time.Microsecond

// A habit of short waits is this likely to go on: most of the last ones were.
const (
	mostScore  = 16
	eagerScore = 12
)

// habit is whether waits of one kind have been short lately. Only where they have
// is it worth not to sleep: a loop that is waited for now and then, or that has
// too little to do, must not use up a core.
type habit struct{ score int }

func (h *habit) eager() bool { return h.score >= eagerScore }

// learn counts a wait, a long one more.
func (h *habit) learn(d time.Duration) {
	if d < eagerness {
		h.score = min(mostScore, h.score+1)
	} else {
		h.score = max(0, h.score-2)
	}
}

// yield lets another thread have this core, if one waits for it.
func yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
