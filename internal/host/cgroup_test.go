package host

import (
	"strings"
	"testing"
)

func TestParseCgroup(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for _, tc := range []struct{ text, unit, container string }{
		{"", "", ""},
		{"0::/\n", "", ""},
		{"0::/system.slice/memcached.service\n", "memcached.service", ""},
		{"0::/system.slice/system-memcached.slice/memcached@two.service", "memcached@two.service", ""},
		{"12:pids:/system.slice/memcached.service\n1:name=systemd:/system.slice/memcached.service\n0::/system.slice/memcached.service\n", "memcached.service", ""},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/mc.service\n", "", ""}, // systemctl alone does not reach it
		{"0::/user.slice/user-0.slice/session-4.scope\n", "", ""},
		{"0::/system.slice/docker-" + id + ".scope\n", "", id},
		{"4:memory:/docker/" + id + "\n", "", id},
		{"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope\n", "", id},
		{"0::/machine.slice/libpod-" + id + ".scope/container\n", "", id},
		{"0::/system.slice/docker-" + id[1:] + ".scope\n", "", ""},
		{"0::/system.slice/docker-" + strings.ToUpper(id) + ".scope\n", "", ""},
		{"no colons", "", ""},
		{"0:one colon", "", ""},
	} {
		unit, container := ParseCgroup(tc.text)
		if unit != tc.unit || container != tc.container {
			t.Errorf("%q: unit %q, container %q; want %q, %q", tc.text, unit, container, tc.unit, tc.container)
		}
	}
}

func FuzzParseCgroup(f *testing.F) {
	f.Add("0::/system.slice/memcached.service\n")
	f.Add("0::/system.slice/docker-" + strings.Repeat("ab", 32) + ".scope\n")
	f.Fuzz(func(t *testing.T, text string) {
		unit, container := ParseCgroup(text)
		if strings.ContainsAny(unit, "/\n") || !strings.Contains(text, unit) || !strings.Contains(text, container) {
			t.Errorf("%q: unit %q, container %q", text, unit, container)
		}
	})
}
