package proxy

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/slabgate/slabgate/internal/generations"
	"github.com/slabgate/slabgate/protocol"
)

// space is where the keys of one client are.
type space struct {
	root   string
	live   *generations.Namespace // nil without a namespace
	prefix []byte                 // root and generation, as they were when the turn began
}

// begin takes the generation for a turn: what is asked in it is asked of one.
func (sp *space) begin() {
	if sp.live != nil {
		sp.prefix = sp.live.Prefix()
	}
}

// keyRoom is the longest key that a client may send.
func (sp *space) keyRoom() int { return protocol.MaxKey - len(sp.prefix) }

// hashMark stands in place of the slash after a generation where the key is not
// written out: no key that is can be taken for one that is not.
const hashMark = '#'

// hashed is the prefix that ends in what stands for a key too long to be written.
func (sp *space) hashed(key []byte) []byte {
	sum := sha256.Sum256(key)
	out := append([]byte(nil), sp.prefix[:len(sp.prefix)-1]...)
	return hex.AppendEncode(append(out, hashMark), sum[:])
}

// place says where the keys of req are. One that goes upstream as it is has its only
// key placed.
func (x *exchange) place(req *protocol.Request) {
	req.Prefix = x.space.prefix
	if req.Verb.Route == protocol.RouteKeyless && len(req.Keys) == 1 && len(req.Keys[0]) > x.space.keyRoom() {
		req.Prefix, req.Hashed = x.space.hashed(req.Keys[0]), true
	}
}

// command is the command about the i-th key of req, as memcached calls it.
func (x *exchange) command(req *protocol.Request, i int) protocol.Command {
	c := req.Command(i)
	if len(c.Key) > x.space.keyRoom() {
		c.Prefix, c.Hashed = x.space.hashed(c.Key), true
	}
	return c
}
