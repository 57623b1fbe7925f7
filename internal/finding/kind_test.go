package finding

import (
	"io/fs"
	"testing"
	"time"
)

// of is a file of some kind.
type of fs.FileMode

func (of) Name() string        { return "" }
func (of) Size() int64         { return 0 }
func (of) ModTime() time.Time  { return time.Time{} }
func (of) IsDir() bool         { return false }
func (of) Sys() any            { return nil }
func (m of) Mode() fs.FileMode { return fs.FileMode(m) }

func TestKindOf(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o640: "", fs.ModeDir | 0o755: "a folder", fs.ModeNamedPipe | 0o600: "a named pipe", fs.ModeSocket: "a socket",
		fs.ModeDevice: "a device", fs.ModeDevice | fs.ModeCharDevice: "a device", fs.ModeIrregular: "no regular file",
	} {
		if got := KindOf(of(mode)); got != want {
			t.Errorf("%v: got %q, want %q", mode, got, want)
		}
	}
}
