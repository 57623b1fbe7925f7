package testkit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// TalkOptions say what a Talk is about. The zero value is what every memcached
// answers in the same way.
type TalkOptions struct {
	Binary  bool               // requests of the binary dialect; otherwise classic and meta ones, mixed
	Proxied bool               // also what depends on the clock or on who shows a key: t, l, b, me, and a quiet ma that creates
	Skip    func(Request) bool // requests that must not be made; nil for none
}

// Exchange is a request and all that its client reads of it, which is nothing
// for most quiet ones.
type Exchange struct {
	Request Request
	Want    []byte
}

// Talk makes random requests about a few keys, so that hits, misses, mismatches
// and values that are no number all come often. The same seed and options make
// the same requests of a model in the same state. Several may share a model: what
// they make must then be sent in the order in which it was made.
type Talk struct {
	rng     *rand.Rand
	model   *Model
	options TalkOptions
	opaque  uint32 // of the last request
}

// NewTalk returns a talk whose requests the model carries out as they are made.
func NewTalk(seed uint64, m *Model, o TalkOptions) *Talk {
	return &Talk{rng: rand.New(rand.NewPCG(seed, 0)), model: m, options: o}
}

// Pipeline makes n requests and one more, mn or NOOP, whose reply shows that the
// quiet ones before it are over.
func (t *Talk) Pipeline(n int) []Exchange {
	list := make([]Exchange, 0, n+1)
	for len(list) < n {
		r := t.request()
		if t.options.Skip == nil || !t.options.Skip(r) {
			list = append(list, Exchange{r, t.model.Answer(r)})
		}
	}
	last := Request{Verb: "mn"}
	if t.options.Binary {
		last = Request{Packet: Packet{Op: OpNoop, Opaque: t.nextOpaque()}}
	}
	return append(list, Exchange{last, t.model.Answer(last)})
}

// Wire is what a client sends, and must read, to hold the exchanges in one
// pipeline.
func Wire(list []Exchange) (sent, want []byte) {
	for _, e := range list {
		sent, want = append(sent, e.Request.Bytes()...), append(want, e.Want...)
	}
	return sent, want
}

// Compare returns which request of the exchanges was not answered as it should
// have been, if got is all that their client has read, or nil.
func Compare(list []Exchange, got []byte) error {
	rest := got
	for i, e := range list {
		if !bytes.HasPrefix(rest, e.Want) {
			return fmt.Errorf("request %d of %d, %.200v: got %.200q, want %.200q", i+1, len(list), e.Request, rest, e.Want)
		}
		rest = rest[len(e.Want):]
	}
	if len(rest) > 0 {
		return fmt.Errorf("after the last of %d requests: got %.200q, want nothing", len(list), rest)
	}
	return nil
}

func (t *Talk) request() Request {
	if t.options.Binary {
		return t.packet()
	}
	return pick(t, textMakers)(t)
}

// textMakers make the text requests. Who stands twice comes twice as often.
var textMakers = []func(*Talk) Request{
	(*Talk).get, (*Talk).get, (*Talk).classicStore, (*Talk).classicStore, (*Talk).change,
	(*Talk).mg, (*Talk).mg, (*Talk).mg, (*Talk).ms, (*Talk).ms, (*Talk).md, (*Talk).ma, (*Talk).ma,
	(*Talk).keyless,
}

func pick[T any](t *Talk, of []T) T { return of[t.rng.IntN(len(of))] }

// oneIn is true once in n times.
func (t *Talk) oneIn(n int) bool { return t.rng.IntN(n) == 0 }

func (t *Talk) nextOpaque() uint32 {
	t.opaque++
	return t.opaque
}

// countdown is the key of the numbers that are counted down.
const countdown = "down"

func (t *Talk) key() string { return pick(t, []string{"a", "user:1", "n", countdown}) }

// number is one that keeps its length when it is counted: with one digit down,
// with six up.
func (t *Talk) number(key string) string {
	if key == countdown {
		return pick(t, []string{"0", "5"})
	}
	return pick(t, []string{"500000", "700000"})
}

