package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/slabgate/slabgate/internal/denials"
)

// Pace and patience of a stream.
const (
	pace        = 500 * time.Millisecond // between two looks, so that a client that is denied all the time fills no screen
	sendTimeout = 10 * time.Second       // for a client to take one look's lines
)

// Update is one line of GET /denials?follow=1: a denial as it is now, or how many
// were forgotten before they could be told.
type Update struct {
	*denials.Entry
	Lost int64 `json:"lost,omitempty"`
}

// follow streams what is denied, until the client or the server goes.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) {
	f := s.Backend.Denials().Follow()
	defer f.Close()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	// The end of the time to read the request would be taken for the client's.
	if http.NewResponseController(w).SetReadDeadline(time.Time{}) != nil || send(w, nil, 0) != nil {
		return
	}
	for {
		entries, lost, err := f.Next(r.Context())
		if err != nil || send(w, entries, lost) != nil || !rest(r.Context()) {
			return
		}
	}
}

// send writes the lines of one look.
func send(w http.ResponseWriter, entries []denials.Entry, lost int64) error {
	c := http.NewResponseController(w)
	if err := c.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	lines := json.NewEncoder(w)
	if lost > 0 {
		if err := lines.Encode(Update{Lost: lost}); err != nil {
			return err
		}
	}
	for i := range entries {
		if err := lines.Encode(Update{Entry: &entries[i]}); err != nil {
			return err
		}
	}
	return c.Flush()
}

// rest waits until it is time for the next look, and reports whether there is one.
func rest(ctx context.Context) bool {
	t := time.NewTimer(pace)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
