package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/metrics"
)

// Bounds of the HTTP page.
const (
	maxWebConns   = 64 // a further one is closed
	maxScrapes    = 4  // of metrics, at once
	scrapeTimeout = 10 * time.Second
	bindAgain     = 5 * time.Second // between two attempts
)

// Web is the part of an operator's view that other programs look at, over TCP:
// whether slabgate is well, and its metrics. It changes nothing, whoever asks. Its
// fields are filled in by whoever makes it.
type Web struct {
	Address string   // to listen at
	Hosts   []string // names it may be asked for by, besides addresses and localhost
	Checks  []Check  // of health
	Gather  prometheus.Gatherer
	Status  func() any   // answer to /status, marshalled as JSON; nil for none
	Page    http.Handler // answers every other path; nil for none
	Log     *zap.Logger
	Metrics *metrics.Metrics

	again time.Duration // between two attempts to bind; 0 is bindAgain
}

// Serve serves the page until ctx is done. An address that can't be had is logged
// once and tried again: it must not keep clients from being served, and a slabgate
// that takes over from another gets it when that has gone.
func (w *Web) Serve(ctx context.Context) {
	l := w.listen(ctx)
	if l == nil {
		return
	}
	w.Log.Info("admin http served", zap.String("address", l.Addr().String()))
	server := bounded(ctx, w.handler(), w.Log)
	if err := serveUntil(ctx, server, &crowd{Listener: l, metrics: w.Metrics, slots: make(chan struct{}, maxWebConns)}); err != nil {
		w.Log.Error("admin http stopped", zap.Error(err))
	}
}

// listen binds the address, however long that takes. Without a listener ctx is done.
func (w *Web) listen(ctx context.Context) net.Listener {
	var config net.ListenConfig
	for warned := false; ; {
		l, err := config.Listen(ctx, "tcp", w.Address)
		if err == nil {
			return l
		}
		if ctx.Err() != nil {
			return nil
		}
		if !warned {
			warned = true
			w.Log.Warn("admin http not served", zap.String("address", w.Address), zap.Error(err),
				zap.String("fix", "choose another address in admin.http, or none; until then it is tried again"))
		}
		select {
		case <-time.After(cmp.Or(w.again, bindAgain)):
		case <-ctx.Done():
			return nil
		}
	}
}

// crowd is a listener that hands on so many connections at a time, and closes those
// that are too many.
type crowd struct {
	net.Listener
	metrics *metrics.Metrics
	slots   chan struct{} // one for each connection that is open
}

// Accept returns the next connection that there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case c.slots <- struct{}{}:
			return &guarded{Conn: conn, slots: c.slots}, nil
		default:
			c.metrics.AdminRefused.Add(1)
			conn.Close()
		}
	}
}

// handler answers every path, to who asks by a name that is slabgate's.
func (w *Web) handler() http.Handler {
	mux := http.NewServeMux()
	for path, on := range healthPaths {
		mux.Handle(path, w.health(path, on))
	}
	mux.Handle("/metrics", promhttp.HandlerFor(w.Gather, promhttp.HandlerOpts{
		ErrorLog: zap.NewStdLog(w.Log), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	}))
	mux.HandleFunc("/status", w.status)
	mux.HandleFunc("/", w.page)
	return w.safe(mux)
}

func (w *Web) status(to http.ResponseWriter, r *http.Request) {
	if w.Status == nil {
		http.NotFound(to, r)
		return
	}
	write(to, http.StatusOK, w.Status())
}

func (w *Web) page(to http.ResponseWriter, r *http.Request) {
	if w.Page == nil {
		http.NotFound(to, r)
		return
	}
	w.Page.ServeHTTP(to, r)
}

// safe lets through what only looks, and is meant for slabgate: a web site that has
// its name point here must not read the answer in its visitor's browser.
func (w *Web) safe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		to.Header().Set("X-Content-Type-Options", "nosniff")
		to.Header().Set("Cache-Control", "no-store")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			to.Header().Set("Allow", "GET, HEAD")
			http.Error(to, "only GET and HEAD are answered", http.StatusMethodNotAllowed)
		case !w.isHost(r.Host):
			http.Error(to, fmt.Sprintf("%.64q is no name of this slabgate; ask by address, or add the name to admin.hosts", r.Host), http.StatusMisdirectedRequest)
		default:
			next.ServeHTTP(to, r)
		}
	})
}

// isHost reports whether a Host header is one that slabgate answers to. A client
// without one is no browser.
func (w *Web) isHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil || host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	for _, name := range w.Hosts {
		if strings.EqualFold(host, name) {
			return true
		}
	}
	return false
}

// bounded returns a server that nobody can hold up.
func bounded(ctx context.Context, h http.Handler, log *zap.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          zap.NewStdLog(log),
	}
}

// serveUntil serves l until ctx is done; then what is asked is still answered.
func serveUntil(ctx context.Context, server *http.Server, l net.Listener) error {
	stopped := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(stopped)
		stop(server)
	})
	err := server.Serve(l)
	if cancel() { // it has ended by itself
		return errors.Join(err, server.Close())
	}
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
