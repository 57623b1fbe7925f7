package host

import (
	"context"
	"io/fs"
	"time"
)

// Bounds of what is read of anything.
const (
	MostBytes   = 4 << 20 // of a file, a listing or an answer
	MostEntries = 65536   // of a folder
)

// Source is where observations come from: [Live] or a [Tree]. Names of files are
// absolute, as on the machine that is looked at. Errors are those of io/fs.
type Source interface {
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]string, error)
	Readlink(name string) (string, error)
	Stat(name string) (Info, error) // of what a link leads to
	// List runs one of the [Listings] and returns what it prints.
	List(ctx context.Context, listing string) ([]byte, error)
	// Ask sends memcached the lines version, stats and stats settings, or only
	// version over UDP, and returns what it answers.
	Ask(ctx context.Context, address string) (Reply, error)
	// Clock tells how well the machine knows the time.
	Clock() (Clock, error)
	Now() time.Time
	Live() bool
}

// Info is what stat tells.
type Info struct {
	Mode     fs.FileMode
	UID, GID int
	Free     float64 // share of the filesystem that is free, 0 to 1
}

// Reply is what memcached answered.
type Reply struct {
	Text    []byte // as it came
	PeerUID int    // at the other end of a unix socket; -1 if unknown
	PeerPID int    // the same, its process; 0 if unknown
}

// Listings are the commands that may be run. They only list; in a captured tree
// the file stands for what they print.
var Listings = map[string]struct {
	Command []string
	File    string
}{
	"nft":      {[]string{"nft", "list", "ruleset"}, "nft.txt"},
	"iptables": {[]string{"iptables-save"}, "iptables.txt"},
}
