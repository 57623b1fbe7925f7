package certs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
)

func TestModes(t *testing.T) {
	for _, tc := range []struct {
		holds holds
		mode  os.FileMode
		want  string
	}{
		{keys, 0o600, ""},
		{keys, 0o400, ""},
		{keys, 0o440, ""}, // how a service account is given a key
		{keys, 0o640, ""},
		{keys, 0o700, ""},
		{keys, 0o644, "SG1313 key"},
		{keys, 0o604, "SG1313 key"},
		{keys, 0o602, "SG1313 key"},
		{keys, 0o601, "SG1313 key"},
		{keys, 0o620, "SG1313 key"},
		{keys, 0o660, "SG1313 key"},
		{keys, 0o666, "SG1313 key"},
		{keys | certificates, 0o640, ""},
		{keys | certificates, 0o644, "SG1313 key"},
		{keys | certificates, 0o666, "SG1313 key"},
		{certificates, 0o644, ""},
		{certificates, 0o664, ""},
		{certificates, 0o646, "SG1314 key"},
		{certificates, 0o666, "SG1314 key"},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		chmod(t, path, tc.mode)
		s := source{key: "key", path: path, holds: tc.holds}
		var l finding.List
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		s.checkMode(&l, info)
		if got := codes(l); got != tc.want {
			t.Errorf("mode %04o for %b: got %q, want %q", tc.mode, tc.holds, got, tc.want)
		}
		checkWords(t, l)
		for _, want := range []string{path, fmt.Sprintf("mode %04o", tc.mode), fmt.Sprintf("uid %d", os.Geteuid())} {
			if len(l) > 0 && !strings.Contains(l[0].Problem, want) {
				t.Errorf("%q does not contain %q", l[0].Problem, want)
			}
		}
	}
}

// TestDirectoryModes warns of directories in which a file can be exchanged.
func TestDirectoryModes(t *testing.T) {
	for _, tc := range []struct {
		mode os.FileMode
		want string
	}{
		{0o755, ""},
		{0o777, "SG1315 key"},
		{0o777 | os.ModeSticky, ""},
	} {
		r := newRig(t)
		r.Key = r.file(t, bytesOf(t, r.Key))
		chmod(t, r.dir, tc.mode)
		m, l := Load(r.Config)
		if got := codes(l); got != tc.want || m == nil {
			t.Errorf("directory %v: got %v, %q, want a Material, %q", tc.mode, m, got, tc.want)
		}
		checkWords(t, l)
	}
}

// TestPipe checks that a named pipe is refused and not waited for.
func TestPipe(t *testing.T) {
	r := newRig(t)
	r.Key = filepath.Join(r.dir, "pipe")
	if err := syscall.Mkfifo(r.Key, 0o600); err != nil {
		t.Fatal(err)
	}
	if m, l := Load(r.Config); m != nil || codes(l) != "SG1312 key" {
		t.Errorf("Load of a pipe = %v, %v, want SG1312", m, l)
	}
}

// TestDenied checks who is blamed when a file can't be opened. It goes through
// the file itself too where the tests don't run as root.
func TestDenied(t *testing.T) {
	r := newRig(t)
	path := r.file(t)
	chmod(t, path, 0o200)
	for _, tc := range []struct{ path, want string }{
		{path, fmt.Sprintf("%q is mode 0200, owned by uid %d", path, os.Geteuid())},
		{filepath.Join(path, "below"), fmt.Sprintf("%q is mode 0200", path)},
	} {
		if got := denied(tc.path); !strings.HasPrefix(got, tc.want) {
			t.Errorf("denied(%q) = %q, want prefix %q", tc.path, got, tc.want)
		}
	}
	var l finding.List
	s := source{key: "key", path: path}
	s.unreadable(&l, &os.PathError{Op: "open", Path: path, Err: syscall.EACCES})
	if os.Geteuid() != 0 {
		s.read(&l)
	}
	for _, f := range l {
		if f.Code != "SG1311" || !strings.Contains(f.Problem, "mode 0200") {
			t.Errorf("got %s %q, want SG1311 with the mode", f.Code, f.Problem)
		}
	}
	checkWords(t, l)
}
