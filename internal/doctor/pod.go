package doctor

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// pod are the checks of this group.
var pod = []Check{
	{
		ID: "K8-01", Title: "the whole machine is looked at", Severity: Info,
		Why:  "From within a container the firewall, the other processes and the files of the machine are out of sight.",
		Refs: []string{"namespaces(7)"},
		Run:  judgeScope,
	},
	{
		ID: "K8-02", Title: "memcached has no TCP port in the pod", Severity: High,
		Why:  "All containers of a pod share loopback, and so do debug containers and port-forward: none of them needs slabgate.",
		Refs: []string{"https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking"},
		Run:  inPod(judgePodPort),
	},
	{
		ID: "K8-03", Title: "the pod shares no namespace with the node or among its containers", Severity: High,
		Why:  "With a namespace in common others reach memcached, or look into slabgate's files and memory through /proc.",
		Refs: []string{"https://kubernetes.io/docs/concepts/security/pod-security-standards/"},
		Run:  inPod(judgeNamespaces),
	},
	{
		ID: "K8-04", Title: "no token of a service account is mounted", Severity: Low,
		Why:  "slabgate never talks to the API server; whoever takes it over could.",
		Refs: []string{"https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"},
		Run:  inPod(judgeToken),
	},
	{
		ID: "K8-05", Title: "other pods do not reach memcached", Severity: Medium,
		Why:  "Without a NetworkPolicy every pod of the cluster reaches every port of this one; and no policy covers loopback.",
		Refs: []string{"https://kubernetes.io/docs/concepts/services-networking/network-policies/"},
		Run:  inPod(judgeNeighbours),
	},
	{
		ID: "K8-06", Title: "slabgate's container is restricted", Severity: Medium,
		Why:  "What slabgate never needs, an intruder in it should not have.",
		Refs: []string{"https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"},
		Run:  inPod(judgeRestricted),
	},
	{
		ID: "K8-07", Title: "memcached's socket is shared between its two containers alone", Severity: High,
		Why:  "Who mounts the folder and may write to the socket needs no slabgate.",
		Refs: []string{"https://kubernetes.io/docs/concepts/storage/volumes/#emptydir", "mount_namespaces(7)"},
		Run:  inPod(judgeSocketMount),
	},
}

// inPod judges what there is only in a pod.
func inPod(judge func(*host.Facts) []Verdict) func(*host.Facts) []Verdict {
	return func(f *host.Facts) []Verdict {
		if f.Place.Scope != "pod" {
			return moot("this is no pod")
		}
		return judge(f)
	}
}

func judgeScope(f *host.Facts) []Verdict {
	switch f.Place.Scope {
	case "":
		return skip("what surrounds the process is unknown")
	case "host":
		return pass("looked at from the host: "+f.Place.Why, Evidence{Source: "/proc/self/mountinfo"})
	}
	v := fail("", "looked at from within a "+f.Place.Scope+": "+f.Place.Why,
		Fix{Text: "look at the node too", Commands: []string{"slabgate doctor --memcached auto  # on the node, as root"}}, Evidence{Source: "/proc/self/mountinfo"})
	v.Status = Warn
	return []Verdict{v}
}

// podSocket is what joins the two containers instead of loopback.
const podSocket = `initContainers:
  - name: memcached
    restartPolicy: Always
    args: ["-s", "/run/memcached/mc.sock", "-a", "0770", "-m", "1024", "-c", "4096"]
    volumeMounts: [{name: socket, mountPath: /run/memcached}]
containers:
  - name: slabgate            # upstreams: [{name: local, address: "unix:/run/memcached/mc.sock"}]
    volumeMounts: [{name: socket, mountPath: /run/memcached, readOnly: true}]
volumes:
  - name: socket
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
securityContext: {fsGroup: 11211}
`

