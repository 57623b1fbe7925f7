package doctor

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/testkit"
)

// liveCache is a real memcached with what Debian has around it: the file with its
// arguments, the drop-ins of its unit, and a folder for its socket.
type liveCache struct {
	t       *testing.T
	conf    string // stands for /etc/memcached.conf
	unit    string // stands for the folder of drop-ins
	run     string // stands for /run/memcached
	yaml    string // stands for slabgate's configuration
	core    bool   // the machine's default is core files of any size
	cmd     *exec.Cmd
	subject host.Subject
}

// newLiveCache makes the files; RUN in conf is the folder for the socket. It starts
// nothing.
func newLiveCache(t *testing.T, conf string) *liveCache {
	t.Helper()
	testkit.VerifyNoLeaks(t)
	if os.Geteuid() != 0 {
		t.Skip("SKIP: needs root, as memcached's unit does")
	}
	for _, tool := range []string{"memcached", "sh", "sed", "prlimit", "runuser"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("SKIP: " + tool + " is not installed")
		}
	}
	own, err := user.Lookup("memcache")
	if err != nil {
		t.Skip("SKIP: there is no account memcache: apt-get install memcached")
	}
	dir, err := os.MkdirTemp("", "mc") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &liveCache{t: t, conf: dir + "/conf", unit: dir + "/unit", run: dir + "/run", yaml: dir + "/slabgate.yaml"}
	s.subject = host.Subject{Path: s.yaml, Upstream: "unix:" + s.run + "/s", ExpectUID: -1, PoolMax: 64, Files: map[string]string{s.run + "/s": "socket"}}
	uid, _ := strconv.Atoi(own.Uid)
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(s.run, 0o755), os.Chown(s.run, uid, -1), os.WriteFile(s.conf, []byte(strings.ReplaceAll(conf, "RUN", s.run)), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.stop)
	return s
}

func (s *liveCache) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // it was killed
		s.cmd = nil
	}
}

// debianWrapper starts memcached with the arguments of a file.
const debianWrapper = "/usr/share/memcached/scripts/systemd-memcached-wrapper"

// restart does what systemd does; where there is no wrapper of Debian's, also what
// that does.
func (s *liveCache) restart() {
	s.t.Helper()
	s.stop()
	conf, err := os.ReadFile(s.conf)
	if err != nil {
		s.t.Fatal(err)
	}
	words := confWords(string(conf))
	core := "0"
	if s.core && !s.dropsIn("LimitCORE=0") {
		core = "unlimited"
	}
	run := append([]string{"memcached"}, words...)
	if _, err := os.Stat(debianWrapper); err == nil {
		run = []string{debianWrapper, s.conf}
	}
	s.cmd = exec.Command("sh", slices.Concat([]string{"-c", "ulimit -c " + core + "; exec \"$@\"", "sh"}, run)...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	args := host.ParseArguments(append([]string{"memcached"}, words...))
	network, address := "unix", ""
	if path, ok := args.Last('s'); ok {
		address = path
	} else {
		port, _ := args.Last('p')
		network, address = "tcp", net.JoinHostPort(args.Listen()[0], port)
	}
	testkit.Eventually(s.t, "memcached to answer on "+address, func() bool { return cacheAnswers(network, address) })
}

func cacheAnswers(network, address string) bool {
	conn, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // it is open
	fmt.Fprint(conn, "version\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && (strings.HasPrefix(line, "VERSION ") || strings.HasPrefix(line, "CLIENT_ERROR unauthenticated"))
}

func (s *liveCache) dropsIn(line string) bool {
	files, _ := filepath.Glob(s.unit + "/*.conf")
	return slices.ContainsFunc(files, func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && slices.Contains(strings.Split(string(text), "\n"), line)
	})
}

// examine runs one check on this machine as it is now, with no other memcached.
func (s *liveCache) examine(id string) []Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	subject := s.subject
	facts := host.Gather(ctx, host.Live(), host.Options{Memcached: strconv.Itoa(s.cmd.Process.Pid), Subject: &subject, Active: true})
	facts.Place.Scope = "host" // whatever surrounds the test
	_, list := verdictsOf(facts, id)
	return list
}

// found is the one finding of a check about a part of memcached.
func (s *liveCache) found(id string, severity Severity, part string) Record {
	s.t.Helper()
	list := s.examine(id)
	at := slices.IndexFunc(list, func(r Record) bool { return r.Found() && strings.HasSuffix(r.Subject, part) })
	if at < 0 || list[at].Severity != severity {
		s.t.Fatalf("%s: got %+v, want a %s finding about %q", id, list, severity, part)
	}
	return list[at]
}

