package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// signalSelf sends the test's process, and so the slabgate in it, a signal.
func signalSelf(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end of a slabgate and wants it to be a good one.
func (r *running) ends(t *testing.T) {
	t.Helper()
	testkit.Within(t, "the end of slabgate", func() {
		if code := <-r.code; code != exitOK {
			t.Errorf("exit code: got %d, want %d\n%s", code, exitOK, r.log.String())
		}
	})
	r.end()
}

// A named pipe in the place of a file is refused by name, and holds nothing up.
func TestReloadRefusesAPipe(t *testing.T) {
	for _, tc := range []struct{ name, code string }{
		{"users.yaml", "SG1060"}, {"policy.yaml", "SG1060"}, {"slabgate.yaml", "SG1060"},
		{"tls/ca.pem", "SG1312"}, {"tls/server-bundle.pem", "SG1312"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := startWatched(t)
			if err := os.Rename(w.path(tc.name), w.path("aside")); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(w.path("pipe"), 0o640); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(w.path("pipe"), w.path(tc.name)); err != nil {
				t.Fatal(err)
			}
			w.operate(t, "reload").want(t, exitFindings, "error "+tc.code, w.path(tc.name), "is a named pipe", "name a regular ", "remains in force")
			w.asks(t, "mn\r\n")
			signalSelf(t, syscall.SIGTERM)
			w.ends(t)
		})
	}
}

// deadDisk is a slabgate whose files can't be read.
type deadDisk struct {
	*running
	reads chan struct{} // holds one for each attempt
}

// startOnDeadDisk starts a site of which no file can be read any more once it runs,
// until the channel is closed.
func startOnDeadDisk(t *testing.T, s site, limit time.Duration) (*deadDisk, chan struct{}) {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	r, answers := &deadDisk{&running{end: cancel, code: make(chan int, 1)}, make(chan struct{}, 8)}, make(chan struct{})
	c := runCommand{source: source{path: s.path("slabgate.yaml"), dev: true, environ: os.Environ()}}
	io := stdio{strings.NewReader(""), &r.log, &r.log}
	d, err := c.build(c.load(1), io)
	if err != nil {
		t.Fatal(err)
	}
	d.loading.limit = limit
	d.loading.read = func(generation uint64) *loaded {
		r.reads <- struct{}{}
		<-answers
		return c.load(generation)
	}
	go func() {
		if err := d.run(ctx, io, false); err != nil {
			t.Errorf("run: %v", err)
		}
		r.code <- exitOK
	}()
	r.await(t, `"msg":"ready"`)
	return r, answers
}

// SIGTERM is heard while a reload reads from a disk that does not answer.
func TestSIGTERMWinsOverAReload(t *testing.T) {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "log: {format: json}", "log: {format: json, level: debug}")
	r, answers := startOnDeadDisk(t, s, time.Hour)
	signalSelf(t, syscall.SIGHUP)
	<-r.reads
	signalSelf(t, syscall.SIGHUP)
	signalSelf(t, syscall.SIGUSR2)
	r.await(t, `"msg":"idle clients have drained"`)
	signalSelf(t, syscall.SIGTERM)
	r.ends(t)
	close(answers)
}

// A reload that takes too long is refused, as is every other until the disk answers.
// Then the files are read without being asked for.
func TestReloadGivesADeadDiskUp(t *testing.T) {
	s := newSite(t)
	r, answers := startOnDeadDisk(t, s, 50*time.Millisecond)
	s.edit(t, "policy.yaml", `allow: ["@rw"]`, `allow: ["@read"]`)
	r.hangUp(t, `"code":"SG1412"`)
	signalSelf(t, syscall.SIGHUP)
	testkit.Eventually(t, "the second reload to be refused", func() bool { return strings.Count(r.log.String(), `"code":"SG1412"`) == 2 })
	close(answers)
	r.await(t, `"msg":"files can be read again"`)
	r.await(t, `"changed":["changed identity web: rules"]`)
	r.stop(t)
}

// What comes during a reading is answered by one of its own: the files may have
// changed under the first.
func TestReloadsDuringAReloadReadOnceMore(t *testing.T) {
	s := newSite(t)
	r, answers := startOnDeadDisk(t, s, time.Hour)
	signalSelf(t, syscall.SIGHUP)
	<-r.reads
	for range 5 {
		signalSelf(t, syscall.SIGHUP)
	}
	signalSelf(t, syscall.SIGUSR2) // is heard after them
	r.await(t, `"msg":"draining idle clients"`)
	close(answers)
	testkit.Eventually(t, "two reloads", func() bool { return strings.Count(r.log.String(), `"msg":"reloaded"`) == 2 })
	r.stop(t)
	if n := strings.Count(r.log.String(), `"msg":"reloaded"`); n != 2 {
		t.Errorf("%d reloads, want 2:\n%s", n, r.log.String())
	}
}
