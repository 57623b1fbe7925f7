package generations

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Bounds of what slabgate/flushes holds: so many flushes, in so many bytes.
const (
	recentFlushes = 32
	recentBytes   = 4096
)

// recent are the last flushes, the newest first, as slabgate/flushes has them: a
// line for each, with an id that is never met again, a space and the root, which
// is empty in a line that only starts the list.
type recent []string

// parseRecent reads them, and none if something else is there.
func parseRecent(value []byte) recent {
	if len(value) == 0 || len(value) > recentBytes {
		return nil
	}
	lines := strings.Split(string(value), "\n")
	for _, line := range lines {
		id, _, ok := strings.Cut(line, " ")
		if !ok || id == "" {
			return nil
		}
	}
	return lines
}

// newest is the last line there was.
func (r recent) newest() string {
	if len(r) == 0 {
		return ""
	}
	return r[0]
}

// since are the roots that were flushed after a line, and false if that line is
// not there any more, so that all may have been.
func (r recent) since(line string) (roots []string, ok bool) {
	for _, l := range r {
		if l == line {
			return roots, true
		}
		_, root, _ := strings.Cut(l, " ")
		roots = append(roots, root)
	}
	return nil, false
}

// with is r with a flush that came after it, without the oldest if they are too
// many.
func (r recent) with(line string) []byte {
	size := len(line)
	lines := []string{line}
	for _, l := range r {
		size += 1 + len(l)
		if len(lines) == recentFlushes || size > recentBytes {
			break
		}
		lines = append(lines, l)
	}
	return []byte(strings.Join(lines, "\n"))
}

// announce names a flush to the other slabgates, after the record has it, and
// returns its line. An empty root only starts the list.
func (s *Store) announce(ctx context.Context, root string) (line string, err error) {
	line = strconv.FormatUint(rand.Uint64(), 16) + " " + root
	for range maxTries {
		old, err := s.fetch(ctx, recentKey)
		if err != nil {
			return "", err
		}
		stored, err := s.replace(ctx, recentKey, old, parseRecent(old.value).with(line))
		if stored || err != nil {
			return line, err
		}
	}
	return "", errContended
}
