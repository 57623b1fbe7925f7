package doctor

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/slabgate/slabgate/internal/finding"
)

// AtStart runs the checks that a start or a reload must pass: upstream is the
// configured address, godebug the value of the environment variable GODEBUG.
func AtStart(upstream, godebug string) finding.List {
	var found finding.List
	checkGodebug(godebug, &found)
	if path, ok := strings.CutPrefix(upstream, "unix:"); ok {
		checkSocket(path, &found)
	}
	return found
}

// weakening are GODEBUG settings that make TLS or certificates weaker than the
// configuration says.
var weakening = []string{"tls10server", "tlsrsakex", "tls3des", "x509sha1", "tlsunsafeekm", "rsa1024min", "x509keypairleaf"}

func checkGodebug(value string, found *finding.List) {
	for _, setting := range strings.Split(value, ",") {
		name, _, _ := strings.Cut(setting, "=")
		for _, weak := range weakening {
			if name == weak {
				found.Errorf("SG1404", "", "unset GODEBUG, or remove "+name+" from it",
					"GODEBUG sets %s, which weakens TLS behind the configuration's back", name)
			}
		}
	}
}

const worldWrite = 0o002

// checkSocket warns of a memcached socket that other users can reach: whoever
// can write to it needs no slabgate.
func checkSocket(path string, found *finding.List) {
	fi, err := os.Stat(path)
	if err != nil {
		return // memcached may start later
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil || fi.Mode()&worldWrite == 0 || dir.Mode().Perm()&0o001 == 0 {
		return
	}
	found.Warnf("SG1405", "", "start memcached with -a 0770 and give slabgate its group, or close the directory to others",
		"%s has mode %#o, so every user of this host reaches memcached without slabgate", path, fi.Mode().Perm())
}
