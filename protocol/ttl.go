package protocol

import "bytes"

// ttlLimit is how long an item may live.
type ttlLimit struct {
	most int64 // seconds, at least 1
	now  int64 // Unix seconds
}

// LimitTTL reports whether the request makes an item live longer than most
// seconds from now (Unix seconds), and shortens it to that if it does. An item
// that never expires lives longer than any limit. A most below 1 is 1.
//
// It changes the Params of r, so it comes before r's commands are made.
func (r *Request) LimitTTL(most int32, now int64) (over bool) {
	l := ttlLimit{int64(max(most, 1)), now}
	if r.Has&HasExptime == 0 && r.makesForEver() {
		r.sayForEver()
	}
	if r.Has&HasExptime != 0 {
		over = l.shorten(&r.Exptime)
	}
	if r.Has&HasVivify != 0 {
		over = l.shorten(&r.Vivify) || over
	}
	return over
}

// makesForEver reports whether an item that the request stores never expires
// unless it says so. One that it adds to keeps its expiry.
func (r *Request) makesForEver() bool {
	return r.Verb.canon.word == "ms" && r.Mode != 'A' && r.Mode != 'P'
}

// sayForEver says that the item never expires, which went without saying.
func (r *Request) sayForEver() {
	r.Has |= HasExptime
	r.Exptime = 0
	if i := bytes.IndexByte(r.Order[:], 0); i > 0 { // an order leaves out what it does not name
		r.Order[i] = 'T'
	}
}

// shorten reports whether an expiry is beyond the limit, and makes it the limit
// if it is.
func (l ttlLimit) shorten(expiry *int32) bool {
	if !l.exceededBy(*expiry) {
		return false
	}
	*expiry = l.expiry()
	return true
}

func (l ttlLimit) exceededBy(expiry int32) bool {
	left := int64(expiry)
	if expiry > relativeExpiry {
		left -= l.now
	}
	return expiry == 0 || left > l.most
}

// expiry is the limit as an expiry: counted from now if it can be.
func (l ttlLimit) expiry() int32 {
	if l.most <= relativeExpiry {
		return int32(l.most)
	}
	return int32(min(l.now+l.most, maxU31))
}
