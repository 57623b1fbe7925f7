package deploy_test

import (
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manifest is deploy/kubernetes/pod.yaml, decoded strictly.
type manifest struct {
	config configMap
	pod    pod
	guard  guardConfig
}

// faults collects what is wrong with a manifest.
type faults []error

func (f *faults) unless(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// readManifest decodes both documents and the configuration inside the first.
func readManifest(text string) (manifest, error) {
	var m manifest
	docs := strings.Split(text, "\n---\n")
	if len(docs) != 2 {
		return m, fmt.Errorf("got %d documents, want a ConfigMap and a Pod", len(docs))
	}
	if err := errors.Join(decode(docs[0], &m.config), decode(docs[1], &m.pod)); err != nil {
		return m, err
	}
	return m, decode(m.config.Data["slabgate.yaml"], &m.guard)
}

// checkManifest finds promises that a manifest breaks.
func checkManifest(_ *testing.T, text string) error {
	m, err := readManifest(text)
	if err != nil {
		return err
	}
	var f faults
	spec := m.pod.Spec
	f.unless(m.config.Kind == "ConfigMap" && m.pod.Kind == "Pod", "kinds are %q and %q", m.config.Kind, m.pod.Kind)
	if len(spec.InitContainers) != 1 || len(spec.Containers) != 1 {
		return fmt.Errorf("got %d and %d containers, want one of each", len(spec.InitContainers), len(spec.Containers))
	}
	f.podIsRestricted(spec)
	f.containerIsRestricted(spec.InitContainers[0])
	f.containerIsRestricted(spec.Containers[0])
	f.onlyTheSocket(m)
	f.volumesAreSafe(m)
	f.guardFits(m)
	return errors.Join(f...)
}

// podIsRestricted wants what holds for the pod as a whole.
func (f *faults) podIsRestricted(spec podSpec) {
	token, links := spec.AutomountServiceAccountToken, spec.EnableServiceLinks
	f.unless(token != nil && !*token, "the pod has a service account token")
	f.unless(links != nil && !*links, "the pod has service links in its environment")
	f.unless(spec.SecurityContext.RunAsNonRoot, "the pod may run as root")
	f.unless(spec.SecurityContext.Seccomp.Type == "RuntimeDefault", "seccomp is %q", spec.SecurityContext.Seccomp.Type)
}

// containerIsRestricted wants no privilege and nothing to write to.
func (f *faults) containerIsRestricted(c container) {
	s := c.SecurityContext
	escalates := s.AllowPrivilegeEscalation
	f.unless(s.RunAsUser > 0 && s.RunAsGroup > 0, "%s runs as %d:%d", c.Name, s.RunAsUser, s.RunAsGroup)
	f.unless(escalates != nil && !*escalates, "%s may gain privileges", c.Name)
	f.unless(s.ReadOnlyRootFilesystem, "%s can write its image", c.Name)
	f.unless(slices.Equal(s.Capabilities.Drop, []string{"ALL"}), "%s drops only %q", c.Name, s.Capabilities.Drop)
	f.unless(c.Resources.Limits["memory"] != "", "%s has no memory limit", c.Name)
	f.unless(c.Resources.Limits["cpu"] == "", "%s has a CPU limit, which shows as latency", c.Name)
}

// onlyTheSocket wants memcached on a unix socket in the shared volume, slabgate
// at its other end, and nothing on loopback TCP.
func (f *faults) onlyTheSocket(m manifest) {
	cache, guard := m.pod.Spec.InitContainers[0], m.pod.Spec.Containers[0]
	socket, err := socketOf(cache.Args)
	if err != nil {
		*f = append(*f, err)
	}
	f.unless(cache.RestartPolicy == "Always", "memcached is no sidecar: restartPolicy is %q", cache.RestartPolicy)
	f.unless(slices.Contains(cache.Args, "0770"), "the socket's mode is not 0770: %q", cache.Args)
	for _, u := range m.guard.Upstreams {
		f.unless(u.Address == "unix:"+socket, "slabgate's upstream is %q, memcached's socket %q", u.Address, socket)
	}
	for _, l := range m.guard.Listeners {
		host, number, err := net.SplitHostPort(l.Address)
		f.unless(err == nil && host == "", "listener %s is not on every address: %q", l.Name, l.Address)
		f.unless(l.Transport == "tls" && l.TLS.ClientAuth == "require", "listener %s lets in strangers", l.Name)
		declared := slices.ContainsFunc(guard.Ports, func(p port) bool { return strconv.Itoa(p.ContainerPort) == number })
		f.unless(declared, "listener %s: port %s is not declared", l.Name, number)
	}
	f.unless(len(m.guard.Listeners) == 1 && len(m.guard.Upstreams) == 1, "slabgate has other than one listener and one upstream")
	for _, p := range []*probe{guard.StartupProbe, guard.ReadinessProbe} {
		f.unless(p != nil && p.TCPSocket.Port == guard.Ports[0].Name, "a probe is missing or asks another port: %+v", p)
	}
}

// mountOf is where a container has a volume; the zero mount if nowhere.
func mountOf(c container, name string) mount {
	for _, m := range c.VolumeMounts {
		if m.Name == name {
			return m
		}
	}
	return mount{}
}

// volumesAreSafe wants the socket's volume in both containers, the others in
// slabgate alone, and nothing that slabgate can write to.
func (f *faults) volumesAreSafe(m manifest) {
	cache, guard := m.pod.Spec.InitContainers[0], m.pod.Spec.Containers[0]
	socket, _ := socketOf(cache.Args)
	for _, v := range m.pod.Spec.Volumes {
		inCache, inGuard := mountOf(cache, v.Name), mountOf(guard, v.Name)
		f.unless(inGuard.ReadOnly, "volume %s is not mounted read-only into slabgate", v.Name)
		if v.EmptyDir == nil {
			f.unless(inCache == mount{}, "volume %s is mounted into memcached", v.Name)
			continue
		}
		f.unless(v.EmptyDir.Medium == "Memory" && v.EmptyDir.SizeLimit != "", "volume %s is not a bounded one in memory", v.Name)
		shared := inCache.MountPath == path.Dir(socket) && inGuard.MountPath == inCache.MountPath && !inCache.ReadOnly
		f.unless(shared, "volume %s does not join memcached and slabgate at %q", v.Name, path.Dir(socket))
	}
	shared := slices.DeleteFunc(slices.Clone(m.pod.Spec.Volumes), func(v volume) bool { return v.EmptyDir == nil })
	f.unless(len(shared) == 1, "got %d volumes to share a socket in, want 1", len(shared))
	f.unless(len(cache.VolumeMounts) == 1, "memcached has %d volumes, want the socket's only", len(cache.VolumeMounts))
	group := m.pod.Spec.SecurityContext.FSGroup
	f.unless(group == cache.SecurityContext.RunAsGroup, "fsGroup %d is not memcached's group, so slabgate is not in it", group)
}

// guardFits wants slabgate's files where its configuration looks for them, and
// its drain to be over before the pod is killed.
func (f *faults) guardFits(m manifest) {
	guard := m.pod.Spec.Containers[0]
	for _, v := range m.pod.Spec.Volumes {
		at := mountOf(guard, v.Name).MountPath
		if v.ConfigMap != nil {
			f.unless(v.ConfigMap.Name == m.config.Metadata.Name, "the pod mounts ConfigMap %q", v.ConfigMap.Name)
			f.unless(m.guard.Policy == at+"/policy.yaml", "the policy is not in the volume: %q", m.guard.Policy)
			f.unless(slices.Contains(guard.Args, at+"/slabgate.yaml"), "slabgate reads another file: %q", guard.Args)
		}
		if v.Secret != nil {
			f.unless(v.Secret.DefaultMode == 0o440, "the key's mode is %#o, want 0440", v.Secret.DefaultMode)
			tls := m.guard.Listeners[0].TLS
			for _, file := range []string{tls.Cert, tls.Key, tls.ClientCA} {
				f.unless(path.Dir(file) == at, "%q is not in the Secret's volume %q", file, at)
			}
		}
	}
	drain := m.guard.Shutdown.AcceptFor + m.guard.Shutdown.Grace
	period := time.Duration(m.pod.Spec.TerminationGracePeriod) * time.Second
	f.unless(drain > 0 && drain < period, "slabgate drains for %v, the pod is killed after %v", drain, period)
}

func TestManifest(t *testing.T) {
	text := read(t, "kubernetes/pod.yaml")
	if err := checkManifest(t, text); err != nil {
		t.Error(err)
	}
	testBroken(t, text, []broken{
		{"misspelt key", "readOnlyRootFilesystem", "readonlyRootFilesystem", "not found in type"},
		{"subPath", "mountPath: /etc/slabgate, ", "mountPath: /etc/slabgate, subPath: x, ", "not found in type"},
		{"misspelt key inside", "client_auth", "client_aut", "not found in type"},
		{"loopback", `"-a", "0770"`, `"-a", "0770", "-l", "127.0.0.1"`, "listens on a network"},
		{"port", `"-s", "/run/memcached/mc.sock"`, `"-p", "11211"`, "listens on a network"},
		{"open socket", `"0770"`, `"0777"`, "mode is not 0770"},
		{"slabgate on loopback", `address: ":11212"`, `address: "127.0.0.1:11212"`, "not on every address"},
		{"plaintext", "transport: tls", "transport: plaintext", "lets in strangers"},
		{"no certificate", "client_auth: require", "client_auth: none", "lets in strangers"},
		{"upstream", "unix:/run/memcached/mc.sock", "127.0.0.1:11211", "upstream is"},
		{"no sidecar", "      restartPolicy: Always\n", "", "no sidecar"},
		{"third container", "  volumes:\n", "    - name: shipper\n  volumes:\n", "want one of each"},
		{"writable socket volume", "mountPath: /run/memcached, readOnly: true", "mountPath: /run/memcached", "read-only into slabgate"},
		{"key in memcached", "- {name: socket, mountPath: /run/memcached}", "- {name: socket, mountPath: /run/memcached}\n        - {name: tls, mountPath: /x}", "mounted into memcached"},
		{"socket elsewhere", "- {name: socket, mountPath: /run/memcached}", "- {name: socket, mountPath: /x}", "does not join"},
		{"on disk", "        medium: Memory\n", "", "bounded one in memory"},
		{"unbounded", "        sizeLimit: 1Mi\n", "", "bounded one in memory"},
		{"root", "runAsUser: 65532", "runAsUser: 0", "runs as 0"},
		{"pod as root", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"},
		{"capabilities", "drop: [ALL]", "drop: [NET_RAW]", "drops only"},
		{"writable image", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "write its image"},
		{"seccomp", "RuntimeDefault", "Unconfined", "seccomp is"},
		{"escalation", "        allowPrivilegeEscalation: false\n", "", "gain privileges"},
		{"token", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "service account token"},
		{"token by default", "  automountServiceAccountToken: false", "", "service account token"},
		{"links", "enableServiceLinks: false", "enableServiceLinks: true", "service links"},
		{"group", "fsGroup: 11211", "fsGroup: 2000", "not memcached's group"},
		{"open key", "defaultMode: 0440", "defaultMode: 0444", "mode is 0444"},
		{"key elsewhere", "key: /run/slabgate/tls/tls.key", "key: /etc/slabgate/tls.key", "not in the Secret's volume"},
		{"killed early", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 25", "killed after"},
		{"cpu limit", "limits: {memory: 276Mi}", "limits: {memory: 276Mi, cpu: 1}", "CPU limit"},
		{"no probe", "readinessProbe:\n        tcpSocket: {port: memcached-tls}", "readinessProbe:\n        tcpSocket: {port: http}", "a probe"},
	}, checkManifest)
}
