package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStatusAndClientsAreTheBackends(t *testing.T) {
	r := startRig(t)
	d, err := r.client.Status(t.Context())
	if err != nil || d.Host != "here" || d.Denials.Total != 7 {
		t.Errorf("got %+v, %v", d, err)
	}
	p, err := r.client.Plaintext(t.Context())
	if want := r.backend.Plaintext(); err != nil || p.Forgotten != 3 || !slices.Equal(p.Clients, want.Clients) {
		t.Errorf("got %+v, %v", p, err)
	}
	list, err := r.client.Clients(t.Context())
	if err != nil || !slices.Equal(list, r.backend.Clients()) {
		t.Errorf("got %+v, %v", list, err)
	}
}

// The backend is told what to do, and who says so.
func TestOperatorsAreNamed(t *testing.T) {
	r := startRig(t)
	ctx := t.Context()
	for _, tc := range []struct {
		ask        func() (Done, error)
		done, told string
	}{
		{func() (Done, error) { return r.client.Kill(ctx, "c1") }, "killed c1", "kill c1"},
		{func() (Done, error) { return r.client.Freeze(ctx, "", true, true) }, "frozen: writes", `freeze "" true true`},
		{func() (Done, error) { return r.client.Freeze(ctx, "a&b", false, true) }, "frozen: identity a&b", `freeze "a&b" false true`},
		{func() (Done, error) { return r.client.Freeze(ctx, "web", true, false) }, "no longer frozen: writes of web", `freeze "web" true false`},
		{func() (Done, error) { return r.client.Quarantine(ctx, "10.0.0.9", time.Hour) }, "quarantined 10.0.0.9/32 for 1h0m0s", "quarantine 10.0.0.9/32 1h0m0s"},
		{func() (Done, error) { return r.client.Quarantine(ctx, "fd00::1/64", time.Second) }, "quarantined fd00::/64 for 1s", "quarantine fd00::/64 1s"},
		{func() (Done, error) { return r.client.Quarantine(ctx, "::ffff:10.1.2.3/104", time.Hour) }, "quarantined 10.0.0.0/8 for 1h0m0s", "quarantine 10.0.0.0/8 1h0m0s"},
		{func() (Done, error) { return r.client.Quarantine(ctx, "::ffff:10.1.2.3/96", time.Hour) }, "quarantined 0.0.0.0/0 for 1h0m0s", "quarantine 0.0.0.0/0 1h0m0s"},
		{func() (Done, error) { return r.client.Release(ctx, "::ffff:10.1.2.3/128") }, "released 10.1.2.3/32", "quarantine 10.1.2.3/32 0s"},
		{func() (Done, error) { return r.client.Release(ctx, "::ffff:10.0.0.9") }, "released 10.0.0.9/32", "quarantine 10.0.0.9/32 0s"},
	} {
		d, err := tc.ask()
		r.backend.mu.Lock()
		told := r.backend.doings
		r.backend.doings = nil
		r.backend.mu.Unlock()
		want := fmt.Sprintf("uid %d: %s", os.Getuid(), tc.told)
		if err != nil || d.Done != tc.done || len(told) != 1 || told[0] != want {
			t.Errorf("got %+v, %v, and told %q; want %q and %q", d, err, told, tc.done, want)
		}
	}
}

func TestOperatorsMustSayWhat(t *testing.T) {
	r := startRig(t)
	for _, tc := range []struct {
		path, problem string
		status        int
	}{
		{"/kill?id=c9", "no such client", 404},
		{"/freeze", "not said what to freeze", 400},
		{"/unfreeze?writes=yes", "not said what to freeze", 400},
		{"/quarantine?network=localhost&for=1h", `"localhost" is no network`, 400},
		{"/quarantine?network=fe80::1%25eth0&for=1h", "is no network", 400},
		{"/quarantine?network=10.0.0.9", `can't last for ""`, 400},
		{"/quarantine?network=10.0.0.9&for=0s", `can't last for "0s"`, 400},
		{"/quarantine?network=10.0.0.9&for=721h", `can't last for "721h"`, 400},
		{"/release?network=10.0.0", "is no network", 400},
		{"/quarantine?network=::ffff:10.0.0.0/95&for=1h", "::ffff:10.0.0.0/95 holds IPv4 and IPv6 addresses", 400},
		{"/release?network=::ffff:0.0.0.0/0", "holds IPv4 and IPv6 addresses", 400},
	} {
		_, err := r.client.open(t.Context(), "POST", tc.path)
		var e *Error
		if !errors.As(err, &e) || e.Status != tc.status || !strings.Contains(e.Problem, tc.problem) || e.Fix == "" {
			t.Errorf("%s: got %v, want %d, %q", tc.path, err, tc.status, tc.problem)
		}
	}
	if len(r.backend.doings) > 0 {
		t.Errorf("told %q", r.backend.doings)
	}
}

// Nothing that changes anything is done by a GET.
func TestOperatingTakesAPost(t *testing.T) {
	r := startRig(t)
	for _, p := range holderPages {
		_, err := r.client.open(t.Context(), "GET", p.path+"?id=c1&writes=1&network=10.0.0.9&for=1h")
		var e *Error
		if !errors.As(err, &e) || e.Status != 405 {
			t.Errorf("%s: got %v, want 405", p.path, err)
		}
	}
}

func TestNobodyAsksFromElsewhere(t *testing.T) {
	if got := Asker(context.Background()); got != "" {
		t.Errorf("got %q", got)
	}
}
