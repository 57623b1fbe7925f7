package host

import (
	"path"
	"strings"
)

// ParseCgroup tells from /proc/PID/cgroup which unit of systemd runs a process and
// in which container it is. Either is empty if there is none, or if the control
// group namespace hides it.
func ParseCgroup(text string) (unit, container string) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		_, group, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		for name := range strings.SplitSeq(group, "/") {
			if id := containerID(name); id != "" {
				container = id
			}
		}
		if last := path.Base(group); strings.HasPrefix(group, "/system.slice/") && strings.HasSuffix(last, ".service") {
			unit = last
		}
	}
	return unit, container
}

// idLength is that of a container's id: a SHA-256 in hexadecimal.
const idLength = 64

// containerID is the id in the name of a control group: docker-ID.scope,
// cri-containerd-ID.scope, libpod-ID.scope, or ID alone.
func containerID(name string) string {
	name = strings.TrimSuffix(name, ".scope")
	name = name[strings.LastIndexByte(name, '-')+1:]
	if len(name) != idLength || strings.Trim(name, "0123456789abcdef") != "" {
		return ""
	}
	return name
}
