package deploy_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const (
	unitFile   = "systemd/slabgate.service"
	dropInFile = "systemd/memcached.service.d/slabgate.conf"
)

// settings are the lines of a unit file by key, in order.
func settings(unit string) map[string][]string {
	all := map[string][]string{}
	for line := range strings.Lines(unit) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			all[key] = append(all[key], value)
		}
	}
	return all
}

// checkUnit finds the settings of slabgate.service that other parts rely on.
func checkUnit(_ *testing.T, unit string) error {
	promised := map[string][]string{
		"Type":                     {"notify"},
		"User":                     {"slabgate"},
		"ExecStart":                {"/usr/bin/slabgate run --config /etc/slabgate/slabgate.yaml"},
		"ExecReload":               {"/usr/bin/slabgate reload --config /etc/slabgate/slabgate.yaml"},
		"WatchdogSec":              {"30s"},
		"ExecStartPre":             nil,
		"StateDirectory":           {"slabgate"},
		"StateDirectoryMode":       {"0700"},
		"Restart":                  {"on-failure"},
		"RestartPreventExitStatus": {"64 66 77 78"},
		"RestrictAddressFamilies":  {"AF_INET AF_INET6 AF_UNIX"},
		"CapabilityBoundingSet":    {""},
		"ProcSubset":               nil, // pid would shorten the listen queue
	}
	var errs []error
	got := settings(unit)
	for key, want := range promised {
		if !slices.Equal(got[key], want) {
			errs = append(errs, fmt.Errorf("%s is %q, want %q", key, got[key], want))
		}
	}
	return errors.Join(errs...)
}

// tempUnit is a copy of a unit in a folder of its own, which starts a program
// that every host has.
func tempUnit(t *testing.T, name, unit string) string {
	t.Helper()
	for _, program := range []string{"/usr/bin/slabgate", "/usr/bin/memcached", "/bin/kill"} {
		unit = strings.ReplaceAll(unit, program, "/bin/true")
	}
	return write(t, filepath.Join(t.TempDir(), name), unit)
}

// verifyUnit asks systemd whether it knows everything in the unit.
func verifyUnit(t *testing.T, unit string) error {
	return quiet(tool(t, "systemd-analyze"), "verify", "--man=no", tempUnit(t, "slabgate.service", unit))
}

// secureUnit asks systemd whether the unit is exposed by at most 1.5 of 10.
func secureUnit(t *testing.T, unit string) error {
	path := tempUnit(t, "slabgate.service", unit)
	err := quiet(tool(t, "systemd-analyze"), "security", "--no-pager", "--offline=yes", "--threshold=15", path)
	if err != nil && strings.Contains(err.Error(), ": <nil>\n") {
		return nil // it prints its table in any case
	}
	return err
}

func TestUnit(t *testing.T) {
	unit := read(t, unitFile)
	if err := checkUnit(t, unit); err != nil {
		t.Error(err)
	}
	testBroken(t, unit, []broken{
		{"root", "User=slabgate", "User=root", "User is"},
		{"no state", "StateDirectory=slabgate\n", "", "StateDirectory is"},
		{"type", "Type=notify", "Type=simple", "Type is"},
		{"reload that does not wait", "ExecReload=/usr/bin/slabgate reload", "ExecReload=/bin/kill -HUP", "ExecReload is"},
		{"no watchdog", "WatchdogSec=30s", "", "WatchdogSec is"},
		{"check first", "ExecReload=", "ExecStartPre=/usr/bin/slabgate check\nExecReload=", "ExecStartPre is"},
		{"loops", "RestartPreventExitStatus=64 66 77 78", "RestartPreventExitStatus=78", "RestartPreventExitStatus is"},
		{"short queue", "ProtectProc=invisible", "ProtectProc=invisible\nProcSubset=pid", "ProcSubset is"},
		{"netlink", "AF_INET6 AF_UNIX", "AF_INET6 AF_UNIX AF_NETLINK", "RestrictAddressFamilies is"},
	}, checkUnit)
}

