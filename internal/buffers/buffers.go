// Package buffers lends memory that is needed for a moment: large enough not to
// be kept by each client, and wanted often enough not to be made anew each time.
//
// It is for a few sizes, each twice the one before. Whoever has a buffer owns it
// until it is given back, and must not touch it afterwards.
package buffers

import (
	"math/bits"
	"sync"
)

// The sizes that are lent, in bytes: powers of two between these. Anything larger
// is made for its user alone.
const (
	minSize = 4 << 10
	maxSize = 4 << 20
)

const (
	minBits = 12
	classes = 22 - minBits + 1
)

// pools has the buffers that nobody has, by size. A pool holds pointers, as it
// would have to allocate for a slice.
var pools [classes]sync.Pool

// class is the smallest size, as a power of two above minSize, that holds n bytes.
func class(n int) int { return max(0, bits.Len(uint(n-1))-minBits) }

// Get returns an empty buffer with room for at least n bytes. What stands in its
// memory is anything.
func Get(n int) []byte {
	if n > maxSize {
		return make([]byte, 0, n)
	}
	c := class(max(n, minSize))
	if p, ok := pools[c].Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, minSize<<c)
}

// Put gives a buffer back. One that Get has not lent is left to the garbage
// collector.
func Put(b []byte) {
	n := cap(b)
	if n < minSize || n > maxSize || n&(n-1) != 0 {
		return
	}
	b = b[:0]
	pools[class(n)].Put(&b)
}
