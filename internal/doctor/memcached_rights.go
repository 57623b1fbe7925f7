package doctor

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// owner is the user of a memcached: of its process, else of the other end of its
// socket, else of the listener at its address.
func (c cache) owner() (uid int, e Evidence, ok bool) {
	if p := c.Process; p != nil && p.StatusOK {
		return p.UID, Evidence{Source: c.proc("status"), Text: fmt.Sprintf("effective Uid %d", p.UID)}, true
	}
	return c.holder()
}

// holder is the user who holds the address, whatever process was taken for it.
func (c cache) holder() (uid int, e Evidence, ok bool) {
	if strings.HasPrefix(c.Address, "unix:") {
		return c.PeerUID, Evidence{Source: c.Address, Text: fmt.Sprintf("peer uid %d", c.PeerUID)}, c.PeerUID >= 0
	}
	if s := c.listener(); s != nil {
		return s.UID, Evidence{Source: s.Source, Line: s.Line, Text: fmt.Sprintf("uid %d listens on %s", s.UID, s.Addr)}, true
	}
	return 0, Evidence{}, false
}

// listener is the TCP listener that answers at its address: that address itself,
// else a listener on every address.
func (c cache) listener() *host.Socket {
	at, err := netip.ParseAddrPort(c.Address)
	if err != nil {
		return nil
	}
	var wide *host.Socket
	for i := range c.facts.Sockets {
		s := &c.facts.Sockets[i]
		switch {
		case s.Network != "tcp" || s.Addr.Port() != at.Port():
		case s.Addr.Addr().Unmap() == at.Addr().Unmap():
			return s
		case s.Addr.Addr().IsUnspecified():
			wide = s
		}
	}
	return wide
}

// accountOf is the account that memcached is meant to have here, or the one that
// Debian gives it.
func accountOf(f *host.Facts) (name string, uid int, exists bool) {
	for _, want := range []string{"memcache", "memcached", "_memcached"} {
		for _, a := range f.Accounts {
			if a.Name == want {
				return a.Name, a.UID, true
			}
		}
	}
	return "memcache", -1, false
}

// userName is a user with the name the machine has for it.
func userName(f *host.Facts, uid int) string {
	for _, a := range f.Accounts {
		if a.UID == uid {
			return fmt.Sprintf("%s (uid %d)", a.Name, uid)
		}
	}
	return fmt.Sprintf("uid %d", uid)
}

func judgeRoot(c cache) []Verdict {
	uid, seen, ok := c.owner()
	if !ok {
		return c.skip("whose process it is cannot be seen: run doctor as root")
	}
	if uid != 0 {
		return c.orPass(nil, "runs as "+userName(c.facts, uid), seen)
	}
	return []Verdict{c.fail("", "runs as root", c.ownUser(), seen)}
}

// ownUser starts memcached as a user of its own, who is made if need be and must
// be able to bind the socket.
func (c cache) ownUser() Fix {
	name, _, exists := accountOf(c.facts)
	var before []string
	if !exists {
		before = append(before, fmt.Sprintf("id %s >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin %s", name, name))
	}
	if path := c.socketPath(); path != "" && !sharedFolder(filepath.Dir(path)) {
		before = append(before, "chown "+name+" "+quote(filepath.Dir(path)))
	}
	fix := c.restart(change{add: []host.Argument{{Letter: 'u', Value: name}}}, before...)
	if c.facts.Place.Scope == "pod" {
		fix.Config = "securityContext: {runAsNonRoot: true, runAsUser: 11211, runAsGroup: 11211}\n"
		fix.Text = "give memcached's container a user of its own; the restart empties the cache"
	}
	return fix
}

// sharedFolder tells whether a folder belongs to more than one program.
func sharedFolder(dir string) bool {
	return slices.Contains([]string{"/", "/tmp", "/var/tmp", "/run", "/var/run", "/dev/shm", "/var"}, dir)
}

// waiters are programs that only start others and wait: sharing memcached's user
// is their purpose.
var waiters = []string{"tini", "dumb-init", "docker-init", "catatonit", "pause"}

