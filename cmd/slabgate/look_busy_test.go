package main

import (
	"context"
	"testing"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/metrics"
	"github.com/slabgate/slabgate/internal/testkit"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/upstream"
)

// slowReader takes a reply once it is let.
type slowReader struct{ reading, let chan struct{} }

func (r *slowReader) Head(*protocol.Reply) error {
	close(r.reading)
	<-r.let
	return nil
}

func (r *slowReader) Chunk([]byte) error { return nil }

// As long as clients have every connection nothing is known of memcached, which was
// well when it was last asked.
func TestMemcachedIsNotDownWhenEveryConnectionIsInUse(t *testing.T) {
	cfg := upstream.Default()
	cfg.Address, cfg.Shared, cfg.PoolMax = testkit.StartFake(t, testkit.FakeOptions{}).Addr(), 1, 2 // one to be leased
	pool := upstream.New(cfg, zap.NewNop(), new(metrics.Metrics))
	t.Cleanup(pool.Close)
	var l lookout
	l.check(t.Context(), pool)
	before := l.upstream
	if !before.Up {
		t.Fatalf("at first: got %+v", before)
	}
	req, err := protocol.ParseLine([]byte("get a"))
	if err != nil {
		t.Fatal(err)
	}
	r := &slowReader{make(chan struct{}), make(chan struct{})}
	cmd := req.Verb.Command([]byte("a"))
	done := make(chan error)
	go func() { done <- pool.Stream(context.Background(), &cmd, r) }()
	<-r.reading
	l.check(t.Context(), pool)
	if l.upstream != before {
		t.Errorf("while it is busy: got %+v, want %+v", l.upstream, before)
	}
	close(r.let)
	if err := <-done; err != nil {
		t.Error(err)
	}
	l.check(t.Context(), pool)
	if !l.upstream.Up || !l.upstream.Checked.After(before.Checked) {
		t.Errorf("after that: got %+v", l.upstream)
	}
}
