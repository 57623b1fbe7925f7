package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/proxy"
)

// Status is everything at a glance.
func (b backend) Status() *status.Document { return b.status() }

// Clients is who is connected.
func (b backend) Clients() []proxy.ClientInfo { return b.server.Clients() }

// Plaintext is who came over TCP without TLS since the start.
func (b backend) Plaintext() status.SincePlaintext {
	return b.look.sightings.Since(b.look.started, b.server.Clients(), time.Now())
}

// operated writes down what an operator did, and to what.
func (b backend) operated(ctx context.Context, verb, target string) {
	who := admin.Asker(ctx)
	b.audit.Write(audit.Event{Kind: audit.Admin, Listener: "admin", Peer: "unix", Identity: who, Verb: verb, Target: target})
	b.log.Info("operator", zap.String("who", who), zap.String("verb", verb), zap.String("target", target))
}

// Kill closes the connection of a client.
func (b backend) Kill(ctx context.Context, id string) error {
	if !b.server.Kill(id) {
		return &admin.Error{Status: http.StatusNotFound, Problem: fmt.Sprintf("no client has the id %.16q", id), Fix: "slabgate clients lists those that are connected"}
	}
	b.operated(ctx, "kill", id)
	return nil
}

// Freeze holds requests up, or no longer.
func (b backend) Freeze(ctx context.Context, identity string, writes, on bool) error {
	f := proxy.Freeze{Identity: identity, Writes: writes, Since: time.Now().UTC(), By: admin.Asker(ctx)}
	if !on {
		if !b.server.Unfreeze(f) {
			return notHeld("frozen", admin.Frozen(identity, writes))
		}
		b.operated(ctx, "unfreeze", admin.Frozen(identity, writes))
		return nil
	}
	if _, ok := b.server.InForce().Policy.Find(identity); identity != "" && !ok {
		return &admin.Error{Status: http.StatusNotFound, Problem: fmt.Sprintf("the policy in force has no identity %.64q", identity), Fix: "write it as the policy does; slabgate clients lists those that are connected"}
	}
	if err := b.server.Freeze(f); err != nil {
		return tooManyHolds(err)
	}
	b.operated(ctx, "freeze", admin.Frozen(identity, writes))
	return nil
}

// Quarantine turns a network's clients away, or no longer.
func (b backend) Quarantine(ctx context.Context, network netip.Prefix, during time.Duration) (closed int, err error) {
	if during == 0 {
		if !b.server.Release(network) {
			return 0, notHeld("quarantined", network.String())
		}
		b.operated(ctx, "release", network.String())
		return 0, nil
	}
	now := time.Now().UTC()
	closed, err = b.server.Quarantine(proxy.Quarantine{Network: network, Since: now, Until: now.Add(during), By: admin.Asker(ctx)})
	if err != nil {
		return 0, tooManyHolds(err)
	}
	b.operated(ctx, "quarantine", network.String()+" for "+during.String())
	return closed, nil
}

// notHeld is what is said of a hold that can't be lifted.
func notHeld(held, what string) error {
	return &admin.Error{Status: http.StatusNotFound, Problem: fmt.Sprintf("%.64q is not %s", what, held), Fix: "slabgate status lists what is frozen and quarantined; write it as it is written there"}
}

func tooManyHolds(err error) error {
	if !errors.Is(err, proxy.ErrHolds) {
		return err
	}
	return &admin.Error{Status: http.StatusConflict, Problem: fmt.Sprintf("there are %d of its kind already", proxy.MaxHolds), Fix: "lift some, or quarantine a larger network: slabgate status lists them"}
}
