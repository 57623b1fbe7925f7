package testkit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of a canonical request, in bytes.
const (
	maxKey     = 250
	maxLine    = 2048     // a line with its terminator
	maxGetLine = 64 << 10 // the same for get, gets, gat and gats
	maxOpaque  = 31       // what follows the O flag
)

// fakeRequest is one canonical request as the fake understood it.
type fakeRequest struct {
	command *fakeCommand
	verb    string
	args    []string // the tokens after the verb, flags not included
	flags   []metaFlag
	body    []byte // value of a storage command, without its terminator
	line    string // as received, without its terminator
	echo    string // what flag k gives back, which no request to a fake has
}

// metaFlag is one flag of a meta command: a letter and the token glued to it.
type metaFlag struct {
	letter byte
	token  string
}

// fakeCommand is one row of the command table.
type fakeCommand struct {
	args  []string // what each argument must be: a name in argKinds, "name+" for one or more, "name?" for at most one
	flags string   // letters of the meta flags it takes; "" if it is not a meta command
	mute  string   // letters of those that mean nothing to it
	body  int      // which argument is the length of the data block; 0 for none
	run   func(*fakeStore, *fakeRequest) string
}

// commands is everything a proxy may send to a memcached of a version. What has
// no row is a violation, and so are noreply, quit, and the meta flags b, k and
// q. A flag that the version takes and pays no heed to is none.
func commands(version string) map[string]*fakeCommand {
	table := allCommands()
	for _, since := range additions {
		if atLeast(version, since.version) {
			continue
		}
		for _, verb := range strings.Fields(since.verbs) {
			since.takeFrom(table, verb)
		}
	}
	return table
}

// addition is what a version of memcached has brought.
type addition struct {
	version string
	verbs   string // commands, with spaces between them
	flags   string // letters of flags; "" for the commands themselves
	mute    bool   // versions before take the flags, and pay no heed to them
}

// additions are those that matter to a proxy. Newest first, so that whole
// commands go last.
var additions = []addition{
	{version: "1.6.40", verbs: "mg", flags: "C", mute: true},
	{version: "1.6.27", verbs: "mg ms md ma", flags: "Ex"},
	{version: "1.6.20", verbs: "ms", flags: "Ns", mute: true},
	{version: "1.6.18", verbs: "mg ms md ma me mn"},
}

// takeFrom makes a command of table what it was before the addition.
func (a addition) takeFrom(table map[string]*fakeCommand, verb string) {
	switch command := table[verb]; {
	case a.flags == "":
		delete(table, verb)
	case a.mute:
		command.mute += a.flags
	default:
		command.flags = without(command.flags, a.flags)
	}
}

// without returns s without the letters in drop.
func without(s, drop string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(drop, r) {
			return -1
		}
		return r
	}, s)
}

// atLeast compares two versions of three numbers.
func atLeast(version, least string) bool {
	a, b := strings.Split(version, "."), strings.Split(least, ".")
	for i := range min(len(a), len(b)) {
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x > y
		}
	}
	return len(a) >= len(b)
}

// allCommands is the newest memcached's table.
func allCommands() map[string]*fakeCommand {
	store := []string{"key", "u32", "exp", "len"}
	return map[string]*fakeCommand{
		"get":       {args: []string{"key+"}, run: runGet},
		"gets":      {args: []string{"key+"}, run: runGet},
		"gat":       {args: []string{"exp", "key+"}, run: runGat},
		"gats":      {args: []string{"exp", "key+"}, run: runGat},
		"set":       {args: store, body: 3, run: runStore},
		"add":       {args: store, body: 3, run: runStore},
		"replace":   {args: store, body: 3, run: runStore},
		"append":    {args: store, body: 3, run: runStore},
		"prepend":   {args: store, body: 3, run: runStore},
		"cas":       {args: append(store[:4:4], "u64"), body: 3, run: runStore},
		"delete":    {args: []string{"key"}, run: runDelete},
		"incr":      {args: []string{"key", "u64"}, run: runDelta},
		"decr":      {args: []string{"key", "u64"}, run: runDelta},
		"touch":     {args: []string{"key", "exp"}, run: runTouch},
		"mg":        {args: []string{"key"}, flags: "CENORTcfhlstuv", run: runMetaGet},
		"ms":        {args: []string{"key", "len"}, flags: "CEFIMNOTcs", body: 1, run: runMetaSet},
		"md":        {args: []string{"key"}, flags: "CEFIOTx", run: runMetaDelete},
		"ma":        {args: []string{"key"}, flags: "CDEJMNOTctv", run: runMetaArith},
		"me":        {args: []string{"key"}, run: runMetaDebug},
		"mn":        {run: func(*fakeStore, *fakeRequest) string { return "MN\r\n" }},
		"version":   {run: func(s *fakeStore, _ *fakeRequest) string { return "VERSION " + s.version + "\r\n" }},
		"stats":     {args: []string{"settings"}, run: runStats},
		"flush_all": {args: []string{"exp?"}, run: runFlush},
	}
}

// argKinds says what an argument must look like to be canonical.
var argKinds = map[string]func(string) bool{
	"key":      isKey,
	"u32":      func(s string) bool { return isUint(s, 32) },
	"u64":      func(s string) bool { return isUint(s, 64) },
	"exp":      isExp,
	"len":      func(s string) bool { return isUint(s, 31) },
	"settings": func(s string) bool { return s == "settings" },
}

