// Package poll waits for many connections in one place: a goroutine that serves
// whatever is ready costs a system call for all of them where a goroutine each
// costs several, and a wake-up, for every one.
//
// A [Loop] calls back on its own goroutine, one thing at a time, so that what
// belongs to it needs no lock. Nothing it calls may wait. A [Conn] can also be
// used as an ordinary [net.Conn] by some other goroutine, which waits: whoever
// has it decides which. The loop must be running for that.
//
// It needs epoll(7), which is Linux.
package poll
