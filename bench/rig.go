package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

// rig is all daemons that are measured, in a folder of their own.
type rig struct {
	dir      string
	pki      *pki
	slabgate string // path of its binary
	maxFiles int    // that a process may open
	rows     []*row
	cache    *row // memcached on TCP
	socket   *row // memcached on a unix socket
	versions map[string]string
}

// newRig makes the folder and the certificates, and slabgate unless it is given.
func newRig(slabgate string) (*rig, error) {
	dir, err := os.MkdirTemp("", "sgbench")
	if err != nil {
		return nil, err
	}
	g := &rig{dir: dir, slabgate: slabgate, versions: map[string]string{}}
	if err := g.prepare(); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// prepare does what can fail of [newRig].
func (g *rig) prepare() (err error) {
	if g.maxFiles, err = raiseFiles(); err != nil {
		return err
	}
	if g.pki, err = newPKI(g.dir); err != nil || g.slabgate != "" {
		return err
	}
	g.slabgate = filepath.Join(g.dir, "built-slabgate")
	out, err := exec.Command("go", "build", "-trimpath", "-o", g.slabgate, "github.com/slabgate/slabgate/cmd/slabgate").CombinedOutput()
	if err != nil {
		return fmt.Errorf("bench: building slabgate: %w: %s", err, out)
	}
	return nil
}

// raiseFiles raises the limit of open files as far as it goes, for bench and for
// the daemons it starts.
func raiseFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	limit.Cur = limit.Max
	return int(min(limit.Cur, 1<<20)), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// maxConns is how many clients every daemon can take: a terminator needs two
// files for each.
func (g *rig) maxConns() int { return (g.maxFiles - 500) / 2 }

// close ends everything that runs, all at once, and removes the folder.
func (g *rig) close() {
	for _, r := range g.rows {
		_ = r.process.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, r := range g.rows {
		r.stop()
	}
	os.RemoveAll(g.dir)
}

// start starts the peers that are wanted and installed. For each other it says why
// not.
func (g *rig) start(o *options, out io.Writer) error {
	for i := range peers {
		p := &peers[i]
		err := g.startPeer(p, o)
		if err != nil && (p.role == guard || p.role == cache) {
			return err
		}
		if err != nil {
			fmt.Fprintf(out, "SKIP %s: %v\n", p.name, err)
		}
	}
	return nil
}

// startPeer starts every variant of a peer that is wanted.
func (g *rig) startPeer(p *peer, o *options) error {
	if !o.wants(p) {
		return errors.New("not among -peers")
	}
	binary, err := g.find(p)
	if err != nil {
		return err
	}
	g.versions[p.name] = versionOf(binary, p.ask)
	var errs []error
	for _, v := range p.variants {
		if !v.full || !o.quick {
			errs = append(errs, g.startRow(p, v, binary))
		}
	}
	return errors.Join(errs...)
}

// find is the path of a peer's binary.
func (g *rig) find(p *peer) (string, error) {
	if p.role == guard {
		return filepath.Abs(g.slabgate)
	}
	path, err := exec.LookPath(p.binary)
	if err != nil {
		return "", fmt.Errorf("%s is not installed (package: %s)", p.binary, p.pkg)
	}
	return path, nil
}

var versionLine = regexp.MustCompile(`(?m)^.*\d+\.\d+.*$`)

// versionOf is the first line with a number in what the binary says of itself.
func versionOf(binary, ask string) string {
	out, _ := exec.Command(binary, ask).CombinedOutput()
	return string(versionLine.Find(out))
}

// startRow starts one variant. Only a row that serves is kept.
func (g *rig) startRow(p *peer, v variant, binary string) error {
	r := &row{variant: v, name: p.name + v.suffix, peer: p, binary: binary}
	if p.role != cache {
		r.cache = g.cache
		if v.unix {
			r.cache = g.socket
		}
	}
	if err := g.settle(r); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		r.stop()
		return fmt.Errorf("%s: %w", r.name, err)
	}
	g.rows = append(g.rows, r)
	if p.role == cache && p.noTLS {
		g.keep(r)
	}
	return nil
}

// keep remembers the two memcacheds that others forward to.
func (g *rig) keep(r *row) {
	if r.peer.socket {
		g.socket = r
	} else {
		g.cache = r
	}
}

// settle gives a row its folder, its addresses and its certificate.
func (g *rig) settle(r *row) (err error) {
	dir := filepath.Join(g.dir, strings.ReplaceAll(r.name, " ", "-"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	r.place = place{
		Dir: dir, PKI: g.dir, Own: filepath.Join(dir, "own.sock"), NginxStream: nginxStream(),
		Cores: runtime.NumCPU(), MaxConns: g.maxConns(), MaxFiles: g.maxFiles,
		Unix: r.unix, Mutual: r.mutual, Anonymous: r.anonymous, Root: os.Geteuid() == 0,
	}
	if r.place.Port, err = freePort(); err != nil {
		return err
	}
	if r.place.FreePort, err = freePort(); err != nil {
		return err
	}
	if r.cache != nil {
		r.place.Cache, r.place.Socket = g.cache.address, g.socket.address
		r.place.CacheHost, r.place.CachePort, _ = net.SplitHostPort(g.cache.address)
	}
	r.network, r.address = "tcp", "127.0.0.1:"+r.place.Port
	if r.peer.socket {
		r.network, r.address = "unix", r.place.Own
	}
	if !r.peer.noTLS {
		r.tls = g.pki.config(r.mutual)
	}
	return nil
}

// nginxStream is the module that Debian keeps apart; empty where it is built in.
func nginxStream() string {
	const path = "/usr/lib/nginx/modules/ngx_stream_module.so"
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// freePort is a TCP port that nobody uses at the moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
