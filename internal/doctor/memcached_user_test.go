package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/host"
)

// asUser names the variable that makes the test binary examine one check for
// another user and print its records, instead of running tests.
const asUser = "SLABGATE_TEST_EXAMINE"

// errand is what that variable holds.
type errand struct {
	ID      string
	PID     int
	Subject host.Subject
}

func TestMain(m *testing.M) {
	if text := os.Getenv(asUser); text != "" {
		os.Exit(runErrand(text))
	}
	os.Exit(m.Run())
}

func runErrand(text string) int {
	var e errand
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return 3
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	facts := host.Gather(ctx, host.Live(), host.Options{Memcached: strconv.Itoa(e.PID), Subject: &e.Subject})
	facts.Place.Scope = "host"
	_, list := verdictsOf(facts, e.ID)
	if err := json.NewEncoder(os.Stdout).Encode(list); err != nil {
		return 4
	}
	return 0
}

// examineAs runs one check as another user.
func (s *liveCache) examineAs(name, id string) (list []Record) {
	s.t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		s.t.Skip("SKIP: there is no account " + name)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	text, _ := json.Marshal(errand{id, s.cmd.Process.Pid, s.subject})
	cmd := exec.Command(s.testBinary())
	cmd.Env = append(os.Environ(), asUser+"="+string(text))
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("as %s: %v: %s", name, err, said.String())
	}
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		s.t.Fatalf("as %s: %v in %q", name, err, out.String())
	}
	return list
}

// testBinary is a copy of this binary that every user may run.
func (s *liveCache) testBinary() string {
	s.t.Helper()
	path := filepath.Join(filepath.Dir(s.conf), "doctor.test")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(path, data, 0o755)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

// TestFixOfLoopbackThatEveryUserReaches looks as a user that no slabgate of
// this machine runs as, before and after memcached
// has moved to a socket.
func TestFixOfLoopbackThatEveryUserReaches(t *testing.T) {
	port := cachePort(t)
	s := newLiveCache(t, "-l 127.0.0.1\n-p "+port+"\n-U 0\n-u memcache\n")
	s.subject.Upstream = "127.0.0.1:" + port
	if err := os.WriteFile(s.yaml, []byte("upstreams: [{name: local, address: \"127.0.0.1:"+port+"\"}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.restart()
	list := s.examineAs("games", "MC-13")
	if len(list) != 1 || list[0].Status != Fail || list[0].Severity != High || !strings.Contains(list[0].Text, "games") {
		t.Fatalf("as games: %+v, want one high finding", list)
	}
	s.apply(list[0].Fix)
	s.subject.Upstream = "unix:" + s.run + "/memcached.sock"
	if list = s.examineAs("games", "MC-13"); len(list) != 1 || list[0].Status != Pass {
		t.Fatalf("as games after the fix: %+v, want a pass", list)
	}
	if list = s.examine("MC-13"); len(list) != 1 || list[0].Status != Skip {
		t.Errorf("as root: %+v, want a skip", list)
	}
}
