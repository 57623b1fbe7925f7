package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/internal/host"
	"github.com/slabgate/slabgate/internal/testkit"
)

// inNetwork names the variable that tells the test binary that it is the copy of
// itself that runs in a network of its own, and which fault to plant there.
const inNetwork = "SLABGATE_TEST_NETWORK"

// planted are the faults, each planted and mended in a network of its own.
var planted = map[string]func(*testing.T){
	"every address":  plantBinding,
	"no firewall":    plantNoFirewall,
	"udp":            plantUDP,
	"docker":         plantDocker,
	"route_localnet": plantRouteLocalnet,
	"other loopback": plantOtherLoopback,
	"stranger":       plantStranger,
	"nothing":        plantNothing,
}

func TestFaultsOfTheNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: needs root, for a network of its own")
	}
	for _, tool := range []string{"unshare", "ip", "nft", "sysctl", "memcached"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("SKIP: " + tool + " is not installed")
		}
	}
	for name := range planted {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("unshare", "-n", os.Args[0], "-test.run=^TestPlanted$", "-test.v")
			cmd.Env = append(os.Environ(), inNetwork+"="+name)
			out, err := cmd.CombinedOutput()
			switch {
			case strings.Contains(string(out), "--- SKIP: TestPlanted"):
				t.Skipf("SKIP: %s", out)
			case err != nil || !strings.Contains(string(out), "--- PASS: TestPlanted"):
				t.Errorf("in a network of its own: %v\n%s", err, out)
			}
		})
	}
}

func TestPlanted(t *testing.T) {
	plant := planted[os.Getenv(inNetwork)]
	if plant == nil {
		t.Skip("SKIP: runs inside TestFaultsOfTheNetwork")
	}
	for _, command := range []string{"ip link set lo up", "ip link add near type veth peer name far", "ip addr add 10.77.0.1/24 dev near", "ip link set near up", "ip link set far up"} {
		runHere(t, command)
	}
	plant(t)
}

