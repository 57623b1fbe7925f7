package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kinds are the words of stat.txt for what a name is.
var kinds = map[string]fs.FileMode{"file": 0, "folder": fs.ModeDir, "socket": fs.ModeSocket, "other": fs.ModeDevice}

func kindOf(mode fs.FileMode) string {
	for word, bits := range kinds {
		if mode&fs.ModeType == bits {
			return word
		}
	}
	return "other"
}

// special are the bits beside the permissions, as fs.FileMode and stat have them.
var special = []struct {
	mode fs.FileMode
	bit  uint32
}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}}

// modeBits are the permissions as stat has them.
func modeBits(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for _, s := range special {
		if mode&s.mode != 0 {
			bits |= s.bit
		}
	}
	return bits
}

// fileMode is the reverse of modeBits.
func fileMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits) & fs.ModePerm
	for _, s := range special {
		if bits&s.bit != 0 {
			mode |= s.mode
		}
	}
	return mode
}

// eachLine calls do for each line of text that is neither empty nor a comment, and
// says in which line an error is.
func eachLine(text string, do func(words []string) error) error {
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := do(words); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// parseStats reads stat.txt: PATH mode=0640 owner=UID:GID kind=file free=0.5.
// A path with spaces stands between quotes, each space as \x20.
func parseStats(text string) (map[string]Info, error) {
	all := map[string]Info{}
	return all, eachNamed(text, func(name string, words []string) error {
		info := Info{Mode: 0o644, Free: 1}
		for _, word := range words {
			if err := info.set(word); err != nil {
				return err
			}
		}
		if info.Mode.IsDir() && !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "mode=") }) {
			info.Mode = fs.ModeDir | 0o755
		}
		all[path.Clean(name)] = info
		return nil
	})
}

// eachNamed is eachLine for lines that begin with a name.
func eachNamed(text string, do func(name string, words []string) error) error {
	return eachLine(text, func(words []string) error {
		name := words[0]
		if strings.HasPrefix(name, `"`) {
			var err error
			if name, err = strconv.Unquote(name); err != nil {
				return fmt.Errorf("%.40q: %w", words[0], err)
			}
		}
		return do(name, words[1:])
	})
}

// set takes one word of stat.txt.
func (i *Info) set(word string) error {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "mode":
		bits, err := strconv.ParseUint(value, 8, 12)
		i.Mode = i.Mode&fs.ModeType | fileMode(uint32(bits))
		return err
	case "owner":
		u, g, _ := strings.Cut(value, ":")
		uid, err1 := strconv.ParseUint(u, 10, 32)
		gid, err2 := strconv.ParseUint(g, 10, 32)
		i.UID, i.GID = int(uid), int(gid)
		return errors.Join(err1, err2)
	case "kind":
		bits, ok := kinds[value]
		if !ok {
			return fmt.Errorf("kind %.20q is not known", value)
		}
		i.Mode = i.Mode&^fs.ModeType | bits
		return nil
	case "free":
		free, err := strconv.ParseFloat(value, 64)
		if err == nil && !(free >= 0 && free <= 1) {
			err = fmt.Errorf("free is a share from 0 to 1")
		}
		i.Free = free
		return err
	}
	return fmt.Errorf("%.20q is not known", word)
}

// line is the information as a line of stat.txt.
func (i Info) line(name string) string {
	return fmt.Sprintf("%s mode=%04o owner=%d:%d kind=%s free=%s",
		quoted(name), modeBits(i.Mode), i.UID, i.GID, kindOf(i.Mode), strconv.FormatFloat(i.Free, 'g', -1, 64))
}

// quoted is a name as the text files of a tree have it.
func quoted(name string) string {
	if q := strconv.Quote(name); q != `"`+name+`"` || strings.ContainsAny(name, " #") || name == "" {
		return strings.ReplaceAll(q, " ", `\x20`)
	}
	return name
}

// needsRoot stands in errors.txt for what only root may see.
const needsRoot = "needs-root"

// parseFailures reads errors.txt: OPERATION PATH REASON.
func parseFailures(text string) (map[failure]error, error) {
	all := map[failure]error{}
	return all, eachLine(text, func(words []string) error {
		return eachNamed(strings.Join(words[1:], " "), func(name string, why []string) error {
			f, reason := failure{words[0], name}, strings.Join(why, " ")
			switch reason {
			case "":
				return errors.New("no reason")
			case needsRoot:
				all[f] = &fs.PathError{Op: f.op, Path: name, Err: fs.ErrPermission}
			default:
				all[f] = errors.New(reason)
			}
			return nil
		})
	})
}

// parseClock reads clock.txt.
func parseClock(text string) (c Clock, err error) {
	c.Known = true
	return c, eachLine(text, func(words []string) error {
		for _, word := range words {
			key, value, _ := strings.Cut(word, "=")
			var err error
			switch key {
			case "synced":
				c.Synced, err = strconv.ParseBool(value)
			case "max_error":
				c.MaxError, err = time.ParseDuration(value)
			default:
				err = fmt.Errorf("%.20q is not known", word)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