func TestUnitIsVerifiedBySystemd(t *testing.T) {
	unit := read(t, unitFile)
	if err := verifyUnit(t, unit); err != nil {
		t.Error(err)
	}
	testBroken(t, unit, []broken{
		{"misspelt key", "ProtectHome=", "ProtectHme=", "ProtectHme"},
		{"missing program", "ExecStart=/usr/bin/slabgate", "ExecStart=/usr/bin/slabgate-none", "not executable"},
	}, verifyUnit)
}

func TestUnitIsHardened(t *testing.T) {
	unit := read(t, unitFile)
	if err := secureUnit(t, unit); err != nil {
		t.Error(err)
	}
	testBroken(t, unit, []broken{
		{"capabilities", "CapabilityBoundingSet=\n", "", "exposure level"},
		{"system calls", "SystemCallFilter=", "#SystemCallFilter=", "exposure level"},
	}, secureUnit)
}

// checkSocket finds the settings of slabgate.socket that others rely on.
func checkSocket(_ *testing.T, unit string) error {
	var errs []error
	got := settings(unit)
	for key, want := range map[string]string{"ListenStream": "11212", "FileDescriptorName": "web", "Service": "slabgate.service", "Accept": ""} {
		if have := strings.Join(got[key], " "); have != want {
			errs = append(errs, fmt.Errorf("%s is %q, want %q", key, have, want))
		}
	}
	return errors.Join(errs...)
}

// verifySocket asks systemd whether it knows everything in the unit.
func verifySocket(t *testing.T, unit string) error {
	path := tempUnit(t, "slabgate.socket", unit)
	write(t, filepath.Join(filepath.Dir(path), "slabgate.service"), "[Service]\nExecStart=/bin/true\n")
	return quiet(tool(t, "systemd-analyze"), "verify", "--man=no", path)
}

func TestSocketUnit(t *testing.T) {
	unit := read(t, "systemd/slabgate.socket")
	if err := checkSocket(t, unit); err != nil {
		t.Error(err)
	}
	testBroken(t, unit, []broken{
		{"another name", "FileDescriptorName=web", "FileDescriptorName=main", "FileDescriptorName is"},
		{"a process for each client", "NoDelay=yes", "NoDelay=yes\nAccept=yes", "Accept is"},
	}, checkSocket)
}

func TestSocketUnitIsVerifiedBySystemd(t *testing.T) {
	unit := read(t, "systemd/slabgate.socket")
	if err := verifySocket(t, unit); err != nil {
		t.Error(err)
	}
	testBroken(t, unit, []broken{{"misspelt key", "NoDelay=", "NoDlay=", "NoDlay"}}, verifySocket)
}

// checkReloadDropIn wants a reload to be systemd's own signal, and nothing else of the
// unit changed.
func checkReloadDropIn(_ *testing.T, dropIn string) error {
	if got := settings(dropIn); len(got) != 2 || !slices.Equal(got["Type"], []string{"notify-reload"}) || !slices.Equal(got["ExecReload"], []string{""}) {
		return fmt.Errorf("it sets %q, want Type=notify-reload and no ExecReload", got)
	}
	return nil
}

func TestReloadDropIn(t *testing.T) {
	dropIn := read(t, "systemd/slabgate.service.d/notify-reload.conf")
	if err := checkReloadDropIn(t, dropIn); err != nil {
		t.Error(err)
	}
	testBroken(t, dropIn, []broken{
		{"two signals", "ExecReload=\n", "ExecReload=/bin/true\n", "it sets"},
		{"no wait", "Type=notify-reload", "Type=notify", "it sets"},
	}, checkReloadDropIn)
}

// checkDropIn finds what makes memcached reachable by more than its socket.
func checkDropIn(_ *testing.T, dropIn string) error {
	got := settings(dropIn)
	starts, families := got["ExecStart"], got["RestrictAddressFamilies"]
	if len(starts) != 2 || starts[0] != "" {
		return fmt.Errorf("ExecStart is %q, want the old one cleared, then one", starts)
	}
	if !slices.Equal(families, []string{"", "AF_UNIX"}) {
		return fmt.Errorf("RestrictAddressFamilies is %q, want the old one cleared, then AF_UNIX", families)
	}
	args := strings.Fields(starts[1])
	socket, err := socketOf(args[1:])
	if err != nil {
		return err
	}
	if i := slices.Index(args, "-a"); socket != "/run/memcached/memcached.sock" || i < 0 || args[i+1] != "0770" {
		return fmt.Errorf("memcached's socket is %q of mode %q", socket, args)
	}
	return nil
}

