package main

import (
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is the part of its cgroup's memory, in percent, that the runtime
// may let the heap grow into before it collects harder. The rest is for stacks
// and the kernel's socket buffers.
const memoryShare = 90

// limitMemory tells the runtime how much memory there is, unless GOMEMLIMIT does.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := cgroupLimit(readFile); limit > 0 {
		debug.SetMemoryLimit(limit / 100 * memoryShare)
	}
}

func readFile(name string) string {
	data, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(data)
}

// Where the kernel says how much memory the processes of a cgroup may use.
const (
	cgroupV2 = "/sys/fs/cgroup"
	cgroupV1 = "/sys/fs/cgroup/memory"
)

// cgroupLimit is the memory limit of this process in bytes, or 0 without one. In
// a container its own cgroup is the root of what it sees.
func cgroupLimit(read func(string) string) (limit int64) {
	for line := range strings.Lines(read("/proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := cgroupV1, "memory.limit_in_bytes"
		if parts[1] == "" {
			root, file = cgroupV2, "memory.max"
		} else if parts[1] != "memory" {
			continue
		}
		for _, dir := range []string{path.Join(root, parts[2]), root} {
			n, err := strconv.ParseInt(strings.TrimSpace(read(path.Join(dir, file))), 10, 64)
			if err == nil && n > 0 && n < noLimit && (limit == 0 || n < limit) {
				limit = n
			}
		}
	}
	return limit
}

// noLimit is what the first version of cgroups writes, rounded, if there is none.
const noLimit = 1 << 60
