package doctor

import (
	"slices"
	"strconv"
	"strings"
)

// chain is a chain of firewall rules, of nft or iptables.
type chain struct {
	source, family, table, name string
	hook                        string // input, prerouting ...; empty if only other chains lead to it
	policy                      string // accept or drop; empty without a hook
	line                        int
	rules                       []rule
}

// rule is one rule in the words of its tool.
type rule struct {
	text string
	line int
}

// Names of the listings as evidence.
const (
	nftSource      = "nft list ruleset"
	iptablesSource = "iptables-save"
)

// parseNFT reads what nft list ruleset prints: of each table its chains, of each
// chain its hook, policy and rules.
func parseNFT(text string) (chains []chain) {
	var family, table string
	inside := false
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "table" && len(words) >= 3:
			family, table, inside = words[1], words[2], false
		case !inside && words[0] == "chain" && len(words) >= 2:
			chains = append(chains, chain{source: nftSource, family: family, table: table, name: words[1], line: number})
			inside = true
		case !inside:
		case words[0] == "}":
			inside = false
		case words[0] == "type" && slices.Contains(words, "hook"):
			chains[len(chains)-1].base(words)
		default:
			c := &chains[len(chains)-1]
			c.rules = append(c.rules, rule{strings.Join(words, " "), number})
		}
	}
	return chains
}

// base reads type filter hook input priority filter; policy drop;
func (c *chain) base(words []string) {
	c.policy = "accept"
	for i, w := range words[:len(words)-1] {
		switch w {
		case "hook":
			c.hook = words[i+1]
		case "policy":
			c.policy = strings.TrimSuffix(words[i+1], ";")
		}
	}
}

// parseIptables reads what iptables-save prints.
func parseIptables(text string) (chains []chain) {
	table := ""
	at := map[string]int{} // of the table
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "COMMIT":
		case words[0][0] == '*':
			table, at = words[0][1:], map[string]int{}
		case words[0][0] == ':' && len(words) >= 2:
			c := chain{source: iptablesSource, family: "ip", table: table, name: words[0][1:], line: number}
			if words[1] != "-" {
				c.hook, c.policy = strings.ToLower(c.name), strings.ToLower(words[1])
			}
			at[c.name] = len(chains)
			chains = append(chains, c)
		case words[0] == "-A" && len(words) >= 2:
			if i, ok := at[words[1]]; ok {
				chains[i].rules = append(chains[i].rules, rule{strings.Join(words[2:], " "), number})
			}
		}
	}
	return chains
}

// outcome is what a rule or chain does with a connection from another host: open,
// closed, or undecided.
type outcome int

const (
	undecided outcome = iota
	opened
	closed
)

var outcomes = map[string]outcome{"accept": opened, "drop": closed, "reject": closed}

// Bounds of how chains are followed: kernels allow 16 jumps one after the other, and
// chains that lead to each other in many ways are given up as undecided.
const (
	mostDepth = 16
	mostSteps = 1 << 16
)

// ruleset are the chains of both tools.
type ruleset []chain

// filtered tells whether a connection from another host to a port is dropped: one
// chain that drops is enough. covers are the families that see the connection.
func (r ruleset) filtered(network string, port uint16, families ...string) bool {
	steps := mostSteps
	for i := range r {
		c := &r[i]
		if c.hook != "input" || !slices.Contains(families, c.family) {
			continue
		}
		o := r.walk(c, mark{network, port, &steps}, 0)
		if o == undecided {
			o = outcomes[c.policy]
		}
		if o == closed {
			return true
		}
	}
	return false
}

// mark is a port that packets are for.
type mark struct {
	network string
	port    uint16
	steps   *int // rules that may still be looked at
}

// walk is what a chain decides about packets for a port, whoever sends them. A rule
// that looks at more than that is passed over.
func (r ruleset) walk(c *chain, m mark, depth int) outcome {
	for _, rule := range c.rules {
		if *m.steps--; *m.steps < 0 {
			return undecided
		}
		verdict, target, ok := rule.judge(m)
		if !ok {
			continue
		}
		if o := outcomes[verdict]; o != undecided {
			return o
		}
		if verdict == "return" {
			return undecided
		}
		next := r.find(c, target)
		if next == nil || depth >= mostDepth {
			continue
		}
		if o := r.walk(next, m, depth+1); o != undecided {
			return o
		}
		if verdict == "goto" {
			return undecided
		}
	}
	return undecided
}