func judgePodPort(f *host.Facts) (found []Verdict) {
	if f.WhyUnseen("/proc/net/tcp") != "" {
		return skip("/proc/net/tcp was not looked at: " + f.WhyUnseen("/proc/net/tcp"))
	}
	ports := podPorts(f)
	for i := range f.Sockets {
		s := &f.Sockets[i]
		if s.Network != "tcp" || !slices.Contains(ports, s.Addr.Port()) {
			continue
		}
		if p := f.Process(s.PID); p != nil && p.IsSlabgate() {
			continue
		}
		found = append(found, fail("tcp "+s.Addr.String(), fmt.Sprintf("memcached listens on TCP %s in the pod (uid %d)", s.Addr, s.UID),
			Fix{Text: "let memcached listen on a unix socket in an emptyDir", Config: podSocket}, Evidence{Source: s.Source, Line: s.Line, Text: s.Addr.String()}))
	}
	return orPass(found, "nothing listens on memcached's port", Evidence{Source: "/proc/net/tcp"})
}

// podPorts are the ports on which a memcached is to be expected: those that are
// known, and the usual one unless slabgate has taken it.
func podPorts(f *host.Facts) (ports []uint16) {
	add := func(address string) {
		if _, port, err := net.SplitHostPort(address); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil {
				ports = append(ports, uint16(n))
			}
		}
	}
	ours := false
	if f.Subject != nil {
		add(f.Subject.Upstream)
		ours = slices.ContainsFunc(f.Subject.Listeners, func(l host.SubjectListener) bool { return strings.HasSuffix(l.Address, ":11211") })
	}
	for i := range f.Memcached {
		add(f.Memcached[i].Address)
	}
	if !ours {
		ports = append(ports, 11211)
	}
	return ports
}

func judgeNamespaces(f *host.Facts) []Verdict {
	var found []Verdict
	for _, x := range []struct {
		on        bool
		key, text string
		severity  Severity
		source    string
	}{
		{f.Place.HostNetwork, "hostNetwork", "the pod is in the network of the node: " + strings.Join(f.Place.Interfaces, ", "), High, "/proc/net/dev"},
		{f.Place.HostPID, "hostPID", "the pod sees the processes of the node", High, "/proc/2/comm"},
		{f.Place.SharedPID, "shareProcessNamespace", "the containers of the pod see each other's processes", Medium, "/proc"},
	} {
		if x.on {
			found = append(found, fail(x.key, x.text, Fix{Text: "delete " + x.key + " from the pod's spec", Config: "spec:\n  " + x.key + ": false\n"}, Evidence{Source: x.source}).at(x.severity))
		}
	}
	return orPass(found, "the pod has namespaces of its own", Evidence{Source: "/proc/net/dev"})
}

func judgeToken(f *host.Facts) []Verdict {
	if f.Place.Token == "" {
		return pass("no token is mounted", Evidence{Source: "/var/run/secrets/kubernetes.io/serviceaccount"})
	}
	return []Verdict{fail("", "a token of a service account is mounted", Fix{
		Text: "tell Kubernetes to mount none", Config: "spec:\n  automountServiceAccountToken: false\n",
	}, Evidence{Source: f.Place.Token})}
}

// judgeNeighbours can tell from within only what would answer a neighbour. Which
// policies there are, the API server knows, and who gets through, a neighbour.
func judgeNeighbours(f *host.Facts) (found []Verdict) {
	tried := 0
	var seen Evidence
	for _, a := range f.Answers {
		address := strings.TrimPrefix(a.Address, "udp:")
		if strings.HasPrefix(address, "unix:") || onLoopback(address) {
			continue
		}
		tried++
		seen = Evidence{Source: a.Address, Text: a.Error}
		if a.Version == "" {
			continue
		}
		seen.Text = "VERSION " + a.Version
		found = append(found, fail(a.Address, "memcached answers on the pod's address "+a.Address+", so that only a NetworkPolicy keeps other pods away", Fix{
			Text: "let memcached listen on a unix socket in an emptyDir; then have a NetworkPolicy for slabgate's own port", Config: podSocket,
		}, seen))
	}
	if tried == 0 {
		return skip("memcached was not tried on the pod's address; from another pod: slabgate probe --from semi")
	}
	return orPass(found, "memcached does not answer on the pod's address, so that it needs no NetworkPolicy; for slabgate's port: slabgate probe --from semi", seen)
}