// gone holds that a check finds nothing more about a part, and was not skipped.
func (s *liveCache) gone(id, part string) {
	s.t.Helper()
	list := s.examine(id)
	for _, r := range list {
		if r.Found() && strings.HasSuffix(r.Subject, part) || r.Status == Skip {
			s.t.Fatalf("%s after its fix: %s %s: %s", id, r.Status, r.Subject, r.Text)
		}
	}
	if len(list) == 0 {
		s.t.Fatalf("%s says nothing", id)
	}
}

// apply runs the commands of a fix as they are printed, but for where the files are
// and for what only systemd could do.
func (s *liveCache) apply(fix *Fix) {
	s.t.Helper()
	places := strings.NewReplacer(memcachedConf, s.conf, "/etc/systemd/system/"+debianUnit+".d", s.unit, "/run/memcached/", s.run+"/")
	for _, command := range fix.Commands {
		switch {
		case command == "systemctl restart memcached":
			s.restart()
		case command == "systemctl daemon-reload", command == "systemctl restart slabgate", strings.HasPrefix(command, "slabgate check "):
		default:
			out, err := exec.Command("sh", "-e", "-c", places.Replace(command)).CombinedOutput()
			if err != nil {
				s.t.Fatalf("%s: %v: %s", command, err, out)
			}
			if pid, ok := strings.CutPrefix(command, "kill -9 "); ok {
				testkit.Eventually(s.t, "process "+pid+" to end", func() bool { return ended(pid) })
			}
		}
	}
}

