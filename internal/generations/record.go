package generations

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/protocol"
)

// Keys in memcached that no client may have.
const (
	recordKey = "slabgate/generation/" // and the root
	recentKey = "slabgate/flushes"
)

// Upstream is the memcached of a store; see upstream.Pool.
type Upstream interface {
	// Ask carries out one command and returns its whole reply. An error says
	// that there is none.
	Ask(ctx context.Context, cmd *protocol.Command) (protocol.Reply, []byte, error)
}

var (
	errKey       = errors.New("generations: memcached takes no record of a root like that")
	errContended = errors.New("generations: others change the record all the time")
)

// maxTries bounds how often a record is read and changed anew because somebody
// else changed it in between.
const maxTries = 16

// item is what memcached has under a key.
type item struct {
	value []byte
	found bool
	cas   uint64 // if found
}

// fetch reads an item.
func (s *Store) fetch(ctx context.Context, key string) (item, error) {
	cmd, err := command("gets", key)
	if err != nil {
		return item{}, err
	}
	reply, value, err := s.up.Ask(ctx, &cmd)
	switch {
	case err != nil:
		return item{}, err
	case reply.Status == protocol.StatusMiss:
		return item{}, nil
	case reply.Status != protocol.StatusValue:
		return item{}, refused(reply.Status)
	}
	return item{value, true, reply.CAS}, nil
}

// unchanged are the replies to a store whose condition did not hold.
var unchanged = map[protocol.Status]bool{
	protocol.StatusExists: true, protocol.StatusNotFound: true, protocol.StatusNotStored: true,
}

// replace stores a value where old was, and reports whether old was still there.
func (s *Store) replace(ctx context.Context, key string, old item, value []byte) (bool, error) {
	word := "add"
	if old.found {
		word = "cas"
	}
	cmd, err := command(word, key)
	if err != nil {
		return false, err
	}
	cmd.Value, cmd.CAS = value, old.cas
	reply, _, err := s.up.Ask(ctx, &cmd)
	switch {
	case err != nil:
		return false, err
	case unchanged[reply.Status]:
		return false, nil
	case reply.Status != protocol.StatusOK:
		return false, refused(reply.Status)
	}
	return true, nil
}

func command(word, key string) (protocol.Command, error) {
	if !protocol.ValidKey([]byte(key)) {
		return protocol.Command{}, errKey
	}
	return protocol.ByGrant(word)[0].Command([]byte(key)), nil
}

func refused(status protocol.Status) error {
	return fmt.Errorf("generations: memcached refused with status %d", status)
}

// settle makes memory, file and memcached agree on n's generation, and returns it:
// a new one if flush says so. The caller has n's turn.
func (s *Store) settle(ctx context.Context, n *Namespace, flush bool) (to uint64, err error) {
	for range maxTries {
		to, agreed, err := s.attempt(ctx, n, flush)
		if agreed || err != nil {
			return to, err
		}
	}
	return 0, errContended
}

// attempt is settle unless somebody else changes the record in between.
func (s *Store) attempt(ctx context.Context, n *Namespace, flush bool) (to uint64, agreed bool, err error) {
	old, err := s.fetch(ctx, recordKey+n.root)
	if err != nil {
		return 0, false, err
	}
	record, ok := parseGeneration(string(old.value))
	if record > s.clock()+farAhead {
		record, ok = 0, false
	}
	if old.found && !ok {
		s.log.Warn("record of a generation is replaced", zap.String("namespace", n.root), zap.Int("bytes", len(old.value)))
	}
	if known := n.known(); flush || n.owes() || record < known {
		s.pace(max(record, known))
	}
	to, owings := n.target(record, flush, s.clock())
	if to != record {
		stored, err := s.replace(ctx, recordKey+n.root, old, strconv.AppendUint(nil, to, 10))
		if !stored {
			return 0, false, err
		}
	}
	n.agreed(to, owings)
	return to, true, nil
}

// farAhead is how far a record may be ahead of the clock, in milliseconds: a year. One
// that is further is none of ours: taken for one it would leave no room for others.
const farAhead = 366 * 24 * 60 * 60 * 1000

// parseGeneration reads decimal digits without a leading zero.
func parseGeneration(text string) (generation uint64, ok bool) {
	g, err := strconv.ParseUint(text, 10, 64)
	if err != nil || g == 0 || g > maxGeneration || text[0] == '0' || text[0] == '+' {
		return 0, false
	}
	return g, true
}