func judgeRestricted(f *host.Facts) (found []Verdict) {
	p := server(f)
	if p == nil {
		p = &f.Self
	}
	if !p.StatusOK {
		return skip("/proc/self/status was not looked at")
	}
	for _, x := range []struct {
		on                   bool
		key, text, line, src string
	}{
		{p.UID == 0, "runAsNonRoot", "the container runs as root", "User=slabgate", "status"},
		{p.Seccomp != 2, "seccompProfile", "the container may use every system call", "SystemCallFilter=@system-service", "status"},
		{!p.NoNewPrivs, "allowPrivilegeEscalation", "the container may gain privileges", "NoNewPrivileges=yes", "status"},
		{!p.RootRO && !f.Place.RootRO, "readOnlyRootFilesystem", "the container's / can be written", "ProtectSystem=strict", "mountinfo"},
	} {
		if x.on {
			found = append(found, fail(x.key, x.text, Fix{Text: "restrict slabgate's container", Config: podLines[x.line]}, procFile(p, x.src, x.key)))
		}
	}
	if strings.HasPrefix(f.Place.AppArmor, "unconfined") {
		v := fail("appArmorProfile", "no AppArmor profile holds for the container", Fix{Text: "restrict slabgate's container",
			Config: "securityContext:\n  appArmorProfile:\n    type: RuntimeDefault\n"}, procFile(p, "attr/current", f.Place.AppArmor))
		found = append(found, v.at(Low))
	}
	return orPass(found, "slabgate's container is restricted", procFile(p, "status", ""))
}

func judgeSocketMount(f *host.Facts) (found []Verdict) {
	socket, ok := "", false
	if f.Subject != nil {
		socket, ok = strings.CutPrefix(f.Subject.Upstream, "unix:")
	}
	if !ok {
		return skip("memcached is not reached over a unix socket")
	}
	mount := mountOf(f.Place.Mounts, socket)
	if mount == nil {
		return skip("what is mounted was not looked at")
	}
	seen := Evidence{Source: "/proc/self/mountinfo", Line: mount.Line, Text: mount.Point + " " + mount.Type}
	alone := Fix{Text: "mount an emptyDir there, in memcached's and slabgate's container alone", Config: podSocket}
	if mount.Point == "/" || mount.Type != "tmpfs" && !strings.Contains(mount.Root, "kubernetes.io~empty-dir") {
		found = append(found, fail("volume", fmt.Sprintf("the folder of %s is no emptyDir of this pod", socket), alone, seen))
	}
	if strings.HasPrefix(mount.Propagation, "shared:") {
		found = append(found, fail("propagation", fmt.Sprintf("what is mounted at %s shows on the node too", mount.Point),
			Fix{Text: "delete mountPropagation from the volumeMounts", Config: "volumeMounts: [{name: socket, mountPath: " + mount.Point + ", mountPropagation: None}]\n"}, seen))
	}
	for _, name := range []string{socket, path.Dir(socket)} {
		if file := fileAt(f, name); file != nil && file.Error == "" && file.Mode&0o007 != 0 && (name != socket || file.Mode&0o002 != 0) && !closedTo(f, name) {
			found = append(found, fail(name, fmt.Sprintf("%s has mode %04o, so that users outside its group get there", name, file.Mode),
				Fix{Text: "give the volume a group, and memcached's socket mode 0770", Config: podSocket}, fileEvidence(file)))
		}
	}
	return orPass(found, "the folder of memcached's socket is an emptyDir, closed to others", seen)
}

// mountOf is the mount that a path is on.
func mountOf(mounts []host.Mount, name string) (best *host.Mount) {
	for i := range mounts {
		m := &mounts[i]
		if strings.HasPrefix(name, strings.TrimSuffix(m.Point, "/")+"/") && (best == nil || len(m.Point) >= len(best.Point)) {
			best = m
		}
	}
	return best
}
