package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// rig is the processes that are measured. They live in a folder of their own.
type rig struct {
	dir   string
	procs []*exec.Cmd
}

func newRig() (*rig, error) {
	dir, err := os.MkdirTemp("", "sgbench")
	return &rig{dir: dir}, err
}

func (r *rig) close() {
	for _, p := range r.procs {
		_ = p.Process.Signal(syscall.SIGTERM)
		_ = p.Wait()
	}
	os.RemoveAll(r.dir)
}

func (r *rig) start(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	r.procs = append(r.procs, cmd)
	return cmd, nil
}

// targets starts everything and returns what to measure, memcached itself first.
func (r *rig) targets() ([]target, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := r.memcached("-l", "127.0.0.1", "-p", port); err != nil {
		return nil, err
	}
	if err := r.memcached("-s", r.dir+"/mc.sock"); err != nil {
		return nil, err
	}
	direct := target{"memcached, no TLS", func() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:"+port) }}
	if err := waitFor(direct.dial); err != nil {
		return nil, err
	}
	guarded, err := r.slabgate()
	return []target{direct, guarded}, err
}

func (r *rig) memcached(args ...string) error {
	args = append(args, "-U", "0", "-t", "2", "-m", "256")
	if os.Geteuid() == 0 {
		args = append(args, "-u", "root")
	}
	cmd, _ := r.start("memcached", args...)
	return cmd.Start()
}

// slabgate builds it and starts it, with TLS 1.3, a client certificate and a
// policy of twenty rules.
func (r *rig) slabgate() (target, error) {
	bin := filepath.Join(r.dir, "slabgate")
	for _, args := range [][]string{
		{"go", "build", "-o", bin, "./cmd/slabgate"},
		{bin, "cert", "dev", "--dir", r.dir + "/tls", "--client", "app"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return target{}, fmt.Errorf("%w: %s", err, out)
		}
	}
	if err := r.writeConfig(); err != nil {
		return target{}, err
	}
	cmd, _ := r.start(bin, "run", "--dev", "--allow-root", "-c", r.dir+"/slabgate.yaml")
	logs, err := cmd.StderrPipe()
	if err != nil {
		return target{}, err
	}
	if err := cmd.Start(); err != nil {
		return target{}, err
	}
	addr, err := readAddress(bufio.NewScanner(logs))
	if err != nil {
		return target{}, err
	}
	config, err := r.clientTLS()
	return target{"slabgate, TLS and policy", func() (net.Conn, error) { return tls.Dial("tcp", addr, config) }}, err
}

func (r *rig) writeConfig() error {
	var rules strings.Builder
	for i := range 19 {
		fmt.Fprintf(&rules, "      - {allow: [\"@rw\"], keys: [\"prefix:other%d:\"]}\n", i)
	}
	files := map[string]string{
		"policy.yaml": "version: 1\ncategories: 1\nidentities:\n  app:\n    match: [{tls: {uri: \"spiffe://dev/ns/dev/sa/app\"}}]\n    rules:\n" +
			rules.String() + "      - {allow: [\"@rw\"], keys: [\"prefix:app:\"]}\n",
		"slabgate.yaml": fmt.Sprintf("version: 1\nlisteners:\n  - {name: main, address: \"127.0.0.1:0\", transport: tls, tls: {bundle: %[1]s/tls/server-bundle.pem, client_ca: %[1]s/tls/ca.pem, client_auth: require}}\nupstreams:\n  - {name: local, address: \"unix:%[1]s/mc.sock\"}\npolicy: %[1]s/policy.yaml\nlog: {format: json}\n", r.dir),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

var addressIn = regexp.MustCompile(`main tls (127\.0\.0\.1:\d+)`)

// readAddress finds the listener in the log line that says ready.
func readAddress(logs *bufio.Scanner) (string, error) {
	for logs.Scan() {
		if m := addressIn.FindStringSubmatch(logs.Text()); m != nil {
			return m[1], nil
		}
	}
	return "", errors.New("slabgate did not say that it is ready")
}

func (r *rig) clientTLS() (*tls.Config, error) {
	pem, err := os.ReadFile(r.dir + "/tls/ca.pem")
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(r.dir+"/tls/client-app.pem", r.dir+"/tls/client-app-key.pem")
	c := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{pair}, ServerName: "localhost", MinVersion: tls.VersionTLS13}
	c.RootCAs.AppendCertsFromPEM(pem)
	return c, err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// waitFor dials until something answers, for at most five seconds.
func waitFor(dial func() (net.Conn, error)) error {
	var err error
	for range 100 {
		var c net.Conn
		if c, err = dial(); err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}
