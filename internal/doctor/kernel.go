package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

const routeLocalnet = ".route_localnet"

func judgeRouteLocalnet(f *host.Facts) (found []Verdict) {
	at := slices.IndexFunc(cacheSockets(f, "tcp"), func(s *host.Socket) bool {
		return loopback(s.Addr.Addr()) || s.Addr.Addr().IsUnspecified()
	})
	if at < 0 {
		if why := unseenSockets(f, "tcp"); why != "" {
			return skip(why)
		}
		return pass("no memcached listens on loopback over TCP")
	}
	var names []string
	for name := range f.Settings {
		if strings.HasPrefix(name, "net.ipv4.conf.") && strings.HasSuffix(name, routeLocalnet) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return skip("/proc/sys/net/ipv4/conf: " + orUnknown(f.WhyUnseen("/proc/sys/net/ipv4/conf")))
	}
	slices.Sort(names)
	socket := cacheSockets(f, "tcp")[at]
	for _, name := range names {
		if f.Settings[name] != "1" || name == "net.ipv4.conf.lo"+routeLocalnet {
			continue
		}
		fix := sysctlFix(f, name, "0")
		fix.Text = "route nothing to loopback, or let memcached listen on a unix socket; if kube-proxy sets it, start that with --iptables-localhost-nodeports=false"
		text := fmt.Sprintf("%s is 1, so that neighbours reach %s at %s", name, cacheName(f, socket), socket.Addr)
		found = append(found, fail(name, text, fix, settingEvidence(f, name), socketEvidence(socket)))
	}
	return orPass(found, "no interface routes the network to loopback", settingEvidence(f, names[0]))
}

func orUnknown(why string) string {
	if why == "" {
		return "not told"
	}
	return why
}

// settingFile is where /proc has a setting.
func settingFile(name string) string {
	return "/proc/sys/" + strings.NewReplacer(".", "/", "/", ".").Replace(name)
}

func settingEvidence(f *host.Facts, name string) Evidence {
	return Evidence{Source: settingFile(name), Line: 1, Text: f.Settings[name]}
}

// settingsFile keeps what doctor advised over the next start.
const settingsFile = "/etc/sysctl.d/60-slabgate.conf"

// sysctlFix sets a setting, now and at every start; in a container its definition
// has to.
func sysctlFix(f *host.Facts, name, value string) Fix {
	switch {
	case f.Place.HostNetwork || f.Place.Scope == "" || f.Place.Scope == "host" || !strings.HasPrefix(name, "net."):
	case f.Place.Scope == "pod":
		return Fix{Config: fmt.Sprintf("securityContext:   # of the pod\n  sysctls:\n    - {name: %s, value: %q}\n", name, value)}
	case f.Place.Scope == "container":
		return Fix{Config: fmt.Sprintf("sysctls:   # of the service in docker compose; or docker run --sysctl %s=%s\n  %s: %q\n", name, value, name, value)}
	}
	return Fix{Commands: []string{
		"sysctl -w " + quote(name+"="+value),
		"echo " + quote(name+" = "+value) + " >>" + settingsFile,
	}}
}

// limit is what a setting should be at least.
type limit struct {
	name   string
	enough func(value string) bool
	want   string
	why    string
}

var limits = []limit{
	{"net.core.somaxconn", atLeast(1024), "4096", "so that fewer clients than slabgate takes may wait to be accepted"},
	{"net.ipv4.tcp_syncookies", atLeast(1), "1", "so that half-open connections of a flood keep clients out"},
	{"net.ipv4.ip_local_port_range", tenThousand, "32768 60999", "which is fewer than 10000 ports for connections to memcached and others"},
}

func atLeast(least int) func(string) bool {
	return func(value string) bool {
		n, err := strconv.Atoi(value)
		return err == nil && n >= least
	}
}

// tenThousand tells whether a range of ports, low and high, has as many.
func tenThousand(value string) bool {
	words := strings.Fields(value)
	if len(words) != 2 {
		return false
	}
	low, err1 := strconv.Atoi(words[0])
	high, err2 := strconv.Atoi(words[1])
	return err1 == nil && err2 == nil && high-low+1 >= 10000
}

func judgeKernel(f *host.Facts) []Verdict {
	return judgeSettings(f, limits, "the queue for connections, SYN cookies and local ports are as they should be")
}

// judgeSettings compares settings with limits. One that is not told is passed over
// if others are.
func judgeSettings(f *host.Facts, limits []limit, fine string) (found []Verdict) {
	var seen []Evidence
	why := "not told"
	for _, l := range limits {
		value, ok := f.Settings[l.name]
		if !ok {
			why = settingFile(l.name) + ": " + orUnknown(f.WhyUnseen(settingFile(l.name)))
			continue
		}
		seen = append(seen, settingEvidence(f, l.name))
		if l.enough(value) {
			continue
		}
		fix := sysctlFix(f, l.name, l.want)
		fix.Text = "set " + l.name + " to " + l.want
		found = append(found, fail(l.name, fmt.Sprintf("%s is %s, %s", l.name, strings.Join(strings.Fields(value), " "), l.why), fix, settingEvidence(f, l.name)))
	}
	if len(seen) == 0 {
		return skip(why)
	}
	return orPass(found, fine, seen...)
}
