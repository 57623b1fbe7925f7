// Package config reads the files an operator owns: slabgate.yaml with the
// environment and the flags laid over it, policy.yaml and users.yaml. It is the
// only room that knows viper, environment variables and the keys of a file.
//
// It opens no certificate, starts nothing, watches nothing and prints nothing;
// whatever is wrong becomes a finding with file, line and column. Only cmd may
// import it.
package config

import (
	"slices"
	"time"

	"github.com/slabgate/slabgate/certs"
	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/proxy"
	"github.com/slabgate/slabgate/upstream"
)

// Config is a whole slabgate.yaml: the parts' configurations side by side.
// Paths in it are absolute; whoever holds it may keep and change it.
type Config struct {
	Version   int // of the file's shape; 1
	Listeners []Listener
	Upstreams []upstream.Config // exactly one in this version
	Logins    Logins
	Policy    string // path of policy.yaml
	State     string // folder of what slabgate remembers; empty for none
	Limits    proxy.Limits
	Reload    Reload
	Shutdown  Shutdown
	Log       Log
	Audit     audit.Options // without a sink there is no record
	Origins   []Origin      // where each value came from, in the order of the file's shape
	Admin     Admin

	at Positions // of the keys in the file
}

// Listener is where clients come in, and the TLS they find there.
type Listener struct {
	proxy.ListenerConfig
	TLS *certs.Config // nil on a plaintext listener
}

// Logins says how a client may prove a password.
type Logins struct {
	SASL  []string // mechanisms of the binary dialect, by their registered names
	ASCII []string // login forms of the ASCII dialect: memcached or key_value
	Users string   // path of users.yaml; empty without logins
}

// Reload says when the files are read again without being asked to.
type Reload struct {
	Watch    bool          // when one of them has changed
	Debounce time.Duration // how long they must have been left alone since
}

// Shutdown bounds how slabgate stops.
type Shutdown struct {
	AcceptFor time.Duration // how long new clients are still taken after the signal
	Grace     time.Duration // how long clients may finish after that
}

// Log says what is logged, and how.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // auto, text or json; auto is text on a terminal
}

// Admin says where an operator can look into the running process.
type Admin struct {
	Socket string   // path of a unix socket; empty for none
	HTTP   string   // literal address and port of health checks and metrics; empty for none
	Hosts  []string // names it may be asked for by
}

// Origin says where the value of one key came from.
type Origin struct {
	Key    string // listeners[0].address
	Value  string // as it would be written in the file
	Source Source
	Where  string // file:line:col, the variable, or --set key; empty for a default
}

// Source is one of the layers a value may come from.
type Source string

// The layers, strongest first.
const (
	SourceFlag    Source = "flag"
	SourceEnv     Source = "env"
	SourceFile    Source = "file"
	SourceDefault Source = "default"
)

// Files are the paths of every file that a reload reads besides slabgate.yaml
// itself, without any that is not set.
func (c *Config) Files() (paths []string) {
	all := []string{c.Policy, c.Logins.Users}
	for i := range c.Listeners {
		if t := c.Listeners[i].TLS; t != nil {
			all = append(all, t.Bundle, t.Cert, t.Key, t.ClientCA)
		}
	}
	return slices.DeleteFunc(all, func(path string) bool { return path == "" })
}

// Place says of each finding about a key of slabgate.yaml where the key was set,
// and returns the list: in the file, or by a variable or flag, which has no line.
func (c *Config) Place(list finding.List) finding.List {
	set := map[string]string{}
	for _, o := range c.Origins {
		if o.Source == SourceEnv || o.Source == SourceFlag {
			set[o.Key] = o.Where
		}
	}
	for i := range list {
		where, ok := set[list[i].Key]
		if !ok {
			where, ok = set[parent(list[i].Key)] // a list is set as a whole
		}
		if ok {
			list[i].Problem += " (set by " + where + ")"
			continue
		}
		c.at.Place(list[i : i+1])
	}
	return list
}
