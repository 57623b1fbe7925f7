package doctor

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
)

// codes are the codes of a list, in order.
func codes(list finding.List) string {
	var all []string
	for _, f := range list {
		all = append(all, f.Code)
	}
	return strings.Join(all, " ")
}

func TestGodebugThatWeakensTLSIsRefused(t *testing.T) {
	for _, tc := range []struct {
		value string
		names []string // settings that are refused
	}{
		{"", nil},
		{"gctrace=1", nil},
		{"http2server=0,netdns=go", nil},
		{"tls10server=1", []string{"tls10server"}},
		{"tlsrsakex=1", []string{"tlsrsakex"}},
		{"tls3des=1", []string{"tls3des"}},
		{"x509sha1=1", []string{"x509sha1"}},
		{"tlsunsafeekm=1", []string{"tlsunsafeekm"}},
		{"rsa1024min=0", []string{"rsa1024min"}},
		{"x509keypairleaf=0", []string{"x509keypairleaf"}},
		{"gctrace=1,tls3des=1,netdns=go,x509sha1=1", []string{"tls3des", "x509sha1"}},
		{"tls3des", []string{"tls3des"}},
		{"nottls3des=1", nil},
	} {
		got := AtStart("127.0.0.1:11211", tc.value)
		if len(got) != len(tc.names) {
			t.Errorf("%q: got %v, want %q", tc.value, got, tc.names)
			continue
		}
		for i, name := range tc.names {
			f := got[i]
			if f.Code != "SG1404" || f.Severity != finding.Error || !strings.Contains(f.Problem, name) || !strings.Contains(f.Fix, name) {
				t.Errorf("%q: got %+v, want an SG1404 about %s", tc.value, f, name)
			}
		}
	}
}

// socket makes a socket with a mode in a folder with a mode.
func socket(t *testing.T, mode, folder os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dr") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for name, m := range map[string]os.FileMode{path: mode, dir: folder} {
		if err := os.Chmod(name, m); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestSocketThatEverybodyReachesIsAWarning(t *testing.T) {
	for _, tc := range []struct {
		mode, folder os.FileMode
		want         string
	}{
		{0o777, 0o755, "SG1405"},
		{0o766, 0o711, "SG1405"},
		{0o702, 0o701, "SG1405"},
		{0o770, 0o755, ""},
		{0o600, 0o755, ""},
		{0o777, 0o750, ""}, // the folder is closed
		{0o775, 0o755, ""}, // connecting takes write permission
		{0o777, 0o754, ""}, // seeing its name is not reaching it
	} {
		path := socket(t, tc.mode, tc.folder)
		got := AtStart("unix:"+path, "")
		if codes(got) != tc.want {
			t.Errorf("socket %04o in a folder %04o: got %v, want %q", tc.mode, tc.folder, got, tc.want)
		}
		if got.Failed() {
			t.Errorf("socket %04o: a warning keeps slabgate from starting: %v", tc.mode, got)
		}
		if len(got) > 0 && (!strings.Contains(got[0].Problem, path) || got[0].Fix == "") {
			t.Errorf("socket %04o: got %+v, want its path and a fix", tc.mode, got[0])
		}
	}
}

func TestSocketThatIsNotThereIsNoFault(t *testing.T) {
	for _, upstream := range []string{"unix:" + filepath.Join(t.TempDir(), "none", "s"), "127.0.0.1:11211", "[::1]:11211", ""} {
		if got := AtStart(upstream, ""); len(got) != 0 {
			t.Errorf("%q: got %v, want nothing", upstream, got)
		}
	}
}
