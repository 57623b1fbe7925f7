package config

import (
	"net/netip"
	"strings"

	"github.com/slabgate/slabgate/internal/finding"
)

// Values of admin.http.
const (
	defaultHTTP = "127.0.0.1:11219"
	noHTTP      = "none"
)

// admin is a for the process, with the path of its socket taken from dir.
func (a *adminDoc) admin(dir string) Admin {
	out := Admin{Socket: under(dir, a.Socket), HTTP: a.HTTP, Hosts: a.Hosts}
	if out.HTTP == noHTTP {
		out.HTTP = ""
	}
	return out
}

// maxSocketPath is the longest path of a unix socket, in bytes, with room for the
// folder beside it that the socket is made in.
const maxSocketPath = 90

// validateAdmin checks where an operator can look in.
func (c *Config) validateAdmin(list *finding.List) {
	c.validateSocket(list)
	c.validateHTTP(list)
}

// validateSocket checks the admin socket against what else is there.
func (c *Config) validateSocket(list *finding.List) {
	const key = "admin.socket"
	path := c.Admin.Socket
	if path == "" {
		return
	}
	if len(path) > maxSocketPath {
		list.Errorf("SG1070", key, "write socket: /run/slabgate/admin.sock", "the path has %d bytes, more than %d", len(path), maxSocketPath)
	}
	taken := map[string]string{}
	for i := range c.Listeners {
		taken[socketPath(c.Listeners[i].Address)] = element("listeners", i)
	}
	for i := range c.Upstreams {
		taken[socketPath(c.Upstreams[i].Address)] = element("upstreams", i)
	}
	if other, ok := taken[path]; ok {
		list.Errorf("SG1071", key, "choose another path", "%q is the address of %s too", clip(path), other)
	}
}

// socketPath is the path of an address that is a unix socket, else "".
func socketPath(address string) string {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return ""
	}
	path, _, _ = strings.Cut(path, "?")
	return path
}

// validateHTTP checks the address of health checks and metrics, and its names.
func (c *Config) validateHTTP(list *finding.List) {
	const key = "admin.http"
	for i, name := range c.Admin.Hosts {
		if !isHostName(name) {
			list.Errorf("SG1192", element("admin.hosts", i), "write a name without port, such as cache-0.internal", "%q is not the name of a host", clip(name))
		}
	}
	if c.Admin.HTTP == "" {
		return
	}
	at, ok := parseHTTP(c.Admin.HTTP)
	if !ok {
		list.Errorf("SG1190", key, "write http: 127.0.0.1:11219, or none", "%q is not an address and a port", clip(c.Admin.HTTP))
		return
	}
	if !at.Addr().IsLoopback() {
		list.Warnf("SG1191", key, "let nobody but your monitoring reach the port, or write 127.0.0.1:11219",
			"%s can be reached from other hosts: whoever asks reads the names of identities and rules", clip(c.Admin.HTTP))
	}
	for i := range c.Listeners {
		if l := c.Listeners[i].Address; at.Port() != 0 && sameAddress(l, at) {
			list.Errorf("SG1193", key, "choose another port", "%q is the address of %s too", clip(c.Admin.HTTP), element("listeners", i))
		}
	}
}

// parseHTTP reads a literal address and port. Without an address it is every one
// that the host has.
func parseHTTP(text string) (netip.AddrPort, bool) {
	if strings.HasPrefix(text, ":") {
		text = "[::]" + text
	}
	at, err := netip.ParseAddrPort(text)
	return at, err == nil
}

// sameAddress reports whether a listener's address can't be had beside another.
func sameAddress(listener string, at netip.AddrPort) bool {
	other, ok := parseHTTP(listener)
	if !ok || other.Port() != at.Port() {
		return false
	}
	return other.Addr() == at.Addr() || other.Addr().IsUnspecified() || at.Addr().IsUnspecified()
}

// isHostName reports whether s is what a client may ask for by name.
func isHostName(s string) bool {
	return s != "" && len(s) <= 253 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" &&
		!strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
}
