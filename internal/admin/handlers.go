package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/slabgate/slabgate/internal/denials"
)

// Error is why a request was not served. It is what the client reads, as JSON.
type Error struct {
	Status  int    `json:"-"` // of HTTP
	Problem string `json:"error"`
	Fix     string `json:"fix"` // what to do instead
}

// Error is the problem alone.
func (e *Error) Error() string { return e.Problem }

// Denials is the answer to GET /denials.
type Denials struct {
	Denials     []denials.Entry `json:"denials"`     // the latest first
	Total       int64           `json:"total"`       // since the start, those that were forgotten included
	Overwritten int64           `json:"overwritten"` // kinds of denials that were forgotten for want of room
}

// Flushed is the answer to POST /flush.
type Flushed struct {
	Namespace string `json:"namespace"`
	From      uint64 `json:"from"` // generation before
	To        uint64 `json:"to"`   // generation now
}

// page is what one path answers.
type page struct {
	method, path string
	answer       func(s *Server, r *http.Request) (any, error)
}

var pages = slices.Concat(ownPages, viewPages, holderPages, operations)

var ownPages = []page{
	{"GET", "/denials", (*Server).denials},
	{"GET", "/denials/{id}", func(s *Server, r *http.Request) (any, error) { return s.denial(r) }},
	{"GET", "/denials/{id}/explain", (*Server).explain},
	{"POST", "/flush", (*Server).flush},
	{"GET", "/learned", func(s *Server, _ *http.Request) (any, error) { return s.Backend.Learned(), nil }},
}

// handler answers every page, and says of everything else that it is none.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range pages {
		mux.HandleFunc(p.method+" "+p.path, func(w http.ResponseWriter, r *http.Request) {
			if answer, err := p.answer(s, r); err != nil {
				refuse(w, err)
			} else {
				write(w, http.StatusOK, answer)
			}
		})
		mux.HandleFunc(p.path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", p.method)
			refuse(w, &Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s does not take the method %.16q", p.path, r.Method), "use " + p.method})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, &Error{http.StatusNotFound, fmt.Sprintf("there is no page %.64q", r.URL.Path), "ask for /denials"})
	})
	return following(s, mux)
}

// following answers the one request that is a stream.
func following(s *Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/denials" && r.URL.Query().Get("follow") == "1" {
			s.follow(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// write answers with JSON. A client that is gone can't be told.
func write(w http.ResponseWriter, status int, answer any) {
	data, err := json.Marshal(answer)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}

// refuse answers with why a request was not served.
func refuse(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{http.StatusInternalServerError, err.Error(), "look at slabgate's log; if it does not say why, please report it"}
	}
	write(w, e.Status, e)
}

func (s *Server) denials(*http.Request) (any, error) {
	ring := s.Backend.Denials()
	return Denials{ring.List(), ring.Total(), ring.Overwritten()}, nil
}

// denial is the denial that the path names.
func (s *Server) denial(r *http.Request) (denials.Entry, error) {
	id := r.PathValue("id")
	e, ok := s.Backend.Denials().Find(id)
	if !ok {
		return e, &Error{http.StatusNotFound, fmt.Sprintf("no denial has the id %.16q", id),
			fmt.Sprintf("slabgate denials lists the latest %d; those before them, and before the last start, are forgotten", denials.Most)}
	}
	return e, nil
}

func (s *Server) explain(r *http.Request) (any, error) {
	e, err := s.denial(r)
	if err != nil {
		return nil, err
	}
	return s.Backend.Explain(e)
}

func (s *Server) flush(r *http.Request) (any, error) {
	name := r.URL.Query().Get("namespace")
	if name == "" {
		return nil, &Error{http.StatusBadRequest, "the parameter namespace is missing", "write /flush?namespace=NAME"}
	}
	from, to, err := s.Backend.Flush(r.Context(), name)
	if err != nil {
		return nil, err
	}
	return Flushed{name, from, to}, nil
}
