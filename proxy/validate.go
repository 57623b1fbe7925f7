package proxy

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/finding"
)

// maxUnixPath is how many bytes of a socket's path the kernel takes, without
// the closing NUL.
const maxUnixPath = 107

// listenerName is what a listener may be called: policy, metrics and variables
// name it too, the last with _ for each hyphen.
var listenerName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// addressFix shows the first three of four forms of an address.
const addressFix = `write ":11212" for every address, "127.0.0.1:11212" for one, or "unix:/run/slabgate/app.sock?mode=0660"`

// systemdName is what systemd may call a socket: FileDescriptorName= of its unit.
var systemdName = regexp.MustCompile(`^[!-9;-~]{1,255}$`)

// DefaultListener is a listener of which only name and address must be said.
func DefaultListener() ListenerConfig {
	return ListenerConfig{Transport: "tls", MaxConnections: 4096}
}

// Validate reports everything that is wrong with c. Keys are those of one entry
// of listeners in slabgate.yaml.
func (c ListenerConfig) Validate() finding.List {
	var list finding.List
	if !listenerName.MatchString(c.Name) || len(c.Name) > 63 {
		list.Errorf("SG1022", "name", "use a-z, 0-9 and single hyphens, 63 at most: main",
			"%q is not a name", clipped(c.Name))
	}
	local := c.validateAddress(&list)
	switch {
	case c.Transport == "plaintext" && !local:
		list.Errorf("SG1042", "address", `write "127.0.0.1:11212" or "unix:/run/slabgate/app.sock", or transport: tls`,
			"%q takes plaintext from beyond this host", clipped(c.Address))
	case c.Transport == "sniff":
		list.Errorf("SG1014", "transport", "write tls, or a second listener for plaintext on 127.0.0.1",
			"this version does not have TLS and plaintext on one port")
	case c.Transport != "tls" && c.Transport != "plaintext":
		list.Errorf("SG1043", "transport", "write tls, or plaintext on a loopback address or unix socket",
			"%q is not a transport", clipped(c.Transport))
	}
	if c.MaxConnections < 1 {
		list.Errorf("SG1044", "max_connections", "write 1 or more", "%d lets nobody in", c.MaxConnections)
	}
	if beside := strings.HasPrefix(c.Address, "unix:") || strings.HasPrefix(c.Address, "systemd:"); beside && c.ReusePort {
		list.Errorf("SG1180", "reuse_port", "delete it", "only a TCP address that slabgate binds itself can be bound by two processes")
	}
	c.validatePlain(&list)
	return list
}

// Inherited returns the name under which systemd hands over the listener's socket,
// if it does.
func (c ListenerConfig) Inherited() (name string, ok bool) {
	return strings.CutPrefix(c.Address, "systemd:")
}

// validatePlain checks unsafe_plain. Where it counts, every start tells of it.
// Where it does not it is refused: after a change of the listener it would open
// what nobody meant to open.
func (c ListenerConfig) validatePlain(list *finding.List) {
	switch why := c.needlessPlain(); {
	case !c.PlainInClear:
	case why != "":
		list.Errorf("SG1049", "unsafe_plain", "delete it", "it would change nothing: %s", why)
	default:
		list.Warnf("SG1048", "unsafe_plain", "add SCRAM-SHA-256 to logins.sasl, or use TLS or a unix socket, and delete it",
			"a password that a client sends with PLAIN crosses this host in the clear")
	}
}

// needlessPlain says why unsafe_plain has no effect on c, or "".
func (c ListenerConfig) needlessPlain() string {
	switch {
	case c.Transport == "tls":
		return "the listener has TLS"
	case strings.HasPrefix(c.Address, "unix:"):
		return "PLAIN is offered on a unix socket anyway"
	case !slices.Contains(c.SASL, auth.Plain):
		return "logins.sasl does not name PLAIN"
	}
	return ""
}

// validateAddress checks the address and reports whether only this host can
// reach it. An address that cannot be read is given the benefit of the doubt:
// one finding about it is enough.
func (c ListenerConfig) validateAddress(list *finding.List) (local bool) {
	if rest, ok := strings.CutPrefix(c.Address, "unix:"); ok {
		validateUnix(list, rest)
		return true
	}
	if name, ok := c.Inherited(); ok {
		if !systemdName.MatchString(name) {
			list.Errorf("SG1181", "address", `write "systemd:main", and FileDescriptorName=main in slabgate.socket`,
				"%q names no socket of systemd's", clipped(c.Address))
		}
		return true // the socket is looked at when it is there
	}
	text := c.Address
	if strings.HasPrefix(text, ":") {
		text = "0.0.0.0" + text
	}
	addr, err := netip.ParseAddrPort(text)
	if err == nil {
		return addr.Addr().Unmap().IsLoopback()
	}
	host, port, ok := strings.Cut(c.Address, ":")
	switch {
	case c.Address == "":
		list.Errorf("SG1040", "address", addressFix, "no address")
	case ok && strings.EqualFold(host, "localhost"):
		list.Errorf("SG1041", "address", "write 127.0.0.1:"+port, "%q is a name, not an address", clipped(c.Address))
	case ok && strings.ContainsFunc(host, isLetter) && !strings.ContainsAny(host, "[]/"):
		list.Errorf("SG1041", "address", addressFix, "%q is a name, not an address", clipped(c.Address))
	default:
		list.Errorf("SG1040", "address", addressFix, "%q is not an address", clipped(c.Address))
	}
	return true
}

