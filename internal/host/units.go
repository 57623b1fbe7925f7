package host

import (
	"context"
	"slices"
	"strings"
)

// unitFolders are where systemd looks for units, the ones that win first.
var unitFolders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// ownUnit is how slabgate's unit is called unless a running one tells otherwise.
const ownUnit = "slabgate.service"

// mostUnits bounds how many files make up one unit.
const mostUnits = 256

// lsmFile lists what the kernel restricts processes with.
const lsmFile = "/sys/kernel/security/lsm"

// gatherUnit reads the files that make up slabgate's unit, in the order in which
// systemd applies them, and what the kernel has to confine it with.
func (g *gathering) gatherUnit(ctx context.Context) {
	g.facts.LSM = strings.TrimSpace(g.read(lsmFile))
	name := ownUnit
	for i := range g.facts.Processes {
		if p := &g.facts.Processes[i]; p.IsSlabgate() && p.Unit != "" && slices.Contains(p.Args, "run") {
			name = p.Unit
			break
		}
	}
	for _, folder := range unitFolders {
		if text, ok := g.optional(folder + "/" + name); ok {
			g.facts.Unit = append(g.facts.Unit, UnitFile{folder + "/" + name, text})
			break
		}
	}
	if len(g.facts.Unit) == 0 {
		return // drop-ins of what is not there are none
	}
	for _, path := range g.dropIns(name) {
		if ctx.Err() != nil || len(g.facts.Unit) >= mostUnits {
			g.unseen(path, errLate)
			return
		}
		if text, ok := g.optional(path); ok {
			g.facts.Unit = append(g.facts.Unit, UnitFile{path, text})
		}
	}
}

// dropIns are the paths of what is laid over a unit, by name: of two files of one
// name only the one in the folder that wins counts.
func (g *gathering) dropIns(unit string) (paths []string) {
	at := map[string]string{}
	for _, folder := range unitFolders {
		folder += "/" + unit + ".d"
		names, err := g.source.ReadDir(folder)
		if err != nil {
			continue // most units have none
		}
		for _, name := range names {
			if _, won := at[name]; !won && strings.HasSuffix(name, ".conf") {
				at[name] = folder + "/" + name
			}
		}
	}
	names := make([]string, 0, len(at))
	for name := range at {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		paths = append(paths, at[name])
	}
	return paths
}
