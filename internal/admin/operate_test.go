package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"reflect"
	"testing"
)

// What the operator of every rig answers.
var (
	ready    = Health{Live: true, Started: true, Ready: true, Clients: 3}
	draining = Health{Live: true, Started: true, Draining: true, Clients: 2}
	reloaded = Reloaded{
		Before: "aa", After: "aa", Changed: []string{"changed identity web: rules"}, NeedsRestart: []string{"state"},
		Findings: []Finding{{Severity: "error", Code: "SG1004", File: "/f", Line: 1, Col: 2, Key: "k", Problem: "p", Effect: "e", Fix: "f"}},
		Secret:   "/users.yaml",
	}
)

func (b *backend) Reload(context.Context) (Reloaded, error) { return reloaded, nil }
func (b *backend) Drain(context.Context) (Health, error)    { return draining, nil }
func (b *backend) Health(context.Context) Health            { return ready }

func (b *backend) Stop(context.Context) (Health, error) {
	return Health{}, &Error{409, "it stops already", "wait"}
}

func TestOperations(t *testing.T) {
	r := startRig(t)
	ctx := context.Background()
	if got, err := r.client.Reload(ctx); err != nil || !reflect.DeepEqual(got, reloaded) {
		t.Errorf("reload: %+v, %v, want %+v", got, err, reloaded)
	}
	if got, err := r.client.Drain(ctx); err != nil || got != draining {
		t.Errorf("drain: %+v, %v, want %+v", got, err, draining)
	}
	if got, err := r.client.Health(ctx); err != nil || got != ready {
		t.Errorf("health: %+v, %v, want %+v", got, err, ready)
	}
	var refused *Error
	if _, err := r.client.Stop(ctx); !errors.As(err, &refused) || refused.Problem != "it stops already" {
		t.Errorf("stop: %v", err)
	}
}

// What changes something is not asked for with GET, as a browser or a probe would.
func TestOperationsWantTheirMethod(t *testing.T) {
	r := startRig(t)
	for _, p := range operations {
		method := map[string]string{"GET": "POST", "POST": "GET"}[p.method]
		var answer json.RawMessage
		err := r.client.ask(context.Background(), method, p.path, &answer)
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != 405 {
			t.Errorf("%s %s: %v", method, p.path, err)
		}
	}
}

// The socket belongs to the process that came last.
func TestReplaceTakesTheSocketOver(t *testing.T) {
	r := startRig(t)
	if l, err := listenAt(r.path); err == nil {
		l.Close()
		t.Fatal("a socket that answers was replaced unasked")
	}
	next, err := takeOver(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	r.stop() // which must leave the socket alone
	if err := <-r.served; err != nil {
		t.Error(err)
	}
	r.served <- nil
	c, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	file := socketDir(t)
	if l, err := takeOver(file); err == nil {
		l.Close()
		t.Error("a folder was replaced")
	}
}