// flagKinds says what must follow a flag's letter. A letter without a row has
// no token.
var flagKinds = map[byte]func(string) bool{
	'C': argKinds["u64"], 'D': argKinds["u64"], 'E': argKinds["u64"], 'J': argKinds["u64"],
	'F': argKinds["u32"],
	'N': isExp, 'R': isExp, 'T': isExp,
	'M': func(s string) bool { return len(s) == 1 },
	'O': func(s string) bool { return s != "" && len(s) <= maxOpaque },
}

// modes says which M tokens a meta command takes.
var modes = map[string]string{"ms": "EAPRS", "ma": "ID"}

func isKey(s string) bool {
	if s == "" || len(s) > maxKey {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) < 0
}

func isUint(s string, bits int) bool {
	n, err := strconv.ParseUint(s, 10, bits)
	return err == nil && strconv.FormatUint(n, 10) == s
}

func isExp(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// parseLine reads one line without its terminator. The error says why the line
// is not canonical.
func parseLine(table map[string]*fakeCommand, line string) (*fakeRequest, error) {
	tokens := strings.Split(line, " ")
	req := &fakeRequest{verb: tokens[0], line: line, command: table[tokens[0]]}
	if req.command == nil {
		return nil, fmt.Errorf("%.64q is no command for a proxy to send", tokens[0])
	}
	if limit := lineLimit(tokens[0]); len(line)+2 > limit {
		return nil, fmt.Errorf("line of %d bytes is longer than %d", len(line)+2, limit)
	}
	rest, err := req.takeArgs(tokens[1:])
	if err != nil {
		return nil, err
	}
	return req, req.takeFlags(rest)
}

func lineLimit(verb string) int {
	if strings.HasPrefix(verb, "get") || strings.HasPrefix(verb, "gat") {
		return maxGetLine
	}
	return maxLine
}

// takeArgs checks tokens against the command's arguments and returns the ones
// that are left.
func (r *fakeRequest) takeArgs(tokens []string) ([]string, error) {
	for _, spec := range r.command.args {
		kind := strings.TrimRight(spec, "+?")
		n := 1
		switch {
		case strings.HasSuffix(spec, "+"):
			n = max(1, len(tokens))
		case strings.HasSuffix(spec, "?"):
			n = min(1, len(tokens))
		}
		if len(tokens) < n {
			return nil, fmt.Errorf("%s lacks its %s", r.verb, kind)
		}
		for _, tok := range tokens[:n] {
			if !argKinds[kind](tok) {
				return nil, fmt.Errorf("%s: %.64q is no canonical %s", r.verb, tok, kind)
			}
		}
		r.args, tokens = append(r.args, tokens[:n]...), tokens[n:]
	}
	return tokens, nil
}

// takeFlags reads what follows the arguments, which only meta commands have.
func (r *fakeRequest) takeFlags(tokens []string) error {
	for _, tok := range tokens {
		if r.command.flags == "" || tok == "" {
			return fmt.Errorf("%s: %.64q after its last argument", r.verb, tok)
		}
		f := metaFlag{tok[0], tok[1:]}
		if !strings.Contains(r.command.flags, tok[:1]) {
			return fmt.Errorf("%s: flag %q is not canonical", r.verb, tok[:1])
		}
		if _, twice := r.flag(f.letter); twice {
			return fmt.Errorf("%s: flag %q stands twice", r.verb, tok[:1])
		}
		if !f.valid(r.verb) {
			return fmt.Errorf("%s: flag %.64q is not canonical", r.verb, tok)
		}
		r.flags = append(r.flags, f)
	}
	r.flags = slices.DeleteFunc(r.flags, r.command.ignores)
	return nil
}

// ignores reports whether a flag means nothing to the command.
func (c *fakeCommand) ignores(f metaFlag) bool { return strings.IndexByte(c.mute, f.letter) >= 0 }

func (f metaFlag) valid(verb string) bool {
	kind := flagKinds[f.letter]
	if kind == nil {
		return f.token == ""
	}
	if f.letter == 'M' && !strings.Contains(modes[verb], f.token) {
		return false
	}
	return kind(f.token) && (f.token == "" || isKey(f.token))
}

// flag returns the token of a flag and whether the request has it.
func (r *fakeRequest) flag(letter byte) (string, bool) {
	for _, f := range r.flags {
		if f.letter == letter {
			return f.token, true
		}
	}
	return "", false
}

// number returns the number a flag carries, or otherwise. Its form has been
// checked by the grammar.
func (r *fakeRequest) number(letter byte, otherwise uint64) uint64 {
	tok, ok := r.flag(letter)
	if !ok {
		return otherwise
	}
	n, _ := strconv.ParseUint(tok, 10, 64)
	return n
}

// exp returns the expiry a flag carries, or 0.
func (r *fakeRequest) exp(letter byte) int64 {
	tok, _ := r.flag(letter)
	return seconds(tok)
}

// seconds reads an expiry whose form the grammar has checked.
func seconds(tok string) int64 {
	n, _ := strconv.ParseInt(tok, 10, 32)
	return n
}
