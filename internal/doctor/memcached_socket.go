package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// judgeSocket looks at who may reach a unix socket, who may put another in its
// place, and whether the user behind the address is the one that is expected.
func judgeSocket(c cache) []Verdict {
	found := c.judgePeer()
	path := c.socketPath()
	if path == "" {
		return c.orPass(found, "has no unix socket; who reaches its port, MC-13 tells")
	}
	file := fileAt(c.facts, path)
	switch {
	case file == nil || file.Error != "":
		why := "its socket " + path + " was not looked at"
		if file != nil {
			why = path + ": " + file.Error
		}
		return append(found, c.skip(why)...)
	case file.Kind != "socket":
		return append(found, c.fail("", "should listen on "+path+", which is a "+file.Kind, Fix{
			Text: "find out who put it there, remove it and restart memcached", Commands: []string{"ls -l " + quote(path)}}, fileEvidence(file)))
	}
	if want, known := c.expected(); known && len(found) == 0 && file.UID != want {
		found = append(found, c.held("owner", file.UID, want, fileEvidence(file)))
	}
	found = append(found, c.judgeMode(file)...)
	found = append(found, c.judgeFolders(path)...)
	return c.orPass(found, "listens on a socket that others cannot reach or replace", fileEvidence(file))
}

func fileAt(f *host.Facts, path string) *host.File {
	at := slices.IndexFunc(f.Files, func(x host.File) bool { return x.Path == path })
	if at < 0 {
		return nil
	}
	return &f.Files[at]
}

func fileEvidence(f *host.File) Evidence {
	return Evidence{Source: f.Path, Text: fmt.Sprintf("mode %04o, owner %d:%d", f.Mode, f.UID, f.GID)}
}

// folders are those above a path, the nearest first.
func folders(path string) (list []string) {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		list = append(list, dir)
		if dir == "/" || dir == "." {
			return list
		}
	}
}

// closedTo tells whether a folder on the way keeps others out. One that was not
// looked at does not.
func closedTo(f *host.Facts, path string) bool {
	return slices.ContainsFunc(folders(path), func(dir string) bool {
		file := fileAt(f, dir)
		return file != nil && file.Error == "" && file.Mode&0o001 == 0
	})
}

func (c cache) judgeMode(file *host.File) []Verdict {
	if file.Mode&0o007 == 0 {
		return nil
	}
	fix := c.closeSocket(file.Path, file.Mode)
	text := fmt.Sprintf("has a socket of mode %04o", file.Mode)
	if file.Mode&0o002 != 0 && !closedTo(c.facts, file.Path) {
		return []Verdict{c.fail("mode", text+": every user of this machine reaches it without slabgate", fix, fileEvidence(file))}
	}
	v := c.fail("mode", text+", which a folder or a missing write permission alone keeps from others", fix, fileEvidence(file)).at(Low)
	v.Status = Warn
	return []Verdict{v}
}

// closeSocket takes others' permissions from a socket of a mode, now and for later
// starts; no restart is needed.
func (c cache) closeSocket(path string, mode uint32) Fix {
	fix := c.restart(change{add: []host.Argument{{Letter: 'a', Value: fmt.Sprintf("%04o", mode&0o770)}}})
	fix.Text = "close the socket to others now, leave its group to memcached and slabgate, and give memcached -a so that it stays so"
	now := "chmod o= " + quote(path)
	if len(fix.Commands) > 0 {
		fix.Commands = fix.Commands[:len(fix.Commands)-1] // without the restart
	}
	fix.Commands = append([]string{now}, fix.Commands...)
	return fix
}

