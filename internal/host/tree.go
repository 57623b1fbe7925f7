package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Names of the files of a captured tree that stand for more than a file.
const (
	statFile    = "stat.txt"   // modes and owners, since the files belong to whoever has the tree
	errorsFile  = "errors.txt" // what the machine did not let anybody see
	timeFile    = "time.txt"
	clockFile   = "clock.txt"
	subjectFile = "slabgate.json"
	askFolder   = "ask"
	trialsFile  = "trials.txt"
)

// tree is a captured tree.
type tree struct {
	root   *os.Root
	stats  map[string]Info
	errors map[failure]error
	trials map[failure]error
	now    time.Time
}

// failure is an operation on a name that went wrong.
type failure struct{ op, name string }

// Tree returns the source that is a captured tree. In its folder
//
//	proc/net/tcp, etc/passwd ...  are files of the machine, under their paths
//	proc/812/exe                  is a link, or a file that holds what the link says
//	stat.txt                      has PATH mode=0640 owner=0:112 kind=file free=0.5
//	errors.txt                    has OPERATION PATH REASON, as read /proc/1/environ needs-root
//	nft.txt, iptables.txt         are what the listings print
//	ask/127.0.0.1_11211.txt       is what memcached answered there; in its name _ stands
//	                              for / and :, and # peer uid 109 pid 812 may come first
//	time.txt                      is when it was captured, as RFC 3339
//	clock.txt                     has synced=true max_error=12ms
//	trials.txt                    has item 127.0.0.1:11211 done, or why it did not come off
//	slabgate.json                 is the [Subject]
//
// A file that stat.txt does not know is root's, with mode 0644, and a folder is
// root's with 0755. A link that leads out of the folder is not followed.
func Tree(dir string) (Source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	t := &tree{root: root, now: time.Now()}
	return t, t.load()
}

// load reads the files that describe others.
func (t *tree) load() error {
	for name, parse := range map[string]func(string) error{
		statFile:   func(s string) (err error) { t.stats, err = parseStats(s); return err },
		errorsFile: func(s string) (err error) { t.errors, err = parseFailures(s); return err },
		trialsFile: func(s string) (err error) { t.trials, err = parseFailures(s); return err },
		timeFile: func(s string) (err error) {
			t.now, err = time.Parse(time.RFC3339Nano, strings.TrimSpace(s))
			return err
		},
	} {
		data, err := t.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = parse(string(data))
		}
		if err != nil {
			return fmt.Errorf("host: %s: %w", name, err)
		}
	}
	return nil
}

// inside is a name of the machine as one of the tree.
func inside(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}

// read returns at most MostBytes of a file of the tree.
func (t *tree) read(name string) ([]byte, error) {
	f, err := t.root.OpenFile(inside(name), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for somebody
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return io.ReadAll(io.LimitReader(f, MostBytes))
}

func (t *tree) ReadFile(name string) ([]byte, error) {
	if err := t.errors[failure{"read", name}]; err != nil {
		return nil, err
	}
	return t.read(name)
}

func (t *tree) ReadDir(name string) ([]string, error) {
	if err := t.errors[failure{"list", name}]; err != nil {
		return nil, err
	}
	f, err := t.root.OpenFile(inside(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return readNames(f)
}

// readNames closes f, a folder, and returns the names of what is in it, sorted.
func readNames(f *os.File) ([]string, error) {
	defer f.Close()
	names, err := f.Readdirnames(MostEntries)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(names)
	return names, err
}

// Readlink returns what a link says. What can only hold files has the link as a
// file with that text.
func (t *tree) Readlink(name string) (string, error) {
	if err := t.errors[failure{"link", name}]; err != nil {
		return "", err
	}
	if target, err := t.root.Readlink(inside(name)); err == nil {
		return target, nil
	}
	text, err := t.read(name)
	return strings.TrimSpace(string(text)), err
}

func (t *tree) Stat(name string) (Info, error) {
	name = path.Clean(name)
	if err := t.errors[failure{"stat", name}]; err != nil {
		return Info{}, err
	}
	if info, ok := t.stats[name]; ok {
		return info, nil
	}
	fi, err := t.root.Stat(inside(name))
	switch {
	case err != nil:
		return Info{}, err
	case fi.IsDir():
		return Info{Mode: fs.ModeDir | 0o755, Free: 1}, nil
	default:
		return Info{Mode: 0o644, Free: 1}, nil
	}
}

func (t *tree) List(_ context.Context, listing string) ([]byte, error) {
	if err := t.errors[failure{"run", listing}]; err != nil {
		return nil, err
	}
	l, ok := Listings[listing]
	if !ok {
		return nil, fmt.Errorf("%q is not one of the listings", listing)
	}
	return t.read(l.File)
}

// askName is the file that holds what an address answered.
func askName(address string) string {
	return askFolder + "/" + strings.NewReplacer("/", "_", ":", "_").Replace(address) + ".txt"
}

func (t *tree) Ask(_ context.Context, address string) (Reply, error) {
	if err := t.errors[failure{"ask", address}]; err != nil {
		return Reply{PeerUID: -1}, err
	}
	text, err := t.read(askName(address))
	r := Reply{Text: text, PeerUID: -1}
	if errors.Is(err, fs.ErrNotExist) {
		return r, errors.New("connection refused")
	}
	if first, rest, ok := strings.Cut(string(text), "\n"); ok && strings.HasPrefix(first, "# peer ") {
		r.Text = []byte(rest)
		_, _ = fmt.Sscanf(first, "# peer uid %d pid %d", &r.PeerUID, &r.PeerPID) // the process may be left out
	}
	return r, err
}

func (t *tree) Clock() (Clock, error) {
	if err := t.errors[failure{"clock", "clock"}]; err != nil {
		return Clock{}, err
	}
	text, err := t.read(clockFile)
	if err != nil {
		return Clock{}, err
	}
	return parseClock(string(text))
}

func (t *tree) Now() time.Time { return t.now }

func (t *tree) Live() bool { return false }

// done is what trials.txt says of a trial that came off.
const done = "done"

func (t *tree) try(_ context.Context, what, address string) error {
	switch err := t.trials[failure{what, address}]; {
	case err == nil:
		return errNoTrial
	case err.Error() == done:
		return nil
	default:
		return err
	}
}

// subject is the configuration that the tree has, or nil.
func (t *tree) subject() (*Subject, error) {
	data, err := t.read(subjectFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &Subject{ExpectUID: -1}
	return s, json.Unmarshal(data, s)
}
