// Package page shows the status of a running slabgate in a browser: one page that
// brings itself up to date, and that is a page of plain tables without JavaScript.
//
// It changes nothing and loads nothing from elsewhere. Who may see it is up to
// whoever serves it. The plots are drawn by uPlot, whose licence is beside it.
package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"

	"github.com/slabgate/slabgate/internal/status"
)

const (
	// Followers is how many browsers may follow at once. Others see a page that they
	// have to load anew.
	Followers = 8

	pace        = 2 * time.Second  // between two states that a browser is told
	keep        = time.Second      // for which a state is shown to all who ask
	sendTimeout = 10 * time.Second // for a browser to take one state
)

//go:embed assets
var assets embed.FS

// policyOfContent lets the page have its own files and nothing else.
const policyOfContent = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page is the page with what it takes.
type page struct {
	look  func() *status.Document
	text  *template.Template
	slots chan struct{} // one for each follower

	mu    sync.Mutex
	shown time.Time // when the state was looked at
	live  []byte    // as HTML
	title string
}

// Handler returns the page, which asks look for the state once a second at most,
// however many look at it. It is to be served at a path that ends in a slash,
// stripped of that. A server's write timeout does not end followers; the end of a
// request's context does.
func Handler(look func() *status.Document) http.Handler {
	p := &page{look: look, text: template.Must(template.New("").Funcs(words).ParseFS(assets, "assets/page.html")), slots: make(chan struct{}, Followers)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.whole)
	mux.HandleFunc("GET /events", p.events)
	for name, kind := range files {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { file(w, name, kind) })
	}
	return guarded(mux)
}

// files are what the page loads.
var files = map[string]string{
	"page.js": "text/javascript", "page.css": "text/css", "uplot.js": "text/javascript", "uplot.css": "text/css", "uplot.LICENSE": "text/plain",
}

// guarded sets what keeps a browser from doing anything else with the page.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policyOfContent)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func file(w http.ResponseWriter, name, kind string) {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil {
		http.Error(w, "BUG: a file is missing", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	_, _ = w.Write(data) // a browser that is gone can't be told
}

// now is the state as HTML, and the title of the page.
func (p *page) now() (live []byte, title string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live != nil && time.Since(p.shown) < keep {
		return p.live, p.title, nil
	}
	d := p.look()
	var b bytes.Buffer
	if err := p.text.ExecuteTemplate(&b, "live", viewOf(d)); err != nil {
		return nil, "", fmt.Errorf("page: %w", err)
	}
	p.live, p.title, p.shown = b.Bytes(), "slabgate "+d.Host, time.Now()
	return p.live, p.title, nil
}

// whole answers with the page as it is now.
func (p *page) whole(w http.ResponseWriter, _ *http.Request) {
	live, title, err := p.now()
	var b bytes.Buffer
	if err == nil {
		// What live holds was escaped when it was made.
		err = p.text.ExecuteTemplate(&b, "page", map[string]any{"Title": title, "Live": template.HTML(live)})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// events tells a browser every state, until one of the two goes.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "busy: as many follow as may", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	// The end of the time to read the request would be taken for the browser's.
	_ = c.SetReadDeadline(time.Time{}) // a server without deadlines has none that could pass
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		if p.tell(w, c) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// tell sends the state of now.
func (p *page) tell(w http.ResponseWriter, c *http.ResponseController) error {
	live, _, err := p.now()
	if err != nil {
		return err
	}
	text, err := json.Marshal(string(live))
	if err != nil {
		return err
	}
	_ = c.SetWriteDeadline(time.Now().Add(sendTimeout)) // as above
	if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
		return err
	}
	return c.Flush()
}
