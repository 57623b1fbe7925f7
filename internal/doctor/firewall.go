package doctor

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

func rulesetOf(f *host.Facts) ruleset {
	return append(parseNFT(f.Firewall.NFT), parseIptables(f.Firewall.Iptables)...)
}

// whyNoFirewall is why the rules could not be listed.
func whyNoFirewall(f *host.Facts) string {
	for _, what := range []string{nftSource, iptablesSource} {
		if why := f.WhyUnseen(what); why != "" {
			return what + ": " + why
		}
	}
	return "the rules of the firewall are not to be seen: needs root"
}

func judgeFirewall(f *host.Facts) (found []Verdict) {
	switch {
	case !f.Firewall.Seen:
		return skip(whyNoFirewall(f))
	case f.Place.Scope == "pod" && !f.Place.HostNetwork:
		return skip("a pod is filtered by its NetworkPolicy: see K8-05")
	}
	rules := rulesetOf(f)
	for _, s := range append(cacheSockets(f, "tcp"), cacheSockets(f, "udp")...) {
		if loopback(s.Addr.Addr()) || rules.filtered(s.Network, s.Addr.Port(), families(s.Addr.Addr())...) {
			continue
		}
		fix := closeFix(s.Network, s.Addr.Port(), "let memcached listen on loopback only (NET-01), and drop what comes for its port from outside meanwhile")
		text := fmt.Sprintf("no rule drops what others send to %s at %s", cacheName(f, s), s.Addr)
		found = append(found, fail(socketName(s), text, fix, Evidence{Source: firewallSource(f), Text: rules.summary()}, socketEvidence(s)))
	}
	if len(found) == 0 {
		found = openHost(f, rules)
	}
	return orPass(found, "what others send to memcached's port is dropped, or reaches nothing", Evidence{Source: firewallSource(f), Text: rules.summary()})
}

// families are the families of tables that see packets for an address.
func families(a netip.Addr) []string {
	if a.Unmap().Is4() {
		return []string{"ip", "inet"}
	}
	return []string{"ip6", "inet"}
}

func firewallSource(f *host.Facts) string {
	if f.Firewall.NFT == "" && f.Firewall.Iptables != "" {
		return iptablesSource
	}
	return nftSource
}

// summary is what there is in one line.
func (r ruleset) summary() string {
	var inputs []string
	for i := range r {
		if c := &r[i]; c.hook == "input" {
			inputs = append(inputs, fmt.Sprintf("%s %s %s: policy %s, %s", c.family, c.table, c.name, c.policy, counted(len(c.rules), "rule")))
		}
	}
	if len(inputs) == 0 {
		return "no chain looks at what comes in"
	}
	return strings.Join(inputs, "; ")
}

// openHost finds a host with an address of the internet and no rule at all. Nothing
// of memcached is open there, so it weighs less.
func openHost(f *host.Facts, rules ruleset) []Verdict {
	at := slices.IndexFunc(f.Addresses, public)
	guarded := slices.ContainsFunc(rules, func(c chain) bool { return c.hook == "input" && (c.policy == "drop" || len(c.rules) > 0) })
	if at < 0 || guarded {
		return nil
	}
	v := fail("host", "this host has the public address "+f.Addresses[at].String()+" and no rule for what comes in", dropFix(f), Evidence{Source: firewallSource(f), Text: rules.summary()})
	v.Status, v.Severity = Warn, Medium
	return []Verdict{v}
}

var shared = netip.MustParsePrefix("100.64.0.0/10") // behind a carrier's address translation

// public tells whether an address is one of the internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// closeFix drops what comes for a port from outside, in a table of its own.
func closeFix(network string, port uint16, why string) Fix {
	return Fix{Text: why, Commands: []string{
		"nft add table inet slabgate_close",
		"nft add chain inet slabgate_close input '{ type filter hook input priority -10; policy accept; }'",
		fmt.Sprintf("nft add rule inet slabgate_close input ip daddr != 127.0.0.0/8 %s dport %d drop", network, port),
		fmt.Sprintf("nft add rule inet slabgate_close input ip6 daddr != ::1 %s dport %d drop", network, port),
		"nft list table inet slabgate_close >>/etc/nftables.conf",
		"systemctl enable nftables",
	}}
}