// judgeFolders looks for a folder in which others can put another socket in place
// of memcached's: at any time or, with a sticky bit, once memcached is down.
func (c cache) judgeFolders(path string) (found []Verdict) {
	for i, dir := range folders(path) {
		file := fileAt(c.facts, dir)
		if file == nil || file.Error != "" {
			continue
		}
		open, sticky := file.Mode&0o002 != 0, file.Mode&0o1000 != 0
		switch {
		case open && !sticky:
			fix := Fix{Text: "take the folder's write permission from others", Commands: []string{"chmod o-w " + quote(dir)}}
			found = append(found, c.fail("folder "+dir, "has its socket below "+dir+", where every user may put another in its place", fix, fileEvidence(file)))
		case open && i == 0:
			v := c.fail("folder "+dir, "has its socket in "+dir+", where every user may put another once memcached is down", c.toSocket(), fileEvidence(file)).at(High)
			found = append(found, v)
		case !open && !c.mayOwn(file.UID):
			fix := Fix{Text: "give the folder to root", Commands: []string{"chown root " + quote(dir)}}
			found = append(found, c.fail("folder "+dir, "has its socket below "+dir+" of "+userName(c.facts, file.UID)+", who may put another in its place", fix, fileEvidence(file)).at(High))
		}
	}
	return found
}

// mayOwn tells whether a user may own the folders above the socket: root, memcached
// and slabgate are trusted with the cache anyway.
func (c cache) mayOwn(uid int) bool {
	own, _, ok := c.owner()
	if uid == 0 || ok && uid == own {
		return true
	}
	return slices.Contains(guards(c.facts), uid)
}

// guards are the users that slabgate runs as here: of its account, of whoever
// holds the ports of its configuration, and of this process if it serves. What a
// process calls itself proves nothing.
func guards(f *host.Facts) (uids []int) {
	for _, a := range f.Accounts {
		if a.Name == "slabgate" {
			uids = append(uids, a.UID)
		}
	}
	if isGuard(&f.Self) {
		uids = append(uids, f.Self.UID)
	}
	if f.Subject == nil {
		return uids
	}
	for _, l := range f.Subject.Listeners {
		_, port, err := net.SplitHostPort(l.Address)
		for i := range f.Sockets {
			s := &f.Sockets[i]
			if err == nil && s.Network == "tcp" && strconv.Itoa(int(s.Addr.Port())) == port {
				uids = append(uids, s.UID)
			}
		}
	}
	return uids
}

// isGuard tells whether a process serves as slabgate, and is not one of its other
// commands.
func isGuard(p *host.Process) bool {
	return p.IsSlabgate() && slices.Contains(p.Args[1:], "run")
}

// expected is the user who should hold its address: the one that slabgate is told
// to expect, else the one of its process.
func (c cache) expected() (uid int, ok bool) {
	switch {
	case c.isUpstream() && c.facts.Subject.ExpectUID >= 0:
		return c.facts.Subject.ExpectUID, true
	case c.Process != nil && c.Process.StatusOK && strings.HasPrefix(c.Address, "unix:"):
		return c.Process.UID, true
	default:
		return 0, false
	}
}

// judgePeer compares who holds the address with who should.
func (c cache) judgePeer() []Verdict {
	want, known := c.expected()
	uid, seen, ok := c.holder()
	if !known || !ok || uid == want {
		return nil
	}
	return []Verdict{c.held("peer", uid, want, seen)}
}

// held is the finding that another user is behind its address.
func (c cache) held(part string, uid, want int, seen Evidence) Verdict {
	fix := Fix{
		Text: "stop whoever holds " + c.Address + ", then start memcached; take what clients stored and read in the meantime as known to " + userName(c.facts, uid),
	}
	fix.Commands = c.evict()
	return c.fail(part, fmt.Sprintf("is held by %s, and not by %s", userName(c.facts, uid), userName(c.facts, want)), fix, seen)
}

// judgeBypass tells from what this very user was answered.
func judgeBypass(f *host.Facts) []Verdict {
	var tried []host.Answer
	for _, a := range f.Answers {
		if local(a.Address) {
			tried = append(tried, a)
		}
	}
	if len(tried) == 0 {
		return skip("no address of memcached was tried")
	}
	switch me := tried[0].UID; {
	case me == 0:
		return skip("root reaches everything: run it as another user too, such as runuser -u nobody -- slabgate doctor")
	case slices.Contains(guards(f), me):
		return skip("slabgate itself runs as this user and must reach memcached: run it as another user too")
	}
	var found []Verdict
	for _, a := range tried {
		if a.Version != "" {
			found = append(found, bypassed(f, a))
		}
	}
	return orPass(found, fmt.Sprintf("%s was refused everywhere memcached listens", userName(f, tried[0].UID)), Evidence{Source: tried[0].Address, Text: tried[0].Error})
}

