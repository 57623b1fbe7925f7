package host

import (
	"context"
	"slices"
	"strings"
)

// tokenFolder is where Kubernetes mounts the credentials of a service account.
const tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// sign is something that tells a container or a pod from a host.
type sign struct {
	scope, why string
	seen       func(*gathering) bool
}

// signs are looked for in this order: the first that is seen decides.
var signs = []sign{
	{"pod", "KUBERNETES_SERVICE_HOST is set", func(g *gathering) bool { return g.environ("KUBERNETES_SERVICE_HOST") != "" }},
	{"pod", tokenFolder + "/token is there", func(g *gathering) bool { return g.exists(tokenFolder + "/token") }},
	{"pod", "the control group is one of kubepods", func(g *gathering) bool { return g.grouped("kubepods") }},
	{"container", "/.dockerenv is there", func(g *gathering) bool { return g.exists("/.dockerenv") }},
	{"container", "/run/.containerenv is there", func(g *gathering) bool { return g.exists("/run/.containerenv") }},
	{"container", "container is set", func(g *gathering) bool { return g.environ("container") != "" }},
	{"container", "the control group is one of a container", func(g *gathering) bool {
		return g.grouped("docker", "libpod", "containerd", "crio", "lxc")
	}},
	{"container", "/ is an overlay", func(g *gathering) bool {
		return slices.ContainsFunc(g.facts.Place.Mounts, func(m Mount) bool { return m.Point == "/" && m.Type == "overlay" })
	}},
}

func (g *gathering) gatherPlace(ctx context.Context) {
	place := &g.facts.Place
	place.Mounts = parseMounts(g.read(g.base + "/mountinfo"))
	place.RootRO = rootReadOnly(place.Mounts)
	if profile, ok := g.optional(g.base + "/attr/current"); ok {
		place.AppArmor = strings.TrimRight(profile, "\x00\n")
	}
	place.Scope, place.Why = "host", "nothing tells of a container"
	for _, s := range signs {
		if s.seen(g) {
			place.Scope, place.Why = s.scope, s.why
			break
		}
	}
	if g.exists(tokenFolder + "/token") {
		place.Token = tokenFolder + "/token"
	}
	if place.Scope == "host" {
		return
	}
	place.Interfaces = hostInterfaces(g.read("/proc/net/dev"))
	place.HostNetwork = len(place.Interfaces) > 0
	if p := g.facts.Process(2); p != nil && p.Comm == "kthreadd" {
		place.HostPID = true
	}
	g.findStrangers(ctx)
}

// environ is a variable of the process that looks, or empty.
func (g *gathering) environ(name string) string {
	for _, entry := range g.facts.Self.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func (g *gathering) exists(name string) bool {
	_, err := g.source.Stat(name)
	return err == nil
}

// grouped tells whether a control group of the process that looks is named after
// one of words.
func (g *gathering) grouped(words ...string) bool {
	text, _ := g.optional(g.base + "/cgroup")
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// hostParts begin the names of interfaces that a host has for its containers, and
// no container for itself.
var hostParts = []string{"docker", "veth", "cni", "cali", "flannel", "cilium", "lxc", "br-", "kube-", "virbr", "weave", "nodelocaldns", "podman"}

// hostInterfaces are the interfaces of /proc/net/dev that only a host has.
func hostInterfaces(text string) (found []string) {
	for line := range strings.Lines(text) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok && slices.ContainsFunc(hostParts, func(part string) bool { return strings.HasPrefix(name, part) }) {
			found = append(found, name)
		}
	}
	return found
}

// findStrangers looks for processes of other containers. Those have another
// control group, if they are not beneath that of the process that looks.
func (g *gathering) findStrangers(ctx context.Context) {
	own := containerGroup(g.read(g.base + "/cgroup"))
	for i := range g.facts.Processes {
		p := &g.facts.Processes[i]
		if ctx.Err() != nil {
			g.unseen("/proc/*/cgroup", errLate)
			return
		}
		if len(p.Args) == 0 {
			continue // threads of the kernel belong to no container
		}
		if p.Comm == "pause" {
			g.facts.Place.SharedPID = true
			return
		}
		text, err := g.source.ReadFile(p.folder() + "/cgroup")
		if err == nil && foreign(own, containerGroup(string(text))) {
			g.facts.Place.SharedPID = true
			return
		}
	}
}

// containerGroup is the control group of version 2, or of the first controller of
// version 1 that tells more than /.
func containerGroup(text string) (group string) {
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && len(parts[2]) > len(group) {
			group = parts[2]
		}
	}
	return group
}

// foreign tells whether a control group is neither the own one nor beneath it, nor
// above. From within a namespace of control groups a stranger's begins with /.. .
func foreign(own, other string) bool {
	if other == "" || own == other {
		return false
	}
	if strings.HasPrefix(other, "/..") {
		return true
	}
	within := func(a, b string) bool { return strings.HasPrefix(a+"/", strings.TrimSuffix(b, "/")+"/") }
	return !within(other, own) && !within(own, other)
}
