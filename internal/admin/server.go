package admin

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/denials"
	"github.com/slabgate/slabgate/internal/metrics"
)

// Bounds of a connection. Those of a stream are in follow.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 8 << 10
	stopTimeout   = 2 * time.Second // for what is being answered when the server stops
)

// Backend is the slabgate that is looked into. Its methods are called by many
// goroutines. An error that is an [*Error] is told as it is.
type Backend interface {
	Denials() *denials.Ring

	// Explain walks the sample of a denial through the policy in force. The answer
	// is marshalled as JSON.
	Explain(denials.Entry) (any, error)

	// Flush makes every key of a namespace unreachable, and returns the
	// generations that it had and has.
	Flush(ctx context.Context, namespace string) (from, to uint64, err error)

	// Learned is what was learned of clients. It is marshalled as JSON.
	Learned() any

	Viewer
	Holder
	Operator
}

// Server serves one admin socket. Its fields are filled in by whoever makes it.
type Server struct {
	Backend Backend
	Log     *zap.Logger
	Metrics *metrics.Metrics
}

// Serve serves the socket until ctx is done and closes it. Then streams end, the
// rest is answered, and Serve returns nil. It may be called once.
func (s *Server) Serve(ctx context.Context, l *Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := bounded(ctx, s.handler(), s.Log)
	server.ConnContext = withAsker
	return serveUntil(ctx, server, newGuard(l, s.Log, s.Metrics))
}

// stop lets the server answer what it is asked, and cuts off what takes too long.
func stop(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}
