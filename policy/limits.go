package policy

import (
	"fmt"

	"github.com/slabgate/slabgate/protocol"
)

// Limits is how much clients of an identity may ask for. 0 is no limit.
type Limits struct {
	Conns       int   // connections at once
	InFlight    int   // requests at once
	RPS         int   // requests a second
	BytesIn     int   // of requests, a second
	BytesOut    int   // of replies, a second
	ValueMax    int   // bytes of a value that is stored
	TTLMax      int32 // seconds until an item expires
	DenyTTL     bool  // what is longer is refused; else it is shortened
	MultigetMax int   // keys of one request
}

const (
	ttlClamp = "clamp"
	ttlDeny  = "deny"
)

// limits compiles the limits of the identity at path: its own, and where it has
// none the strictest of its roles.
func (c *compiler) limits(path string, own *LimitsDoc, roles []string) Limits {
	c.checkLimits(path+".limits", own)
	var all Limits
	deny := false
	for _, name := range roles {
		role := c.doc.Roles[name].Limits
		merge(&all, limitsOf(&role), stricter)
		deny = deny || role.TTLOver == ttlDeny
	}
	merge(&all, limitsOf(own), func(inherited, own int) int {
		if own != 0 {
			return own
		}
		return inherited
	})
	all.DenyTTL = own.TTLOver == ttlDeny || own.TTLOver == "" && deny
	return all
}

// stricter is the smaller of two limits, of which 0 is none.
func stricter(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// numbers are the limits that are one number.
func (l *Limits) numbers() [7]*int {
	return [...]*int{&l.Conns, &l.InFlight, &l.RPS, &l.BytesIn, &l.BytesOut, &l.ValueMax, &l.MultigetMax}
}

// merge makes each limit of into what choose makes of it and that of from.
func merge(into *Limits, from Limits, choose func(a, b int) int) {
	a, b := into.numbers(), from.numbers()
	for i := range a {
		*a[i] = choose(*a[i], *b[i])
	}
	into.TTLMax = int32(choose(int(into.TTLMax), int(from.TTLMax)))
}

// limitsOf are the limits as written.
func limitsOf(d *LimitsDoc) (l Limits) {
	l.Conns, l.InFlight, l.RPS, l.MultigetMax = numberOf(d.Conns), numberOf(d.InFlight), numberOf(d.RPS), numberOf(d.MultigetMax)
	l.BytesIn, l.BytesOut, l.ValueMax = numberOf(d.BytesIn), numberOf(d.BytesOut), numberOf(d.ValueMax)
	l.TTLMax = int32(numberOf(d.TTLMax))
	return l
}

func numberOf[N ~int | ~int32](n *N) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

// mostLimit bounds a limit that is a count.
const mostLimit = 1 << 30

// checkLimits checks the limits of a role or an identity.
func (c *compiler) checkLimits(path string, l *LimitsDoc) {
	for _, n := range []struct {
		key   string
		count *int
	}{{"conns", l.Conns}, {"inflight", l.InFlight}, {"rps", l.RPS}, {"multiget_max", l.MultigetMax}} {
		if n.count != nil && (*n.count < 1 || *n.count > mostLimit) {
			c.out.Errorf(codeLimit, path+"."+n.key, "write 1 or more, or remove the key for no limit", "%d is no limit", *n.count)
		}
	}
	c.oneOf(path+".ttl_over", l.TTLOver, ttlClamp, ttlDeny)
}

// String is what is limited, as a person reads it.
func (l Limits) String() string {
	s := ""
	names := [...]string{"conns", "inflight", "rps", "bytes_in", "bytes_out", "value_max", "multiget_max"}
	for i, n := range l.numbers() {
		if *n != 0 {
			s += fmt.Sprintf(" %s=%d", names[i], *n)
		}
	}
	if l.TTLMax != 0 {
		s += fmt.Sprintf(" ttl_max=%d", l.TTLMax)
	}
	return s
}

// LimitKey is where a document sets the limit that a request exceeds with this
// status; "" for any other. It stands in place of a rule wherever a denial is told of.
func LimitKey(s protocol.Status) string { return limitKeys[s] }

var limitKeys = map[protocol.Status]string{
	protocol.StatusLimitRate:     "limits.rps",
	protocol.StatusLimitBytes:    "limits.bytes",
	protocol.StatusLimitInFlight: "limits.inflight",
	protocol.StatusLimitValue:    "limits.value_max",
	protocol.StatusLimitTTL:      "limits.ttl_max",
	protocol.StatusLimitKeys:     "limits.multiget_max",
	protocol.StatusLimitConns:    "limits.conns",
}

// Exceeded returns which limit req exceeds by what it asks for, whatever else is
// going on; [protocol.StatusNone] if none. An expiry that is too long, and is not to
// be refused, is shortened in req. now is in Unix seconds.
func (l *Limits) Exceeded(req *protocol.Request, now int64) protocol.Status {
	switch {
	case req.Verb.Category == protocol.CatConn:
		return protocol.StatusNone
	case l.ValueMax != 0 && req.Size() > l.ValueMax:
		return protocol.StatusLimitValue
	case l.MultigetMax != 0 && len(req.Keys) > l.MultigetMax:
		return protocol.StatusLimitKeys
	case l.TTLMax != 0 && req.LimitTTL(l.TTLMax, now) && l.DenyTTL:
		return protocol.StatusLimitTTL
	}
	return protocol.StatusNone
}

// Raise is the edit by which an identity may exceed a limit no more.
func (id *Identity) Raise(limit string) string {
	return fmt.Sprintf("raise %s of %s, or of the role that it has it from", limit, id.path)
}
