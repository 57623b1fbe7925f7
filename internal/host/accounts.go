package host

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
)

// closed are the programs that stand for a shell where nobody is to log in.
var closed = []string{"nologin", "false", "true", "sync", "halt", "shutdown", "git-shell"}

func (g *gathering) gatherAccounts(context.Context) {
	for line := range strings.Lines(g.read("/etc/passwd")) {
		if a, ok := parseAccount(line); ok {
			g.facts.Accounts = append(g.facts.Accounts, a)
		}
	}
}

// parseAccount reads a line of /etc/passwd. An empty shell is /bin/sh.
func parseAccount(line string) (a Account, ok bool) {
	parts := strings.Split(strings.TrimRight(line, "\n"), ":")
	if len(parts) != 7 || parts[0] == "" || parts[0][0] == '#' {
		return a, false
	}
	uid, err := strconv.ParseUint(parts[2], 10, 32)
	a = Account{Name: parts[0], UID: int(uid), Shell: parts[6]}
	a.Login = !slices.Contains(closed, path.Base(a.Shell))
	return a, err == nil
}

func (g *gathering) gatherClock(context.Context) {
	clock, err := g.source.Clock()
	if err != nil {
		g.unseen("the clock", err)
		return
	}
	g.facts.Clock = clock
}