func runHere(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.Command("sh", "-e", "-c", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// networkCache is a live memcached in the network of the test.
func networkCache(t *testing.T, conf string) *liveCache {
	t.Helper()
	s := newLiveCache(t, conf)
	s.restart()
	return s
}

// look examines this network, as if the machine were a host that nothing but the
// test runs on.
func (s *liveCache) look(subject *host.Subject) *host.Facts {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	f := host.Gather(ctx, host.Live(), host.Options{Memcached: strconv.Itoa(s.cmd.Process.Pid), Subject: subject})
	f.Place.Scope = "host"
	for i := range f.Processes {
		f.Processes[i].Unit, f.Processes[i].Container = "", ""
	}
	return f
}

// finding is what a check finds about a subject, or nil.
func (s *liveCache) finding(id, subject string) *Record {
	for _, r := range examineOne(s.look(nil), id) {
		if r.Found() && r.Subject == subject {
			return &r
		}
	}
	return nil
}

func examineOne(f *host.Facts, id string) []Record {
	all := Checks()
	at := slices.IndexFunc(all, func(c Check) bool { return c.ID == id })
	return Examine(f, all[at:at+1])
}

// mend applies what is printed about a finding and wants it gone. What only a
// booted systemd could do is left out, and files of the machine are the test's.
func (s *liveCache) mend(id, subject string, severity Severity) {
	s.t.Helper()
	r := s.finding(id, subject)
	if r == nil || r.Severity != severity {
		s.t.Fatalf("%s finds %+v, want a %s finding about %s", id, r, severity, subject)
	}
	if len(r.Fix.Commands) == 0 {
		s.t.Fatalf("%s about %s has no commands", id, subject)
	}
	dir := filepath.Dir(s.conf)
	places := strings.NewReplacer(memcachedConf, s.conf, "/etc/nftables.conf", dir+"/nftables.conf", settingsFile, dir+"/sysctl.conf", "/run/memcached/", s.run+"/")
	for _, command := range r.Fix.Commands {
		switch {
		case command == "systemctl restart memcached":
			s.restart()
		case strings.HasPrefix(command, "systemctl "):
		default:
			runHere(s.t, places.Replace(command))
		}
	}
	testkit.Eventually(s.t, id+" to find nothing more about "+subject, func() bool { return s.finding(id, subject) == nil })
}

func plantBinding(t *testing.T) {
	s := networkCache(t, "-l 0.0.0.0\n-p 11211\n-U 0\n-u memcache\n")
	if s.finding("NET-03", "tcp 10.77.0.1:11211") == nil {
		t.Error("it answers at an address of the network, and NET-03 does not tell")
	}
	s.mend("NET-01", "tcp 0.0.0.0:11211", Critical)
	if r := s.finding("NET-03", "tcp 10.77.0.1:11211"); r != nil {
		t.Errorf("after the fix of NET-01: %s", r.Text)
	}
	if r := examineOne(s.look(nil), "NET-01"); r[0].Status != Pass {
		t.Errorf("NET-01 after its fix: %+v", r)
	}
}

func plantNoFirewall(t *testing.T) {
	s := networkCache(t, "-l 0.0.0.0\n-p 11211\n-U 0\n-u memcache\n")
	pid := s.cmd.Process.Pid
	s.mend("NET-06", "tcp 0.0.0.0:11211", High)
	if s.cmd.Process.Pid != pid {
		t.Error("the fix of the firewall restarts memcached, which empties it")
	}
	kept, err := os.ReadFile(filepath.Dir(s.conf) + "/nftables.conf")
	if err != nil {
		t.Fatal(err)
	}
	runHere(t, "nft flush ruleset && nft -f "+filepath.Dir(s.conf)+"/nftables.conf")
	if s.finding("NET-06", "tcp 0.0.0.0:11211") != nil {
		t.Errorf("what is kept for the next start does not help:\n%s", kept)
	}
}

func plantUDP(t *testing.T) {
	s := networkCache(t, "-l 0.0.0.0\n-p 11211\n-U 11211\n-u memcache\n")
	s.mend("NET-02", "udp 0.0.0.0:11211", Critical)
	if r := examineOne(s.look(nil), "NET-02"); r[0].Status != Pass {
		t.Errorf("NET-02 after its fix: %+v", r)
	}
}

func plantDocker(t *testing.T) {
	s := networkCache(t, "-s RUN/s\n-a 0700\n-u memcache\n")
	for _, command := range []string{
		"nft add table ip nat",
		"nft add chain ip nat DOCKER",
		"nft add chain ip nat PREROUTING '{ type nat hook prerouting priority dstnat; policy accept; }'",
		"nft add rule ip nat PREROUTING fib daddr type local counter jump DOCKER",
		"nft add rule ip nat DOCKER iifname != docker0 tcp dport 11211 counter dnat to 172.17.0.2:11211",
		"nft add rule ip nat DOCKER iifname != docker0 tcp dport 8080 counter dnat to 172.17.0.3:80",
	} {
		runHere(t, command)
	}
	s.mend("NET-07", "forward to 172.17.0.2:11211", Critical)
	if rules := runHere(t, "nft list ruleset"); !strings.Contains(rules, "172.17.0.3:80") {
		t.Errorf("the fix takes out more than its rule:\n%s", rules)
	}
}

func plantRouteLocalnet(t *testing.T) {
	s := networkCache(t, "-l 127.0.0.1\n-p 11211\n-U 0\n-u memcache\n")
	names := []string{"net.ipv4.conf.all.route_localnet", "net.ipv4.conf.near.route_localnet"}
	for _, name := range names {
		runHere(t, "sysctl -w "+name+"=1")
	}
	for _, name := range names {
		s.mend("NET-05", name, Critical)
	}
	runHere(t, "sysctl -w net.ipv4.conf.all.route_localnet=1")
	runHere(t, "sysctl -p "+filepath.Dir(s.conf)+"/sysctl.conf") // as at the next start
	if r := examineOne(s.look(nil), "NET-05"); r[0].Status != Pass {
		t.Errorf("NET-05 after its fix and a start: %+v", r)
	}
}

// startStranger runs a copy of memcached under another name, that listens as
// another user; who it is, nobody can tell. It returns once that is to be seen.
func (s *liveCache) startStranger(name string, args ...string) {
	s.t.Helper()
	path := filepath.Dir(s.conf) + "/" + name
	binary, err := exec.LookPath("memcached")
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(path, data, 0o755)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, "-u", "nobody", "-U", "0")...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(done)
	}()
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	testkit.Eventually(s.t, name+" to listen", func() bool {
		return slices.ContainsFunc(s.look(nil).Sockets, func(k host.Socket) bool { return k.PID == cmd.Process.Pid })
	})
}