// dropFix drops everything but ssh, slabgate and what belongs to connections that
// are open, and lets them in before it starts to drop.
func dropFix(f *host.Facts) Fix {
	ports := listedPorts(f)
	add := "nft add rule inet slabgate_host input "
	return Fix{
		Text: "drop what comes in by default, and let in " + strings.Join(ports, ", ") + "; add to the list what else is to be reached before the line with policy drop",
		Commands: []string{
			"nft add table inet slabgate_host",
			"nft add chain inet slabgate_host input '{ type filter hook input priority 0; policy accept; }'",
			add + "ct state established,related accept",
			add + "iif lo accept",
			add + "meta l4proto '{ icmp, ipv6-icmp }' accept",
			add + "tcp dport '{ " + strings.Join(ports, ", ") + " }' accept",
			"nft chain inet slabgate_host input '{ policy drop; }'",
			"nft list table inet slabgate_host >>/etc/nftables.conf",
			"systemctl enable nftables",
		},
	}
}

// listedPorts are those of ssh and slabgate here.
func listedPorts(f *host.Facts) (ports []string) {
	add := func(port uint16) {
		if text := strconv.Itoa(int(port)); !slices.Contains(ports, text) {
			ports = append(ports, text)
		}
	}
	for i := range f.Sockets {
		s := &f.Sockets[i]
		p := f.Process(s.PID)
		ssh := p != nil && p.Comm == "sshd" || s.Addr.Port() == 22
		if s.Network == "tcp" && !loopback(s.Addr.Addr()) && (ssh || p != nil && p.IsSlabgate()) {
			add(s.Addr.Port())
		}
	}
	if f.Subject != nil {
		for i := range f.Subject.Listeners {
			if at, ok := parseListen(f.Subject.Listeners[i].Address); ok && !loopback(at.Addr()) {
				add(at.Port())
			}
		}
	}
	if len(ports) == 0 {
		ports = []string{"22"}
	}
	return ports
}

func judgePublished(f *host.Facts) (found []Verdict) {
	ports := publishablePorts(f)
	for i := range f.Processes {
		if v, ok := judgeDockerProxy(&f.Processes[i], ports); ok {
			found = append(found, v)
		}
	}
	seen := map[string]bool{}
	rules := rulesetOf(f)
	for i := range rules {
		for _, r := range rules[i].rules {
			to, port, ok := r.forwards()
			if !ok || !slices.Contains(ports, port) || r.loopbackOnly() || seen[to] {
				continue
			}
			seen[to] = true
			text := fmt.Sprintf("chain %s of table %s sends connections on to %s, where memcached is", rules[i].name, rules[i].table, to)
			found = append(found, fail("forward to "+to, text, unpublish(&rules[i], r, to), Evidence{Source: rules[i].source, Line: r.line, Text: r.text}))
		}
	}
	if len(found) == 0 && !f.Firewall.Seen {
		return skip(whyNoFirewall(f))
	}
	return orPass(found, "no rule and no process forwards to memcached's port")
}

// publishablePorts are memcached's ports here, and the usual one, at which it
// listens in containers, unless slabgate has taken that over.
func publishablePorts(f *host.Facts) []uint16 {
	ports := cachePorts(f)
	if slices.Contains(ports, usualCachePort) {
		return ports
	}
	if f.Subject != nil {
		for i := range f.Subject.Listeners {
			if at, ok := parseListen(f.Subject.Listeners[i].Address); ok && at.Port() == usualCachePort {
				return ports
			}
		}
	}
	return append(ports, usualCachePort)
}

// forwarding finds where a rule sends connections to, in the words of either tool.
var forwarding = regexp.MustCompile(`(?:\bdnat(?: ip6?)? to|\bredirect to|--to-destination|--to-ports?) (\S+)`)

// matched finds the port that a rule is about.
var matched = regexp.MustCompile(`(?:\bdport|--dport) (\d+)`)

// forwards is where a rule sends connections on to.
func (r rule) forwards() (to string, port uint16, ok bool) {
	m := forwarding.FindStringSubmatch(r.text)
	if m == nil {
		return "", 0, false
	}
	to = m[1]
	number := to[strings.LastIndexByte(to, ':')+1:]
	if !strings.Contains(to, ":") && strings.Contains(to, ".") {
		if at := matched.FindStringSubmatch(r.text); at != nil {
			number = at[1]
		}
	}
	n, err := strconv.ParseUint(number, 10, 16)
	return to, uint16(n), err == nil
}