func TestMemcachedDropIn(t *testing.T) {
	dropIn := read(t, dropInFile)
	if err := checkDropIn(t, dropIn); err != nil {
		t.Error(err)
	}
	testBroken(t, dropIn, []broken{
		{"loopback", "-m 64", "-m 64 -l 127.0.0.1", "listens on a network"},
		{"not cleared", "ExecStart=\n", "", "ExecStart is"},
		{"network", "=AF_UNIX", "=AF_UNIX AF_INET", "RestrictAddressFamilies is"},
		{"open socket", "-a 0770", "-a 0777", "of mode"},
	}, checkDropIn)
}

func TestMemcachedDropInIsVerifiedBySystemd(t *testing.T) {
	base := tempUnit(t, "memcached.service", "[Service]\nExecStart=/bin/true\nRestrictAddressFamilies=AF_INET AF_UNIX\n")
	verify := func(t *testing.T, dropIn string) error {
		folder := base + ".d"
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "slabgate.conf"), replace(t, dropIn, "/usr/bin/memcached", "/bin/true"))
		return quiet(tool(t, "systemd-analyze"), "verify", "--man=no", base)
	}
	dropIn := read(t, dropInFile)
	if err := verify(t, dropIn); err != nil {
		t.Error(err)
	}
	testBroken(t, dropIn, []broken{
		{"misspelt key", "PrivateNetwork=", "PrivateNetwrk=", "PrivateNetwrk"},
	}, verify)
}

func TestAccountAndConfigurationFolder(t *testing.T) {
	asRoot(t)
	root := t.TempDir()
	tls := filepath.Join(root, "etc/slabgate/tls")
	if err := os.MkdirAll(tls, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tls, "key.pem"), "")
	write(t, filepath.Join(root, "etc/slabgate/users.yaml"), "")
	groups := makeAccount(t, root)
	if err := quiet(tool(t, "systemd-tmpfiles"), "--root="+root, "--create", absolute(t, "systemd/tmpfiles.d/slabgate.conf")); err != nil {
		t.Fatal(err)
	}
	gid := groups["slabgate"].gid
	for path, mode := range map[string]os.FileMode{
		"etc/slabgate":             0o750,
		"etc/slabgate/tls":         0o750,
		"etc/slabgate/tls/key.pem": 0o640,
		"etc/slabgate/users.yaml":  0o640,
	} {
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != mode || st.Uid != 0 || st.Gid != gid {
			t.Errorf("%s: got %v %d:%d, want %v 0:%d", path, info.Mode().Perm(), st.Uid, st.Gid, mode, gid)
		}
	}
}

// makeAccount lets systemd make slabgate's account below root, checks it, and
// returns the groups that are there then.
func makeAccount(t *testing.T, root string) map[string]group {
	t.Helper()
	file := absolute(t, "systemd/sysusers.d/slabgate.conf")
	if out, err := exec.Command(tool(t, "systemd-sysusers"), "--root="+root, file).CombinedOutput(); err != nil {
		t.Fatalf("systemd-sysusers: %v\n%s", err, out)
	}
	passwd := read(t, filepath.Join(root, "etc/passwd"))
	if !strings.Contains(passwd, ":/var/lib/slabgate:/usr/sbin/nologin") {
		t.Errorf("got passwd %q, want slabgate with its home and without a shell", passwd)
	}
	groups := members(read(t, filepath.Join(root, "etc/group")))
	if groups["memcache"].members != "slabgate" {
		t.Errorf("got groups %v, want slabgate in memcache", groups)
	}
	return groups
}

// absolute is the path of a file below this folder, for tools that look for a
// relative one somewhere else.
func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// group is one line of /etc/group.
type group struct {
	gid     uint32
	members string
}

// members reads /etc/group, since systemd numbers new groups as it likes.
func members(text string) map[string]group {
	all := map[string]group{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 4 {
			gid, _ := strconv.ParseUint(f[2], 10, 32)
			all[f[0]] = group{uint32(gid), f[3]}
		}
	}
	return all
}
