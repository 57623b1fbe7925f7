package e2e_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// volume writes files as a volume of Kubernetes has them: in a folder of their own,
// which one link is moved to.
func (s *site) volume(t *testing.T, generation int, files map[string]string) {
	t.Helper()
	dir := fmt.Sprintf("..%d", generation)
	if err := os.MkdirAll(s.path("tls/"+dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(s.path("tls/"+dir+"/"+name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..data/"+name, s.path("tls/"+name)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	giveToDaemon(t, s.path("tls"))
	if err := os.Symlink(dir, s.path("tls/..tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.path("tls/..tmp"), s.path("tls/..data")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.path(fmt.Sprintf("tls/..%d", generation-1))); err != nil {
		t.Fatal(err)
	}
}

// pair is a new certificate of the server, with its key or another one's.
func (s *site) pair(t *testing.T, whole bool) map[string]string {
	t.Helper()
	cert, key := s.pki.Server(t)
	if !whole {
		_, key = s.pki.Server(t)
	}
	files := map[string]string{}
	for name, path := range map[string]string{"tls.crt": cert, "tls.key": key, "ca.crt": s.pki.CAFile()} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	return files
}

// handshakes connects until it is told to stop, or it fails.
func handshakes(addr string, config *tls.Config, stop *atomic.Bool) (n int, err error) {
	for ; !stop.Load(); n++ {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, config)
		if err != nil {
			return n, err
		}
		c.Close()
	}
	return n, nil
}

// Certificates that change under slabgate, every tenth of them broken, fail no
// handshake, and nobody asks for a reload.
func TestCertificatesThatChangeFailNoHandshake(t *testing.T) {
	s := newSite(t, memcached(t).Addr())
	for name, to := range map[string]string{"server.pem": "tls.crt", "server-key.pem": "tls.key", "ca.pem": "ca.crt"} {
		s.edit(t, "slabgate.yaml", s.path(name), s.path("tls/"+to))
	}
	s.edit(t, "slabgate.yaml", "reload: {watch: false}", "reload: {debounce: 50ms}")
	s.edit(t, "slabgate.yaml", "log: {level: debug", "log: {level: info")
	s.volume(t, 0, s.pair(t, true))
	d := s.start(t)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			n, err := handshakes(d.addr(t, "main"), s.tlsConfig("shop"), &stop)
			t.Logf("%d handshakes", n)
			if err != nil || n < 10 {
				t.Errorf("handshake %d: %v", n, err)
			}
		})
	}
	for i := 1; i <= reloads(); i++ {
		answer := "reloaded"
		if i%10 == 0 {
			answer = "reload refused"
		}
		n := d.count(answer)
		s.volume(t, i, s.pair(t, i%10 != 0))
		d.awaitCount(t, answer, n+1)
	}
	stop.Store(true)
	wg.Wait()
	if got, want := d.count("reloaded"), reloads()-reloads()/10; got != want {
		t.Errorf("%d reloads, want %d, one for each change", got, want)
	}
	if n := strings.Count(d.text(), `"code":"SG1330"`); n != reloads()/10 {
		t.Errorf("%d pairs were refused, want %d", n, reloads()/10)
	}
}
