package main

import "testing"

func TestCgroupLimit(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no cgroups", nil, 0},
		{"v2, a service", map[string]string{
			"/proc/self/cgroup": "0::/system.slice/slabgate.service\n",
			"/sys/fs/cgroup/system.slice/slabgate.service/memory.max": "134217728\n"}, 128 << 20},
		{"v2, a container", map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "67108864\n"}, 64 << 20},
		{"v2, without a limit", map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"}, 0},
		{"v1", map[string]string{
			"/proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/kubepods/a\n",
			"/sys/fs/cgroup/memory/kubepods/a/memory.limit_in_bytes": "33554432\n"}, 32 << 20},
		{"v1, without a limit", map[string]string{
			"/proc/self/cgroup": "4:memory:/\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"both, the smaller", map[string]string{
			"/proc/self/cgroup":         "4:memory:/a\n0::/\n",
			"/sys/fs/cgroup/memory.max": "200000000\n", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "100000000\n"}, 100_000_000},
		{"garbage", map[string]string{"/proc/self/cgroup": "x\n::\n0::/\n", "/sys/fs/cgroup/memory.max": "-5\n"}, 0},
	} {
		if got := cgroupLimit(func(name string) string { return tc.files[name] }); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
