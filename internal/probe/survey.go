package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
)

// State is whether a place can be connected to.
type State string

// The states.
const (
	Open        State = "open"
	Closed      State = "closed"      // it says no
	Silent      State = "silent"      // it says nothing: filtered, or not there
	Unreachable State = "unreachable" // nothing says whether it is there
	Unlooked    State = "not looked at"
)

// Ways to talk to a place.
const (
	overPlain = "plaintext"
	overTLS   = "TLS"
	overUDP   = "UDP"
)

// Endpoint is what was seen of one place.
type Endpoint struct {
	Target  string   `json:"target"` // as it was named
	Address string   `json:"address"`
	State   State    `json:"state"`
	Why     string   `json:"why,omitempty"` // for unreachable
	TLS     *TLS     `json:"tls,omitempty"`
	Mechs   []Mechs  `json:"mechanisms,omitempty"`
	Keys    int      `json:"keys"`   // different keys that came back
	Values  int      `json:"values"` // of different keys, that came back
	Items   int      `json:"items"`  // how many there are, as it says
	Looks   string   `json:"looks,omitempty"`
	Answers []Answer `json:"answers"`
}

// Mechs are the mechanisms that are offered without TLS or inside.
type Mechs struct {
	Over  string   `json:"over"`
	Names []string `json:"names"`
}

// Answer is what came back to one form of asking.
type Answer struct {
	Over    string  `json:"over"` // plaintext, TLS or UDP
	Asked   string  `json:"asked"`
	Outcome Outcome `json:"outcome"`
	Said    string  `json:"said"`
	Keys    int     `json:"keys"` // that came back, each as often as it did
	Values  int     `json:"values"`
	Factor  float64 `json:"factor,omitempty"` // bytes back for each byte sent, over UDP
	depth   depth
	binary  bool
	words   bool // it is neither silence nor an alert
	alert   bool
}

// survey looks at places, one after the other.
type survey struct {
	*link
	udp, active bool
	deepest     depth
}

// visit is the survey of one place.
type visit struct {
	*survey
	place place
	e     *Endpoint
	t     *tally
}

// way is how it is asked.
type way struct {
	over string
	tls  *tls.Config // nil for plaintext
}

// look asks a place everything.
func (s *survey) look(ctx context.Context, p place) *Endpoint {
	e := &Endpoint{Target: clean([]byte(p.target)), Address: clean([]byte(p.String())), Answers: []Answer{}}
	if ctx.Err() != nil {
		e.State, e.Why = Unlooked, "the time was up"
		return e
	}
	t := newTally()
	v := visit{s, p, e, t}
	if e.State, e.Why = s.reach(ctx, p); e.State == Open {
		v.channels(ctx)
	}
	if s.udp && p.network == "tcp" {
		v.datagrams(ctx)
	}
	e.Keys, e.Values, e.Items, e.Looks = t.keys(), len(t.values), t.items, t.looks()
	if ctx.Err() != nil {
		e.Why = "the time was up before all was asked"
	}
	return e
}

// channels asks in plaintext, and then inside TLS if there is any.
func (v *visit) channels(ctx context.Context) {
	v.channel(ctx, way{overPlain, nil})
	var cfg *tls.Config
	if v.e.TLS, cfg = v.lookTLS(ctx, v.place); cfg != nil {
		v.channel(ctx, way{overTLS, cfg})
	}
}

// reach finds out whether a place can be connected to.
func (s *survey) reach(ctx context.Context, p place) (State, string) {
	conn, err := s.open(ctx, p, nil)
	if err == nil {
		conn.Close()
		return Open, ""
	}
	s.noteRoute(p)
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return Unlooked, "the time was up"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, fs.ErrPermission) && p.network == "unix":
		return Closed, ""
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return Silent, ""
	}
	return Unreachable, reason(err)
}

// reason is the innermost words of an error.
func reason(err error) string {
	var n syscall.Errno
	if errors.As(err, &n) {
		return n.Error()
	}
	return clean([]byte(err.Error()))
}

