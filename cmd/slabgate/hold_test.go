package main

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

func TestFreezeOfARunningSlabgate(t *testing.T) {
	w := startWatched(t)
	w.stop(t)
	w.write(t, "slabgate.yaml", w.read(t, "slabgate.yaml")+"audit: {sinks: [{file: audit.jsonl}]}\n")
	w.running = w.start(t)
	c := w.stays(t, "get web:1")
	w.call(t, "freeze", "writes").want(t, exitOK, "frozen: writes\n")
	if got := w.says(t, c, "delete web:1"); got != "CLIENT_ERROR frozen" {
		t.Errorf("a write: got %q", got)
	}
	if got := w.says(t, c, "get web:1"); got != "END" {
		t.Errorf("a read: got %q", got)
	}
	w.call(t, "status").want(t, exitOK, "  FROZEN       writes  since ", " by uid ")
	w.call(t, "unfreeze", "writes").want(t, exitOK, "no longer frozen: writes")
	if got := w.says(t, c, "delete web:1"); got != "NOT_FOUND" {
		t.Errorf("a write after that: got %q", got)
	}
	w.call(t, "freeze", "identity", "web").want(t, exitOK, "frozen: identity web")
	if got := w.says(t, c, "get web:1"); got != "CLIENT_ERROR frozen" {
		t.Errorf("a read of a frozen identity: got %q", got)
	}
	w.call(t, "freeze", "identity", "wbe").want(t, exitFindings, `no identity "wbe"`, "fix: ")
	w.call(t, "unfreeze", "writes", "web").want(t, exitFindings, `"writes of web" is not frozen`, "fix: ")
	w.call(t, "freeze", "reads").want(t, exitUsage, "say what")
	w.stop(t)
	data, err := os.ReadFile(w.path("audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"verb":"freeze","target":"writes"`, `"verb":"unfreeze","target":"writes"`, `"verb":"freeze","target":"identity web"`, `"event":"admin","listener":"admin","peer":"unix","identity":"uid `} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the audit has no %s in\n%s", want, data)
		}
	}
}

func TestKillOfARunningSlabgate(t *testing.T) {
	w := startWatched(t)
	c := w.stays(t, "get web:1")
	w.call(t, "kill", "c7").want(t, exitFindings, `no client has the id "c7"`, "slabgate clients")
	w.call(t, "kill", "c1").want(t, exitOK, "killed c1, 1 connection closed")
	if b, err := io.ReadAll(c); len(b) > 5 { // what is left is END
		t.Errorf("got %q, %v", b, err)
	}
	w.await(t, `"end":"killed"`)
	w.await(t, `"msg":"operator"`)
	w.stop(t)
}

func TestQuarantineOfARunningSlabgate(t *testing.T) {
	w := startWatched(t)
	w.stop(t)
	w.edit(t, "slabgate.yaml", "unix:"+w.dir+"/app", "127.0.0.1:0")
	w.running = w.start(t)
	c, err := net.Dial("tcp", w.statusNow(t).Listeners[1].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !eventually(func() bool { return len(w.clientsNow(t)) == 1 }) {
		t.Fatal("the client is not there")
	}
	w.call(t, "quarantine", "127.0.0.1", "--for", "10m").want(t, exitOK, "quarantined 127.0.0.1/32 for 10m0s, 1 connection closed")
	w.call(t, "status").want(t, exitOK, "  QUARANTINED  127.0.0.1/32  until ")
	if b, err := io.ReadAll(c); len(b) > 0 {
		t.Errorf("got %q, %v", b, err)
	}
	w.call(t, "release", "127.0.0.2").want(t, exitFindings, "is not quarantined")
	w.call(t, "release", "127.0.0.1/32").want(t, exitOK, "released 127.0.0.1/32")
	w.call(t, "quarantine", "here").want(t, exitFindings, `"here" is no network`)
	w.stop(t)
}
