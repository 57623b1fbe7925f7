package exporter

import (
	"sync/atomic"
	"time"

	"github.com/slabgate/slabgate/internal/metrics"
)

// other is the label of all that finds no room among the rest, none of what there
// is no name for. No identity or rule can be called so.
const (
	other = "_other"
	none  = "_none"
)

// families are slabgate's own metrics.
var families = []family{
	{"slabgate_build_info", gauge, []string{"version", "revision", "goversion"}, "What runs; always 1.",
		func(s *Source, to *values) { to.add(1, s.Version, s.Revision, s.GoVer) }},
	{"slabgate_draining", gauge, nil, "1 while clients are asked to leave.",
		func(s *Source, to *values) { to.add(number(s.Metrics.Draining.Load())) }},
	{"slabgate_config_info", gauge, []string{"digest"}, "SHA-256 of the files that are in force; always 1.",
		func(s *Source, to *values) { to.add(1, s.Config().Digest) }},
	{"slabgate_config_last_reload_successful", gauge, nil, "0 if the last reload was refused: what was in force before still is.",
		func(s *Source, to *values) { to.add(number(reloaded(s.Metrics))) }},
	{"slabgate_config_last_reload_success_timestamp_seconds", gauge, nil, "When the files in force were read.",
		func(s *Source, to *values) { to.add(seconds(s.Config().Since)) }},
	{"slabgate_config_reloads_total", counter, []string{"result"}, "Reloads: ok or refused.",
		func(s *Source, to *values) {
			to.add(float64(s.Metrics.Reloads.Load()), "ok")
			to.add(float64(s.Metrics.ReloadsRefused.Load()), "refused")
		}},

	{"slabgate_downstream_connections", gauge, []string{"listener", "transport"}, "Clients that are connected; transport is tls, plaintext or unix.",
		perListener(func(l *metrics.Listener, to *values, labels ...string) { to.add(float64(l.Open.Load()), labels...) })},
	{"slabgate_downstream_connections_max", gauge, []string{"listener", "transport"}, "Clients that may be connected.",
		perListener(func(l *metrics.Listener, to *values, labels ...string) { to.add(float64(l.Most.Load()), labels...) })},
	{"slabgate_downstream_connections_total", counter, []string{"listener", "transport", "dialect"}, "Clients that have connected, by what they speak: ascii, meta if their first request is a meta command, binary, or unknown if they have gone without a word. Counted with the first request.",
		perListener(func(l *metrics.Listener, to *values, labels ...string) { each(&l.Opened, to, labels...) })},
	{"slabgate_downstream_connections_closed_total", counter, []string{"listener", "transport", "reason"}, "Clients that have gone, by why: the word of the log line session ended.",
		perListener(func(l *metrics.Listener, to *values, labels ...string) { each(&l.Closed, to, labels...) })},
	{"slabgate_downstream_connections_refused_total", counter, []string{"listener", "transport"}, "Clients that were closed at once, for a limit of clients that have not logged in.",
		perListener(func(l *metrics.Listener, to *values, labels ...string) { to.add(float64(l.Refused.Load()), labels...) })},
	{"slabgate_downstream_connections_killed_total", counter, nil, "Clients that were closed because an operator said so: by slabgate kill, or by a quarantine that found them connected.", total(func(m *metrics.Metrics) *atomic.Int64 { return &m.Killed })},
	{"slabgate_downstream_connections_quarantined_total", counter, nil, "Clients that were closed at once, as their network is in quarantine.", total(func(m *metrics.Metrics) *atomic.Int64 { return &m.Quarantined })},
	{"slabgate_freezes", gauge, []string{"scope"}, "Freezes by an operator that are in force: identity (of everything an identity asks) or writes (of one identity or of all).",
		func(s *Source, to *values) {
			h := s.Holds()
			to.add(float64(h.Identities), "identity")
			to.add(float64(h.Writes), "writes")
		}},
	{"slabgate_quarantines", gauge, nil, "Addresses and networks that are in quarantine.",
		func(s *Source, to *values) { to.add(float64(s.Holds().Networks)) }},
	{"slabgate_plaintext_clients", gauge, []string{"listener", "identity"}, "Addresses that clients without TLS have come from within the last hour.", plaintext},
	{"slabgate_tls_handshakes_total", counter, []string{"listener", "transport", "result"}, "TLS handshakes, by how they ended.",
		perListener(func(l *metrics.Listener, to *values, labels ...string) { each(&l.Shaken, to, labels...) })},
	{"slabgate_tls_handshake_duration_seconds", histogram, nil, "How long handshakes take that succeed.",
		func(s *Source, to *values) { to.times(&s.Metrics.Handshake) }},
	{"slabgate_tls_certificate_not_after_timestamp_seconds", gauge, []string{"listener", "usage", "name"}, "When a certificate expires: that of a listener, or the first of the chain it hangs on (server), or one that issues those of its clients (ca). The name is its own.",
		func(s *Source, to *values) {
			for c, at := range s.Config().Certificates {
				to.add(seconds(at), c.Listener, c.Usage, c.Name)
			}
		}},
	{"slabgate_authentications_total", counter, []string{"mechanism", "result", "secret"}, "Logins; of those that are ok, which of the user's secrets was right, in the order of users.yaml from 0.", attempts},

	{"slabgate_requests_total", counter, []string{"identity", "group", "result"}, "Requests by what became of them: ok, denied, would_deny (let through, for a mode audit), limited, frozen (held up by an operator), or error. A request that would be denied and then fails counts as both.", requests},
	{"slabgate_request_bytes_total", counter, []string{"identity", "direction"}, "Bytes from clients (in) and to them (out), without TLS.",
		perIdentity(func(id *metrics.Identity, to *values, name string) {
			to.add(float64(id.In.Load()), name, "in")
			to.add(float64(id.Out.Load()), name, "out")
		})},
	{"slabgate_request_limits_total", counter, []string{"identity", "limit"}, "Requests that exceeded a limit of their identity.",
		perIdentity(func(id *metrics.Identity, to *values, name string) {
			for l := range id.Limits {
				to.count(id.Limits[l].Load(), name, metrics.Limit(l).String())
			}
		})},
	{"slabgate_policy_decisions_total", counter, []string{"rule", "effect"}, "Decisions of the policy by the rule they are due to, _none if it is to none: allow, deny, default_deny, would_deny or learned.", decisions},
	{"slabgate_request_duration_seconds", histogram, []string{"group"}, "How long requests take, from when they are read until their answers are ready to be sent; of one turn of a client in 16, without those that wait for a client or for a value too large to be held.",
		func(s *Source, to *values) {
			for g := range s.Metrics.Duration {
				if _, n, _ := s.Metrics.Duration[g].Load(); n > 0 {
					to.times(&s.Metrics.Duration[g], metrics.GroupNames[g])
				}
			}
		}},
	{"slabgate_overhead_seconds", histogram, nil, "The same without what memcached took: slabgate's own part, waiting for a turn included.",
		func(s *Source, to *values) { to.times(&s.Metrics.Overhead) }},
	{"slabgate_upstream_seconds", histogram, nil, "How long memcached takes for a command on a shared connection, from when it is sent with others until all are answered.",
		func(s *Source, to *values) { to.times(&s.Metrics.Upstream) }},

	{"slabgate_upstream_up", gauge, []string{"upstream"}, "1 if memcached answered when it was last asked.",
		func(s *Source, to *values) { u := s.Upstream(); to.add(number(u.Up), u.Name) }},
	{"slabgate_upstream_connections", gauge, []string{"upstream", "state"}, "Connections to memcached: active or idle.",
		func(s *Source, to *values) {
			u := s.Upstream()
			to.add(float64(max(0, u.Open-u.Idle)), u.Name, "active")
			to.add(float64(u.Idle), u.Name, "idle")
		}},
	{"slabgate_upstream_connections_max", gauge, []string{"upstream"}, "Connections to memcached that there may be.",
		func(s *Source, to *values) { u := s.Upstream(); to.add(float64(u.Most), u.Name) }},
	{"slabgate_upstream_dials_total", counter, []string{"upstream", "result"}, "Attempts to connect to memcached: ok or error.",
		func(s *Source, to *values) {
			name := s.Upstream().Name
			to.add(float64(s.Metrics.Dials.Load()), name, "ok")
			to.add(float64(s.Metrics.DialFails.Load()), name, "error")
		}},
	{"slabgate_upstream_burns_total", counter, []string{"upstream", "cause"}, "Connections to memcached that were given up: timeout, eof, proof (a reply did not prove whose it is), idle (bytes nobody asked for) or client.",
		func(s *Source, to *values) {
			for b := range s.Metrics.Burns {
				to.add(float64(s.Metrics.Burns[b].Load()), s.Upstream().Name, metrics.Burn(b).String())
			}
		}},
	{"slabgate_upstream_errors_total", counter, []string{"upstream"}, "Commands that got no answer from memcached.",
		func(s *Source, to *values) { to.add(float64(s.Metrics.UpstreamFails.Load()), s.Upstream().Name) }},

	{"slabgate_audit_dropped_total", counter, nil, "Audit events that were lost.", total(func(m *metrics.Metrics) *atomic.Int64 { return &m.AuditDrops })},
	{"slabgate_log_dropped_total", counter, nil, "Lines of the log that were lost, for a reader that does not keep up.",
		func(s *Source, to *values) { to.add(float64(s.LogDropped())) }},
	{"slabgate_denial_ring_overwritten_total", counter, nil, "Kinds of denials that slabgate denials has forgotten, for newer ones.",
		func(s *Source, to *values) { to.add(float64(s.DenialsLost())) }},
	{"slabgate_admin_refused_total", counter, nil, "Connections to the admin socket or page that were closed, for their user or their number.", total(func(m *metrics.Metrics) *atomic.Int64 { return &m.AdminRefused })},
	{"slabgate_panics_total", counter, nil, "Panics that were recovered, one connection each. Please report any.", total(func(m *metrics.Metrics) *atomic.Int64 { return &m.Panics })},
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// reloaded reports whether the last reload, if there was one, was taken.
func reloaded(m *metrics.Metrics) bool {
	return !m.ReloadsRefused.Last().After(m.Reloads.Last())
}

// total shows one counter.
func total(of func(*metrics.Metrics) *atomic.Int64) func(*Source, *values) {
	return func(s *Source, to *values) { to.add(float64(of(s.Metrics).Load())) }
}

// perListener shows something of each listener.
func perListener(show func(l *metrics.Listener, to *values, labels ...string)) func(*Source, *values) {
	return func(s *Source, to *values) {
		s.Metrics.Listeners.Each(func(n metrics.ListenerName, l *metrics.Listener) { show(l, to, n.Name, n.Transport) })
	}
}

// each shows a set of counters that have one more label.
func each(set *metrics.Set[string, atomic.Int64], to *values, labels ...string) {
	set.Each(func(word string, n *atomic.Int64) {
		to.count(n.Load(), append(labels[:len(labels):len(labels)], word)...)
	})
}

// perIdentity shows something of each identity.
func perIdentity(show func(id *metrics.Identity, to *values, name string)) func(*Source, *values) {
	return func(s *Source, to *values) {
		s.Metrics.Identities.Each(func(name string, id *metrics.Identity) { show(id, to, name) })
		if id := s.Metrics.Identities.Other(); id != nil {
			show(id, to, other)
		}
	}
}

func requests(s *Source, to *values) {
	perIdentity(func(id *metrics.Identity, to *values, name string) {
		for g := range id.Requests {
			for r := range id.Requests[g] {
				to.count(id.Requests[g][r].Load(), name, metrics.GroupNames[g], metrics.Result(r).String())
			}
		}
	})(s, to)
}

func decisions(s *Source, to *values) {
	s.Metrics.Decisions.Each(func(d metrics.Decision, n *atomic.Int64) {
		rule := d.Rule
		if rule == "" {
			rule = none
		}
		to.count(n.Load(), rule, d.Effect)
	})
	if n := s.Metrics.Decisions.Other(); n != nil {
		to.count(n.Load(), other, other)
	}
}

func attempts(s *Source, to *values) {
	s.Metrics.Attempts.Each(func(a metrics.Attempt, n *atomic.Int64) { to.count(n.Load(), a.Mechanism, a.Result, a.Secret) })
	if n := s.Metrics.Attempts.Other(); n != nil {
		to.count(n.Load(), other, other, "")
	}
}

func plaintext(s *Source, to *values) {
	for src, n := range s.Metrics.Plaintext.Count(s.Now()) {
		to.add(float64(n), src.Listener, src.Identity)
	}
}
