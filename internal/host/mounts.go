package host

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// parseMounts reads /proc/PID/mountinfo. Its columns are two ids, the device, root
// and mount point, options, optional fields that end with -, type, source, and the
// options of the filesystem. A line of another form is passed over.
func parseMounts(text string) (all []Mount) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		dash := slices.Index(words, "-")
		if dash < 6 || len(words) < dash+3 {
			continue
		}
		m := Mount{
			Root: unescape(words[3]), Point: unescape(words[4]), Type: words[dash+1], Source: unescape(words[dash+2]),
			Propagation: strings.Join(words[6:dash], " "), Line: n,
		}
		options := words[5]
		if len(words) > dash+3 {
			options += "," + words[dash+3]
		}
		m.ReadOnly = slices.Contains(strings.Split(options, ","), "ro")
		all = append(all, m)
	}
	return all
}

// unescape undoes the octal escapes by which mountinfo writes spaces: \040.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+4 <= len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// rootReadOnly tells whether the last mount on / is read-only: it hides the others.
func rootReadOnly(all []Mount) (ro bool) {
	for i := range all {
		if all[i].Point == "/" {
			ro = all[i].ReadOnly
		}
	}
	return ro
}

// mostGroups bounds how deep control groups are followed.
const mostGroups = 32

// noLimit is the least number of bytes by which version 1 of control groups says
// that there is no limit.
const noLimit = 1 << 60

// memoryMax is the smallest limit of memory among the control groups that
// /proc/PID/cgroup names and those above them.
func (g *gathering) memoryMax(groups string) (limit int64) {
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		mount, file := "", ""
		switch {
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			mount, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case parts[0] == "0" && parts[1] == "":
			mount, file = "/sys/fs/cgroup", "memory.max"
		default:
			continue
		}
		group := path.Clean("/" + parts[2])
		for range mostGroups {
			limit = smaller(limit, g.limitIn(path.Join(mount, group, file)))
			if group == "/" {
				break
			}
			group = path.Dir(group)
		}
	}
	return limit
}

func (g *gathering) limitIn(name string) int64 {
	data, err := g.source.ReadFile(name)
	if err != nil {
		return 0 // the group has no limit of its own, or is that of another namespace
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n >= noLimit {
		return 0
	}
	return n
}

// smaller is the smaller of two limits, of which 0 is none.
func smaller(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
