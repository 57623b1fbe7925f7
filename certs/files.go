package certs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slabgate/slabgate/internal/finding"
)

// maxFile is the most bytes that are read of one file. A bundle of every public
// root is about 220 KiB.
const maxFile = 1 << 20

// holds says what a file is for. A file that holds anything else is refused.
type holds uint8

const (
	certificates holds = 1 << iota
	keys
)

// source is one file that a Config names.
type source struct {
	key   string // of the Config: bundle, cert, key or client_ca
	path  string
	holds holds
	data  []byte // nil until read
}

// sources are the files of c in the order they are reported. CAs that no
// handshake asks for are not among them.
func (c Config) sources() []source {
	all := []source{
		{key: "bundle", path: c.Bundle, holds: certificates | keys},
		{key: "cert", path: c.Cert, holds: certificates},
		{key: "key", path: c.Key, holds: keys},
		{key: "client_ca", path: c.ClientCA, holds: certificates},
	}
	var named []source
	for _, s := range all {
		unused := s.key == "client_ca" && c.ClientAuth == "none"
		if s.path != "" && !unused {
			named = append(named, s)
		}
	}
	return named
}

// read fills s.data. Mode and content are those of one open file, so a file
// that is replaced meanwhile can't lend its mode to the content of another.
func (s *source) read(l *finding.List) {
	if info, err := os.Stat(s.path); err == nil && !s.isRegular(l, info) {
		return // to open it may wait, or do something
	}
	// Another may be in its place by now. Without O_NONBLOCK a named pipe would hold
	// up the start for ever.
	f, err := os.OpenFile(s.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		s.unreadable(l, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		s.unreadable(l, err)
		return
	}
	if !s.isRegular(l, info) {
		return
	}
	s.checkMode(l, info)
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		s.unreadable(l, err)
		return
	}
	s.data = data
}

// isRegular refuses what is no file of ordinary size.
func (s *source) isRegular(l *finding.List, info os.FileInfo) bool {
	is := finding.KindOf(info)
	if is == "" && info.Size() > maxFile {
		is = "larger than 1 MiB"
	}
	if is != "" {
		l.Errorf("SG1312", s.key, "name a regular PEM file of at most 1 MiB", "%q is %s", s.path, is)
	}
	return is == ""
}

// unreadable says why a file can't be read, and for whom.
func (s *source) unreadable(l *finding.List, err error) {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if !errors.Is(err, fs.ErrPermission) {
		l.Errorf("SG1310", s.key, fmt.Sprintf("look at it with: ls -lL %q", s.path),
			"%q cannot be read: %v", s.path, err)
		return
	}
	l.Errorf("SG1311", s.key, fmt.Sprintf("let the user that runs slabgate read it: namei -l %q shows every step", s.path),
		"%q cannot be read by uid %d: %s", s.path, os.Geteuid(), denied(s.path))
}

// denied describes the file that refused to be opened: path itself, or the
// first directory above it that would not even let us look at what it holds.
func denied(path string) string {
	for {
		info, err := os.Stat(path)
		if err == nil {
			return fmt.Sprintf("%q is %s", path, describe(info))
		}
		up := filepath.Dir(path)
		if up == path {
			return err.Error()
		}
		path = up
	}
}

// describe is the mode and owner of a file, for a message.
func describe(info os.FileInfo) string {
	mode := fmt.Sprintf("mode %04o", info.Mode().Perm())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%s, owned by uid %d gid %d", mode, st.Uid, st.Gid)
	}
	return mode
}

// modeRule is a set of permission bits that a file must not have.
type modeRule struct {
	holds holds // the rule is for files that hold this
	bits  os.FileMode
	code  string
	why   string
	fix   string
}

// modeRules are tried in order; the first that is broken is reported. Group
// read is fine for a key: that is how a service account is given one.
var modeRules = []modeRule{
	{keys, 0o027, "SG1313", "a private key that others can read or replace is no secret", "chmod g-w,o= %q"},
	{certificates, 0o002, "SG1314", "whoever can write it decides who is trusted", "chmod o-w %q"},
}

// checkMode refuses a file that others could read or write, and warns of a
// directory in which others could replace it.
func (s *source) checkMode(l *finding.List, info os.FileInfo) {
	for _, r := range modeRules {
		if s.holds&r.holds == 0 || info.Mode().Perm()&r.bits == 0 {
			continue
		}
		l.Errorf(r.code, s.key, "run: "+fmt.Sprintf(r.fix, s.path),
			"%q is %s, read by uid %d: %s", s.path, describe(info), os.Geteuid(), r.why)
		break
	}
	dir := filepath.Dir(s.path)
	// In a sticky directory nobody can rename what is not theirs.
	if up, err := os.Stat(dir); err == nil && up.Mode().Perm()&0o002 != 0 && up.Mode()&os.ModeSticky == 0 {
		l.Warnf("SG1315", s.key, fmt.Sprintf("run: chmod o-w %q", dir),
			"%q is in %q, which is %s: anybody can replace it", s.path, dir, describe(up))
	}
}
