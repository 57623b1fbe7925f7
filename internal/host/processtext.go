package host

import (
	"math"
	"strconv"
	"strings"
)

// statusFields are the lines of /proc/PID/status that are kept.
var statusFields = map[string]func(*Process, string) bool{
	"Name":       func(p *Process, v string) bool { p.Comm = v; return true },
	"Uid":        func(p *Process, v string) bool { return second(v, &p.UID) },
	"Gid":        func(p *Process, v string) bool { return second(v, &p.GID) },
	"Groups":     (*Process).takeGroups,
	"CapEff":     func(p *Process, v string) bool { return mask(v, &p.CapEff) },
	"CapBnd":     func(p *Process, v string) bool { return mask(v, &p.CapBnd) },
	"NoNewPrivs": func(p *Process, v string) bool { p.NoNewPrivs = v == "1"; return true },
	"Seccomp": func(p *Process, v string) bool {
		n, err := strconv.ParseUint(v, 10, 8)
		p.Seccomp = int(n)
		return err == nil
	},
}

// takeStatus reads /proc/PID/status. StatusOK is that both ids were there and
// nothing was malformed.
func (p *Process) takeStatus(text string) {
	good, ids := true, 0
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		take := statusFields[name]
		if take == nil {
			continue
		}
		good = take(p, strings.TrimSpace(value)) && good
		if name == "Uid" || name == "Gid" {
			ids++
		}
	}
	p.StatusOK = good && ids == 2
}

// second is the effective one of the four ids of a line.
func second(value string, id *int) bool {
	words := strings.Fields(value)
	if len(words) != 4 {
		return false
	}
	n, err := strconv.ParseUint(words[1], 10, 32)
	*id = int(n)
	return err == nil
}

func mask(value string, bits *uint64) bool {
	var err error
	*bits, err = strconv.ParseUint(value, 16, 64)
	return err == nil
}

func (p *Process) takeGroups(value string) bool {
	p.Groups = nil
	for _, word := range strings.Fields(value) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return false
		}
		p.Groups = append(p.Groups, int(n))
	}
	return true
}

// parseLimits reads the soft limits of /proc/PID/limits.
func parseLimits(text string) (core, files int64, ok bool) {
	var okCore, okFiles bool
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, "Max core file size"); found {
			core, okCore = softLimit(rest)
		}
		if rest, found := strings.CutPrefix(line, "Max open files"); found {
			files, okFiles = softLimit(rest)
		}
	}
	return core, files, okCore && okFiles
}

func softLimit(rest string) (int64, bool) {
	words := strings.Fields(rest)
	if len(words) < 2 {
		return 0, false
	}
	if words[0] == "unlimited" {
		return -1, true
	}
	n, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return 0, false
	}
	return int64(min(n, math.MaxInt64)), true
}
