package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/metrics"
)

// Bounds of the HTTP page.
const (
	maxScrapes    = 4  // of metrics, at once
	maxViews      = 16 // of status, page and what else there is, at once
	scrapeTimeout = 10 * time.Second
	statusAge     = time.Second     // a status is shown to all who ask for so long
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
	crowd := newCrowd(l, w.Metrics)
	server := bounded(ctx, w.handler(), w.Log)
	server.ConnState = crowd.note
	// Who asks again and again and reads nothing would be answered for as long as
	// writing takes.
	server.SetKeepAlivesEnabled(false)
	if err := serveUntil(ctx, server, crowd); err != nil {
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

// handler answers every path, to who asks by a name that is slabgate's. All but
// health has a number of places, so that slow readers of it leave room for health.
// Whoever follows the page takes one that the page itself counts.
func (w *Web) handler() http.Handler {
	mux, views := http.NewServeMux(), http.NewServeMux()
	for path, on := range healthPaths {
		mux.Handle(path, w.health(path, on))
	}
	// The handler counts those it gathers for, which go on after scrapeTimeout.
	mux.Handle("/metrics", limited(maxScrapes, promhttp.HandlerFor(w.Gather, promhttp.HandlerOpts{
		ErrorLog: zap.NewStdLog(w.Log), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	})))
	mux.HandleFunc("/events", w.page)
	views.Handle("/status", w.status())
	views.HandleFunc("/", w.page)
	mux.Handle("/", limited(maxViews, views))
	return w.safe(mux)
}

// limited answers so many requests at once, and tells others to come again.
func limited(most int, next http.Handler) http.Handler {
	places := make(chan struct{}, most)
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next.ServeHTTP(to, r)
		default:
			to.Header().Set("Retry-After", "1")
			http.Error(to, "busy", http.StatusServiceUnavailable)
		}
	})
}

// status answers with the status as JSON, which is made once for all who ask within
// statusAge.
func (w *Web) status() http.Handler {
	if w.Status == nil {
		return http.NotFoundHandler()
	}
	var mu sync.Mutex
	var made time.Time
	var data json.RawMessage
	return http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		if data == nil || time.Since(made) >= statusAge {
			answer, err := json.Marshal(w.Status())
			if err != nil {
				mu.Unlock()
				refuse(to, err)
				return
			}
			data, made = answer, time.Now()
		}
		answer := data
		mu.Unlock()
		write(to, http.StatusOK, answer)
	})
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
		if r.ContentLength != 0 { // nobody waits for a body
			_ = http.NewResponseController(to).SetReadDeadline(time.Unix(1, 0)) // it is no connection of ours if it can't
		}
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			to.Header().Set("Allow", "GET, HEAD")
			http.Error(to, "only GET and HEAD are answered", http.StatusMethodNotAllowed)
		case r.ContentLength != 0:
			http.Error(to, "a request has no body here", http.StatusRequestEntityTooLarge)
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