// local tells whether an address is a socket or on loopback; of others NET-03 tells.
func local(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	at, err := netip.ParseAddrPort(strings.TrimPrefix(address, "udp:"))
	return err == nil && at.Addr().IsLoopback()
}

func bypassed(f *host.Facts, a host.Answer) Verdict {
	c := cacheAt(f, a.Address)
	fix := c.toSocket()
	if path, unix := strings.CutPrefix(a.Address, "unix:"); unix {
		fix = c.closeSocket(path, 0o770)
	}
	v := fail("memcached "+a.Address, fmt.Sprintf("%s talks to memcached %s at %s without slabgate", userName(f, a.UID), a.Version, a.Address), fix,
		Evidence{Source: a.Address, Text: fmt.Sprintf("VERSION %s, asked by uid %d", a.Version, a.UID)})
	v.Evidence = append(v.Evidence, triedItem(f, a.Address)...)
	if f.Place.Scope == "pod" {
		v.Severity = Critical
	}
	return v
}

// cacheAt is the memcached at an address, or what can be said of one that is not
// to be seen.
func cacheAt(f *host.Facts, address string) cache {
	for _, c := range caches(f) {
		if c.Address == address {
			return c
		}
	}
	return cache{Memcached: &host.Memcached{Address: address, PeerUID: -1}, facts: f}
}

// firstUnprivileged is the first port that any user may listen on.
const firstUnprivileged = 1024

func judgeTakeover(f *host.Facts) []Verdict {
	switch {
	case !f.Active:
		return skip("is rehearsed with --active only")
	case f.Subject == nil:
		return moot("needs slabgate's configuration: --config")
	}
	address := f.Subject.Upstream
	at, err := netip.ParseAddrPort(address)
	switch {
	case err != nil:
		return pass(address+" is no TCP port; who may replace a socket, MC-10 tells", Evidence{Source: f.Subject.Path, Text: address})
	case !at.Addr().IsLoopback():
		return skip(address + " is on another host")
	case f.Subject.ExpectUID >= 0:
		return pass("slabgate talks to "+userName(f, f.Subject.ExpectUID)+" alone", Evidence{Source: f.Subject.Path, Text: fmt.Sprintf("expect_uid %d", f.Subject.ExpectUID)})
	case at.Port() < firstUnprivileged:
		return pass(fmt.Sprintf("only root may listen on port %d", at.Port()), Evidence{Source: f.Subject.Path, Text: address})
	}
	return []Verdict{takeover(f, address)}
}

// takeover is the finding, with who holds the port now: perhaps it happened.
func takeover(f *host.Facts, address string) Verdict {
	c := cacheAt(f, address)
	text := "any user may listen on " + address + " once memcached is down, and slabgate would not tell"
	evidence := []Evidence{{Source: f.Subject.Path, Text: address}}
	name, own, known := accountOf(f)
	uid, seen, held := c.holder()
	if held {
		evidence = append(evidence, seen)
	}
	evidence = append(evidence, triedPort(f, address)...)
	taken := held && known && uid != own
	if !known {
		own = uid
	}
	if !known && !held {
		return fail("memcached "+address, text, c.toSocket(), evidence...)
	}
	fix := c.expect(own)
	if !taken {
		return fail("memcached "+address, text, fix, evidence...)
	}
	fix.Commands = append(c.evict(), fix.Commands...)
	fix.Text = "stop " + userName(f, uid) + ", who may have read what clients stored, and start memcached; then " + fix.Text
	text = fmt.Sprintf("%s listens on %s in place of %s: any user may once memcached is down, and slabgate would not tell", userName(f, uid), address, name)
	return fail("memcached "+address, text, fix, evidence...).at(Critical)
}
