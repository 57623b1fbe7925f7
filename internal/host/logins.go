package host

import (
	"path"
	"strings"
)

// logins looks at the files of users that a memcached is told of. The names and
// passwords in them are counted and go nowhere.
func (g *gathering) logins(p *Process) (all []Logins) {
	add := func(flag, name string) {
		if !path.IsAbs(name) {
			return
		}
		l := Logins{File: g.look(name, "users of memcached"), Flag: flag}
		text, err := g.source.ReadFile(name)
		if err != nil && l.Error == "" {
			l.Error = whyNot(err)
		}
		l.Users, l.Longest = countLines(string(text))
		all = append(all, l)
	}
	if name, ok := ParseArguments(p.Args).Last('Y'); ok {
		add("-Y", name)
	}
	for _, entry := range p.Environ {
		if name, ok := strings.CutPrefix(entry, "MEMCACHED_SASL_PWDB="); ok {
			add("MEMCACHED_SASL_PWDB", name)
		}
	}
	return all
}

// countLines returns how many lines are not empty, and how long the longest is.
func countLines(text string) (lines, longest int) {
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			lines++
			longest = max(longest, len(line))
		}
	}
	return lines, longest
}