// find is the chain of a name in the table of another.
func (r ruleset) find(like *chain, name string) *chain {
	for i := range r {
		if c := &r[i]; c.name == name && c.source == like.source && c.family == like.family && c.table == like.table {
			return c
		}
	}
	return nil
}

// judge reads a rule: its verdict, and the chain it leads to, if it is about every
// packet for the port.
func (r rule) judge(m mark) (verdict, target string, ok bool) {
	words := strings.Fields(r.text)
	for len(words) > 0 {
		if verdict, target, ok = verdictOf(words); ok {
			return verdict, target, true
		}
		n := m.accepts(words)
		if n == 0 {
			return "", "", false
		}
		words = words[min(n, len(words)):]
	}
	return "", "", false
}

// verdictOf reads the verdict that words begin with.
func verdictOf(words []string) (verdict, target string, ok bool) {
	switch first := words[0]; first {
	case "accept", "drop", "reject", "return":
		return first, "", true
	case "jump", "goto", "-j", "-g":
		if len(words) < 2 {
			return "", "", false
		}
		low := strings.ToLower(words[1])
		if outcomes[low] != undecided || low == "return" {
			return low, "", true
		}
		return map[string]string{"jump": "jump", "goto": "goto", "-j": "jump", "-g": "goto"}[first], words[1], true
	}
	return "", "", false
}

// always are matches, with the words that follow, which every first packet from
// another host to any port fulfils, and statements that decide nothing.
var always = []string{
	"ct state new", "ct state invalid,new", "ct state new,untracked", "iif != \"lo\"", "iifname != \"lo\"", "ip daddr != 127.0.0.0/8", "ip6 daddr != ::1",
	"! -i lo", "! -d 127.0.0.0/8", "-m tcp", "-m udp", "-m multiport", "-m state", "-m conntrack", "-m comment", "--state NEW", "--ctstate NEW",
}

// accepts is how many words of a match are about nothing but the port, and let it
// pass: 0 if the match is about more, or about another port.
func (m mark) accepts(words []string) int {
	text := strings.Join(words[:min(len(words), 4)], " ") + " "
	for _, a := range always {
		if strings.HasPrefix(text, a+" ") {
			return len(strings.Fields(a))
		}
	}
	second := ""
	if len(words) > 1 {
		second = words[1]
	}
	switch words[0] {
	case "counter":
		if second == "packets" {
			return 5
		}
		if second == "name" {
			return 3
		}
		return 1
	case "comment", "--comment":
		return 1 + quotedWords(words[1:])
	case "tcp", "udp", "th":
		return m.port3(words)
	case "-p":
		return lengthIf(second == m.network || second == "all", 2)
	case "--dport", "--dports":
		return lengthIf(m.in(strings.Split(second, ","), ":"), 2)
	case "meta", "ip", "ip6":
		if len(words) > 2 && (second == "l4proto" || second == "protocol" || second == "nexthdr") {
			return lengthIf(words[2] == m.network, 3)
		}
	}
	return 0
}

func lengthIf(ok bool, n int) int {
	if ok {
		return n
	}
	return 0
}

// quotedWords is how many words a quoted text takes.
func quotedWords(words []string) int {
	for i, w := range words {
		if i == 0 && !strings.HasPrefix(w, `"`) {
			return 1
		}
		if strings.HasSuffix(w, `"`) && (i > 0 || len(w) > 1) {
			return i + 1
		}
	}
	return len(words)
}

// port3 reads tcp dport 11211, also with a range or a set.
func (m mark) port3(words []string) int {
	if words[0] != m.network && words[0] != "th" || len(words) < 3 || words[1] != "dport" {
		return 0
	}
	if words[2] != "{" {
		return lengthIf(m.in([]string{words[2]}, "-"), 3)
	}
	end := slices.Index(words, "}")
	if end < 0 {
		return 0
	}
	var parts []string
	for _, w := range words[3:end] {
		parts = append(parts, strings.TrimSuffix(w, ","))
	}
	return lengthIf(m.in(parts, "-"), end+1)
}

// in tells whether the port is one of a list of numbers and ranges.
func (m mark) in(parts []string, dash string) bool {
	return slices.ContainsFunc(parts, func(part string) bool {
		from, to, isRange := strings.Cut(part, dash)
		if !isRange {
			to = from
		}
		low, err1 := strconv.ParseUint(from, 10, 16)
		high, err2 := strconv.ParseUint(to, 10, 16)
		return err1 == nil && err2 == nil && uint64(m.port) >= low && uint64(m.port) <= high
	})
}
