package main

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/config"
)

// adminFlags say where the admin socket of a running slabgate is.
type adminFlags struct {
	source
	socket string
}

func (a *adminFlags) bind(c *cobra.Command) {
	a.source.bind(c)
	c.Flags().StringVar(&a.socket, "socket", "", "admin socket; default is the configuration's admin.socket")
}

// client returns a client of the admin socket that the flags or the configuration
// name.
func (a *adminFlags) client(io stdio) (*admin.Client, error) {
	if a.socket == "" {
		if err := a.find(io); err != nil {
			return nil, err
		}
	}
	return admin.Dial(a.socket), nil
}

// find takes the socket from the configuration. Nothing else of it matters here, so
// that warnings are not told.
func (a *adminFlags) find(io stdio) error {
	l := &loaded{}
	flags := a.flagMap(&l.found)
	if !l.found.Failed() {
		l.config, l.found = config.Load(a.path, flags, a.environ)
	}
	if l.config == nil || l.found.Failed() {
		printFindings(io.err, l.found, "")
		return exit(l.exitCode())
	}
	if a.socket = l.config.Admin.Socket; a.socket == "" {
		return fail(exitUsage, "%s names no admin socket; write admin: {socket: /run/slabgate/admin.sock} and start slabgate anew, or say --socket PATH", a.path)
	}
	return nil
}

// failed is what an error of the client means to the one who asked.
func (a *adminFlags) failed(err error) error {
	var refused *admin.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return fail(exitFindings, "%s\nfix:   %s", visible(refused.Problem), visible(refused.Fix))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, admin.ErrClosed):
		return fail(exitPermission, "%s may not be used: %v\nfix:   run the command as root or as slabgate's user", a.socket, err)
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return fail(exitUnavailable, "no slabgate listens on %s: %v\nfix:   start slabgate with that path in admin.socket, or name another with --socket", a.socket, err)
	}
	return fail(exitUnavailable, "%s: %v\nfix:   look at slabgate's log", a.socket, err)
}