// noteRoute remembers the address from which a place would be asked. It sends
// nothing.
func (s *survey) noteRoute(p place) {
	if p.network != "tcp" {
		return
	}
	if conn, err := net.Dial("udp", p.address); err == nil {
		s.note(conn)
		conn.Close()
	}
}

// channel asks in one way: first who is there, then what may be worth asking.
func (v *visit) channel(ctx context.Context, w way) {
	first := len(v.e.Answers)
	v.askAll(ctx, w, formsTo(greet, greet))
	greetings := v.e.Answers[first:]
	if v.deepest == greet || !worthAsking(greetings) {
		return
	}
	last := value
	if v.active {
		last = harm
	}
	mute := map[bool]bool{false: isMute(greetings, false), true: isMute(greetings, true)}
	v.askAll(ctx, w, slices.DeleteFunc(formsTo(figure, last), func(f form) bool { return mute[f.binary] }))
}

// isMute reports whether no greeting in one of the protocols got any answer in
// time, not even the end of the connection: the other one is spoken alone.
func isMute(greetings []Answer, binary bool) bool {
	return !slices.ContainsFunc(greetings, func(a Answer) bool { return a.binary == binary && a.Outcome != Untested })
}

// worthAsking reports whether there may be a memcached at the other end: it said
// something that memcached or slabgate says, or hung up without a word.
func worthAsking(answers []Answer) bool {
	for i := range answers {
		if a := &answers[i]; !a.alert && (a.Outcome == Refused || a.Outcome == Answered) {
			return true
		}
	}
	return false
}

// askAll asks by every form of a list.
func (v *visit) askAll(ctx context.Context, w way, list []form) {
	for i := range list {
		f := &list[i]
		a := Answer{Over: w.over, Asked: f.name, Outcome: Untested, Said: notAsked, depth: f.depth, binary: f.binary}
		keys, values := v.t.shown, v.t.held
		for _, send := range f.ask(v.t.known) {
			r := v.askOnce(ctx, w, send, f.question)
			a.take(f, r)
			if f.find != nil {
				f.find(r.data, v.t)
			}
			if names := mechsOf(r.data); len(names) > 0 {
				v.e.Mechs = append(v.e.Mechs, Mechs{w.over, names})
			}
		}
		a.Keys, a.Values = v.t.shown-keys, v.t.held-values
		v.e.Answers = append(v.e.Answers, a)
	}
}

// take makes a reply the answer if it tells more than those before.
func (a *Answer) take(f *form, r reply) {
	judge := judgeText
	if f.binary {
		judge = judgePacket
	}
	outcome, said := judge(r)
	if a.Said == notAsked || outcome.worse(a.Outcome) {
		a.Outcome, a.Said = outcome, said
		a.words = len(r.data) > 0 && !isAlert(r.data)
		a.alert = isAlert(r.data) || r.alert() != ""
	}
}

// askOnce asks one thing on a connection of its own.
func (v *visit) askOnce(ctx context.Context, w way, send []byte, q question) reply {
	conn, err := v.open(ctx, v.place, w.tls)
	if err != nil {
		return reply{end: endOf(err), err: err}
	}
	defer conn.Close()
	return v.ask(ctx, conn, send, q)
}

// datagrams asks over UDP, one datagram for each form.
func (v *visit) datagrams(ctx context.Context) {
	for _, text := range []string{"version", "stats"} {
		send := datagram(lines(text)[0])
		r, size := v.askUDP(ctx, v.place, send)
		a := Answer{Over: overUDP, Asked: text, Outcome: Untested, Said: wordsLate}
		switch {
		case size > 0:
			a.Outcome, a.Said = judgeText(r)
			if len(r.data) == 0 {
				a.Outcome, a.Said = Foreign, wordsOther
			}
			a.Factor = float64(size*10/len(send)) / 10
			a.Said = fmt.Sprintf("%s, %.1f bytes for each byte sent", a.Said, a.Factor)
		case errors.Is(r.err, syscall.ECONNREFUSED):
			a.Outcome, a.Said = Refused, "the port is closed"
		}
		v.e.Answers = append(v.e.Answers, a)
		if a.Outcome == Refused {
			return // a closed port stays closed
		}
	}
}
