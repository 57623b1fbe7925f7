package policy

import (
	"math/bits"

	"github.com/slabgate/slabgate/protocol"
)

// demand is one thing that must be granted for a request to be allowed.
type demand struct {
	verb   *protocol.Verb
	need   protocol.Category // a single one
	access protocol.Access   // a single one; 0 for a command without keys
	rules  *ownRules         // of the identity that decides, about the verb; nil if this is more than that is there for
}

// own reports whether d is what its verb is there for, and not what the
// arguments of the request added.
func (d *demand) own() bool { return d.need == d.verb.Category }

// maxNeeds is how many categories a request can need: that of its verb and three
// that its arguments add, of an ma that may make its key, changes its expiry and
// lets it vanish. A request that needs more is not one this package knows, and
// is refused.
const maxNeeds = 4

// maxDemands is the most a request can demand: each category once for reading
// and once for writing.
const maxDemands = 2 * maxNeeds

// demands is room for everything one request demands.
type demands [maxDemands]demand

// of makes ds what req demands, what its verb is there for first, and returns as
// much of it. There is none if req can't be decided on: if it is not clear what
// it is, or its keys are not those of its verb.
func (ds *demands) of(req *protocol.Request, now int64) []demand {
	v := req.Verb
	if v == nil || bits.OnesCount32(uint32(v.Category)) != 1 || (v.Access == 0) != (len(req.Keys) == 0) {
		return nil
	}
	needs := req.Needs(now)
	if bits.OnesCount32(uint32(needs)) > maxNeeds || v.Access == 0 && needs != v.Category {
		return nil
	}
	if v.Access == 0 {
		ds[0] = demand{verb: v, need: v.Category}
		return ds[:1]
	}
	n := 0
	for _, left := range [...]protocol.Category{needs & v.Category, needs &^ v.Category} {
		for ; left != 0; left &= left - 1 {
			d := demand{verb: v, need: left & -left, access: req.Access()}
			n = d.split(ds, n)
		}
	}
	return ds[:n]
}

// split puts d into ds from n on, once for each thing it does to a key, and
// returns the new n. That a key vanishes is something written, whatever else the
// command does.
func (d demand) split(ds *demands, n int) int {
	if d.need == protocol.CatDelete && !d.own() {
		d.access = protocol.Writes
	}
	for _, access := range [...]protocol.Access{protocol.Reads, protocol.Writes} {
		if d.access&access != 0 {
			ds[n], n = demand{verb: d.verb, need: d.need, access: access}, n+1
		}
	}
	return n
}
