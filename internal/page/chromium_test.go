package page

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/status"
)

// crowd is a document of 1,000 clients and 200 denials, in as many groups as that
// can be.
func crowd(t *testing.T) *status.Document {
	d := example(t)
	d.Clients.Groups = d.Clients.Groups[:1]
	plain, group, denial := d.Plaintext.Clients[0], d.Clients.Groups[0], d.Denials.Groups[0]
	d.Plaintext.Clients, d.Denials.Groups = nil, nil
	for i := range 1000 {
		group.Identity = fmt.Sprintf("tenant-%03d", i)
		d.Clients.Groups = append(d.Clients.Groups, group)
		if i < status.MostPlaintext {
			plain.Address, plain.Identity = fmt.Sprintf("10.2.%d.%d", i/250, i%250), group.Identity
			d.Plaintext.Clients = append(d.Plaintext.Clients, plain)
		}
		if i < status.MostDenials {
			denial.ID, denial.Identity, denial.Command = fmt.Sprintf("D%04d", i), group.Identity, "get session:8f3a9c01d7:"+group.Identity
			denial.Fix = fmt.Sprintf(`add "prefix:session:" to read: of identities.%s.rules[0]`, group.Identity)
			d.Denials.Groups = append(d.Denials.Groups, denial)
		}
	}
	d.Plaintext.Total, d.Denials.GroupsTotal, d.Denials.Total, d.Clients.Total = 1000, 200, 7200, 1000
	h := &d.Traffic.History
	h.Requests, h.BytesIn, h.BytesOut, h.RoundTrip = nil, nil, nil, nil
	for i := range status.Samples {
		wave := float64(i%60) * 40
		h.Requests, h.BytesIn = append(h.Requests, 8000+wave), append(h.BytesIn, 4e5+100*wave)
		h.BytesOut, h.RoundTrip = append(h.BytesOut, 4e6+900*wave), append(h.RoundTrip, 0.0001+wave/1e8)
	}
	return d
}

// chromium runs a browser on a page and returns the page as it is then, and what the
// browser complained of.
func chromium(t *testing.T, url string, args ...string) (dom, log string) {
	t.Helper()
	binary, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIP: no chromium is installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--user-data-dir=" + t.TempDir(),
		"--timeout=3000", "--window-size=1280,2200",
	}, args...)
	cmd := exec.CommandContext(ctx, binary, append(args, url)...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, talk.String())
	}
	for line := range strings.SplitSeq(talk.String(), "\n") {
		if strings.Contains(line, "CONSOLE") {
			log += line + "\n"
		}
	}
	return out.String(), log
}

func TestBrowserDrawsThePlots(t *testing.T) {
	d := crowd(t)
	s := serve(t, func() *status.Document { return d })
	dom, log := chromium(t, s.URL+"/", "--dump-dom")
	if n := strings.Count(dom, "<canvas"); n != 3 {
		t.Errorf("%d plots are drawn, want 3", n)
	}
	if log != "" {
		t.Errorf("the browser complains:\n%s", log)
	}
	for _, want := range []string{"tenant-999", "slabgate explain D0199", "and 800 more", `class="drawn"`} {
		if !strings.Contains(dom, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// withoutScripts serves a page whose scripts can't be loaded.
func withoutScripts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".js") {
			w.Header().Set("Content-Type", "text/javascript")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Without JavaScript the page is complete, with a table in place of the plots.
func TestBrowserWithoutJavaScript(t *testing.T) {
	d := crowd(t)
	s := httptest.NewServer(withoutScripts(Handler(func() *status.Document { return d })))
	defer s.Close()
	dom, log := chromium(t, s.URL+"/", "--dump-dom")
	if strings.Contains(dom, "<canvas") || !strings.Contains(dom, `<table class="minutes">`) || !strings.Contains(dom, "tenant-999") || log != "" {
		t.Errorf("got %d bytes, %s", len(dom), log)
	}
}

// TestPictures leaves pictures of the page in the folder that SLABGATE_PICTURES
// names, or else in one of the test's own.
func TestPictures(t *testing.T) {
	dir := os.Getenv("SLABGATE_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	d, few := crowd(t), example(t)
	for name, tc := range map[string]struct {
		doc  *status.Document
		args []string
	}{
		"crowd":  {d, nil},
		"few":    {few, nil},
		"dark":   {few, []string{"--force-dark-mode", "--blink-settings=preferredColorScheme=0"}},
		"narrow": {few, []string{"--window-size=500,2600"}},
	} {
		s := serve(t, func() *status.Document { return tc.doc })
		file := filepath.Join(dir, name+".png")
		chromium(t, s.URL+"/", append(tc.args, "--screenshot="+file)...)
		if fi, err := os.Stat(file); err != nil || fi.Size() < 20_000 {
			t.Errorf("%s: got %v, %v", name, fi, err)
		}
	}
}
