package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tree writes a captured tree of a machine into a folder of the test's own and
// returns its path. The text is a list of sections, each with a header of its own
// line and the file's content up to the next header:
//
//	-- /proc/net/tcp --
//	-- /proc/812/fd/5 -> socket:[4711] --
//	-- /etc/slabgate/tls.key mode=0640 owner=0:112 --
//	-- /run/memcached/mc.sock mode=0660 owner=109:112 kind=socket --
//	-- nft.txt --
//
// Absolute paths are those of the machine. What a section says of mode, owner and
// kind goes into stat.txt, since the files themselves belong to whoever tests.
func Tree(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	var stat strings.Builder
	for _, s := range sections(t, text) {
		path := filepath.Join(dir, filepath.Clean("/"+s.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatalf("testkit: %v", err)
		}
		if err := s.write(path); err != nil {
			t.Fatalf("testkit: %v", err)
		}
		if len(s.stat) > 0 {
			fmt.Fprintf(&stat, "%s %s\n", s.path, strings.Join(s.stat, " "))
		}
	}
	if stat.Len() > 0 {
		writeFile(t, filepath.Join(dir, "stat.txt"), stat.String())
	}
	return dir
}

// section is one file of a tree.
type section struct {
	path, target string
	stat         []string
	body         strings.Builder
}

func (s *section) write(path string) error {
	for _, word := range s.stat {
		if word == "kind=folder" {
			return os.MkdirAll(path, 0o755)
		}
	}
	if s.target != "" {
		return os.Symlink(s.target, path)
	}
	return os.WriteFile(path, []byte(s.body.String()), 0o644)
}

func sections(t testing.TB, text string) (list []*section) {
	t.Helper()
	for line := range strings.Lines(text) {
		header, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "-- ")
		header, closed := strings.CutSuffix(header, " --")
		if ok && closed {
			list = append(list, parseHeader(header))
			continue
		}
		if len(list) == 0 {
			if strings.TrimSpace(line) != "" {
				t.Fatalf("testkit: %q stands before the first section of a tree", line)
			}
			continue
		}
		list[len(list)-1].body.WriteString(line)
	}
	return list
}

func parseHeader(header string) *section {
	path, target, link := strings.Cut(header, " -> ")
	if link {
		return &section{path: path, target: target}
	}
	words := strings.Fields(header)
	return &section{path: words[0], stat: words[1:]}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatalf("testkit: %v", err)
	}
}