// unixOptions are what may follow the ? of a socket's path.
var unixOptions = map[string]func(value string) (problem string){
	"mode":  modeProblem,
	"group": groupProblem,
}

// validateUnix checks path?mode=0660&group=www-data.
func validateUnix(list *finding.List, text string) {
	file, query, asked := strings.Cut(text, "?")
	switch {
	case !path.IsAbs(file) || strings.Contains(file, "\x00"):
		list.Errorf("SG1040", "address", addressFix, "%q is not an absolute path", clipped(file))
	case len(file) > maxUnixPath:
		list.Errorf("SG1040", "address", "choose a shorter path", "the path has %d bytes; a socket takes %d", len(file), maxUnixPath)
	}
	if !asked {
		return
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		problemOf, known := unixOptions[key]
		problem := "is given twice"
		switch {
		case !known:
			problem = "is neither mode nor group"
		case !seen[key]:
			problem = problemOf(value)
		}
		seen[key] = true
		if problem != "" {
			list.Errorf("SG1045", "address", "write it like unix:/run/slabgate/app.sock?mode=0660&group=www-data",
				"the socket option %q %s", clipped(pair), problem)
		}
	}
}

// modeProblem says what is wrong with the permissions of a socket, or "".
func modeProblem(value string) string {
	n, err := strconv.ParseUint(value, 8, 32)
	if err != nil || n > 0o777 || len(value) != 4 || value[0] != '0' {
		return "is not a mode such as 0660"
	}
	return ""
}

// groupProblem says what is wrong with the name of a group, or "".
func groupProblem(value string) string {
	if value == "" || len(value) > 32 || strings.ContainsAny(value, "/:%+ \x00") {
		return "names no group"
	}
	return ""
}

// Validate reports everything that is wrong with l. Keys are those of limits in
// slabgate.yaml.
func (l Limits) Validate() finding.List {
	var list finding.List
	for _, t := range []struct {
		key  string
		span time.Duration
		fix  string
	}{
		{"login_timeout", l.LoginTimeout, "write it like 5s"},
		{"handshake_timeout", l.HandshakeTimeout, "write it like 3s"},
		{"request_timeout", l.RequestTimeout, "write it like 30s"},
		{"write_timeout", l.WriteTimeout, "write it like 10s"},
	} {
		if t.span <= 0 {
			list.Errorf("SG1046", t.key, t.fix, "%s is no time at all", t.span)
		}
	}
	if l.IdleTimeout < 0 {
		list.Errorf("SG1046", "idle_timeout", "write 0s for none, or a time", "%s is less than nothing", l.IdleTimeout)
	}
	for _, n := range []struct {
		key   string
		count int
	}{
		{"max_unauthenticated", l.MaxUnauthenticated},
		{"max_per_source", l.MaxPerSource},
		{"max_in_flight", l.MaxInFlight},
		{"max_reply", l.MaxReply},
	} {
		if n.count < 1 {
			list.Errorf("SG1046", n.key, "write more than nothing, or delete the key for the default", "%d lets nothing through", n.count)
		}
	}
	l.validateOrder(&list)
	return list
}

// validateOrder checks limits that lie inside others: one that can never be
// reached is a mistake about what it does.
func (l Limits) validateOrder(list *finding.List) {
	if l.LoginTimeout > 0 && l.HandshakeTimeout > l.LoginTimeout {
		list.Errorf("SG1047", "handshake_timeout", fmt.Sprintf("write %s or less", l.LoginTimeout),
			"%s is more than login_timeout, which contains it and is %s", l.HandshakeTimeout, l.LoginTimeout)
	}
	if l.MaxUnauthenticated > 0 && l.MaxPerSource > l.MaxUnauthenticated {
		list.Errorf("SG1047", "max_per_source", fmt.Sprintf("write %d or less", l.MaxUnauthenticated),
			"%d is more than max_unauthenticated, which contains it and is %d", l.MaxPerSource, l.MaxUnauthenticated)
	}
}

// isLetter reports whether r is a letter of a host name.
func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// clipped shortens what an operator wrote to what a message can carry.
func clipped(s string) string {
	if len(s) > 64 {
		return s[:61] + "..."
	}
	return s
}
