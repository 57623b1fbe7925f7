package config

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/slabgate/slabgate/certs"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/proxy"
	"github.com/slabgate/slabgate/upstream"
)

// document is slabgate.yaml as it is written. Its tags are the one list of keys:
// the strict reader, the environment, the flags and the suggestions follow them.
type document struct {
	Version   int           `yaml:"version"`
	Listeners []listenerDoc `yaml:"listeners"`
	Upstreams []upstreamDoc `yaml:"upstreams"`
	Logins    loginsDoc     `yaml:"logins"`
	Policy    string        `yaml:"policy"`
	State     string        `yaml:"state"`
	Limits    limitsDoc     `yaml:"limits"`
	Reload    reloadDoc     `yaml:"reload"`
	Shutdown  shutdownDoc   `yaml:"shutdown"`
	Log       logDoc        `yaml:"log"`
	Audit     auditDoc      `yaml:"audit"`
	Admin     adminDoc      `yaml:"admin"`
}

type listenerDoc struct {
	Name           string  `yaml:"name"`
	Address        string  `yaml:"address"`
	Transport      string  `yaml:"transport"`
	MaxConnections int     `yaml:"max_connections"`
	ReusePort      bool    `yaml:"reuse_port"`
	UnsafePlain    bool    `yaml:"unsafe_plain"`
	TLS            *tlsDoc `yaml:"tls"`
}