// values are those that are no numbers. Some look like what ends a reply.
var values = []string{"", "x", "END\r\n", "MN\r\nHD\r\n", "VA 2\r\n", "\x81\x00", strings.Repeat("v", 300)}

func (t *Talk) value(key string) string {
	if t.oneIn(2) {
		return t.number(key)
	}
	return pick(t, values)
}

// exps are expiries that no test outlives, or that are over.
var exps = []string{"0", "0", "0", "1000000", "-1", "2592001"}

// cas is the CAS id of a key, or another.
func (t *Talk) cas(key string) uint64 {
	cas, _ := t.model.itemOf(key)
	return pick(t, []uint64{cas, cas, cas, cas - min(cas, 1), cas + 1, 0})
}

func (t *Talk) keys() (keys []string) {
	for range 1 + t.rng.IntN(3) {
		keys = append(keys, t.key())
	}
	return keys
}

func (t *Talk) get() Request {
	verb := pick(t, []string{"get", "gets", "gat", "gats"})
	args := t.keys()
	if strings.HasPrefix(verb, "gat") {
		args = append([]string{pick(t, exps)}, args...)
	}
	return Request{Verb: verb, Args: args}
}

func (t *Talk) classicStore() Request {
	key, verb := t.key(), pick(t, []string{"set", "set", "add", "replace", "append", "prepend", "cas"})
	value := t.value(key)
	if strings.HasSuffix(verb, "pend") {
		value = pick(t, values)
	}
	args := []string{key, pick(t, []string{"0", "7", "4294967295"}), pick(t, exps), strconv.Itoa(len(value))}
	if verb == "cas" {
		args = append(args, strconv.FormatUint(t.cas(key), 10))
	}
	return Request{Verb: verb, Args: args, Value: value, Quiet: t.oneIn(3)}
}

// change is a classic command without a value.
func (t *Talk) change() Request {
	key, verb := t.key(), pick(t, []string{"delete", "touch", "incr", "incr"})
	r := Request{Verb: verb, Args: []string{key}, Quiet: t.oneIn(3)}
	switch verb {
	case "touch":
		r.Args = append(r.Args, pick(t, exps))
	case "incr":
		r.Verb = counting(key, "incr", "decr")
		r.Args = append(r.Args, t.delta(key))
	}
	return r
}

// counting returns how a key's number is counted.
func counting[T any](key string, up, down T) T {
	if key == countdown {
		return down
	}
	return up
}

func (t *Talk) delta(key string) string {
	return counting(key, pick(t, []string{"0", "1", "10"}), pick(t, []string{"0", "1", "18446744073709551615"}))
}

func (t *Talk) keyless() Request {
	return pick(t, []Request{{Verb: "mn"}, {Verb: "version"}})
}

// meta returns a command with some of the flags, in any order. Each flag that
// the model's version does not have is left out.
func (t *Talk) meta(verb, key string, flags ...string) Request {
	r := Request{Verb: verb, Args: []string{key}}
	flags = append(flags, "O"+strconv.Itoa(int(t.nextOpaque())), "k", "q")
	if t.options.Proxied {
		flags = append(flags, "b")
	}
	for _, i := range t.rng.Perm(len(flags)) {
		if t.takes(verb, flags[i]) && t.oneIn(3) {
			r.Flags = append(r.Flags, flags[i])
		}
	}
	return r
}

// takes reports whether a flag may be made.
func (t *Talk) takes(verb, flag string) bool {
	if strings.ContainsAny(flag[:1], "tl") {
		return t.options.Proxied
	}
	return strings.ContainsAny(flag[:1], "kqb"+t.model.commands[verb].flags)
}

// exp is a flag with an expiry.
func (t *Talk) exp(letter string) string { return letter + pick(t, exps) }

// unique is a flag with a CAS id.
func (t *Talk) unique(letter, key string) string {
	return letter + strconv.FormatUint(t.cas(key), 10)
}

