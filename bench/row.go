package main

import (
	"bytes"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

//go:embed peers
var configs embed.FS

// readyTime is how long a daemon may take until it serves.
const readyTime = 5 * time.Second

// row is a running daemon and how clients use it.
type row struct {
	variant
	name             string
	peer             *peer
	place            place
	binary           string
	network, address string
	tls              *tls.Config // nil without TLS
	process          *process
	cache            *row // memcached behind it; nil if it is one
}

// place is what templates can say.
type place struct {
	Dir, PKI, Own, Socket       string
	Port, FreePort              string
	Cache, CacheHost, CachePort string
	NginxStream                 string
	Cores, MaxConns, MaxFiles   int
	Unix, Mutual, Root          bool
	Anonymous                   bool
	OtherRules                  [19]int // with the one that allows, twenty
}

// start writes the daemon's files, starts it and waits until it serves.
func (r *row) start() error {
	for _, name := range r.peer.files {
		text, err := configs.ReadFile("peers/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.place.Dir, name), []byte(r.expand(string(text))), 0o600); err != nil {
			return err
		}
	}
	if err := r.first(); err != nil {
		return err
	}
	var err error
	r.process, err = startProcess(r.place.Dir, append([]string{r.binary}, strings.Fields(r.expand(r.peer.args))...))
	if err != nil {
		r.process = nil
		return err
	}
	if err := r.waitReady(); err != nil {
		return err
	}
	return r.refusesStrangers()
}

// refusesStrangers makes sure that a row that is meant to ask for client
// certificates does: else it would be measured for less work than the others.
func (r *row) refusesStrangers() error {
	if !r.mutual {
		return nil
	}
	stranger := *r
	stranger.tls = r.tls.Clone()
	stranger.tls.Certificates = nil
	var probe batch
	r.dialect.set(&probe, 0, []byte("probe"))
	if stranger.try(&probe) == nil {
		return errors.New("bench: a client without a certificate was served")
	}
	return nil
}

// first does what a peer needs before its first start.
func (r *row) first() error {
	if r.peer.before == "" || r.process != nil {
		return nil
	}
	cmd := exec.Command(r.binary, strings.Fields(r.expand(r.peer.before))...)
	cmd.Stdin = strings.NewReader(userPassword + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// expand fills a template in. The templates are part of the program, so that a
// fault in one is seen by every run.
func (r *row) expand(text string) string {
	var out bytes.Buffer
	if err := template.Must(template.New(r.name).Parse(text)).Execute(&out, r.place); err != nil {
		return err.Error()
	}
	return out.String()
}

// waitReady tries until a request is answered.
func (r *row) waitReady() error {
	probe := batch{}
	r.dialect.set(&probe, 0, []byte("probe"))
	var err error
	for until := time.Now().Add(readyTime); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if err = r.try(&probe); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w; it printed %q", err, r.process.lastWords())
}

// try makes one connection for one batch.
func (r *row) try(b *batch) error {
	l, err := r.dial()
	if err != nil {
		return err
	}
	defer l.close()
	return l.play(b)
}

// stop ends the daemon, if there is one.
func (r *row) stop() {
	if r.process != nil {
		r.process.stop()
	}
}

// restart gives the row a daemon that has served nothing yet, at the same address.
func (r *row) restart() error {
	r.stop()
	return r.start()
}
