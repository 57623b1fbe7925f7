package protocol

import (
	"slices"
	"strings"
)

// Verb is one row of the command table: everything slabgate knows of a command.
// Adding a command is adding a row. Rows are shared and never changed.
type Verb struct {
	Name     string   // as a person writes it: "get", "stats items"
	Grant    string   // the name a policy allows or denies it by: "get", "stats", "stats:conns"
	Category Category // exactly one; what Request.Needs may add depends on the arguments
	Apart    bool     // its category does not grant it: it must be allowed by name, or by @all
	Access   Access   // what it does to its keys; 0 if it names none
	Route    Route    // where it is answered
	Denied   string   // how it looks when a denial is to look like a miss; "" if it can't

	word    string      // first word on the line
	args    string      // exact arguments of a command about no key: see argKinds
	parse   parseFunc   // the line's grammar
	expires bool        // it carries an expiry
	canon   canon       // its form upstream
	answers answers     // what its replies are to a client
	grammar lineGrammar // reply grammar of a keyless command
}

// Route says who answers a command.
type Route uint8

const (
	RouteLocal   Route = iota // slabgate
	RouteKeys                 // memcached, one command a key, on a shared or leased connection
	RouteKeyless              // memcached, alone on a connection
)

// The command table of the classic dialect (doc/protocol.txt). Commands that
// slabgate knows but never serves are rows too, so that they are refused in
// their own words, with their data block skipped, and can be named in a policy.
var table = slices.Concat(keyVerbs, connVerbs, statsVerbs, settingsVerbs, refusedVerbs)