func judgeShared(c cache) []Verdict {
	uid, seen, ok := c.owner()
	switch {
	case !ok:
		return c.skip("whose process it is cannot be seen: run doctor as root")
	case uid == 0:
		return c.skip("it runs as root, whom everything of root's shares: see MC-01")
	}
	var others []string
	evidence := []Evidence{seen}
	for i := range c.facts.Processes {
		p := &c.facts.Processes[i]
		if !p.StatusOK || p.UID != uid || p.Comm == "memcached" || c.isProcess(p.PID) || p.PID == c.facts.Self.PID || slices.Contains(waiters, p.Comm) {
			continue
		}
		others = append(others, fmt.Sprintf("%s (pid %d)", p.Comm, p.PID))
		evidence = append(evidence, Evidence{Source: fmt.Sprintf("/proc/%d/status", p.PID), Text: fmt.Sprintf("%s has effective Uid %d", p.Comm, p.UID)})
	}
	if len(others) == 0 {
		return c.orPass(nil, "shares "+userName(c.facts, uid)+" with no other process that is to be seen", seen)
	}
	const most = 5
	text := strings.Join(others[:min(len(others), most)], ", ")
	if more := len(others) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	fix := c.ownUser()
	if name, own, exists := accountOf(c.facts); exists && own == uid {
		fix = Fix{Text: "run " + text + " as another user than " + name + ": nothing else belongs to that account",
			Commands: []string{"ps -o pid,user,args -u " + name}}
	}
	return []Verdict{c.fail("", "shares "+userName(c.facts, uid)+" with "+text, fix, evidence[:min(len(evidence), most+1)]...)}
}

func (c cache) isProcess(pid int) bool { return c.Process != nil && c.Process.PID == pid }

// toggle is something memcached does unless, or only if, an option says so.
type toggle struct {
	part    string // of the subject
	setting string // of stats settings; empty if it does not tell
	off     byte   // option that turns it off
	since   [3]int // version that has that option; zero is every one that has the setting
	doing   string
}

var dumps = []toggle{
	{"flush", "flush_enabled", 'F', [3]int{}, "flush_all"},
	{"dump", "dump_enabled", 'X', [3]int{}, "lists of its keys"},
	{"watch", "", 'W', [3]int{1, 6, 15}, "watch"},
}

func judgeDump(c cache) []Verdict {
	if len(c.Settings) == 0 && !c.commanded() {
		return c.mute()
	}
	var doing []string
	var evidence []Evidence
	var add []host.Argument
	for _, t := range dumps {
		if e, on := c.isOn(t); on {
			doing, evidence, add = append(doing, t.doing), append(evidence, e), append(add, host.Argument{Letter: t.off})
		}
	}
	if len(add) == 0 {
		return c.orPass(nil, "takes no flush_all, dump or watch")
	}
	fix := c.restart(change{add: add})
	if add[0].Letter == 'F' {
		fix.Text += ". Keep flush_all only if a client's policy allows it: then leave out -F and waive this"
	}
	return []Verdict{c.fail("", "offers "+strings.Join(doing, ", "), fix, evidence...)}
}

func (c cache) isOn(t toggle) (Evidence, bool) {
	if value, e, ok := c.told(t.setting); ok && t.setting != "" {
		return e, value == "yes"
	}
	old := t.since != [3]int{} && !c.atLeast(t.since) || t.setting != "" && len(c.Settings) > 0
	if old || !c.commanded() || c.args.Has(t.off) {
		return Evidence{}, false
	}
	return c.argued("no -" + string(rune(t.off))), true
}

