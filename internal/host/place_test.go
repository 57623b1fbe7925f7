package host

import (
	"slices"
	"testing"
)

// surroundings are the least of a tree that tells who looks.
const surroundings = `
-- /proc/self -> 7 --
-- /proc/7/status --
Name:	slabgate
Uid:	110	110	110	110
Gid:	112	112	112	112
-- /proc/7/cmdline --
slabgate
`

func TestPlace(t *testing.T) {
	const kube = "\n-- /proc/7/cgroup --\n0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-a.scope\n"
	const other = "\n-- /proc/9/status --\nName:\tapp\n-- /proc/9/cmdline --\napp\n-- /proc/9/cgroup --\n"
	for _, row := range []struct {
		name, tree string
		want       Place
	}{
		{"a host", "", Place{Scope: "host", Why: "nothing tells of a container"}},
		{"a host with containers", "-- /proc/net/dev --\ndocker0: 0 0\n" + other + "0::/docker/b\n", Place{Scope: "host", Why: "nothing tells of a container"}},
		{"a variable", "-- /proc/7/environ --\nKUBERNETES_SERVICE_HOST=10.0.0.1", Place{Scope: "pod", Why: "KUBERNETES_SERVICE_HOST is set"}},
		{"a token", "-- " + tokenFolder + "/token --\nx", Place{Scope: "pod", Why: tokenFolder + "/token is there", Token: tokenFolder + "/token"}},
		{"a control group", kube, Place{Scope: "pod", Why: "the control group is one of kubepods"}},
		{"docker", "-- /.dockerenv --\n", Place{Scope: "container", Why: "/.dockerenv is there"}},
		{"podman", "-- /run/.containerenv --\n", Place{Scope: "container", Why: "/run/.containerenv is there"}},
		{"a variable of containers", "-- /proc/7/environ --\ncontainer=lxc", Place{Scope: "container", Why: "container is set"}},
		{"a control group of docker", "-- /proc/7/cgroup --\n0::/docker/a\n", Place{Scope: "container", Why: "the control group is one of a container"}},
		{"an overlay", "-- /proc/7/mountinfo --\n1 2 0:3 / / ro - overlay overlay rw\n", Place{Scope: "container", Why: "/ is an overlay", RootRO: true}},
		{"an AppArmor profile", "-- /proc/7/attr/current --\ndocker-default (enforce)\n", Place{Scope: "host", Why: "nothing tells of a container", AppArmor: "docker-default (enforce)"}},
		{"the network of its host", "-- /.dockerenv --\n-- /proc/net/dev --\nInter-|   Receive\n  eth0: 1 2\n vethab12: 0 0\n",
			Place{Scope: "container", Why: "/.dockerenv is there", HostNetwork: true, Interfaces: []string{"vethab12"}}},
		{"the processes of its host", "-- /.dockerenv --\n-- /proc/2/status --\nName:\tkthreadd\n", Place{Scope: "container", Why: "/.dockerenv is there", HostPID: true}},
		{"a neighbour", kube + other + "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-b.scope\n",
			Place{Scope: "pod", Why: "the control group is one of kubepods", SharedPID: true}},
		{"a child", kube + other + "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-a.scope/child\n",
			Place{Scope: "pod", Why: "the control group is one of kubepods"}},
		{"a neighbour outside of the namespace", "-- /.dockerenv --\n-- /proc/7/cgroup --\n0::/\n" + other + "0::/../b\n",
			Place{Scope: "container", Why: "/.dockerenv is there", SharedPID: true}},
		{"the pause container", "-- /.dockerenv --\n-- /proc/1/status --\nName:\tpause\n-- /proc/1/cmdline --\n/pause\n",
			Place{Scope: "container", Why: "/.dockerenv is there", SharedPID: true}},
	} {
		got := gatherTree(t, surroundings+row.tree, Options{}).Place
		mounts := len(got.Mounts)
		got.Mounts = nil
		if got.Scope != row.want.Scope || got.Why != row.want.Why || got.HostNetwork != row.want.HostNetwork || got.HostPID != row.want.HostPID ||
			got.SharedPID != row.want.SharedPID || got.Token != row.want.Token || got.RootRO != row.want.RootRO || got.AppArmor != row.want.AppArmor ||
			!slices.Equal(got.Interfaces, row.want.Interfaces) || mounts != 0 != (row.name == "an overlay") {
			t.Errorf("%s:\n got %+v\nwant %+v", row.name, got, row.want)
		}
	}
}

func TestMemoryMax(t *testing.T) {
	for _, row := range []struct {
		name, tree string
		want       int64
	}{
		{"no group", "", 0},
		{"no limit", "-- /proc/7/cgroup --\n0::/a\n-- /sys/fs/cgroup/a/memory.max --\nmax\n", 0},
		{"its own", "-- /proc/7/cgroup --\n0::/a/b\n-- /sys/fs/cgroup/a/b/memory.max --\n100\n-- /sys/fs/cgroup/a/memory.max --\n200\n", 100},
		{"one above", "-- /proc/7/cgroup --\n0::/a/b\n-- /sys/fs/cgroup/a/b/memory.max --\n300\n-- /sys/fs/cgroup/a/memory.max --\n200\n", 200},
		{"of the namespace", "-- /proc/7/cgroup --\n0::/\n-- /sys/fs/cgroup/memory.max --\n50\n", 50},
		{"version 1", "-- /proc/7/cgroup --\n4:cpu,memory:/a\n0::/\n-- /sys/fs/cgroup/memory/a/memory.limit_in_bytes --\n70\n", 70},
		{"version 1 without", "-- /proc/7/cgroup --\n4:memory:/a\n-- /sys/fs/cgroup/memory/a/memory.limit_in_bytes --\n9223372036854771712\n", 0},
	} {
		if got := gatherTree(t, surroundings+row.tree, Options{}).Self.MemoryMax; got != row.want {
			t.Errorf("%s: got %d, want %d", row.name, got, row.want)
		}
	}
}

// TestSelfIsAFolder is a tree in which nobody wrote a link.
func TestSelfIsAFolder(t *testing.T) {
	f := gatherTree(t, "-- /proc/self/status --\nName:\tx\nUid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n", Options{})
	if f.Self.Comm != "x" || f.Self.UID != 1 || f.Self.PID != 0 || len(f.Processes) != 0 {
		t.Errorf("self is %+v, processes are %+v", f.Self, f.Processes)
	}
	if f = gatherTree(t, "-- /etc/passwd --\n", Options{}); f.WhyUnseen("/proc/self/status") != "no such file" {
		t.Errorf("without a self, unseen is %v", f.Unseen)
	}
}
