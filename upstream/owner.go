package upstream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/slabgate/slabgate/internal/procnet"
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
	if got == overflowUID && hidesUsers() {
		return fmt.Errorf("it belongs to uid %d, which stands for everybody whom a user namespace hides: PrivateUsers=no in the unit shows them", got)
	}
	if got != want {
		return fmt.Errorf("it belongs to uid %d, and expect_uid is %d", got, want)
	}
	return nil
}

// hidesUsers tells whether this process is in a user namespace in which not every
// user has an id of its own.
func hidesUsers() bool {
	uidMap, err := os.ReadFile("/proc/self/uid_map")
	return err != nil || !isWhole(string(uidMap))
}

// isWhole tells whether a map of user_namespaces(7) is that of a whole machine.
func isWhole(uidMap string) bool {
	return slices.Equal(strings.Fields(uidMap), []string{"0", "0", "4294967295"})
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
	return unmapped(tcp.AddrPort())
}

// unmapped is an end by which one and the same is equal, whichever table it is in.
func unmapped(end netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(end.Addr().Unmap().WithZone(""), end.Port())
}

// findOwner looks for the socket with two ends in a table of the form of
// /proc/net/tcp and returns whose it is, or errNoOwner.
func findOwner(table io.Reader, local, remote netip.AddrPort) (uid int, err error) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		row, ok := procnet.Parse(lines.Text())
		switch {
		case !ok || unmapped(row.Local) != local || unmapped(row.Remote) != remote:
		case row.Inode == 0:
			return 0, errUnowned
		default:
			return row.UID, nil
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, errNoOwner
}
