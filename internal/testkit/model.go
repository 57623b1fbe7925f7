package testkit

import (
	"slices"
	"strings"
)

// Model says, byte for byte, what a client of a memcached must read in answer
// to its requests, in all three dialects. It has a cache of its own, and the
// rules of a Fake: each change that is made gives out the next CAS id, from 1.
// What is sent to a fake, and to a model of the same options, in the same order
// is answered with the same ids. A model is not for several goroutines.
type Model struct {
	store    *fakeStore
	commands map[string]*fakeCommand

	// MetaReads says that every read is carried out as mg: whoever reads a stale
	// item in any dialect is then the one who is to make it anew.
	MetaReads bool
}

// NewModel returns the model of a fake with these options and an empty cache.
// They want a clock of the test's own if a request asks for a time.
func NewModel(opts FakeOptions) *Model {
	opts = opts.withDefaults()
	return &Model{store: newFakeStore(opts), commands: commands(opts.Version)}
}

// Answer carries r out and returns what the client reads of it: nothing if r is
// quiet and went as quiet requests should. r must be well formed.
func (m *Model) Answer(r Request) []byte {
	if r.Verb == "" {
		return m.answerPacket(r.Packet)
	}
	command := m.commands[r.Verb]
	reply := command.run(m.store, r.canonical(command))
	if m.MetaReads {
		m.consume(r)
	}
	if r.silences(reply) {
		return nil
	}
	return []byte(reply)
}

// readKeys says which of the arguments of a classic read are keys.
var readKeys = map[string]func([]string) []string{
	"get":   func(args []string) []string { return args },
	"gets":  func(args []string) []string { return args },
	"gat":   func(args []string) []string { return args[1:] },
	"gats":  func(args []string) []string { return args[1:] },
	"touch": func(args []string) []string { return args[:1] },
}

// consume does to the items of a classic read what mg does.
func (m *Model) consume(r Request) {
	keys := readKeys[r.Verb]
	if keys == nil {
		return
	}
	for _, key := range keys(r.Args) {
		if it := m.store.find(key); it != nil {
			it.promise(false)
		}
	}
}

// silenced are the statuses that a quiet meta command is not answered with.
var silenced = map[string][]string{"mg": {"EN"}, "ms": {"HD"}, "md": {"HD"}, "ma": {"HD", "VA"}}

// silences reports whether the client of r does not get to see reply.
func (r Request) silences(reply string) bool {
	status := strings.TrimRight(reply[:min(3, len(reply))], " \r")
	return r.Quiet || r.has('q') && slices.Contains(silenced[r.Verb], status)
}

// itemOf returns the CAS id of a key, and false if it has no item.
func (m *Model) itemOf(key string) (cas uint64, ok bool) {
	it := m.store.find(key)
	if it == nil {
		return 0, false
	}
	return it.cas, true
}
