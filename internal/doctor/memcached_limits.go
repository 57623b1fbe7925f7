package doctor

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// number is a limit of memcached as it tells it, else as its arguments say with a
// unit in bytes, else its own default.
func (c cache) number(setting string, letter byte, unit, otherwise int64) (n int64, e Evidence, ok bool) {
	if value, e, told := c.told(setting); told {
		n, err := strconv.ParseInt(value, 10, 64)
		return n, e, err == nil && n >= 0
	}
	if !c.commanded() {
		return 0, Evidence{}, false
	}
	value, has := c.args.Last(letter)
	if !has {
		return otherwise, c.argued("no -" + string(rune(letter))), true
	}
	n, err := parseSize(value, unit)
	return n, c.argued("-" + string(rune(letter)) + " " + value), err == nil
}

// parseSize reads 64, 8m or 1g; a number without a letter counts in units.
func parseSize(text string, unit int64) (int64, error) {
	letters := map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
	if text != "" {
		if u, ok := letters[strings.ToLower(text[len(text)-1:])]; ok {
			text, unit = text[:len(text)-1], u
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("doctor: %q is no size", text)
	}
	return n * unit, nil
}

// spareConnections is the room that memcached needs beside the connections of
// slabgate: for whoever looks after it, and for its files that are no connections,
// since it may open as many as it takes connections and not more.
const spareConnections = 32

func (c cache) connections() (int64, Evidence, bool) { return c.number("maxconns", 'c', 1, 1024) }

func judgeConnections(c cache) []Verdict {
	most, seen, ok := c.connections()
	if !ok {
		return c.mute()
	}
	pool := int64(c.facts.Subject.PoolMax)
	if pool <= most-spareConnections {
		return c.orPass(nil, fmt.Sprintf("takes %d connections, and slabgate makes %d at most", most, pool), seen)
	}
	want := (pool + spareConnections + 63) / 64 * 64
	fix := c.restart(change{add: []host.Argument{{Letter: 'c', Value: strconv.FormatInt(want, 10)}}})
	if lower := most - spareConnections; lower >= 2 {
		fix.Text += fmt.Sprintf(". Or lower upstreams[].pool.max to %d in %s and keep the cache", lower, c.facts.Subject.Path)
	}
	return []Verdict{c.fail("", fmt.Sprintf("takes %d connections, and slabgate's pool.max is %d: %d are to be left over", most, pool, spareConnections), fix, seen,
		Evidence{Source: c.facts.Subject.Path, Text: fmt.Sprintf("pool.max %d", pool)})}
}

func judgeItem(c cache) []Verdict {
	own := c.facts.Subject.ItemMax
	most, seen, ok := c.number("item_size_max", 'I', 1, 1<<20)
	switch {
	case !ok:
		return c.mute()
	case own == 0:
		return c.orPass(nil, fmt.Sprintf("takes items of %d bytes, and slabgate has no limit of its own", most), seen)
	case own == most:
		return c.orPass(nil, fmt.Sprintf("takes items of %d bytes, as slabgate does", most), seen)
	}
	evidence := []Evidence{seen, {Source: c.facts.Subject.Path, Text: fmt.Sprintf("values of %d bytes", own)}}
	text := fmt.Sprintf("takes items of %d bytes, and slabgate values of %d", most, own)
	if own < most {
		fix := Fix{Text: fmt.Sprintf("raise slabgate's limit to %d bytes if clients shall store more; else nothing is lost", most)}
		return []Verdict{c.fail("", text, fix, evidence...).at(Low)}
	}
	kib := strconv.FormatInt((own+1023)/1024, 10) + "k"
	return []Verdict{c.fail("", text, c.restart(change{add: []host.Argument{{Letter: 'I', Value: kib}}}), evidence...)}
}

// judgeProcess looks at what the kernel lets memcached's process do.
func judgeProcess(c cache) []Verdict {
	if c.Process == nil || !c.Process.StatusOK && !c.Process.LimitsOK {
		return c.skip("its process is not to be seen: run doctor as root, on the host")
	}
	var found []Verdict
	for _, judge := range []func(cache) []Verdict{judgeCore, judgeFiles, judgeCaps, judgeFilter} {
		found = append(found, judge(c)...)
	}
	return c.orPass(found, "writes no core, has files enough, no capability, and a filter of system calls",
		Evidence{Source: c.proc("limits")}, Evidence{Source: c.proc("status")})
}

func judgeCore(c cache) []Verdict {
	if !c.Process.LimitsOK || c.Process.CoreLimit == 0 {
		return nil
	}
	size := strconv.FormatInt(c.Process.CoreLimit, 10) + " bytes"
	if c.Process.CoreLimit < 0 {
		size = "unlimited size"
	}
	e := Evidence{Source: c.proc("limits"), Text: "Max core file size: " + size}
	if c.args.Has('r') {
		fix := c.restart(change{drop: "r"})
		return []Verdict{c.fail("core", "asks for core files, with -r", fix, e)}
	}
	fix := c.dropIn([]string{"LimitCORE=0"}, "# docker run --ulimit core=0; in Kubernetes the node's container runtime sets it\n",
		c.asOwner(fmt.Sprintf("prlimit --pid %d --core=0:0", c.Process.PID)))
	return []Verdict{c.fail("core", "writes core files of "+size+", with cached values in them", fix, e)}
}

// asOwner is a command that memcached's own user runs: to lower a limit of another
// user takes a capability, which root in a container may lack.
func (c cache) asOwner(command string) string {
	for _, a := range c.facts.Accounts {
		if c.Process.StatusOK && a.UID == c.Process.UID && a.UID != 0 {
			return "runuser -u " + quote(a.Name) + " -- " + command
		}
	}
	return command
}

// judgeFiles looks for a limit below the one that memcached sets itself when it
// starts, which is its number of connections.
func judgeFiles(c cache) []Verdict {
	most, _, ok := c.connections()
	files := c.Process.FileLimit
	if !ok || !c.Process.LimitsOK || files < 0 || files >= most {
		return nil
	}
	fix := Fix{Text: "give back the limit that memcached asked for; if the hard limit is lower too, only a restart does, which empties the cache"}
	if !c.contained() {
		fix.Commands = []string{c.asOwner(fmt.Sprintf("prlimit --pid %d --nofile=%d:", c.Process.PID, most))}
	}
	return []Verdict{c.fail("files", fmt.Sprintf("may open %d files, and takes %d connections", files, most), fix,
		Evidence{Source: c.proc("limits"), Text: fmt.Sprintf("Max open files: %d", files)})}
}

func judgeCaps(c cache) []Verdict {
	p := c.Process
	if !p.StatusOK || p.UID == 0 || p.CapEff == 0 { // of root's, MC-01 tells
		return nil
	}
	fix := c.thenRestart(c.dropIn([]string{"AmbientCapabilities="}, "securityContext: {capabilities: {drop: [ALL]}, allowPrivilegeEscalation: false}\n"))
	return []Verdict{c.fail("capabilities", "has kept capabilities", fix,
		Evidence{Source: c.proc("status"), Text: fmt.Sprintf("CapEff %016x", p.CapEff)})}
}

func judgeFilter(c cache) []Verdict {
	p := c.Process
	if !p.StatusOK || p.NoNewPrivs && p.Seccomp != 0 {
		return nil
	}
	fix := c.thenRestart(c.dropIn([]string{"SystemCallFilter=@system-service", "NoNewPrivileges=yes"},
		"securityContext: {allowPrivilegeEscalation: false, seccompProfile: {type: RuntimeDefault}}\n"))
	return []Verdict{c.fail("filter", "may gain privileges or use every system call", fix,
		Evidence{Source: c.proc("status"), Text: fmt.Sprintf("NoNewPrivs %t, Seccomp %d", p.NoNewPrivs, p.Seccomp)})}
}

// What memcached needs beside its items: a share for its tables, and buffers for
// each connection.
const (
	overhead      = 1.15
	perConnection = 20 << 10
)

func judgeMemory(c cache) []Verdict {
	if c.Process == nil {
		return c.skip("its process is not to be seen, and so not its control group")
	}
	limit := c.Process.MemoryMax
	items, seen, ok := c.number("maxbytes", 'm', 1<<20, 64<<20)
	conns, _, also := c.connections()
	switch {
	case !ok || !also:
		return c.mute()
	case limit == 0:
		return c.orPass(nil, "has no memory limit that is to be seen", seen)
	}
	need := int64(math.Ceil(float64(items)*overhead)) + conns*perConnection
	if need <= limit {
		return c.orPass(nil, fmt.Sprintf("needs %d MiB at most, of %d", mib(need), limit>>20), seen)
	}
	text := fmt.Sprintf("may grow to %d MiB (%d of items, %d connections), and is killed at %d", mib(need), items>>20, conns, limit>>20)
	return []Verdict{c.fail("", text, c.lessMemory(need, limit, conns), seen,
		Evidence{Source: c.proc("cgroup"), Text: fmt.Sprintf("memory limit of %d bytes", limit)})}
}

// lessMemory raises the limit, which keeps the cache, and says what would fit.
func (c cache) lessMemory(need, limit, conns int64) Fix {
	fix := Fix{
		Text:     fmt.Sprintf("raise the limit to %d MiB", mib(need)),
		Commands: []string{fmt.Sprintf("systemctl set-property %s MemoryMax=%dM", quote(c.unit()), mib(need))},
	}
	if c.contained() {
		fix.Commands, fix.Config = nil, fmt.Sprintf("resources: {limits: {memory: %dMi}}\n", mib(need))
	}
	if fits := int64(float64(limit-conns*perConnection)/overhead) >> 20; fits > 0 {
		fix.Text += fmt.Sprintf(", or start memcached with -m %d", fits)
	}
	return fix
}

// mib is bytes in MiB, rounded up.
func mib(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }
