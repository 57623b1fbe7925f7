package probe

import "slices"

// depth is how far a form goes.
type depth uint8

const (
	greet  depth = iota // who is there
	figure              // statistics and settings
	dump                // names of keys
	value               // what a key holds
	harm                // what a stranger must not do; asked with Active only
)

// Sizes of replies that are read, in bytes.
const (
	lineLimit = 512
	dumpLimit = 4 << 10
	listLimit = 64 << 10
)

// form is one way to ask. All of its requests are sent, each on a connection of
// its own, since who refuses may close.
type form struct {
	name   string // as it is told
	depth  depth
	ask    func(k *known) [][]byte // none if there is nothing to ask
	binary bool
	question
	find func(data []byte, t *tally) // counts keys and values; nil if there are none in it
}

// known is what earlier answers told of one place. Nothing of it leaves this
// package.
type known struct {
	classes []string // slab classes with items
	key     string   // one that can be asked for
}

const (
	maxClasses = 64
	perClass   = "10" // keys of each class, as the known tool asks for by default

	// strange is a key that nobody has: what is said of it says whether one would
	// be told of others.
	strange = "slabgate-probe-asks-for-this"
)

// fixed asks the same whatever is known.
func fixed(list [][]byte) func(*known) [][]byte { return func(*known) [][]byte { return list } }

// ofClasses asks once for each slab class that is known, and for one if none is.
func ofClasses(before, after string) func(*known) [][]byte {
	return func(k *known) (list [][]byte) {
		for _, c := range k.orFirst() {
			list = append(list, lines(before+c+after)...)
		}
		return list
	}
}

// inShort asks for the first slab class, in every shortened spelling of a word.
func inShort(before, word, after string) func(*known) [][]byte {
	return func(k *known) [][]byte { return lines(shortened(before, word, " "+k.orFirst()[0]+after)...) }
}

func (k *known) orFirst() []string {
	if len(k.classes) == 0 {
		return []string{"1"}
	}
	return k.classes
}

// ofKey asks about a key that is known, and about one that nobody has if none is.
func ofKey(before, after string) func(*known) [][]byte {
	return func(k *known) [][]byte {
		if k.key == "" {
			return lines(before + strange + after)
		}
		return lines(before + k.key + after)
	}
}

// readKey asks for what a key holds, if one is known.
func readKey(k *known) [][]byte {
	if k.key == "" {
		return nil
	}
	return lines("get " + k.key)
}

func readKeyBinary(k *known) [][]byte {
	if k.key == "" {
		return nil
	}
	return packets(opGet, k.key)
}

var (
	aLine   = question{lineWhole, lineLimit}
	aList   = question{listWhole, listLimit}
	aDump   = question{listWhole, dumpLimit}
	aStream = question{watchWhole, dumpLimit}
	aPacket = question{packetWhole, dumpLimit}
	stats   = question{statWhole, listLimit}
)

// The forms, in the order in which they are asked: a later one asks for what an
// earlier one told. The sequence of the tool of 2010 is stats, stats items, stats
// cachedump for every class, get.
var forms = []form{
	{"version", greet, fixed(lines("version")), false, aLine, nil},
	{"mn", greet, fixed(lines("mn")), false, aLine, nil},
	{"binary NOOP", greet, fixed(packets(opNoop, "")), true, aPacket, nil},
	{"binary VERSION", greet, fixed(packets(opVersion, "")), true, aPacket, nil},
	{"binary SASL LIST MECHS", greet, fixed(packets(opMechs, "")), true, aPacket, nil},

	{"stats", figure, fixed(lines("stats")), false, aList, nil},
	{"stats settings", figure, fixed(lines("stats settings")), false, aList, nil},
	{"stats slabs", figure, fixed(lines("stats slabs")), false, aList, nil},
	{"stats conns", figure, fixed(lines("stats conns")), false, aList, nil},
	{"stats items", figure, fixed(lines("stats items")), false, aList, findItems},
	{"stats items, shortened", figure, fixed(lines(shortened("stats ", "items", "")...)), false, aList, findItems},
	{"binary STAT", figure, fixed(packets(opStat, "")), true, stats, nil},
	{"binary STAT settings", figure, fixed(packets(opStat, "settings")), true, stats, nil},
	{"binary STAT items", figure, fixed(packets(opStat, "items")), true, stats, nil},

	{"stats cachedump", dump, ofClasses("stats cachedump ", " "+perClass), false, aDump, findLines},
	{"stats cachedump, shortened", dump, inShort("stats ", "cachedump", " "+perClass), false, aDump, findLines},
	{"stats detail dump", dump, fixed(lines("stats detail dump")), false, aDump, findLines},
	{"stats detail dump, shortened", dump, fixed(lines(append(shortened("stats ", "detail", " dump"), shortened("stats detail ", "dump", "")...)...)), false, aDump, findLines},
	{"lru_crawler metadump all", dump, fixed(lines("lru_crawler metadump all")), false, aDump, findLines},
	{"lru_crawler metadump hash", dump, fixed(lines("lru_crawler metadump hash")), false, aDump, findLines},
	{"lru_crawler metadump, by class", dump, ofClasses("lru_crawler metadump ", ""), false, aDump, findLines},
	{"lru_crawler mgdump all", dump, fixed(lines("lru_crawler mgdump all")), false, aDump, findLines},
	{"lru_crawler mgdump hash", dump, fixed(lines("lru_crawler mgdump hash")), false, aDump, findLines},
	{"lru_crawler mgdump, by class", dump, ofClasses("lru_crawler mgdump ", ""), false, aDump, findLines},
	{"binary STAT cachedump", dump, fixed(packets(opStat, "cachedump 1 "+perClass)), true, stats, findPackets},
	{"binary STAT detail dump", dump, fixed(packets(opStat, "detail dump")), true, stats, findPackets},
	{"watch", dump, fixed(lines("watch fetchers mutations evictions")), false, aStream, findLines},
	{"me", dump, ofKey("me ", ""), false, aLine, findLines},

	{"get", value, readKey, false, aDump, findLines},
	{"binary GET", value, readKeyBinary, true, aPacket, findValue},

	// A number that no memcached can read: it is refused for that wherever the
	// command is let through, and empties nothing.
	{flushName, harm, fixed(lines("flush_all 99999999999999999999")), false, aLine, nil},
}

const flushName = "flush_all"

// beforeLogin are what memcached answers to everybody, login or not: they show
// that it is there, and not that it serves.
var beforeLogin = []string{"binary VERSION", "binary SASL LIST MECHS"}

// formsTo are the forms from one depth to another.
func formsTo(from, to depth) []form {
	return slices.DeleteFunc(slices.Clone(forms), func(f form) bool { return f.depth < from || f.depth > to })
}
