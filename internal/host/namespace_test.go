package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slabgate/slabgate/internal/testkit"
)

// inNamespace is set for the part of a test that runs in a network of its own.
const inNamespace = "SLABGATE_TEST_HOST_NAMESPACE"

// elsewhere runs a test of this package again, under a command such as unshare.
func elsewhere(t *testing.T, test string, command ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: needs root")
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		t.Skipf("SKIP: %s is not installed: apt-get install util-linux", command[0])
	}
	args := append(slices.Clone(command[1:]), os.Args[0], "-test.v", "-test.run=^"+test+"$")
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), inNamespace+"=yes")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP: "+test) {
		t.Skip("SKIP: " + string(out))
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+test) {
		t.Errorf("%v: %v\n%s", command, err, out)
	}
}

func TestGatherInANetworkOfItsOwn(t *testing.T) {
	elsewhere(t, "TestOpenMemcached", "unshare", "-n")
}

// up brings the loopback up, which a new network has down.
func up(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatal(err)
	}
}

func TestOpenMemcached(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		t.Skip("SKIP: runs inside TestGatherInANetworkOfItsOwn")
	}
	testkit.VerifyNoLeaks(t)
	up(t)
	m := testkit.MemcachedConfig{TCP: true, Args: []string{"-l", "0.0.0.0:11211"}}.Start(t)
	f := Gather(context.Background(), Live(), Options{})
	e := entryAt(f, "127.0.0.1:11211") // its first address
	if e == nil || e.Process == nil || e.Process.UID != memcachedUID(t) {
		t.Fatalf("found %+v, want the one of this network", f.Memcached)
	}
	for i := range f.Memcached {
		if other := &f.Memcached[i]; other != e && !strings.HasPrefix(other.Address, "unix:") && other.Error != "it is in another network namespace" {
			t.Errorf("found another, %+v", other)
		}
	}
	for _, where := range []string{"0.0.0.0:11211", m.Addr()} {
		at := slices.IndexFunc(f.Sockets, func(s Socket) bool { return s.Addr.String() == where })
		if at < 0 || f.Sockets[at].PID != e.Process.PID || f.Sockets[at].UID != memcachedUID(t) {
			t.Errorf("sockets are %+v, want %s, held by %d", f.Sockets, where, e.Process.PID)
		}
	}
	if len(f.Sockets) != 2 {
		t.Errorf("sockets are %+v, want only the two of this network", f.Sockets)
	}
	if !slices.ContainsFunc(f.Answers, func(a Answer) bool { return a.Address == "127.0.0.1:11211" && a.Version == e.Version }) {
		t.Errorf("answers are %+v", f.Answers)
	}
	if join(f.Addresses) != "[127.0.0.1 ::1]" {
		t.Errorf("addresses are %v, want those of the loopback", f.Addresses)
	}
	if !f.Firewall.Seen && !strings.Contains(f.WhyUnseen("nft list ruleset"), "not installed") {
		t.Errorf("the firewall is unseen: %v", f.Unseen)
	}
}

func TestGatherWithoutPrivileges(t *testing.T) {
	m := testkit.MemcachedConfig{TCP: true}.Start(t)
	t.Setenv("SLABGATE_TEST_HOST_ADDRESS", m.Addr())
	elsewhere(t, "TestUnprivileged", "setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "--no-new-privs", "--bounding-set=-all")
}

// TestUnprivileged sees that there is a memcached, whose it is and that it answers,
// and says what only root may see.
func TestUnprivileged(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		t.Skip("SKIP: runs inside TestGatherWithoutPrivileges")
	}
	address := os.Getenv("SLABGATE_TEST_HOST_ADDRESS")
	f := Gather(context.Background(), Live(), Options{})
	e := entryAt(f, address)
	if e == nil || e.Process == nil || e.Version == "" || !e.Process.StatusOK || e.Process.EnvironOK || e.Process.Network != "" {
		t.Fatalf("memcached at %s is %+v, of %+v", address, e, f.Memcached)
	}
	if f.Self.UID != 4242 || !f.Self.NoNewPrivs || f.Self.CapBnd != 0 || len(f.Self.Groups) != 0 {
		t.Errorf("self is %+v", f.Self)
	}
	for _, what := range []string{e.Process.folder() + "/fd", e.Process.folder() + "/environ", e.Process.folder() + "/ns/net"} {
		if why := f.WhyUnseen(what); why != "needs root" {
			t.Errorf("%s is unseen because %q", what, why)
		}
	}
	if f.Firewall.Seen && os.Geteuid() != 0 {
		t.Error("the firewall was listed without a privilege")
	}
	if _, err := os.ReadFile("/etc/shadow"); !errors.Is(err, os.ErrPermission) {
		t.Errorf("this test has privileges: %v", err)
	}
}
