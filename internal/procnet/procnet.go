// Package procnet reads the tables of sockets of a network namespace, such as
// /proc/net/tcp, in the form that proc_net_tcp(5) and the kernel's
// Documentation/networking/proc_net_tcp.rst have.
//
// It opens nothing; whoever reads a table hands over its lines.
package procnet

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Row is one socket.
type Row struct {
	Local, Remote netip.AddrPort // IPv4 in IPv6 is left as it is
	State         string         // 0A listens, 01 is connected; 07 of UDP waits for anybody
	UID           int            // of its owner
	Inode         uint64         // 0 while nobody has taken it
}

// Columns of a line.
const (
	columnLocal  = 1
	columnRemote = 2
	columnState  = 3
	columnUID    = 7
	columnInode  = 9
	columns      = 10 // at least
)

// Parse reads a line of a table. The heading, and whatever else is none, is no row.
func Parse(line string) (r Row, ok bool) {
	f := strings.Fields(line)
	if len(f) < columns {
		return Row{}, false
	}
	local, okLocal := ParseAddrPort(f[columnLocal])
	remote, okRemote := ParseAddrPort(f[columnRemote])
	uid, err1 := strconv.ParseUint(f[columnUID], 10, 32)
	inode, err2 := strconv.ParseUint(f[columnInode], 10, 64)
	if !okLocal || !okRemote || err1 != nil || err2 != nil {
		return Row{}, false
	}
	return Row{Local: local, Remote: remote, State: f[columnState], UID: int(uid), Inode: inode}, true
}

// ParseAddrPort reads 0100007F:2BCB: words of 32 bits in the order of the
// processor, which all that slabgate is built for have the low byte first, and a
// port with the high byte first.
func ParseAddrPort(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	raw, err1 := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(port) != 4 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(number)), ok
}