type tlsDoc struct {
	Bundle     string `yaml:"bundle"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ClientCA   string `yaml:"client_ca"`
	ClientAuth string `yaml:"client_auth"`
	MinVersion string `yaml:"min_version"`
	CommonName bool   `yaml:"common_name"`
}

type upstreamDoc struct {
	Name           string     `yaml:"name"`
	Address        string     `yaml:"address"`
	Unsafe         bool       `yaml:"unsafe"`
	ExpectUID      int        `yaml:"expect_uid"`
	Dialect        string     `yaml:"dialect"`
	Shared         int        `yaml:"shared"`
	Pool           poolDoc    `yaml:"pool"`
	ConnectTimeout duration   `yaml:"connect_timeout"`
	RequestTimeout duration   `yaml:"request_timeout"`
	Backoff        backoffDoc `yaml:"backoff"`
}

type poolDoc struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

type backoffDoc struct {
	Min duration `yaml:"min"`
	Max duration `yaml:"max"`
}

type loginsDoc struct {
	SASL  []string `yaml:"sasl"`
	ASCII []string `yaml:"ascii"`
	Users string   `yaml:"users"`
}

type limitsDoc struct {
	LoginTimeout       duration `yaml:"login_timeout"`
	HandshakeTimeout   duration `yaml:"handshake_timeout"`
	MaxUnauthenticated int      `yaml:"max_unauthenticated"`
	MaxPerSource       int      `yaml:"max_per_source"`
	IdleTimeout        duration `yaml:"idle_timeout"`
	RequestTimeout     duration `yaml:"request_timeout"`
	WriteTimeout       duration `yaml:"write_timeout"`
	MaxInFlight        int      `yaml:"max_in_flight"`
	MaxReply           size     `yaml:"max_reply"`
}

type reloadDoc struct {
	Watch    bool     `yaml:"watch"`
	Debounce duration `yaml:"debounce"`
}

type shutdownDoc struct {
	AcceptFor duration `yaml:"accept_for"`
	Grace     duration `yaml:"grace"`
}

type logDoc struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

type auditDoc struct {
	Events      []string  `yaml:"events"`
	AllowSample int       `yaml:"allow_sample"`
	Keys        string    `yaml:"keys"`
	OnFull      string    `yaml:"on_full"`
	Sinks       []sinkDoc `yaml:"sinks"`
}

type sinkDoc struct {
	File   string   `yaml:"file"`
	Mode   fileMode `yaml:"mode"`
	Syslog string   `yaml:"syslog"`
}

type adminDoc struct {
	Socket string   `yaml:"socket"`
	HTTP   string   `yaml:"http"`
	Hosts  []string `yaml:"hosts"`
}

// defaults is the document that says what every part's defaults are, with as
// many list elements as shape has: the defaults of an element exist only where
// the element does.
func defaults(shape *document) *document {
	d := &document{
		Limits:   limitsDocOf(proxy.DefaultLimits()),
		Reload:   reloadDoc{Watch: true, Debounce: duration(2 * time.Second)},
		Shutdown: shutdownDoc{Grace: duration(20 * time.Second)},
		Log:      logDoc{Level: "info", Format: "auto"},
		Audit:    auditDocOf(audit.Default()),
		Admin:    adminDoc{HTTP: defaultHTTP},
	}
	listener := proxy.DefaultListener()
	for i := range shape.Listeners {
		l := listenerDoc{Transport: listener.Transport, MaxConnections: listener.MaxConnections}
		if shape.Listeners[i].TLS != nil {
			l.TLS = tlsDocOf(certs.Default())
		}
		d.Listeners = append(d.Listeners, l)
	}
	for range shape.Upstreams {
		d.Upstreams = append(d.Upstreams, upstreamDocOf(upstream.Default()))
	}
	for range shape.Audit.Sinks {
		d.Audit.Sinks = append(d.Audit.Sinks, sinkDoc{Mode: 0o640})
	}
	return d
}

// config is the document as the parts want it, relative paths taken from dir.
func (d *document) config(dir string) *Config {
	c := &Config{
		Version:  d.Version,
		Logins:   d.Logins.logins(dir),
		Policy:   under(dir, d.Policy),
		State:    under(dir, d.State),
		Limits:   d.Limits.limits(),
		Reload:   Reload{Watch: d.Reload.Watch, Debounce: time.Duration(d.Reload.Debounce)},
		Shutdown: Shutdown{AcceptFor: time.Duration(d.Shutdown.AcceptFor), Grace: time.Duration(d.Shutdown.Grace)},
		Log:      Log(d.Log),
		Audit:    d.Audit.options(dir),
		Admin:    d.Admin.admin(dir),
	}
	for i := range d.Listeners {
		c.Listeners = append(c.Listeners, d.Listeners[i].listener(dir, &c.Logins))
	}
	for i := range d.Upstreams {
		c.Upstreams = append(c.Upstreams, d.Upstreams[i].config())
	}
	return c
}

// logins is l with the path of its file taken from dir.
func (l *loginsDoc) logins(dir string) Logins {
	return Logins{SASL: l.SASL, ASCII: l.ASCII, Users: under(dir, l.Users)}
}

// listener is l for the proxy, with the logins of every listener.
func (l *listenerDoc) listener(dir string, logins *Logins) Listener {
	out := Listener{ListenerConfig: proxy.ListenerConfig{
		Name:           l.Name,
		Address:        l.Address,
		Transport:      l.Transport,
		MaxConnections: l.MaxConnections,
		ASCIILogin:     slices.Contains(logins.ASCII, asciiMemcached),
		KeyValueLogin:  slices.Contains(logins.ASCII, asciiKeyValue),
		SASL:           slices.Clone(logins.SASL),
		PlainInClear:   l.UnsafePlain,
		ReusePort:      l.ReusePort,
	}}
	if l.TLS != nil {
		out.TLS = l.TLS.config(dir)
	}
	return out
}

func (t *tlsDoc) config(dir string) *certs.Config {
	return &certs.Config{
		Bundle:     under(dir, t.Bundle),
		Cert:       under(dir, t.Cert),
		Key:        under(dir, t.Key),
		ClientCA:   under(dir, t.ClientCA),
		ClientAuth: t.ClientAuth,
		MinVersion: t.MinVersion,
		CommonName: t.CommonName,
	}
}

func tlsDocOf(c certs.Config) *tlsDoc {
	return &tlsDoc{
		Bundle:     c.Bundle,
		Cert:       c.Cert,
		Key:        c.Key,
		ClientCA:   c.ClientCA,
		ClientAuth: c.ClientAuth,
		MinVersion: c.MinVersion,
		CommonName: c.CommonName,
	}
}

func (u *upstreamDoc) config() upstream.Config {
	return upstream.Config{
		Name:           u.Name,
		Address:        u.Address,
		Unsafe:         u.Unsafe,
		ExpectUID:      u.ExpectUID,
		Dialect:        u.Dialect,
		Shared:         u.Shared,
		PoolMin:        u.Pool.Min,
		PoolMax:        u.Pool.Max,
		ConnectTimeout: time.Duration(u.ConnectTimeout),
		RequestTimeout: time.Duration(u.RequestTimeout),
		BackoffMin:     time.Duration(u.Backoff.Min),
		BackoffMax:     time.Duration(u.Backoff.Max),
	}
}

func upstreamDocOf(c upstream.Config) upstreamDoc {
	return upstreamDoc{
		Name:           c.Name,
		Address:        c.Address,
		Unsafe:         c.Unsafe,
		ExpectUID:      c.ExpectUID,
		Dialect:        c.Dialect,
		Shared:         c.Shared,
		Pool:           poolDoc{Min: c.PoolMin, Max: c.PoolMax},
		ConnectTimeout: duration(c.ConnectTimeout),
		RequestTimeout: duration(c.RequestTimeout),
		Backoff:        backoffDoc{Min: duration(c.BackoffMin), Max: duration(c.BackoffMax)},
	}
}

func (l *limitsDoc) limits() proxy.Limits {
	return proxy.Limits{
		LoginTimeout:       time.Duration(l.LoginTimeout),
		HandshakeTimeout:   time.Duration(l.HandshakeTimeout),
		MaxUnauthenticated: l.MaxUnauthenticated,
		MaxPerSource:       l.MaxPerSource,
		IdleTimeout:        time.Duration(l.IdleTimeout),
		RequestTimeout:     time.Duration(l.RequestTimeout),
		WriteTimeout:       time.Duration(l.WriteTimeout),
		MaxInFlight:        l.MaxInFlight,
		MaxReply:           int(l.MaxReply),
	}
}

func limitsDocOf(l proxy.Limits) limitsDoc {
	return limitsDoc{
		LoginTimeout:       duration(l.LoginTimeout),
		HandshakeTimeout:   duration(l.HandshakeTimeout),
		MaxUnauthenticated: l.MaxUnauthenticated,
		MaxPerSource:       l.MaxPerSource,
		IdleTimeout:        duration(l.IdleTimeout),
		RequestTimeout:     duration(l.RequestTimeout),
		WriteTimeout:       duration(l.WriteTimeout),
		MaxInFlight:        l.MaxInFlight,
		MaxReply:           size(l.MaxReply),
	}
}

// options is a for the record, with the paths of its files taken from dir.
func (a *auditDoc) options(dir string) audit.Options {
	o := audit.Options{Events: a.Events, AllowSample: a.AllowSample, Keys: a.Keys, OnFull: a.OnFull}
	for _, s := range a.Sinks {
		o.Sinks = append(o.Sinks, audit.SinkOptions{File: under(dir, s.File), Mode: os.FileMode(s.Mode), Syslog: s.Syslog})
	}
	return o
}

// auditDocOf is the document of options that name no sink.
func auditDocOf(o audit.Options) auditDoc {
	return auditDoc{Events: o.Events, AllowSample: o.AllowSample, Keys: o.Keys, OnFull: o.OnFull}
}

// under is path as seen from dir; an absolute or empty path stays as it is.
func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
