package main

import (
	"errors"
	"syscall"

	"github.com/slabgate/slabgate/internal/finding"
)

// checkRoot refuses to run as root, or says that it does all the same.
func checkRoot(uid int, allowed bool, found *finding.List) {
	const fix = "start slabgate as a user of its own"
	switch {
	case uid == 0 && !allowed:
		found.Errorf("SG1403", "", fix+", or say --allow-root", "slabgate does not run as root")
	case uid == 0:
		found.Warnf("SG1403", "", fix, "slabgate runs as root, because --allow-root says so")
	}
}

// refuse tells a fault of the surroundings as any other finding is told.
func refuse(io stdio, code int, finds, fix string, err error) error {
	var found finding.List
	found.Errorf(finds, "", fix, "%v", err)
	printFindings(io.err, found, "")
	return exit(code)
}

// bindFix is what to do about a listener that can't be bound.
func bindFix(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "find out who holds the address with: ss -ltnp; then stop it, or choose another address"
	case errors.Is(err, syscall.EACCES):
		return "choose a port of 1024 or more, or a folder that slabgate's user may write to"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "choose an address of this host; ip address lists them"
	}
	return "correct the address of the listener"
}
