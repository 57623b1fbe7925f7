package upstream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// AnyUID is the ExpectUID of a configuration that takes whoever listens.
const AnyUID = -1

// overflowUID is what a user namespace shows of users it has no id for.
const overflowUID = 65534

// maxUID is the largest user id; the one above it means none.
const maxUID = 1<<32 - 2

var (
	errNoOwner = errors.New("the kernel does not tell whose socket it is")
	errUnowned = errors.New("nobody has taken the connection yet")
)

// ownedBy is an error unless the process at the other end runs as a user. It must
// have answered by then: before that a connection may have no owner.
//
// A name in a file system and a port on the loopback both belong to whoever takes
// them first, once memcached is gone.
func (c *conn) ownedBy(want int) error {
	if want == AnyUID {
		return nil
	}
	got, err := ownerOf(c.Conn)
	if err != nil {
		return fmt.Errorf("whose memcached it is cannot be told: %w", err)
	}
	switch {
	case got == want:
		return nil
	case got == overflowUID:
		return fmt.Errorf("it belongs to uid %d, which also stands for everybody whom a user namespace hides (PrivateUsers=no shows them), and expect_uid is %d", got, want)
	}
	return fmt.Errorf("it belongs to uid %d, and expect_uid is %d", got, want)
}

// ownerOf is the user at the other end of a connection within this host.
func ownerOf(c net.Conn) (uid int, err error) {
	if unixConn, ok := c.(*net.UnixConn); ok {
		return ownerOfUnix(unixConn)
	}
	here, there := endOf(c.LocalAddr()), endOf(c.RemoteAddr())
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} { // a listener of IPv6 may have taken it
		f, err := os.Open(table)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		uid, err = findOwner(f, there, here)
		f.Close()
		if !errors.Is(err, errNoOwner) {
			return uid, err
		}
	}
	return 0, errNoOwner
}

// ownerOfUnix asks for the credentials of who listens on the socket.
func ownerOfUnix(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var failed error
	if err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err == nil {
		err = failed
	}
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// endOf is an end of a TCP connection as findOwner compares it.
func endOf(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// Columns of a line of /proc/net/tcp, as proc_net_tcp(5) has them.
const (
	columnLocal  = 1
	columnRemote = 2
	columnUID    = 7
	columnInode  = 9
	columns      = 10
)

// findOwner looks for the socket with two ends in a table of the form of
// /proc/net/tcp and returns whose it is, or errNoOwner.
func findOwner(table io.Reader, local, remote netip.AddrPort) (uid int, err error) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < columns || parseEnd(f[columnLocal]) != local || parseEnd(f[columnRemote]) != remote {
			continue
		}
		if f[columnInode] == "0" {
			return 0, errUnowned
		}
		id, err := strconv.ParseUint(f[columnUID], 10, 32)
		return int(id), err
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, errNoOwner
}

// parseEnd reads 0100007F:2BCB: words of the address in the machine's order, and
// the port. What is none of that is the zero value.
func parseEnd(s string) netip.AddrPort {
	host, port, _ := strings.Cut(s, ":")
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil || len(host)%8 != 0 {
		return netip.AddrPort{}
	}
	var raw []byte
	for ; host != ""; host = host[8:] {
		word, err := strconv.ParseUint(host[:8], 16, 32)
		if err != nil {
			return netip.AddrPort{}
		}
		raw = binary.NativeEndian.AppendUint32(raw, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(p))
}
