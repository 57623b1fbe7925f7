package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/policy"
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
	at := policy.At{Now: time.Now().Unix(), TLS: e.Sample.TLS, From: e.Sample.Addr}
	x := explainLine(id, e.Sample.Line, &at)
	if e.Reason == policy.ReasonLimit.String() {
		x.Verdict, x.Reason, x.Rule, x.Fix = policy.Deny.String(), policy.ReasonLimit.Text(), e.Rule, id.Raise(e.Rule)
	}
	return explained{e, x}, nil
}

// Flush makes everything in a namespace unreachable. It is named by its root, with
// or without the separator at its end, or by an identity that it alone has.
func (b backend) Flush(ctx context.Context, namespace string) (from, to uint64, err error) {
	root, ok := rootOf(b.server.InForce().Policy, namespace)
	if !ok {
		return 0, 0, &admin.Error{
			Status:  http.StatusNotFound,
			Problem: fmt.Sprintf("the policy in force has no namespace %q", namespace),
			Fix:     "write it as the policy does, such as t/shop/, or the name of an identity with a namespace of its own",
		}
	}
	from, to, err = b.spaces.Flush(ctx, root)
	b.audit.Write(audit.Event{Kind: audit.Flush, Listener: "admin", Namespace: root, Flushed: fmt.Sprintf("%d → %d", from, to)})
	if err != nil {
		return from, to, &admin.Error{
			Status:  http.StatusBadGateway,
			Problem: fmt.Sprintf("the namespace is flushed here, and memcached was not told: %v", err),
			Fix:     "nothing, if this slabgate is the only one: it tells memcached as soon as that is back",
		}
	}
	return from, to, nil
}

// rootOf finds the namespace that an operator means.
func rootOf(p *policy.Policy, name string) (root string, ok bool) {
	for _, end := range []string{"", "/", ":", "|"} {
		if p.IsRoot(name + end) {
			return name + end, true
		}
	}
	id, ok := p.Find(name)
	if !ok {
		return "", false
	}
	root, err := id.Root(&auth.Facts{})
	return root, err == nil && root != ""
}

// Learned returns what identities in mode learn have asked for.
func (b backend) Learned() any { return b.server.Learned.All() }

// adminFix is what to do about an admin socket that can't be bound.
const adminFix = "name a path in admin.socket whose folder slabgate's user may write to, and that nothing else has"

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
