package host

import (
	"slices"
	"strings"
)

// Argument is one option of memcached's command line.
type Argument struct {
	Letter byte   // of its short form: l
	Value  string // empty if the option takes none
}

// Arguments are the options of memcached's command line, in their order.
type Arguments []Argument

// argument is what getopt needs to know of an option.
type argument struct {
	letter byte
	long   string
	value  bool // another word, or the rest of this one, belongs to it
}

// argumentTable has the options of memcached, of every version.
var argumentTable = []argument{
	{'a', "unix-mask", true}, {'A', "enable-shutdown", false}, {'b', "listen-backlog", true}, {'B', "protocol", true},
	{'c', "conn-limit", true}, {'C', "disable-cas", false}, {'d', "daemon", false}, {'D', "", true},
	{'e', "memory-file", true}, {'f', "slab-growth-factor", true}, {'F', "disable-flush-all", false}, {'h', "help", false},
	{'i', "license", false}, {'I', "max-item-size", true}, {'k', "lock-memory", false}, {'l', "listen", true},
	{'L', "enable-largepages", false}, {'m', "memory-limit", true}, {'M', "disable-evictions", false}, {'n', "slab-min-size", true},
	{'N', "napi_ids", true}, {'o', "extended", true}, {'p', "port", true}, {'P', "pidfile", true}, {'r', "enable-coredumps", false},
	{'R', "max-reqs-per-event", true}, {'s', "unix-socket", true}, {'S', "enable-sasl", false}, {'t', "threads", true},
	{'u', "user", true}, {'U', "udp-port", true}, {'v', "verbose", false}, {'V', "version", false}, {'W', "disable-watch", false},
	{'X', "disable-dumping", false}, {'Y', "auth-file", true}, {'Z', "enable-ssl", false},
}

// ParseArguments reads the command line of a memcached, its name included, as
// getopt_long does: short options may stand together, long ones may be shortened,
// and a word that is no option is passed over, as is an option nobody knows.
func ParseArguments(argv []string) (list Arguments) {
	if len(argv) == 0 {
		return nil
	}
	for rest := argv[1:]; len(rest) > 0; {
		word := rest[0]
		rest = rest[1:]
		if word == "--" {
			break
		}
		if long, ok := strings.CutPrefix(word, "--"); ok {
			rest = list.takeLong(long, rest)
		} else if letters, ok := strings.CutPrefix(word, "-"); ok {
			rest = list.takeShort(letters, rest)
		}
	}
	return list
}

// takeLong adds --name, --name=value or --name and the next word, and returns
// the words that are left.
func (list *Arguments) takeLong(word string, rest []string) []string {
	name, value, has := strings.Cut(word, "=")
	a, ok := longArgument(name)
	switch {
	case !ok:
		return rest
	case !a.value:
		*list = append(*list, Argument{Letter: a.letter})
		return rest
	case has:
		*list = append(*list, Argument{a.letter, value})
		return rest
	default:
		return list.takeNext(a.letter, rest)
	}
}

// takeShort adds the options of a word such as vvm64.
func (list *Arguments) takeShort(letters string, rest []string) []string {
	for i := range len(letters) {
		at := slices.IndexFunc(argumentTable, func(a argument) bool { return a.letter == letters[i] })
		switch {
		case at < 0:
		case !argumentTable[at].value:
			*list = append(*list, Argument{Letter: letters[i]})
		case i+1 < len(letters):
			*list = append(*list, Argument{letters[i], letters[i+1:]})
			return rest
		default:
			return list.takeNext(letters[i], rest)
		}
	}
	return rest
}

// takeNext adds an option whose value is the next word. Without one memcached
// does not start, so there is nothing to add.
func (list *Arguments) takeNext(letter byte, rest []string) []string {
	if len(rest) == 0 {
		return nil
	}
	*list = append(*list, Argument{letter, rest[0]})
	return rest[1:]
}

// longArgument is the option with a name, or the only one that begins with it.
func longArgument(name string) (found argument, ok bool) {
	for _, a := range argumentTable {
		switch {
		case name == "" || a.long == "" || !strings.HasPrefix(a.long, name):
		case a.long == name:
			return a, true
		case ok:
			return argument{}, false
		default:
			found, ok = a, true
		}
	}
	return found, ok
}

// Has tells whether an option stands there at all.
func (list Arguments) Has(letter byte) bool {
	return slices.ContainsFunc(list, func(a Argument) bool { return a.Letter == letter })
}

// Last is the value of an option that counts: of several, the last.
func (list Arguments) Last(letter byte) (value string, ok bool) {
	for _, a := range list {
		if a.Letter == letter {
			value, ok = a.Value, true
		}
	}
	return value, ok
}

// Count is how often an option stands there, as in -vv.
func (list Arguments) Count(letter byte) (n int) {
	for _, a := range list {
		if a.Letter == letter {
			n++
		}
	}
	return n
}

// Listen are the addresses of all options -l, each as it is written.
func (list Arguments) Listen() (all []string) {
	for _, a := range list {
		if a.Letter == 'l' {
			all = append(all, strings.FieldsFunc(a.Value, func(r rune) bool { return r == ',' || r == ';' })...)
		}
	}
	return all
}

// Extended is the value of a part of the options -o, such as idle_timeout.
func (list Arguments) Extended(name string) (value string, ok bool) {
	for _, a := range list {
		if a.Letter != 'o' {
			continue
		}
		for _, part := range strings.Split(a.Value, ",") {
			if n, v, _ := strings.Cut(part, "="); n == name {
				value, ok = v, true
			}
		}
	}
	return value, ok
}

// Without is the list without some options.
func (list Arguments) Without(letters string) (left Arguments) {
	for _, a := range list {
		if strings.IndexByte(letters, a.Letter) < 0 {
			left = append(left, a)
		}
	}
	return left
}

// Words writes the options as a command line without a name: -l 127.0.0.1 -F.
func (list Arguments) Words() (words []string) {
	for _, a := range list {
		words = append(words, "-"+string(rune(a.Letter)))
		if TakesValue(a.Letter) {
			words = append(words, a.Value)
		}
	}
	return words
}

// TakesValue tells whether a value belongs to an option.
func TakesValue(letter byte) bool {
	return slices.ContainsFunc(argumentTable, func(a argument) bool { return a.letter == letter && a.value })
}

// LongName is the long form of an option without its dashes; empty if it has none.
func LongName(letter byte) string {
	for _, a := range argumentTable {
		if a.letter == letter {
			return a.long
		}
	}
	return ""
}
