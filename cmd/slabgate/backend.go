package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/denials"
)

// backend is what the admin socket shows of the daemon.
type backend struct{ *daemon }

// Denials returns the denials of all clients.
func (b backend) Denials() *denials.Ring { return b.denials }

// explained is what the admin socket has to say about a denial.
type explained struct {
	Denial denials.Entry `json:"denial"`
	explanation
}

// Explain asks the policy in force about the latest of equal denials.
func (b backend) Explain(e denials.Entry) (any, error) {
	id, ok := b.server.InForce().Policy.Find(e.Identity)
	if !ok {
		return nil, &admin.Error{
			Status:  http.StatusGone,
			Problem: fmt.Sprintf("the policy has no identity %q any more, so that its denials can't be explained", e.Identity),
			Fix:     "look at what the policy has in its place: slabgate explain --as NAME --cmd '" + e.Sample.Line + "'",
		}
	}
	return explained{e, explainLine(id, e.Sample.Line, time.Now().Unix())}, nil
}

// Flush refuses: no identity has a namespace.
func (b backend) Flush(_ context.Context, namespace string) (from, to uint64, err error) {
	return 0, 0, &admin.Error{
		Status:  http.StatusNotFound,
		Problem: fmt.Sprintf("%q is no namespace: no identity has a namespace", namespace),
		Fix:     "to flush everything, allow an identity flush_all",
	}
}

// Learned returns what was learned of clients, which is nothing.
func (b backend) Learned() any { return []string{} }

// adminFix is what to do about an admin socket that can't be bound.
const adminFix = "name a path in admin.socket whose folder slabgate's user may write to, and that nothing else has"

// bindAdmin opens the admin socket, if there is to be one.
func (d *daemon) bindAdmin(c *config.Config) (err error) {
	if c.Admin.Socket != "" {
		d.admin, err = admin.Listen(c.Admin.Socket)
	}
	return err
}

// serveAdmin serves the admin socket, if there is one, until ctx is done.
func (d *daemon) serveAdmin(ctx context.Context) {
	if d.admin == nil {
		return
	}
	s := &admin.Server{Backend: backend{d}, Log: d.log.Logger, Metrics: d.metrics}
	if err := s.Serve(ctx, d.admin); err != nil {
		d.log.Error("admin socket stopped", zap.Error(err))
	}
}
