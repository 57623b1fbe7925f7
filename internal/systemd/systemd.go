// Package systemd is what systemd hands to a service that it starts, and what the
// service tells it. Where slabgate was not started by systemd, there is nothing to
// hand and nobody to tell.
//
// It decides nothing; when there is what to tell, cmd/slabgate knows.
package systemd

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// Socket is one that systemd has bound, and keeps bound whatever becomes of it here.
type Socket struct {
	Name     string // FileDescriptorName= of its unit
	Listener net.Listener
	Err      error // why it takes no connections; then Listener is nil
}

// Sockets returns the sockets that this process was started with, in the order of
// their units. Further calls return none. The caller closes the listeners.
func Sockets() (list []Socket) {
	for _, f := range activation.Files(true) {
		l, err := net.FileListener(f)
		if err != nil {
			err = fmt.Errorf("systemd: socket %s: %w", f.Name(), err)
		}
		f.Close() // the listener has a descriptor of its own
		list = append(list, Socket{f.Name(), l, err})
	}
	return list
}

// States that systemd is told.
const (
	ready     = daemon.SdNotifyReady
	reloading = daemon.SdNotifyReloading
	stopping  = daemon.SdNotifyStopping
	alive     = daemon.SdNotifyWatchdog
)

// tell sends a state. Nobody may be there to hear it.
func tell(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	return nil
}

// Ready says that the start, or a reload, is done, and what there is to say of it on
// one line.
func Ready(status string) error { return tell(ready + "\nSTATUS=" + status) }

// Reloading says that a reload has begun. Ready must follow.
func Reloading() error { return tell(reloading + "\n" + daemon.SdNotifyMonotonicUsec()) }

// Stopping says that the process is about to end, and what it waits for.
func Stopping(status string) error { return tell(stopping + "\nSTATUS=" + status) }

// Status says what the service does, on one line.
func Status(status string) error { return tell("STATUS=" + status) }

// Alive says that the service works. It has to, within every [Watchdog].
func Alive() error { return tell(alive) }

// Watchdog is how long systemd waits to hear that the service works; 0 if it does
// not. A value that can't be read is an error.
func Watchdog() (time.Duration, error) {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("systemd: watchdog: %w", err)
	}
	return d, nil
}

// Present reports whether systemd wants to hear of this process.
func Present() bool { return os.Getenv("NOTIFY_SOCKET") != "" }
