package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listPatience bounds one listing.
const listPatience = time.Second

// live is this machine.
type live struct{ questions []question }

// Live returns the source that is this machine. It opens files, runs the
// [Listings], and asks memcached for its version and settings; nothing else.
func Live() Source { return live{questions} }

// Resident is [Live] for a slabgate that runs: it asks memcached for nothing but what
// slabgate asks of each of its connections, and knows its own environment, which a
// process that keeps others from looking into it cannot read from /proc.
func Resident() Source { return resident{live{briefly}} }

type resident struct{ live }

func (r resident) ReadFile(name string) ([]byte, error) {
	data, err := r.live.ReadFile(name)
	if errors.Is(err, fs.ErrPermission) && name == fmt.Sprintf("/proc/%d/environ", os.Getpid()) {
		return []byte(strings.Join(os.Environ(), "\x00") + "\x00"), nil
	}
	return data, err
}

// ReadFile returns at most MostBytes of a regular file, to which those of /proc
// belong. It does not wait for a pipe.
func (live) ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(err, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid})
	}
	return io.ReadAll(io.LimitReader(f, MostBytes))
}

func (live) ReadDir(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return readNames(f)
}

func (live) Readlink(name string) (string, error) { return os.Readlink(name) }

func (live) Stat(name string) (Info, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	info := Info{Mode: fi.Mode(), Free: 1}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		info.UID, info.GID = int(st.Uid), int(st.Gid)
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(name, &disk); err == nil && disk.Blocks > 0 {
		info.Free = min(float64(disk.Bavail)/float64(disk.Blocks), 1)
	}
	return info, nil
}

// sbin are the folders that have administrators' commands, which may not be in
// $PATH.
var sbin = []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"}

func find(command string) (string, error) {
	for _, folder := range sbin {
		if path, err := exec.LookPath(filepath.Join(folder, command)); err == nil {
			return path, nil
		}
	}
	return "", errNotInstalled
}

func (live) List(ctx context.Context, listing string) ([]byte, error) {
	l, ok := Listings[listing]
	if !ok {
		return nil, fmt.Errorf("%q is not one of the listings", listing)
	}
	path, err := find(l.Command[0])
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, l.Command[1:]...)
	out, problem := &bounded{most: MostBytes}, &bounded{most: 4096}
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.WaitDelay = out, problem, []string{"LC_ALL=C"}, listPatience/10
	err = cmd.Run()
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, listError(problem.String(), err)
}

// listError is why a listing ended as it did, in its own words.
func listError(words string, err error) error {
	for _, denied := range []string{"not permitted", "Permission denied", "must be root"} {
		if strings.Contains(words, denied) {
			return fs.ErrPermission
		}
	}
	first, _, _ := strings.Cut(strings.TrimSpace(words), "\n")
	if first == "" {
		return err
	}
	return errors.New(strings.ToValidUTF8(first, "?"))
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), b.most-b.Len())])
	return len(p), nil
}

func (live) Clock() (Clock, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Clock{}, fmt.Errorf("adjtimex: %w", err)
	}
	synced := state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
	return Clock{Known: true, Synced: synced, MaxError: time.Duration(t.Maxerror) * time.Microsecond}, nil
}

func (live) Now() time.Time { return time.Now() }

func (live) Live() bool { return true }
