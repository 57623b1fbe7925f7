package host

import (
	"context"
	"errors"
	"strings"
)

// settings are the files beneath /proc/sys that are read; later ones only if it is
// no start.
var settings = []struct {
	file  string
	start bool
}{
	{"net/core/somaxconn", false},
	{"net/ipv4/tcp_syncookies", false},
	{"net/ipv4/ip_local_port_range", false},
	{"net/ipv4/ip_forward", false},
	{"net/ipv6/bindv6only", false},
	{"kernel/yama/ptrace_scope", false},
	{"kernel/core_pattern", false},
	{"kernel/osrelease", false},
	{"fs/suid_dumpable", false},
}

// interfaces is where each interface has settings of its own, and all has those
// that hold for each.
const interfaces = "net/ipv4/conf"

func (g *gathering) gatherSettings(ctx context.Context) {
	for _, s := range settings {
		if s.start || !g.options.Startup {
			g.readSetting(s.file)
		}
	}
	names, err := g.source.ReadDir("/proc/sys/" + interfaces)
	if err != nil {
		g.unseen("/proc/sys/"+interfaces, err)
	}
	for _, name := range names {
		if ctx.Err() != nil {
			g.unseen("/proc/sys/"+interfaces, errLate)
			return
		}
		g.readSetting(interfaces + "/" + name + "/route_localnet")
	}
}

func (g *gathering) readSetting(file string) {
	if text := g.read("/proc/sys/" + file); text != "" {
		g.facts.Settings[settingName(file)] = strings.TrimSpace(text)
	}
}

// settingName is a file beneath /proc/sys in the words of sysctl, which has a dot
// for a slash and a slash for a dot.
func settingName(file string) string { return strings.NewReplacer("/", ".", ".", "/").Replace(file) }

// gatherFirewall lists what filters packets. One of the two tools is enough, so
// that one that is not installed is told only if there is no other.
func (g *gathering) gatherFirewall(ctx context.Context) {
	into := map[string]*string{"nft": &g.facts.Firewall.NFT, "iptables": &g.facts.Firewall.Iptables}
	var missing []string
	for _, listing := range []string{"nft", "iptables"} {
		command := strings.Join(Listings[listing].Command, " ")
		text, err := g.source.List(ctx, listing)
		switch whyNot(err) {
		case "":
			*into[listing] = string(text)
			g.facts.Firewall.Seen = true
		case whyNot(errNotInstalled), "no such file":
			missing = append(missing, command)
		default:
			g.unseen(command, err)
		}
	}
	for _, command := range missing {
		if !g.facts.Firewall.Seen {
			g.unseen(command, errNotInstalled)
		}
	}
}

var errNotInstalled = errors.New("not installed")
