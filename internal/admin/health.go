package admin

import (
	"fmt"
	"net/http"
	"strings"
)

// Probe is one of the questions about health that a program may ask; a [Check]
// counts for one or more.
type Probe uint8

// The questions.
const (
	Started Probe = 1 << iota // has it ever been able to serve?
	Live                      // does it still do anything? If not, it is to be started anew
	Ready                     // is it to be sent clients?
)

// Check is one condition of health.
type Check struct {
	Name string
	On   Probe
	Test func() error // nil if it holds; it must not wait
}

// healthPaths are the paths of the questions. Who asks may know them by another
// name: healthz is most often asked by what starts a process anew, which a memcached
// that is down is no reason for.
var healthPaths = map[string]Probe{
	"/startupz": Started,
	"/livez":    Live, "/live": Live, "/healthz": Live, "/ping": Live,
	"/readyz": Ready, "/ready": Ready,
}

// health answers the question that is asked at path: 200 if every check of it holds,
// else 503. With ?verbose, and whenever one does not, each is told.
func (w *Web) health(path string, on Probe) http.Handler {
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		report, well := w.ask(on)
		report += strings.TrimPrefix(path, "/") + verdicts[well]
		to.Header().Set("Content-Type", "text/plain; charset=utf-8")
		switch {
		case !well:
			to.WriteHeader(http.StatusServiceUnavailable)
		case !r.URL.Query().Has("verbose"):
			report = "ok\n"
		}
		_, _ = fmt.Fprint(to, report) // a client that is gone can't be told
	})
}

// verdicts are how a report ends, after the name of what was asked.
var verdicts = map[bool]string{true: " check passed\n", false: " check failed\n"}

// ask carries out the checks of a question, and reports on each in a line, in the
// form that Kubernetes uses.
func (w *Web) ask(on Probe) (report string, well bool) {
	var out strings.Builder
	well = true
	for _, c := range w.Checks {
		if c.On&on == 0 {
			continue
		}
		if err := c.Test(); err != nil {
			well = false
			fmt.Fprintf(&out, "[-]%s failed: %s\n", c.Name, oneLine(err))
		} else {
			fmt.Fprintf(&out, "[+]%s ok\n", c.Name)
		}
	}
	return out.String(), well
}

// oneLine is what an error says, without the ends of lines that it may have.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
