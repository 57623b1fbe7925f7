package page

import (
	"encoding/json"
	"html/template"
	"net/netip"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/status"
)

// view is a status as the template shows it.
type view struct {
	*status.Document
	Plots          []plot
	Minutes        []minute
	PlainListeners []string
}

// plot is figures of the last minutes.
type plot struct {
	Title, Unit string
	Series      string // for uPlot, as JSON: times in seconds before now, then one list for each of Names
	Names       string // as JSON
}

// minute is what a plot says in words, for whoever does not see it.
type minute struct {
	Ago               int // minutes
	Requests          float64
	BytesIn, BytesOut float64
	RoundTrip         float64
}

func viewOf(d *status.Document) *view {
	h := &d.Traffic.History
	times := make([]int, len(h.Requests))
	for i := range times {
		times[i] = (i + 1 - len(times)) * int(status.Step/time.Second)
	}
	millis := make([]float64, len(h.RoundTrip))
	for i, s := range h.RoundTrip {
		millis[i] = s * 1000
	}
	return &view{d, []plot{
		{"Requests", "per second", toJSON([]any{times, h.Requests}), `["requests/s"]`},
		{"Bytes", "per second", toJSON([]any{times, h.BytesIn, h.BytesOut}), `["in","out"]`},
		{"memcached answers in", "milliseconds", toJSON([]any{times, millis}), `["ms"]`},
	}, minutesOf(h), plainListeners(d.Listeners)}
}

// plainListeners are the names of those that take TCP without TLS.
func plainListeners(list []status.Listener) (names []string) {
	for i := range list {
		_, err := netip.ParseAddrPort(list[i].Address) // a unix socket has none
		if err == nil && list[i].Transport == "plaintext" {
			names = append(names, list[i].Name)
		}
	}
	return names
}

// minutesOf are the means of each minute, the latest first.
func minutesOf(h *status.History) (list []minute) {
	const each = int(time.Minute / status.Step)
	for end := len(h.Requests); end > 0; end -= each {
		from := max(0, end-each)
		list = append(list, minute{
			len(list), mean(h.Requests[from:end]), mean(h.BytesIn[from:end]), mean(h.BytesOut[from:end]), mean(h.RoundTrip[from:end]),
		})
	}
	return list
}

func mean(list []float64) (sum float64) {
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

// toJSON is v, which is made of numbers.
func toJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return "[]" // a figure that is none: no plot is better than no page
	}
	return string(data)
}

// words are the functions of the template.
var words = template.FuncMap{
	"count": func(v any) string {
		switch v := v.(type) {
		case int:
			return status.Count(float64(v))
		case int64:
			return status.Count(float64(v))
		}
		return status.Count(v.(float64))
	},
	"bytes":  status.Bytes,
	"milli":  status.Milli,
	"delay":  status.Delay,
	"float":  func(n int64) float64 { return float64(n) },
	"since":  func(d *view, t time.Time) string { return status.Span(d.Time.Sub(t)) },
	"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") },
	"spaced": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	"join":   strings.Join,
	"rest":   func(total, shown int) int { return total - shown },
	"short":  func(s string) string { return s[:min(8, len(s))] },
}
