package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slabgate/slabgate/internal/finding"
)

// maxFile bounds a file of ours, in bytes: a mistaken path must not fill memory.
const maxFile = 16 << 20

// rule says who else may touch a file. Its code is that of a file which breaks it.
type rule struct {
	code   string
	denied os.FileMode // permission bits that must be off
	may    string      // what those bits let others do
	chmod  string      // the widest mode that is fine
}

// Others may read settings and policy, which hold no secret, but whoever can
// write them decides who gets in. Even hashes are worth guessing at.
var (
	settingsFile = rule{"SG1015", 0o002, "write it", "0644"}
	usersFile    = rule{"SG1280", 0o027, "read or write it", "0640"}
)

// readFile reads the regular file at path. The checks are made on the opened
// file, so that what was checked is what is read.
func readFile(path string, r rule) ([]byte, finding.List) {
	var list finding.List
	if st, err := os.Stat(path); err == nil && !isRegular(path, st, &list) {
		return nil, list // to open it may wait, or do something
	}
	// Another may be in its place by now. Without O_NONBLOCK a named pipe would wait
	// for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		list = append(list, unreadable(path, err))
		return nil, list
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		list = append(list, unreadable(path, err))
		return nil, list
	}
	if !isRegular(path, st, &list) {
		return nil, list
	}
	r.check(path, st, &list)
	checkFolder(path, &list)
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		list = append(list, unreadable(path, err))
	}
	return data, list
}

// isRegular refuses what is no file of ordinary size.
func isRegular(path string, st os.FileInfo, list *finding.List) bool {
	is := finding.KindOf(st)
	if is == "" && st.Size() > maxFile {
		is = "a file of more than 16MiB"
	}
	if is != "" {
		*list = append(*list, finding.Finding{Code: "SG1060", File: path, Fix: "name a regular file of at most 16MiB",
			Problem: "is " + is + ", which slabgate does not read"})
	}
	return is == ""
}

// sumOf is the SHA-256 of what was read, in hex.
func sumOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// unreadable is the finding for a file that cannot be opened or read.
func unreadable(path string, err error) finding.Finding {
	if !errors.Is(err, fs.ErrPermission) {
		return finding.Finding{Code: "SG1001", File: path, Fix: "create it, or name another file", Problem: "cannot be read: " + cause(err)}
	}
	problem := fmt.Sprintf("may not be read by uid %d", os.Geteuid())
	if st, err := os.Stat(path); err == nil {
		problem += ": " + describe(st)
	}
	return finding.Finding{Code: "SG1039", File: path, Problem: problem,
		Fix: "let slabgate's group read it: chgrp slabgate " + path + " && chmod 0640 " + path}
}

// cause is the innermost error, without the path that is said already.
func cause(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// check refuses a file that more people may touch than the rule allows.
func (r rule) check(path string, st os.FileInfo, list *finding.List) {
	if st.Mode().Perm()&r.denied != 0 {
		*list = append(*list, finding.Finding{Code: r.code, File: path, Line: 1, Col: 1,
			Problem: fmt.Sprintf("others may %s: %s, slabgate runs as uid %d", r.may, describe(st), os.Geteuid()),
			Fix:     fmt.Sprintf("chmod %s %s", r.chmod, path)})
	}
}

// checkFolder warns of a folder in which anybody may put another file in the
// place of ours. It is no error: in a container such a folder may well be what
// only slabgate's own init container sees.
func checkFolder(path string, list *finding.List) {
	dir := filepath.Dir(path)
	st, err := os.Stat(dir)
	if err == nil && st.Mode().Perm()&0o002 != 0 && st.Mode()&os.ModeSticky == 0 {
		*list = append(*list, finding.Finding{Severity: finding.Warning, Code: "SG1038", File: path, Line: 1, Col: 1,
			Problem: fmt.Sprintf("anybody may replace it, because of its folder: %s", describe(st)),
			Fix:     "chmod o-w " + dir})
	}
}

// describe is the mode and owner of a file: "mode 0644, owner 0:33".
func describe(st os.FileInfo) string {
	text := fmt.Sprintf("mode %04o", uint32(st.Mode().Perm()))
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		text += fmt.Sprintf(", owner %d:%d", sys.Uid, sys.Gid)
	}
	return text
}
