package poll

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Peer is the process at the other end of a unix socket, as the kernel saw it
// when it connected.
type Peer struct {
	UID, GID uint32   // effective
	Groups   []uint32 // its supplementary groups; nil if the kernel does not tell them
}

// nobody is the user and group of a peer that the kernel knows nothing of.
const nobody = ^uint32(0)

var errNoPeer = errors.New("poll: no process is known at the other end")

// Peer tells who connected to a unix socket. A connection of another kind is an
// error.
func (c *Conn) Peer() (Peer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return Peer{}, c.wrap("peer", net.ErrClosed)
	}
	cred, err := unix.GetsockoptUcred(c.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, c.wrap("peer", err)
	}
	if cred.Uid == nobody || cred.Gid == nobody {
		return Peer{}, errNoPeer
	}
	groups, err := peerGroups(c.fd)
	if err != nil {
		return Peer{}, fmt.Errorf("poll: groups of the peer: %w", err)
	}
	return Peer{UID: cred.Uid, GID: cred.Gid, Groups: groups}, nil
}

// peerGroups returns the supplementary groups of a peer. A kernel before 4.13
// does not tell them.
func peerGroups(fd int) ([]uint32, error) {
	var few [32]uint32
	for groups := few[:]; ; {
		size, err := optionInto(fd, unix.SO_PEERGROUPS, groups)
		switch err {
		case nil:
			if size == 0 {
				return nil, nil
			}
			return slices.Clone(groups[:size]), nil
		case unix.ERANGE:
			groups = make([]uint32, size)
		case unix.ENOPROTOOPT:
			return nil, nil
		default:
			return nil, err
		}
	}
}

// optionInto reads an option of a socket that is a list of numbers into list,
// which is not empty. It returns how many there are, also with ERANGE, which says
// that list is too short for them.
func optionInto(fd, option int, list []uint32) (int, error) {
	const each = uint32(unsafe.Sizeof(list[0]))
	size := uint32(len(list)) * each
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, uintptr(option),
		uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return int(size / each), errno
	}
	return int(size / each), nil
}