var keyVerbs = []Verb{
	{Name: "get", Category: CatRead, Access: Reads, parse: parseGet, canon: canon{word: "mg", flags: " f v", classic: "get"}, answers: readAnswers, Denied: lineEnd},
	{Name: "gets", Category: CatRead, Access: Reads, parse: parseGet, canon: canon{word: "mg", flags: " f c v", classic: "gets"}, answers: readAnswers, Denied: lineEnd},
	{Name: "gat", Category: CatTouch, Access: Reads | Writes, parse: parseGat, expires: true, canon: canon{word: "mg", flags: " f v", classic: "gat", fields: hasExptime}, answers: readAnswers, Denied: lineEnd},
	{Name: "gats", Category: CatTouch, Access: Reads | Writes, parse: parseGat, expires: true, canon: canon{word: "mg", flags: " f c v", classic: "gats", fields: hasExptime}, answers: readAnswers, Denied: lineEnd},
	{Name: "touch", Category: CatTouch, Access: Writes, parse: parseTouch, expires: true, canon: canon{word: "mg", classic: "touch", fields: hasExptime}, answers: touchAnswers, Denied: lineNotFound},
	{Name: "set", Category: CatStore, Access: Writes, parse: parseStore, expires: true, canon: canon{word: "ms", classic: "set", fields: hasValue}, answers: storeAnswers, Denied: lineNotStored},
	{Name: "add", Category: CatStore, Access: Writes, parse: parseStore, expires: true, canon: canon{word: "ms", flags: " ME", classic: "add", fields: hasValue}, answers: storeAnswers, Denied: lineNotStored},
	{Name: "replace", Category: CatStore, Access: Writes, parse: parseStore, expires: true, canon: canon{word: "ms", flags: " MR", classic: "replace", fields: hasValue}, answers: storeAnswers, Denied: lineNotStored},
	{Name: "append", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", flags: " MA", classic: "append", fields: hasValue}, answers: storeAnswers, Denied: lineNotStored},
	{Name: "prepend", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", flags: " MP", classic: "prepend", fields: hasValue}, answers: storeAnswers, Denied: lineNotStored},
	{Name: "cas", Category: CatStore, Access: Writes, parse: parseStore, expires: true, canon: canon{word: "ms", classic: "cas", fields: hasValue | hasCAS}, answers: casAnswers, Denied: lineNotFound},
	{Name: "delete", Category: CatDelete, Access: Writes, parse: parseDelete, canon: canon{word: "md", classic: "delete"}, answers: deleteAnswers, Denied: lineNotFound},
	{Name: "incr", Category: CatArith, Access: Reads | Writes, parse: parseArith, canon: canon{word: "ma", flags: " v", classic: "incr", fields: hasDelta}, answers: arithAnswers, Denied: lineNotFound},
	{Name: "decr", Category: CatArith, Access: Reads | Writes, parse: parseArith, canon: canon{word: "ma", flags: " v MD", classic: "decr", fields: hasDelta}, answers: arithAnswers, Denied: lineNotFound},
}

var connVerbs = []Verb{
	{Name: "version", Category: CatConn, parse: parseBare},
	{Name: "quit", Category: CatConn, parse: parseBare},
	{Name: "mn", Category: CatConn, parse: parseBare},
}

var statsVerbs = []Verb{
	{Name: "flush_all", Category: CatFlush, parse: parseFlush, grammar: oneLine},
	{Name: "stats", Category: CatStats, grammar: statLines},
	{Name: "stats items", Category: CatStats, args: "items", grammar: statLines},
	{Name: "stats slabs", Category: CatStats, args: "slabs", grammar: statLines},
	{Name: "stats sizes", Category: CatStats, args: "sizes", grammar: statLines},
	{Name: "stats settings", Category: CatStats, args: "settings", grammar: statLines},
	{Name: "stats extstore", Category: CatStats, args: "extstore", grammar: statLines},
	{Name: "stats conns", Grant: "stats:conns", Category: CatStats, Apart: true, args: "conns", grammar: statLines},
	{Name: "stats reset", Grant: "stats:reset", Category: CatStats, Apart: true, args: "reset", grammar: oneLine},
	{Name: "stats cachedump", Grant: "stats:cachedump", Category: CatKeyspace, args: "cachedump # #", parse: parseRefused},
	{Name: "stats detail", Grant: "stats:detail", Category: CatKeyspace, args: "detail on|off|dump", parse: parseRefused},
}

var settingsVerbs = []Verb{
	{Name: "verbosity", Category: CatSettings, args: "#", grammar: oneLine},
	{Name: "cache_memlimit", Category: CatSettings, args: "#", grammar: oneLine},
	{Name: "slabs reassign", Category: CatSettings, args: "reassign - #", grammar: oneLine},
	{Name: "slabs automove", Category: CatSettings, args: "automove #", grammar: oneLine},
	{Name: "slabs automove window", Category: CatSettings, args: "automove ratio|freeratio|window %", grammar: oneLine},
	{Name: "lru mode", Category: CatSettings, args: "mode flat|segmented", grammar: oneLine},
	{Name: "lru tune", Category: CatSettings, args: "tune # # % %", grammar: oneLine},
	{Name: "lru temp_ttl", Category: CatSettings, args: "temp_ttl -", grammar: oneLine},
	{Name: "lru_crawler", Category: CatSettings, args: "enable|disable", grammar: oneLine},
	{Name: "lru_crawler sleep", Category: CatSettings, args: "sleep|tocrawl #", grammar: oneLine},
	{Name: "lru_crawler crawl", Category: CatSettings, args: "crawl @", grammar: oneLine},
	{Name: "extstore", Category: CatSettings, args: "item_size|item_age|low_ttl|recache_rate|compact_under|drop_under|max_sleep|drop_unread|free_memchunks #", grammar: oneLine},
	{Name: "extstore max_frag", Category: CatSettings, args: "max_frag %", grammar: oneLine},
}

// refusedVerbs are understood well enough to be refused: what they do to
// memcached or to other clients can't be made safe by forwarding them.
var refusedVerbs = []Verb{
	{Name: "lru_crawler metadump", Grant: "lru_crawler:metadump", Category: CatKeyspace, args: "metadump @", parse: parseRefused},
	{Name: "lru_crawler mgdump", Grant: "lru_crawler:mgdump", Category: CatKeyspace, args: "mgdump @", parse: parseRefused},
	{Name: "watch", Category: CatKeyspace, parse: parseRefused},
	{Name: "shutdown", Category: CatDanger, parse: parseRefused},
	{Name: "refresh_certs", Category: CatDanger, parse: parseRefused},
	{Name: "misbehave", Category: CatDanger, parse: parseRefused},
	{Name: "debugtime", Category: CatDanger, parse: parseRefused},
	{Name: "debugitem", Category: CatDanger, parse: parseRefused},
	{Name: "bget", Category: CatRead, Access: Reads, parse: parseLoud},
	{Name: "mg", Category: CatRead, Access: Reads, parse: parseLoud},
	{Name: "ms", Category: CatStore, Access: Writes, parse: parseMetaStore, canon: canon{fields: hasValue}},
	{Name: "md", Category: CatDelete, Access: Writes, parse: parseLoud},
	{Name: "ma", Category: CatArith, Access: Reads | Writes, parse: parseLoud},
	{Name: "me", Category: CatKeyspace, Access: Reads, parse: parseLoud},
}

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
		v.word, _, _ = strings.Cut(v.Name, " ")
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
		all[i] = v
	}
	return all
}

func index(rows []*Verb, name func(*Verb) string) map[string][]*Verb {
	m := make(map[string][]*Verb)
	for _, v := range rows {
		m[name(v)] = append(m[name(v)], v)
	}
	return m
}

// Served reports whether the command is ever carried out or answered. One that
// is not is known only so that it is refused well.
func (v *Verb) Served() bool { return v.Route != RouteLocal || v.Category == CatConn }

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

// Local verbs that the relay answers itself, by identity of their row.
var (
	Version = byWord["version"][0]
	Quit    = byWord["quit"][0]
	NoOp    = byWord["mn"][0]
	Set     = byWord["set"][0]
)
