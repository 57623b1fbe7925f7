package protocol

import (
	"slices"
	"strings"
)

// Verb is one row of the command table: everything slabgate knows of a command.
// Adding a command is adding a row. Rows are shared and never changed.
type Verb struct {
	Name     string   // as a person writes it: "get", "stats items", "GETK"
	Grant    string   // the name a policy allows or denies it by: "get", "stats", "stats:conns"
	Category Category // what it needs if its arguments ask for nothing more: see Request.Needs
	Apart    bool     // its category does not grant it: it must be allowed by name, or by @all
	Access   Access   // what it does to its keys; 0 if it names none
	Route    Route    // where it is answered
	Local    Local    // what slabgate answers, if it is answered there
	Since    int      // version of the table that it came with; a policy of an older one never allows it
	Denied   Status   // how a denial looks that is to look like a miss; StatusNone if it can't

	word    string      // first word on the line; empty for an opcode
	args    string      // exact arguments of a command about no key: see argKinds
	parse   parseFunc   // the line's grammar
	packet  packet      // the opcode and the shape of its packets
	canon   canon       // its form upstream
	quiet   statuses    // what its quiet form leaves unsaid
	answers answers     // what its replies are to a client of the classic dialect
	grammar lineGrammar // reply grammar of a command that goes upstream alone
}

// IsMeta reports whether v is a command of the meta dialect. They alone have words of
// two letters.
func (v *Verb) IsMeta() bool { return len(v.word) == 2 }

// Route says who answers a command.
type Route uint8

const (
	RouteLocal   Route = iota // slabgate
	RouteKeys                 // memcached, one command a key, on a shared or leased connection
	RouteKeyless              // memcached, alone on a connection
)

// Local says what slabgate answers by itself.
type Local uint8

const (
	LocalRefusal Local = iota // that the command is not served
	LocalVersion              // the version of memcached
	LocalNoOp                 // that everything before it is answered
	LocalQuit                 // nothing, or a farewell
	LocalMechs                // the mechanisms of a login
	LocalAuth                 // the first message of a login
	LocalStep                 // a further one
)

// The command table. Commands that slabgate knows but never serves are rows
// too, so that they are refused in their own words, with their data block
// skipped, and can be named in a policy.
var table = slices.Concat(keyVerbs, metaVerbs, connVerbs, statsVerbs, settingsVerbs, refusedVerbs, opcodes, loginOpcodes)

var (
	verbs   = complete(table)
	byWord  = index(verbs, func(v *Verb) string { return v.word })
	byGrant = index(verbs, func(v *Verb) string { return v.Grant })
)

// complete fills in what a row leaves out because it follows from the rest.
func complete(rows []Verb) []*Verb {
	all := make([]*Verb, len(rows))
	for i := range rows {
		v := &rows[i]
		if v.packet.read == nil {
			v.word, _, _ = strings.Cut(v.Name, " ")
		}
		if v.Grant == "" {
			v.Grant = v.word
		}
		if v.canon.word != "" {
			v.Route = RouteKeys
		}
		if v.grammar != nil {
			v.Route = RouteKeyless
		}
		if v.parse == nil {
			v.parse = parseKeyless
		}
		v.Since = max(v.Since, 1)
		all[i] = v
	}
	return all
}

func index(rows []*Verb, name func(*Verb) string) map[string][]*Verb {
	m := make(map[string][]*Verb)
	for _, v := range rows {
		if n := name(v); n != "" {
			m[n] = append(m[n], v)
		}
	}
	return m
}

// Served reports whether the command is ever carried out or answered. One that
// is not is known only so that it is refused well.
func (v *Verb) Served() bool { return v.Route != RouteLocal || v.Local != LocalRefusal }

// Verbs returns every row of the table. The caller must not change it.
func Verbs() []*Verb { return verbs }

// ByGrant returns every verb a policy names with grant, or nil.
func ByGrant(grant string) []*Verb { return byGrant[grant] }

// Grants returns every name a policy may use for a command, sorted.
func Grants() []string {
	names := make([]string, 0, len(byGrant))
	for name := range byGrant {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// takesBody reports whether a data block follows the command's line, so that a
// bad line must still be parsed for its length.
func (v *Verb) takesBody() bool { return v.canon.value }

// upstreamWord is the first word of the command where it goes upstream alone. An
// opcode borrows that of the command it is granted by.
func (v *Verb) upstreamWord() string {
	if v.word == "" {
		return v.Grant
	}
	return v.word
}
