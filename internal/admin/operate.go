package admin

import (
	"context"
	"net/http"
)

// Operator is what a slabgate can be asked to do with itself, and how it is. Its
// methods are called by many goroutines. An error that is an [*Error] is told as it
// is.
type Operator interface {
	// Reload reads every file again. A refusal is no error; an error says that
	// nothing was read.
	Reload(ctx context.Context) (Reloaded, error)

	// Drain sends idle clients away and has slabgate say that it is not ready, but
	// serve on.
	Drain(ctx context.Context) (Health, error)

	// Stop begins to drain all clients, after which slabgate ends.
	Stop(ctx context.Context) (Health, error)

	// Health is how slabgate is, for no longer than ctx.
	Health(ctx context.Context) Health
}

// Health is how a slabgate is, for whoever decides whether to send it clients, or
// to start it anew.
type Health struct {
	Live     bool  `json:"live"`     // whatever serves clients is at work
	Started  bool  `json:"started"`  // every listener has been bound, and memcached has answered
	Ready    bool  `json:"ready"`    // clients may come
	Draining bool  `json:"draining"` // those that are here had better go
	Stopping bool  `json:"stopping"` // it is about to end
	Clients  int64 `json:"clients"`  // connections that are open
}

// Reloaded is the answer to POST /reload.
type Reloaded struct {
	Taken        bool      `json:"taken"`         // the files are in force
	Before       string    `json:"before"`        // digest of what was in force
	After        string    `json:"after"`         // digest of what is
	Changed      []string  `json:"changed"`       // what differs, a line each
	NeedsRestart []string  `json:"needs_restart"` // keys that differ from those of the start
	Findings     []Finding `json:"findings"`      // why it was refused, and warnings
	Secret       string    `json:"secret_file"`   // the file whose lines are not to be shown; empty for none
}

// Finding is one fault of a file, with names that scripts may rely on.
type Finding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Col      int    `json:"col,omitempty"`
	Key      string `json:"key,omitempty"`
	Problem  string `json:"problem"`
	Effect   string `json:"effect,omitempty"`
	Fix      string `json:"fix"`
}

// operations are the pages of an [Operator].
var operations = []page{
	{"POST", "/reload", func(s *Server, r *http.Request) (any, error) { return s.Backend.Reload(r.Context()) }},
	{"POST", "/drain", func(s *Server, r *http.Request) (any, error) { return s.Backend.Drain(r.Context()) }},
	{"POST", "/stop", func(s *Server, r *http.Request) (any, error) { return s.Backend.Stop(r.Context()) }},
	{"GET", "/health", func(s *Server, r *http.Request) (any, error) { return s.Backend.Health(r.Context()), nil }},
}

// Reload has slabgate read every file again, and waits for the outcome.
func (c *Client) Reload(ctx context.Context) (r Reloaded, err error) {
	err = c.ask(ctx, http.MethodPost, "/reload", &r)
	return r, err
}

// Drain has slabgate send idle clients away and serve on.
func (c *Client) Drain(ctx context.Context) (h Health, err error) {
	err = c.ask(ctx, http.MethodPost, "/drain", &h)
	return h, err
}

// Stop has slabgate drain all clients and end. It does not wait for that.
func (c *Client) Stop(ctx context.Context) (h Health, err error) {
	err = c.ask(ctx, http.MethodPost, "/stop", &h)
	return h, err
}

// Health returns how slabgate is.
func (c *Client) Health(ctx context.Context) (h Health, err error) {
	err = c.ask(ctx, http.MethodGet, "/health", &h)
	return h, err
}
