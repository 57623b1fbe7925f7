package main

import (
	"errors"
	"fmt"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/systemd"
	"github.com/slabgate/slabgate/proxy"
)

// adopt makes listeners of the sockets that systemd has handed over, and closes
// those that no listener names. What is wrong with them is found.
func (d *daemon) adopt(c *config.Config, sockets []systemd.Socket) (found finding.List) {
	used := map[string]bool{}
	for i := range c.Listeners {
		cfg := c.Listeners[i].ListenerConfig
		name, inherited := cfg.Inherited()
		if !inherited {
			continue
		}
		used[name] = true
		key := fmt.Sprintf("listeners[%d].address", i)
		if d.adoptNamed(cfg, name, sockets, key, &found) == 0 {
			found.Errorf("SG1181", key, fmt.Sprintf("write FileDescriptorName=%s in slabgate.socket, and start slabgate with: systemctl start slabgate", name),
				"systemd has handed over %s, and none is called %q", plural(len(sockets), "socket"), name)
		}
	}
	for _, s := range sockets {
		if used[s.Name] {
			continue
		}
		found.Warnf("SG1184", "", fmt.Sprintf("write address: systemd:%s at a listener, or take the socket out of slabgate.socket", s.Name),
			"no listener uses the socket %q of systemd", s.Name)
		if s.Listener != nil {
			s.Listener.Close()
		}
	}
	return c.Place(found)
}

// adoptNamed makes a listener of every socket of one name, and returns how many there
// are: systemd may have bound several addresses under it.
func (d *daemon) adoptNamed(cfg proxy.ListenerConfig, name string, sockets []systemd.Socket, key string, found *finding.List) (n int) {
	for _, s := range sockets {
		if s.Name != name {
			continue
		}
		n++
		err := s.Err
		if err == nil {
			var l *proxy.Listener
			if l, err = proxy.Adopt(cfg, s.Listener); err == nil {
				d.listeners = append(d.listeners, l)
				continue
			}
		}
		found.Errorf("SG1183", key, "correct ListenStream= in slabgate.socket, or the listener's transport", "%v", err)
	}
	return n
}

// shared reports whether another process may serve the same addresses while this one
// does: the one whose place it takes.
func shared(c *config.Config) bool {
	for i := range c.Listeners {
		if _, inherited := c.Listeners[i].Inherited(); inherited || c.Listeners[i].ReusePort {
			return true
		}
	}
	return false
}

// Which listeners are to be opened.
const (
	alone   = false // those whose addresses are nobody else's
	besides = true  // those that share their addresses with other processes
)

// bind opens listeners of one kind, but for those that are there already.
func (d *daemon) bind(c *config.Config, kind bool) error {
	for i := range c.Listeners {
		if _, inherited := c.Listeners[i].Inherited(); inherited || c.Listeners[i].ReusePort != kind {
			continue
		}
		l, err := proxy.Listen(c.Listeners[i].ListenerConfig)
		if err != nil {
			return err
		}
		d.listeners = append(d.listeners, l)
	}
	return nil
}

// bindAdmin opens the admin socket, if there is to be one. It is not in its place yet:
// a start that goes wrong must not take it away from the process that runs.
func (d *daemon) bindAdmin(c *config.Config) (err error) {
	if c.Admin.Socket != "" {
		d.admin, err = admin.Prepare(c.Admin.Socket, shared(c))
	}
	return err
}

// publishAdmin puts the admin socket into its place.
func (d *daemon) publishAdmin() error {
	if d.admin == nil {
		return nil
	}
	return d.admin.Publish()
}

func (d *daemon) unbind() (err error) {
	for _, l := range d.listeners {
		err = errors.Join(err, l.Close())
	}
	d.listeners = nil
	if d.admin != nil {
		err = errors.Join(err, d.admin.Close())
	}
	return err
}