func (t *Talk) mg() Request {
	key := t.key()
	if t.options.Proxied && t.oneIn(10) {
		return Request{Verb: "me", Args: []string{key}}
	}
	return t.meta("mg", key, "v", "f", "c", "t", "h", "l", "s", "u",
		t.exp("T"), t.exp("N"), "R"+pick(t, []string{"0", "2000000"}), t.unique("C", key), t.unique("E", key))
}

func (t *Talk) ms() Request {
	key, mode := t.key(), pick(t, []string{"MS", "MS", "ME", "MR", "MA", "MP"})
	value := t.value(key)
	if mode == "MA" || mode == "MP" {
		value = pick(t, values)
	}
	r := t.meta("ms", key, mode, "c", "s", "I", "F7", t.exp("T"), t.exp("N"), t.unique("C", key), t.unique("E", key))
	if !slices.Contains(r.Flags, mode) && value != "" {
		value = t.value(key)
	}
	r.Args, r.Value = append(r.Args, strconv.Itoa(len(value))), value
	return r
}

func (t *Talk) md() Request {
	key := t.key()
	return t.meta("md", key, "I", "x", "F9", t.exp("T"), t.unique("C", key), t.unique("E", key))
}

func (t *Talk) ma() Request {
	key := t.key()
	r := t.meta("ma", key, "v", "c", "t", t.exp("N"), t.exp("T"), "D"+t.delta(key), t.unique("C", key), t.unique("E", key))
	r.Flags = append(r.Flags, counting(key, "MI", "MD"), "J"+t.number(key))
	if r.has('N') && !t.options.Proxied {
		r.Flags = slices.DeleteFunc(r.Flags, func(f string) bool { return f == "q" })
	}
	return r
}

// packetOps are the opcodes of the binary requests, but the quiet ones. What is
// an increment here counts down if its key's number is counted down.
var packetOps = []Op{
	OpGet, OpGetK, OpGAT, OpGATK, OpTouch, OpSet, OpSet, OpSet, OpAdd, OpReplace, OpAppend, OpPrepend,
	OpDelete, OpIncrement, OpIncrement, OpNoop, OpVersion,
}

// packet makes a request of the binary dialect.
func (t *Talk) packet() Request {
	p := Packet{Op: pick(t, packetOps), Opaque: t.nextOpaque(), Key: t.key()}
	switch p.Op {
	case OpNoop, OpVersion:
		return Request{Packet: Packet{Op: p.Op, Opaque: p.Opaque}}
	case OpAppend, OpPrepend:
		p.Value = pick(t, values)
	case OpSet, OpAdd, OpReplace:
		p.Value, p.Extras = t.value(p.Key), extras(pick(t, []uint32{0, 7}), t.packetExp())
	case OpGAT, OpGATK, OpTouch:
		p.Extras = extras(t.packetExp())
	case OpIncrement:
		t.makeDelta(&p)
	}
	if !p.reads() && p.Op != OpTouch && t.oneIn(3) {
		p.CAS = t.cas(p.Key)
	}
	if quiet, ok := quietForm(p.Op); ok && t.oneIn(2) {
		p.Op = quiet
	}
	return Request{Packet: p}
}

// quietForm returns the quiet opcode of a loud one.
func quietForm(op Op) (Op, bool) {
	for quiet, loud := range loudForms {
		if loud == op {
			return quiet, true
		}
	}
	return op, false
}

func (t *Talk) packetExp() uint32 { return pick(t, []uint32{0, 0, 1000000, 2592001}) }

func extras(numbers ...uint32) string {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return string(b)
}

// makeDelta makes p count its key's number, which it creates or not.
func (t *Talk) makeDelta(p *Packet) {
	p.Op = counting(p.Key, OpIncrement, OpDecrement)
	delta, _ := strconv.ParseUint(t.delta(p.Key), 10, 64)
	initial, _ := strconv.ParseUint(t.number(p.Key), 10, 64)
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, delta), initial)
	p.Extras = string(b) + extras(pick(t, []uint32{0, neverCreate, 1000000}))
}