// ended tells whether a process runs no more, whoever has still to wait for it.
func ended(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestFixOfMemcachedAsRoot(t *testing.T) {
	s := newLiveCache(t, "-m 64\n-s RUN/s\n-a 0700\n-u root\n")
	s.restart()
	s.apply(s.found("MC-01", Critical, "/s").Fix)
	s.gone("MC-01", "")
}

func TestFixOfShutdown(t *testing.T) {
	s := newLiveCache(t, "-A\n-s RUN/s\n-a 0700\n-u memcache\n")
	s.restart()
	s.apply(s.found("MC-04", High, "shutdown").Fix)
	s.gone("MC-04", "")
}

func TestFixOfDumps(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	s.restart()
	s.apply(s.found("MC-03", Medium, "/s").Fix)
	s.gone("MC-03", "")
}

func TestFixOfTooFewConnections(t *testing.T) {
	s := newLiveCache(t, "-c 64\n-s RUN/s\n-a 0700\n-u memcache\n")
	s.restart()
	s.apply(s.found("MC-05", High, "/s").Fix)
	s.gone("MC-05", "")
}

func TestFixOfTooSmallItems(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	s.subject.ItemMax = 2 << 20
	s.restart()
	s.apply(s.found("MC-06", Medium, "/s").Fix)
	s.gone("MC-06", "")
}

func TestFixOfAUserThatMemcachedShares(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u nobody\n")
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("SKIP: there is no account nobody")
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	if err := os.Chown(s.run, uid, -1); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	s.restart()
	r := s.found("MC-02", High, "/s")
	if !strings.Contains(r.Text, "shares nobody") {
		t.Errorf("whose user it is, is not told: %s", r.Text)
	}
	s.apply(r.Fix)
	s.gone("MC-02", "")
}

func TestFixOfPasswordsThatEverybodyReads(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n-Y RUN/users\n")
	if err := os.WriteFile(s.run+"/users", []byte("web:secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.restart()
	r := s.found("MC-09", High, "/users")
	if text := fmt.Sprint(r); strings.Contains(text, "secret") {
		t.Errorf("a password is told: %s", text)
	}
	s.apply(r.Fix)
	s.gone("MC-09", "")
	s.restart() // memcached still reads it
	s.gone("MC-09", "")
}

func TestFixOfBothProtocols(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	s.restart()
	s.apply(s.found("MC-08", Low, "/s").Fix)
	s.gone("MC-08", "")
}

func TestFixOfTheSocketThatEverybodyReaches(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0777\n-u memcache\n")
	s.restart()
	pid := s.cmd.Process.Pid
	s.apply(s.found("MC-10", Critical, "mode").Fix)
	s.gone("MC-10", "")
	if s.cmd.Process.Pid != pid {
		t.Error("the fix restarts memcached, which empties it")
	}
	s.restart()
	s.gone("MC-10", "") // it stays so
}

func TestFixOfTheFolderThatEverybodyWrites(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	s.restart()
	if err := os.Chmod(s.run, 0o777); err != nil {
		t.Fatal(err)
	}
	s.apply(s.found("MC-10", Critical, "folder "+s.run).Fix)
	s.gone("MC-10", "")
}

func TestFixOfCoreFiles(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	s.core = true
	s.restart()
	pid := s.cmd.Process.Pid
	s.apply(s.found("MC-11", Medium, "core").Fix)
	s.gone("MC-11", "core")
	if s.cmd.Process.Pid != pid {
		t.Error("the fix restarts memcached, which empties it")
	}
	s.restart()
	s.gone("MC-11", "core") // it stays so
}

func TestFixOfTooFewFiles(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	s.restart()
	s.gone("MC-11", "files") // memcached sets the limit itself
	s.apply(&Fix{Commands: []string{fmt.Sprintf("runuser -u memcache -- prlimit --pid %d --nofile=500:", s.cmd.Process.Pid)}})
	s.apply(s.found("MC-11", Medium, "files").Fix)
	s.gone("MC-11", "files")
}

func TestFixOfCoreFilesThatMemcachedAsksFor(t *testing.T) {
	s := newLiveCache(t, "-r\n-s RUN/s\n-a 0700\n-u memcache\n")
	s.core = true // the hard limit lets it
	s.restart()
	s.apply(s.found("MC-11", Medium, "core").Fix)
	s.apply(s.found("MC-11", Medium, "core").Fix) // what the machine allows anyway
	s.gone("MC-11", "core")
}

// TestFixOfThePortThatAnotherUserTook is a crash of memcached, and another user who
// was waiting for it.
func TestFixOfThePortThatAnotherUserTook(t *testing.T) {
	port := cachePort(t)
	s := newLiveCache(t, "-l 127.0.0.1\n-p "+port+"\n-U 0\n-u memcache\n")
	s.subject.Upstream = "127.0.0.1:" + port
	yaml := "version: 1\nupstreams:\n  - name: local\n    address: \"" + s.subject.Upstream + "\"\n"
	if err := os.WriteFile(s.yaml, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s.restart()
	if r := s.found("MC-14", High, port); !strings.Contains(r.Text, "any user may listen") {
		t.Errorf("before: %s", r.Text)
	}
	own := s.conf
	s.conf += ".impostor"
	if err := os.WriteFile(s.conf, []byte("-l 127.0.0.1\n-p "+port+"\n-U 0\n-u nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.restart()
	r := s.found("MC-14", Critical, port)
	if !strings.Contains(r.Text, "nobody") || !strings.Contains(r.Text, "in place of memcache") {
		t.Errorf("who took it is not told: %s", r.Text)
	}
	impostor := s.cmd
	s.conf, s.cmd = own, nil // he stays where he is
	defer func() { impostor.Process.Kill(); impostor.Wait() }()
	s.apply(r.Fix)
	s.subject.ExpectUID = expectedIn(t, s.yaml)
	s.gone("MC-14", "")
	s.gone("MC-10", "")
	if u, _ := user.Lookup("memcache"); strconv.Itoa(s.subject.ExpectUID) != u.Uid {
		t.Errorf("slabgate expects uid %d, which is not memcache's", s.subject.ExpectUID)
	}
}

// TestAnotherUserBehindTheAddress holds that a user who is expected is compared
// with the one who is there.
func TestAnotherUserBehindTheAddress(t *testing.T) {
	port := cachePort(t)
	s := newLiveCache(t, "-l 127.0.0.1\n-p "+port+"\n-U 0\n-u nobody\n")
	own, _ := user.Lookup("memcache")
	s.subject.Upstream = "127.0.0.1:" + port
	s.subject.ExpectUID, _ = strconv.Atoi(own.Uid)
	s.restart()
	if r := s.found("MC-10", Critical, "peer"); !strings.Contains(r.Text, "nobody") || !slices.Contains(r.Fix.Commands, fmt.Sprintf("kill -9 %d", s.cmd.Process.Pid)) {
		t.Errorf("got %s\n%q", r.Text, r.Fix.Commands)
	}
	conf, _ := os.ReadFile(s.conf)
	if err := os.WriteFile(s.conf, []byte(strings.ReplaceAll(string(conf), "nobody", "memcache")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.gone("MC-10", "")
}

// TestAnotherSocketInItsPlace holds that a socket which another user has put in
// place of memcached's is told from it.
func TestAnotherSocketInItsPlace(t *testing.T) {
	s := newLiveCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	s.restart()
	s.gone("MC-10", "")
	if err := os.Remove(s.run + "/s"); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", s.run+"/s") // root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if err := os.Chmod(s.run+"/s", 0o700); err != nil {
		t.Fatal(err)
	}
	r := s.found("MC-10", Critical, "owner")
	ln.Close()
	s.apply(r.Fix)
	s.gone("MC-10", "")
}

// expectedIn is the user that a configuration of slabgate names.
func expectedIn(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "expect_uid: ")
	uid, err := strconv.Atoi(strings.TrimRight(rest, " }]\n"))
	if err != nil {
		t.Fatalf("no user in\n%s", text)
	}
	return uid
}

func cachePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}
