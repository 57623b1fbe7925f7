package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps secrets out of core dumps and out of reach of other processes of
// the same user.
func harden() error {
	unix.Umask(0o077) // a socket or file is nobody else's until it has been given its mode
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("no core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("not dumpable: %w", err)
	}
	return nil
}