func judgeTalk(c cache) []Verdict {
	if len(c.Settings) == 0 && !c.commanded() {
		return c.mute()
	}
	var found []Verdict
	if e, on := c.toldOr("shutdown_command", "yes", 'A', 1); on {
		found = append(found, c.fail("shutdown", "ends when any connection says shutdown", c.restart(change{drop: "A"}), e))
	}
	value, e, ok := c.told("verbosity")
	n, err := strconv.Atoi(value)
	if ok && err == nil && n > 1 || !ok && c.args.Count('v') > 1 {
		if !ok {
			e = c.argued("-" + strings.Repeat("v", c.args.Count('v')))
		}
		found = append(found, c.fail("verbosity", "writes every request, with its key, to its log", c.restart(change{drop: "v"}), e).at(Low))
	}
	if e, on := c.toldOr("detail_enabled", "yes", 'D', 1); on {
		found = append(found, c.fail("detail", "counts requests by key prefix and tells anybody", c.restart(change{drop: "D"}), e).at(Low))
	}
	return c.orPass(found, "takes no shutdown, and is quiet")
}

// toldOr tells whether a setting has a value or, of a memcached that does not tell,
// an option stands there so often.
func (c cache) toldOr(setting, value string, letter byte, count int) (Evidence, bool) {
	if got, e, ok := c.told(setting); ok {
		return e, got == value
	}
	if c.args.Count(letter) < count {
		return Evidence{}, false
	}
	return c.argued("-" + string(rune(letter))), true
}

func judgeProtocol(c cache) []Verdict {
	value, e, ok := c.told("binding_protocol")
	if !ok && c.commanded() {
		value, _ = c.args.Last('B')
		e = c.argued("-B " + value)
		if value == "" || value == "auto" {
			value, e = "auto-negotiate", c.argued("no -B ascii")
		}
		ok = true
	}
	switch {
	case !ok:
		return c.mute()
	case value == "ascii":
		return c.orPass(nil, "speaks the ASCII protocol alone", e)
	}
	ch := change{add: []host.Argument{{Letter: 'B', Value: "ascii"}}}
	if sasl, _, _ := c.told("auth_enabled_sasl"); sasl == "yes" || c.args.Has('S') {
		ch.drop = "S" // SASL is the binary protocol's
	}
	return []Verdict{c.fail("", "also speaks the binary protocol ("+value+")", c.restart(ch), e)}
}

// Limits of memcached's own lists of users.
const (
	mostLogins   = 8
	longestLogin = 255
)

func judgeLogins(c cache) []Verdict {
	if len(c.Logins) == 0 {
		if c.args.Has('Y') || c.args.Has('S') {
			return c.skip("its file of users was not looked at")
		}
		if len(c.Settings) == 0 && !c.commanded() {
			return c.mute()
		}
		return c.orPass(nil, "has no users of its own")
	}
	var found []Verdict
	for i := range c.Logins {
		found = append(found, c.judgeLogin(&c.Logins[i])...)
	}
	return found
}

func (c cache) judgeLogin(l *host.Logins) (found []Verdict) {
	if l.Error != "" {
		return c.skip(l.Path + ": " + l.Error)
	}
	where := Evidence{Source: l.Path, Text: fmt.Sprintf("mode %04o, owner %d:%d", l.Mode, l.UID, l.GID)}
	move := Fix{Text: "let slabgate ask who its clients are, and take " + l.Flag + " away from memcached; then only slabgate may reach it (MC-13)"}
	if l.Mode&0o007 != 0 {
		name, _, _ := accountOf(c.facts)
		fix := Fix{Text: "close the file to others", Commands: []string{"chown " + name + " " + quote(l.Path), "chmod 0600 " + quote(l.Path)}}
		found = append(found, c.fail(l.Path, "has passwords in "+l.Path+" that every user reads", fix, where))
	}
	if l.Flag == "-Y" && l.Users > mostLogins {
		found = append(found, c.fail(l.Path+" users", fmt.Sprintf("has %d users in %s and takes %d at most", l.Users, l.Path, mostLogins), move, where))
	}
	if l.Longest > longestLogin {
		found = append(found, c.fail(l.Path+" length", fmt.Sprintf("has a line of %d bytes in %s and uses %d", l.Longest, l.Path, longestLogin), move, where))
	}
	return c.orPass(found, "keeps its users in "+l.Path+", closed to others", where)
}
