package host

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// gatherProcesses reads what is to be seen of each process: little of most, all
// of those that matter.
func (g *gathering) gatherProcesses(ctx context.Context) {
	self := g.findSelf()
	names, err := g.source.ReadDir("/proc")
	if err != nil {
		g.unseen("/proc", err)
	}
	for _, pid := range processIDs(names) {
		if ctx.Err() != nil {
			g.unseen("processes from "+strconv.Itoa(pid)+" on", errLate)
			break
		}
		if p, ok := g.readProcess("/proc/" + strconv.Itoa(pid)); ok {
			p.PID = pid
			if p.matters() || pid == self {
				g.readMore(p)
			}
			g.facts.Processes = append(g.facts.Processes, *p)
		}
	}
	if p := g.facts.Process(self); p != nil {
		g.facts.Self = *p
		return
	}
	if p, ok := g.readProcess(g.base); ok {
		p.PID = self
		g.readMore(p)
		g.facts.Self = *p
	} else {
		g.unseen(g.base+"/status", fs.ErrNotExist)
	}
}

// findSelf sets the folder of the process that looks, and returns its id: 0 if the
// folder does not tell.
func (g *gathering) findSelf() int {
	g.base = "/proc/self"
	target, err := g.source.Readlink(g.base)
	pid, bad := strconv.ParseUint(target, 10, 31)
	if err != nil || bad != nil {
		return 0
	}
	g.base = "/proc/" + target
	return int(pid)
}

func processIDs(names []string) (ids []int) {
	for _, name := range names {
		if pid, err := strconv.ParseUint(name, 10, 31); err == nil && pid > 0 && name[0] != '0' {
			ids = append(ids, int(pid))
		}
	}
	slices.Sort(ids)
	return ids
}

// readProcess reads who a process is. False is that there is none.
func (g *gathering) readProcess(folder string) (*Process, bool) {
	p := &Process{}
	status, err := g.source.ReadFile(folder + "/status")
	switch {
	case err == nil:
		p.takeStatus(string(status))
	case errors.Is(err, fs.ErrPermission):
		g.unseen(folder+"/status", err)
	default:
		return nil, false
	}
	if line, err := g.source.ReadFile(folder + "/cmdline"); err == nil {
		p.Args = splitNUL(line)
	}
	if len(p.Args) == 0 {
		return p, true // it is a thread of the kernel, or ends
	}
	if exe, err := g.source.Readlink(folder + "/exe"); err == nil {
		p.Exe = strings.TrimSuffix(exe, " (deleted)")
	}
	return p, true
}

func splitNUL(data []byte) []string {
	text := strings.TrimRight(string(data), "\x00\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// names are what a process may be called: by the kernel, its file, and its own
// command line.
func (p *Process) names() []string {
	names := []string{p.Comm, path.Base(p.Exe)}
	if len(p.Args) > 0 {
		names = append(names, path.Base(p.Args[0]))
	}
	return names
}

// IsMemcached tells whether a process is a memcached.
func (p *Process) IsMemcached() bool {
	return len(p.Args) > 0 && (slices.Contains(p.names(), "memcached") || slices.Contains(p.names(), "memcached-debug"))
}

// IsSlabgate tells whether a process is a slabgate.
func (p *Process) IsSlabgate() bool { return len(p.Args) > 0 && slices.Contains(p.names(), "slabgate") }

// matters tells whether everything is wanted of a process.
func (p *Process) matters() bool { return p.IsMemcached() || p.IsSlabgate() }

// folder is where /proc tells of a process.
func (p *Process) folder() string { return "/proc/" + strconv.Itoa(p.PID) }

// readMore reads the rest of what is told of a process.
func (g *gathering) readMore(p *Process) {
	folder := p.folder()
	if p.PID == 0 {
		folder = g.base
	}
	if info, err := g.source.Stat(folder + "/status"); err == nil {
		p.Dumpable = p.StatusOK && info.UID == p.UID
	}
	if text := g.read(folder + "/limits"); text != "" {
		p.CoreLimit, p.FileLimit, p.LimitsOK = parseLimits(text)
	}
	if score, err := strconv.Atoi(strings.TrimSpace(g.read(folder + "/oom_score_adj"))); err == nil {
		p.OOMScore = score
	}
	if data, err := g.source.ReadFile(folder + "/environ"); err == nil {
		p.Environ, p.EnvironOK = splitNUL(data), true
	} else {
		g.unseen(folder+"/environ", err)
	}
	var err error
	if p.Network, err = g.source.Readlink(folder + "/ns/net"); err != nil {
		g.unseen(folder+"/ns/net", err)
		p.Network = ""
	}
	p.RootRO = rootReadOnly(parseMounts(g.read(folder + "/mountinfo")))
	p.MemoryMax = g.memoryMax(g.read(folder + "/cgroup"))
}