// loopbackOnly tells whether only connections to loopback are sent on.
func (r rule) loopbackOnly() bool {
	return strings.Contains(" "+r.text, " ip daddr 127.") || strings.Contains(" "+r.text, " -d 127.") || strings.Contains(" "+r.text, " ip6 daddr ::1 ")
}

// unpublish takes a rule out, and says what would put it there again.
func unpublish(c *chain, r rule, to string) Fix {
	fix := Fix{Text: "take the rule out, here and where your firewall is written down"}
	if strings.HasPrefix(c.name, "DOCKER") {
		fix.Text = "start the container without -p, or with a port of slabgate in its place: docker puts the rule back at its next start"
		fix.Config = "# docker compose: memcached has no ports; slabgate has\nports: [\"11212:11212\"]\n"
	}
	if strings.HasPrefix(c.name, "KUBE-") {
		return redirectService(r, to)
	}
	if c.source == iptablesSource {
		fix.Commands = []string{fmt.Sprintf("iptables -t %s -D %s %s", c.table, c.name, r.text)}
		return fix
	}
	where := strings.Join([]string{c.family, quote(c.table), quote(c.name)}, " ")
	fix.Commands = []string{fmt.Sprintf(`nft -a list chain %s | sed -n 's/.* to %s .*# handle \([0-9]*\)$/\1/p' | while read -r handle; do nft delete rule %s handle "$handle"; done`,
		where, strings.ReplaceAll(literal(to), "/", `\/`), where)}
	return fix
}

// serviceName finds the namespace and the name of a Service in the comment of a rule
// that kube-proxy wrote.
var serviceName = regexp.MustCompile(`comment "([a-z0-9-]+)/([a-z0-9-]+)(?::[a-z0-9-]+)?"`)

// redirectService lets a Service of Kubernetes lead to slabgate.
func redirectService(r rule, to string) Fix {
	fix := Fix{
		Text:     "let the Service lead to slabgate's port in place of memcached's; kube-proxy writes the rule anew",
		Commands: []string{"kubectl get endpoints -A | grep -F " + quote(to)},
		Config:   "targetPort: 11212\n",
	}
	if m := serviceName.FindStringSubmatch(r.text); m != nil {
		fix.Commands = append(fix.Commands, fmt.Sprintf(`kubectl -n %s patch service %s --type=json -p '[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 11212}]'`, m[1], m[2]))
	}
	return fix
}

// judgeDockerProxy reads the command line of docker's process for a published port.
func judgeDockerProxy(p *host.Process, ports []uint16) (v Verdict, ok bool) {
	if len(p.Args) == 0 || !strings.HasSuffix(p.Args[0], "docker-proxy") {
		return v, false
	}
	args := map[string]string{}
	for i := 1; i+1 < len(p.Args); i += 2 {
		args[strings.TrimLeft(p.Args[i], "-")] = p.Args[i+1]
	}
	inner, err := strconv.ParseUint(args["container-port"], 10, 16)
	at, _ := netip.ParseAddr(args["host-ip"])
	if err != nil || !slices.Contains(ports, uint16(inner)) || at.IsValid() && loopback(at) {
		return v, false
	}
	outer := args["host-ip"] + ":" + args["host-port"]
	fix := Fix{
		Text: "start the container again without -p " + args["host-port"] + ", or with a port of slabgate in its place; until then stop it",
		Commands: []string{
			"docker ps --filter publish=" + quote(args["host-port"]),
			`docker stop "$(docker ps -q --filter publish=` + quote(args["host-port"]) + `)"`,
		},
		Config: "# docker compose: memcached has no ports; slabgate has\nports: [\"11212:11212\"]\n",
	}
	text := fmt.Sprintf("docker publishes port %d of the container at %s as %s", inner, args["container-ip"], outer)
	return fail("docker "+outer, text, fix, Evidence{Source: fmt.Sprintf("/proc/%d/cmdline", p.PID), Text: strings.Join(p.Args, " ")}), true
}
