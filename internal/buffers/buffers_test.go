package buffers

import "testing"

// TestSizes checks that a buffer has the room that was asked for, in the sizes
// that are lent, and that it can be given back whatever it is.
func TestSizes(t *testing.T) {
	for _, tt := range []struct{ ask, room int }{
		{0, minSize}, {1, minSize}, {minSize, minSize}, {minSize + 1, 2 * minSize},
		{64 << 10, 64 << 10}, {64<<10 + 1, 128 << 10}, {maxSize, maxSize}, {maxSize + 1, maxSize + 1},
	} {
		b := Get(tt.ask)
		if len(b) != 0 || cap(b) < tt.room {
			t.Errorf("Get(%d): %d bytes, room for %d; want room for %d", tt.ask, len(b), cap(b), tt.room)
		}
		if tt.ask <= maxSize && cap(b) != tt.room {
			t.Errorf("Get(%d): room for %d, want %d", tt.ask, cap(b), tt.room)
		}
		Put(b)
	}
	Put(nil)
	Put(make([]byte, 0, 5000))
}

// TestAgain checks that what was given back is lent with its own size only.
func TestAgain(t *testing.T) {
	for range 100 {
		small, large := Get(minSize), Get(maxSize)
		Put(small)
		Put(large)
		if b := Get(minSize); cap(b) != minSize {
			t.Fatalf("room for %d", cap(b))
		}
		if b := Get(maxSize); cap(b) != maxSize {
			t.Fatalf("room for %d", cap(b))
		}
	}
}
