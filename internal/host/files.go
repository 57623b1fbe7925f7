package host

import (
	"context"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// mostFiles bounds how many files are looked at.
const mostFiles = 4096

// gatherFiles looks at the files that the configuration names, the sockets of
// memcached, and the folders above each, up to /.
func (g *gathering) gatherFiles(ctx context.Context) {
	wanted := map[string]string{}
	if s := g.facts.Subject; s != nil {
		maps.Copy(wanted, s.Files)
		if socket, ok := strings.CutPrefix(s.Upstream, "unix:"); ok {
			wanted[socket] = "socket"
		}
	}
	for i := range g.facts.Processes {
		if p := &g.facts.Processes[i]; p.IsMemcached() && g.chosen(p) {
			if socket, ok := ParseArguments(p.Args).Last('s'); ok {
				wanted[socket] = "socket"
			}
		}
	}
	for _, name := range slices.Collect(maps.Keys(wanted)) {
		if !path.IsAbs(name) {
			delete(wanted, name) // it is relative to a folder that is not known here
			continue
		}
		for folder := path.Dir(path.Clean(name)); ; folder = path.Dir(folder) {
			if _, known := wanted[folder]; !known {
				wanted[folder] = "folder"
			}
			if folder == "/" {
				break
			}
		}
	}
	for i, name := range slices.Sorted(maps.Keys(wanted)) {
		if i >= mostFiles || ctx.Err() != nil {
			g.unseen("files from "+name+" on", errLate)
			return
		}
		g.facts.Files = append(g.facts.Files, g.look(name, wanted[name]))
	}
}

// look tells what is to be told of a file.
func (g *gathering) look(name, what string) File {
	f := File{Path: name, For: what}
	info, err := g.source.Stat(name)
	if err != nil {
		f.Error = whyNot(err)
		return f
	}
	f.Mode, f.UID, f.GID, f.Kind = modeBits(info.Mode), info.UID, info.GID, kindOf(info.Mode)
	if info.Mode&fs.ModeDir != 0 || what == "audit" {
		f.Free = info.Free
	}
	return f
}
