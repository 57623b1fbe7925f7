package upstream

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// Bounds of a Config.
const (
	maxShared   = 64
	maxUnixPath = 107 // bytes the kernel takes, without the closing NUL
)

// dialects are the words for how slabgate speaks to a memcached.
var dialects = map[string]bool{"auto": true, "meta": true, "classic": true}

// Validate reports everything that is wrong with c. Keys are those of one entry
// of upstreams in slabgate.yaml.
func (c Config) Validate() finding.List {
	var list finding.List
	c.validateOwner(&list)
	c.validateAddress(&list)
	if !dialects[c.Dialect] {
		list.Errorf("SG1053", "dialect", "write auto, meta or classic", "%q is not a dialect", clipped(c.Dialect))
	}
	if c.Shared < 0 || c.Shared > maxShared {
		list.Errorf("SG1054", "shared", "write 0 for one per core, or a number up to 64",
			"%d shared connections are outside 0 to %d", c.Shared, maxShared)
	}
	c.validatePool(&list)
	c.validateTimes(&list)
	return list
}

// validateAddress accepts a unix socket and a literal address. A name is
// refused even if it is safe today: what it means is decided by a file or a
// server that is not part of the configuration.
func (c Config) validateAddress(list *finding.List) {
	const fix = "write unix:/run/memcached/memcached.sock or 127.0.0.1:11211"
	if c.Address == "" {
		list.Errorf("SG1050", "address", fix, "no address")
		return
	}
	if file, ok := strings.CutPrefix(c.Address, "unix:"); ok {
		if problem := unixProblem(file); problem != "" {
			list.Errorf("SG1050", "address", fix, "%q %s", clipped(c.Address), problem)
		}
		return
	}
	addr, err := netip.ParseAddrPort(c.Address)
	if err != nil {
		c.refuseName(list, fix)
		return
	}
	ip := addr.Addr().Unmap()
	switch {
	case addr.Port() == 0:
		list.Errorf("SG1050", "address", fix, "%q has port 0", clipped(c.Address))
	case ip.IsUnspecified() || ip.IsMulticast():
		list.Errorf("SG1050", "address", fix, "%q is not the address of one server", clipped(c.Address))
	case ip.IsLoopback():
	case !c.Unsafe:
		list.Errorf("SG1052", "address", fix+"; or, if the network between is yours alone: unsafe: true",
			"%q is beyond this host, and memcached behind it would be reached without TLS", clipped(c.Address))
	default:
		list.Warnf("SG1058", "unsafe", fix, "keys and values travel to %q without TLS", clipped(c.Address))
	}
}

// validateOwner checks that expect_uid is an id, and that there is one to be seen.
func (c Config) validateOwner(list *finding.List) {
	if c.ExpectUID < AnyUID || c.ExpectUID > maxUID {
		list.Errorf("SG1059", "expect_uid", "write what id -u memcache prints, or -1 for anybody",
			"%d is no user id", c.ExpectUID)
		return
	}
	addr, err := netip.ParseAddrPort(c.Address)
	if c.ExpectUID != AnyUID && err == nil && !addr.Addr().Unmap().IsLoopback() {
		list.Errorf("SG1059", "expect_uid", "remove it, or reach memcached on this host",
			"%q is beyond this host, where nobody can see who listens", clipped(c.Address))
	}
}

// refuseName says why an address that is no literal is refused.
func (c Config) refuseName(list *finding.List, fix string) {
	host, port, ok := cutPort(c.Address)
	switch {
	case ok && strings.EqualFold(strings.TrimSuffix(host, "."), "localhost"):
		list.Errorf("SG1051", "address", "write 127.0.0.1:"+port, "%q is a name, which may come to mean another host", clipped(c.Address))
	case ok && isName(host):
		list.Errorf("SG1051", "address", fix, "%q is a name, which may come to mean another host", clipped(c.Address))
	default:
		list.Errorf("SG1050", "address", fix, "%q is not an address", clipped(c.Address))
	}
}

// validatePool checks the bounds of the leased connections.
func (c Config) validatePool(list *finding.List) {
	if c.PoolMin < 0 {
		list.Errorf("SG1055", "pool.min", "write 0 or more", "%d idle connections are less than none", c.PoolMin)
	}
	if c.PoolMax < 2 {
		list.Errorf("SG1055", "pool.max", "write 2 or more", "%d is fewer than one connection that clients share and one that is leased", c.PoolMax)
	} else if c.PoolMax < c.PoolMin {
		list.Errorf("SG1055", "pool.max", fmt.Sprintf("write %d or more", c.PoolMin),
			"%d is less than pool.min, which is %d", c.PoolMax, c.PoolMin)
	}
}

// validateTimes checks that every wait ends, and that it lasts.
func (c Config) validateTimes(list *finding.List) {
	for _, t := range []struct {
		key  string
		span time.Duration
		fix  string
	}{
		{"connect_timeout", c.ConnectTimeout, "write it like 250ms"},
		{"request_timeout", c.RequestTimeout, "write it like 1s"},
		{"backoff.min", c.BackoffMin, "write it like 5ms"},
		{"backoff.max", c.BackoffMax, "write it like 20ms"},
	} {
		if t.span <= 0 {
			list.Errorf("SG1056", t.key, t.fix, "%s is no time at all", t.span)
		}
	}
	if c.BackoffMax > 0 && c.BackoffMax < c.BackoffMin {
		list.Errorf("SG1057", "backoff.max", fmt.Sprintf("write %s or more", c.BackoffMin),
			"%s is less than backoff.min, which is %s", c.BackoffMax, c.BackoffMin)
	}
}

// unixProblem says what is wrong with the path of a socket, or "".
func unixProblem(file string) string {
	switch {
	case !path.IsAbs(file):
		return "is not an absolute path"
	case strings.ContainsAny(file, "?\x00"):
		return "has more than a path in it"
	case len(file) > maxUnixPath:
		return fmt.Sprintf("has a path of %d bytes; a socket takes %d", len(file), maxUnixPath)
	}
	return ""
}

// cutPort splits host:port at the last colon, if there is one such.
func cutPort(address string) (host, port string, ok bool) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "", "", false
	}
	return address[:i], address[i+1:], true
}

// isName reports whether host could be the name of a host.
func isName(host string) bool {
	return strings.ContainsFunc(host, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) &&
		!strings.ContainsAny(host, "[]/:")
}

// clipped shortens what an operator wrote to what a message can carry.
func clipped(s string) string {
	if len(s) > 64 {
		return s[:61] + "..."
	}
	return s
}