func plantOtherLoopback(t *testing.T) {
	s := networkCache(t, "-l 127.0.0.1\n-p 11211\n-U 0\n-u memcache\n")
	s.startStranger("stranger", "-l", "::1", "-p", "11211")
	s.mend("NET-04", "tcp [::1]:11211", High)
}

func plantStranger(t *testing.T) {
	s := networkCache(t, "-l 127.0.0.1\n-p 11211\n-U 0\n-u memcache\n")
	s.startStranger("stranger", "-l", "0.0.0.0", "-p", "8000")
	r := s.finding("NET-09", "tcp 0.0.0.0:8000")
	if r == nil || !strings.Contains(r.Text, "stranger (pid ") || !strings.Contains(r.Fix.Config, `subject: "tcp 0.0.0.0:8000"`) {
		t.Fatalf("got %+v, want who it is and how to answer for it", r)
	}
	facts := s.look(nil)
	report := NewReport(facts, examineOne(facts, "NET-09"))
	before := report.Exposure
	waiver := Waiver{ID: "NET-09", Subject: r.Subject, Reason: "a game of ours", Owner: "ada", Expires: facts.Time.AddDate(0, 1, 0).Format(time.DateOnly)}
	report, found := Waive(report, &Waivers{Waivers: []Waiver{waiver}}, func(l finding.List) finding.List { return l })
	if len(found) > 0 || report.Counts.Waived != 1 || report.Counts.Medium != 0 || report.Exposure >= before {
		t.Errorf("with a waiver: %v, %+v, exposure %v after %v", found, report.Counts, report.Exposure, before)
	}
	s.mend("NET-09", "tcp 0.0.0.0:8000", Medium)
}

// plantNothing holds that a memcached on a unix socket behind a listener with TLS
// is no reason for alarm. What listens as slabgate stands for it.
func plantNothing(t *testing.T) {
	s := networkCache(t, "-s RUN/s\n-a 0700\n-u memcache\n-F\n-X\n-W\n-B ascii\n")
	s.startStranger("slabgate", "-l", "0.0.0.0", "-p", "11212")
	subject := s.subject
	subject.AdminHTTP = "none"
	subject.Listeners = []host.SubjectListener{{Name: "main", Address: "0.0.0.0:11212", TLS: true}}
	facts := s.look(&subject)
	for _, r := range Examine(facts, network) {
		if r.Found() {
			t.Errorf("%s finds %s: %s", r.ID, r.Severity, r.Text)
		}
	}
	for _, r := range Examine(facts, Checks()) {
		if r.Found() && r.Severity == Critical {
			t.Errorf("%s is critical: %s", r.ID, r.Text)
		}
	}
	if at := slices.IndexFunc(facts.Sockets, func(k host.Socket) bool { return k.Addr.Port() == 11212 }); at < 0 {
		t.Error(fmt.Sprint("what stands for slabgate is not seen: ", facts.Sockets))
	}
}
