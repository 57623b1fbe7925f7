package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTree(t *testing.T) {
	dir := Tree(t, `
-- /proc/net/tcp --
one
two
-- /proc/7/fd/5 -> socket:[4711] --
-- /run/mc.sock mode=0660 owner=109:112 kind=socket --
-- /var/empty mode=0755 kind=folder --
-- nft.txt --
table inet x { }
`)
	for name, want := range map[string]string{
		"proc/net/tcp": "one\ntwo\n",
		"nft.txt":      "table inet x { }\n",
		"stat.txt":     "/run/mc.sock mode=0660 owner=109:112 kind=socket\n/var/empty mode=0755 kind=folder\n",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if got, err := os.Readlink(filepath.Join(dir, "proc/7/fd/5")); err != nil || got != "socket:[4711]" {
		t.Errorf("the link leads to %q, %v", got, err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "var/empty")); err != nil || !fi.IsDir() {
		t.Errorf("the folder is %v, %v", fi, err)
	}
}
