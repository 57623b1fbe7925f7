package main

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// Numbers that package syscall does not have.
const (
	sysEpollPwait2  = 441 // on every architecture; Linux 5.11
	prSetTimerSlack = 29
)

// poller waits for sockets. A goroutine a connection would cost as much as the
// servers that are measured.
type poller struct {
	fd     int
	events [128]syscall.EpollEvent
}

// newPoller is to be closed by its caller.
func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &poller{fd: fd}, err
}

func (p *poller) close() { _ = syscall.Close(p.fd) }

// add watches fd. Its events carry index.
func (p *poller) add(fd, index int) error {
	return syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(index)})
}

// wait returns the events that there are within d, exact to microseconds.
func (p *poller) wait(d time.Duration) ([]syscall.EpollEvent, error) {
	limit := syscall.NsecToTimespec(int64(max(d, 0)))
	n, _, errno := syscall.Syscall6(sysEpollPwait2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(&limit)), 0, 0)
	runtime.KeepAlive(&limit)
	switch errno {
	case 0:
		return p.events[:n], nil
	case syscall.EINTR:
		return nil, nil
	}
	return nil, errno
}

// sharpTimers makes the kernel wake this thread when it is time, and not up to
// 50 µs later.
func sharpTimers() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
}
