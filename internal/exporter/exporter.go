package exporter

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/slabgate/slabgate/internal/metrics"
)

// Source is where an exporter finds what it shows. All of it is asked anew for
// each scrape, by many goroutines.
type Source struct {
	Metrics                  *metrics.Metrics
	Version, Revision, GoVer string           // of the program
	Now                      func() time.Time // wall clock
	Config                   func() Config
	Upstream                 func() Upstream
	Holds                    func() Holds
	DenialsLost              func() int64 // kinds of denials forgotten for want of room
	LogDropped               func() int64 // lines of the log that found no room

	// Stats is memcached's reply to stats with an argument, or without if that is
	// empty: whole lines, and false if there is none.
	Stats func(ctx context.Context, argument string) ([]byte, bool)
}

// Config is what is known of the configuration in force.
type Config struct {
	Digest       string
	Since        time.Time
	Certificates map[Certificate]time.Time // when they expire
}

// Certificate is one that a listener shows, or that issues those of its clients.
type Certificate struct{ Listener, Usage, Name string }

// Holds is how much an operator holds up.
type Holds struct {
	Identities int // that are frozen
	Writes     int // freezes of writes, of one identity or of all
	Networks   int // in quarantine
}

// Upstream is how the connections to memcached are.
type Upstream struct {
	Name             string
	Up               bool // it answered when it was last asked
	Open, Idle, Most int  // connections
}

// New returns everything there is to gather of a source.
func New(src Source) prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(newExporter(src), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// kind is the type of a metric.
type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// Family is one metric as its users see it.
type Family struct {
	Name, Type string
	Labels     []string
	Help       string
}

// Families are all metrics of slabgate and memcached in the order of their tables.
func Families() []Family {
	var list []Family
	for _, f := range slices.Concat(families, memcachedFamilies) {
		list = append(list, Family{f.name, string(f.kind), f.labels, f.help})
	}
	return list
}

// family is a row: one metric, and where its values come from.
type family struct {
	name   string
	kind   kind
	labels []string
	help   string
	show   func(src *Source, to *values) // nil if what memcached says is gathered elsewhere
}

// values takes the values of one family.
type values struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	ch   chan<- prometheus.Metric
}

var valueTypes = map[kind]prometheus.ValueType{counter: prometheus.CounterValue, gauge: prometheus.GaugeValue}

// add shows one value.
func (v *values) add(value float64, labels ...string) {
	v.ch <- prometheus.MustNewConstMetric(v.desc, v.kind, value, labels...)
}

// count shows a counter, unless it has never counted anything.
func (v *values) count(n int64, labels ...string) {
	if n != 0 {
		v.add(float64(n), labels...)
	}
}

// times shows a histogram.
func (v *values) times(h *metrics.Histogram, labels ...string) {
	upTo, count, sum := h.Load()
	buckets := make(map[float64]uint64, len(upTo))
	for i, bound := range metrics.Bounds {
		buckets[bound.Seconds()] = upTo[i]
	}
	v.ch <- prometheus.MustNewConstHistogram(v.desc, count, sum.Seconds(), buckets, labels...)
}

// exporter is what a registry gathers from.
type exporter struct {
	src       Source
	memcached memcached
	descs     map[string]*prometheus.Desc
}

func newExporter(src Source) *exporter {
	e := &exporter{src: src, descs: make(map[string]*prometheus.Desc)}
	for _, f := range slices.Concat(families, memcachedFamilies) {
		e.descs[f.name] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	return e
}

// Describe says what there is.
func (e *exporter) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range e.descs {
		ch <- d
	}
}

// Collect shows all of it as it is now.
func (e *exporter) Collect(ch chan<- prometheus.Metric) {
	for i := range families {
		f := &families[i]
		f.show(&e.src, &values{e.descs[f.name], valueTypes[f.kind], ch})
	}
	said := e.memcached.ask(&e.src)
	for i := range memcachedFamilies {
		f := &memcachedFamilies[i]
		said.show(f.name, &values{e.descs[f.name], valueTypes[f.kind], ch})
	}
}
