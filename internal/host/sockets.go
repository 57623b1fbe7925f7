package host

import (
	"context"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/procnet"
)

// socketTables are where the kernel lists sockets, with the state that those have
// which anybody may send to: a TCP listener, and a UDP socket that is not connected.
var socketTables = []struct{ file, network, state string }{
	{"/proc/net/tcp", "tcp", "0A"},
	{"/proc/net/tcp6", "tcp", "0A"},
	{"/proc/net/udp", "udp", "07"},
	{"/proc/net/udp6", "udp", "07"},
}

func (g *gathering) gatherSockets(ctx context.Context) {
	for _, table := range socketTables {
		n := 0
		for line := range strings.Lines(g.read(table.file)) {
			n++
			if s, ok := parseSocket(line, table.state); ok {
				s.Network, s.Source, s.Line = table.network, table.file, n
				g.facts.Sockets = append(g.facts.Sockets, s)
			}
		}
	}
	g.findHolders(ctx)
	for i := range g.facts.Sockets {
		s := &g.facts.Sockets[i]
		s.PID = g.holders[s.Inode]
	}
	g.findUnits()
}

// findUnits tells what runs the processes that matter and those that listen.
func (g *gathering) findUnits() {
	listens := map[int]bool{}
	for _, pid := range g.holders {
		listens[pid] = true
	}
	for i := range g.facts.Processes {
		if p := &g.facts.Processes[i]; p.matters() || listens[p.PID] {
			text, _ := g.optional(p.folder() + "/cgroup")
			p.Unit, p.Container = ParseCgroup(text)
		}
	}
}

// parseSocket reads a line of /proc/net/tcp, udp and their like. A socket in another
// state is not told.
func parseSocket(line, state string) (s Socket, ok bool) {
	row, ok := procnet.Parse(line)
	if !ok || row.State != state {
		return s, false
	}
	return Socket{Addr: row.Local, UID: row.UID, Inode: row.Inode}, true
}

// findHolders looks through the open files of processes for the sockets, those
// that matter first, until each socket has one.
func (g *gathering) findHolders(ctx context.Context) {
	wanted := map[uint64]bool{}
	for i := range g.facts.Sockets {
		if inode := g.facts.Sockets[i].Inode; inode != 0 {
			wanted[inode] = true
		}
	}
	for _, first := range []bool{true, false} {
		for i := range g.facts.Processes {
			p := &g.facts.Processes[i]
			if len(wanted) == 0 {
				return
			}
			if ctx.Err() != nil {
				g.unseen("/proc/*/fd", errLate)
				return
			}
			if p.matters() == first && len(p.Args) > 0 {
				g.lookInto(p, wanted)
			}
		}
	}
	if g.hidden > 0 {
		g.facts.Unseen = append(g.facts.Unseen, Unseen{"/proc/*/fd", "needs root for " + strconv.Itoa(g.hidden) + " processes"})
	}
}

// lookInto takes the sockets that a process holds out of wanted.
func (g *gathering) lookInto(p *Process, wanted map[uint64]bool) {
	folder := p.folder() + "/fd"
	names, err := g.source.ReadDir(folder)
	if err != nil {
		switch why := whyNot(err); {
		case p.matters() && why == "needs root":
			g.unseen(folder, err)
		case why == "needs root":
			g.hidden++
		}
		return
	}
	for _, name := range names {
		target, err := g.source.Readlink(folder + "/" + name)
		if err != nil {
			continue // it was closed meanwhile
		}
		if inode, ok := socketInode(target); ok && wanted[inode] {
			g.holders[inode] = p.PID
			delete(wanted, inode)
		}
	}
}

// socketInode reads socket:[4711].
func socketInode(target string) (uint64, bool) {
	number, ok := strings.CutPrefix(target, "socket:[")
	number, closed := strings.CutSuffix(number, "]")
	inode, err := strconv.ParseUint(number, 10, 64)
	return inode, ok && closed && err == nil
}
