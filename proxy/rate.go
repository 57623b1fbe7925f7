package proxy

import (
	"sync"
	"time"
)

// rateLimit lets so many events through in a second and counts the others, so
// that a client that nobody knows can't fill a disk. The zero value is ready.
type rateLimit struct {
	mu      sync.Mutex
	second  int64
	passed  int
	skipped int64
}

// maxGuesses is how many refused logins a second are written to the audit.
const maxGuesses = 20

// maxRefusals is how many denials a second are: enough for every client that meets a
// new rule, and few enough that those who ask for denials hold up nobody else.
const maxRefusals = 200

// pass reports whether an event at now may be written, and for how many that
// were not it stands as well.
func (r *rateLimit) pass(now time.Time, most int) (standsFor int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := now.Unix(); s != r.second {
		r.second, r.passed = s, 0
	}
	if r.passed >= most {
		r.skipped++
		return 0, false
	}
	r.passed++
	standsFor, r.skipped = r.skipped, 0
	return standsFor, true
}
