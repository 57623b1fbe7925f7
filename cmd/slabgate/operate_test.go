package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/slabgate/slabgate/internal/admin"
	"github.com/slabgate/slabgate/internal/testkit"
)

// operate calls a command on the socket of a running site.
func (w *watched) operate(t *testing.T, args ...string) outcome {
	t.Helper()
	return slabgate(t, append(args, "--socket", w.dir+"/admin")...)
}

func TestReloadCommand(t *testing.T) {
	w := startWatched(t)
	w.operate(t, "reload").want(t, exitOK, "reload: ok; before ")
	w.edit(t, "policy.yaml", "prefix:web:", "prefix:shop:")
	w.edit(t, "slabgate.yaml", "log: {format: json}", "log: {format: json, level: debug}")
	w.operate(t, "reload").want(t, exitOK, "  changed identity web: rules\n", "  needs a restart: log.level\n")
	w.edit(t, "policy.yaml", "@rw", "@wr")
	r := w.operate(t, "reload")
	r.want(t, exitFindings, "error SG1121", "policy.yaml:7:", "reload: refused; ", "remains in force")
	if strings.Contains(r.out, "reload: ok") {
		t.Errorf("printed:\n%s", r.out)
	}
	var got admin.Reloaded
	r = w.operate(t, "reload", "-o", "json")
	r.want(t, exitFindings)
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Taken || got.Before != got.After || len(got.Findings) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	w.edit(t, "policy.yaml", "@wr", "@rw")
	r = w.operate(t, "reload", "-o", "json")
	r.want(t, exitOK)
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || !got.Taken || len(got.NeedsRestart) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	w.operate(t, "reload", "-o", "xml").want(t, exitUsage, "xml")
	w.stop(t)
	w.operate(t, "reload").want(t, exitUnavailable, "no slabgate listens")
}

// A line of the users file, which holds secrets, is not shown by a reload either.
func TestReloadCommandKeepsSecrets(t *testing.T) {
	w := startWatched(t)
	w.write(t, "users.yaml", "users: [{name: web, secrets: [{scram: canary}]}]\n")
	r := w.operate(t, "reload")
	r.want(t, exitFindings, "error SG1281", "users.yaml:1:")
	if strings.Contains(r.out+r.err, "canary") {
		t.Errorf("printed:\n%s%s", r.out, r.err)
	}
	w.stop(t)
}

func TestHealthOverTheLifeOfASlabgate(t *testing.T) {
	w := startWatched(t)
	w.operate(t, "wait").want(t, exitOK, "ready\n")
	w.operate(t, "wait", "--for", "started").want(t, exitOK, "started\n")
	w.operate(t, "wait", "--for", "tea").want(t, exitUsage, "tea")
	w.operate(t, "healthcheck").want(t, exitOK, "live true, started true, ready true, draining false")
	w.operate(t, "healthcheck", "--ready").want(t, exitOK)
	w.operate(t, "drain").want(t, exitOK, "drain: begun, with ")
	w.operate(t, "drain").want(t, exitOK)
	w.operate(t, "healthcheck").want(t, exitOK, "live true", "ready false, draining true")
	w.call(t, "status").want(t, exitOK, "\nDRAINING: clients are asked to leave\n")
	w.operate(t, "healthcheck", "--ready").want(t, exitFindings)
	w.operate(t, "wait", "--timeout", "150ms").want(t, exitUnavailable, "not ready within 150ms")
	w.operate(t, "wait", "--for", "started").want(t, exitOK)
	w.asks(t, "mn\r\n") // who comes all the same is served
	w.await(t, `"msg":"idle clients have drained"`)
	w.operate(t, "stop").want(t, exitOK, "stop: slabgate has ended")
	if code := <-w.code; code != exitOK {
		t.Errorf("exit code: got %d, want 0", code)
	}
	w.operate(t, "healthcheck").want(t, exitUnavailable, "no slabgate listens")
	w.operate(t, "wait", "--timeout", "150ms").want(t, exitUnavailable, "no slabgate listens")
	w.end()
}

func TestUSR2DrainsIdleClients(t *testing.T) {
	w := startWatched(t)
	for range 2 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
	}
	w.await(t, `"msg":"idle clients have drained"`)
	w.operate(t, "healthcheck").want(t, exitOK, "draining true")
	w.stop(t)
	if n := strings.Count(w.log.String(), "draining idle clients"); n != 1 {
		t.Errorf("%d drains of idle clients began, want 1", n)
	}
}

// Asked again once it is done, it sends away those that have become idle since.
func TestDrainMayBeAskedAgain(t *testing.T) {
	w := startWatched(t)
	w.operate(t, "drain").want(t, exitOK)
	w.await(t, `"msg":"idle clients have drained"`)
	c := w.stays(t, "get web:1")
	w.operate(t, "drain").want(t, exitOK)
	if b, err := io.ReadAll(c); err != nil {
		t.Errorf("an idle client got %q, %v", b, err)
	}
	w.stop(t)
	if n := strings.Count(w.log.String(), `"msg":"draining idle clients"`); n != 2 {
		t.Errorf("%d drains of idle clients began, want 2", n)
	}
}

// A stop that comes in the middle of a drain of idle clients does not wait for it.
func TestStopEndsADrainOfIdleClients(t *testing.T) {
	w := startWatched(t)
	w.operate(t, "drain").want(t, exitOK)
	w.stop(t)
}

// During a drain a reload is refused, and the admin socket says that it ends.
func TestReloadIsRefusedWhileStopping(t *testing.T) {
	w := startWatchedWith(t, "shutdown: {accept_for: 1h}\n")
	w.operate(t, "stop", "--timeout", "150ms").want(t, exitUnavailable, "has not ended within 150ms")
	w.operate(t, "reload").want(t, exitFindings, "slabgate is stopping")
	w.operate(t, "drain").want(t, exitOK)
	w.operate(t, "healthcheck").want(t, exitOK, "ready false, draining true, stopping true")
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := <-w.code; code != exitOK {
		t.Errorf("exit code: got %d, want 0", code)
	}
}

// Files that change are read without being asked for, and only if they say something
// else.
func TestWatchReadsWhatHasChanged(t *testing.T) {
	w := startWatchedWith(t, "")
	w.stop(t)
	w.edit(t, "slabgate.yaml", "reload: {watch: false}", "reload: {debounce: 50ms}")
	w.edit(t, "slabgate.yaml", "log: {format: json}", "log: {format: json, level: debug}")
	w.running = w.site.start(t)
	same := `"msg":"files say what they said before"`
	w.await(t, same)
	w.edit(t, "policy.yaml", "prefix:web:", "prefix:shop:")
	w.await(t, `"changed":["changed identity web: rules"]`)
	w.edit(t, "policy.yaml", "@rw", "@wr")
	w.await(t, `"msg":"reload refused"`)
	w.edit(t, "policy.yaml", "@wr", "@rw") // what is in force: nothing is refused any more
	testkit.Eventually(t, "the refusal to be over", func() bool { r := w.statusNow(t).Config.Reload; return r != nil && r.Taken })
	n := strings.Count(w.log.String(), same)
	w.write(t, "policy.yaml", w.read(t, "policy.yaml"))
	testkit.Eventually(t, "the file to be read again", func() bool { return strings.Count(w.log.String(), same) > n })
	w.stop(t)
	for msg, want := range map[string]int{`"msg":"reloaded"`: 2, `"msg":"reload refused"`: 1} {
		if got := strings.Count(w.log.String(), msg); got != want {
			t.Errorf("%s is logged %d times, want %d:\n%s", msg, got, want, w.log.String())
		}
	}
}
