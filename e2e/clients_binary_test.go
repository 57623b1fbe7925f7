package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaryCalls is the suite of the client libraries that speak the binary
// dialect. Quiet writes are read back by the call that makes them, and what only
// some libraries can do has keys of its own, so that the others leave it out.
var binaryCalls = []call{
	{"get OWN:a", "miss"},
	{"set OWN:a apple", "ok"},
	{"get OWN:a", "apple"},
	{"add OWN:a pear", "not stored"},
	{"add OWN:b banana", "ok"},
	{"replace OWN:none pear", "not stored"},
	{"replace OWN:b berry", "ok"},
	{"append OWN:b -tail", "ok"},
	{"prepend OWN:b head-", "ok"},
	{"append OWN:none x", "not stored"},
	{"get OWN:b", "head-berry-tail"},
	{"quiet OWN:q quietly", "quietly"},
	{"multi OWN:a OWN:none OWN:b", "OWN:a=apple OWN:b=head-berry-tail"},
	{"multi OWN:none", ""},
	{"set OWN:c old", "ok"},
	{"cas OWN:c new", "ok"},
	{"race OWN:c newer", "exists"},
	{"cas OWN:none x", "miss"},
	{"set OWN:n 41", "ok"},
	{"incr OWN:n 1", "42"},
	{"decr OWN:n 2", "40"},
	{"decr OWN:n 99", "0"},
	{"incr OWN:nil 1", "miss"},
	{"touch OWN:a", "ok"},
	{"touch OWN:none", "miss"},
	{"gat OWN:a", "apple"},
	{"gat OWN:none", "miss"},
	{"big OWN:big 500000", "ok"},
	{"many OWN:m 1000", "1000"},
	{"delete OWN:a", "ok"},
	{"delete OWN:a", "miss"},
}

// deniedCalls follow them: a denial is an error of that one request.
var deniedCalls = []call{
	{"get OTHER:secret", "denied"},
	{"set OWN:p plum", "ok"},
	{"multi OWN:p OTHER:secret OWN:q", "OWN:p=plum OWN:q=quietly"},
	{"set OTHER:secret mine", "denied"},
	{"add OTHER:new mine", "denied"},
	{"replace OTHER:secret mine", "denied"},
	{"append OTHER:secret mine", "denied"},
	{"quiet OTHER:secret mine", "denied"},
	{"delete OTHER:secret", "denied"},
	{"incr OTHER:secret 1", "denied"},
	{"touch OTHER:secret", "denied"},
	{"gat OTHER:secret", "denied"},
	{"flush", "denied"},
	{"get OWN:b", "head-berry-tail"},
}

// hiddenCalls are those of an identity whose denials look like misses.
var hiddenCalls = []call{
	{"set OWN:h banana", "ok"},
	{"get OTHER:secret", "miss"},
	{"multi OWN:h OTHER:secret", "OWN:h=banana"},
	{"set OTHER:secret mine", "not stored"},
	{"add OTHER:new mine", "not stored"},
	{"replace OTHER:secret mine", "not stored"},
	{"append OTHER:secret mine", "not stored"},
	{"quiet OTHER:secret mine", "miss"},
	{"delete OTHER:secret", "miss"},
	{"incr OTHER:secret 1", "miss"},
	{"touch OTHER:secret", "miss"},
	{"gat OTHER:secret", "miss"},
	{"get OWN:h", "banana"},
}

// library is a client library that speaks the binary dialect, with what is
// different about it.
type library struct {
	name    string
	program func(*testing.T, caller) *exec.Cmd // or skips the test
	without []string                           // calls that it has no function for
	says    map[string]string                  // its answer to a call, where it is not the usual one
	shop    int                                // connections of its suite with denials that are errors, if not 1
	blog    int                                // and of the one with denials that look like misses
}

// caller is whom a library's program is, and where it connects.
type caller struct {
	addr, user, password string
	ca                   string // of the server, for a library that is to speak TLS itself
}

// args are those of every program but gomemcached.
func (c caller) args() []string {
	list := []string{c.addr, c.user, c.password}
	if c.ca != "" {
		list = append(list, c.ca)
	}
	return list
}

// multiDenied is a multi-get that returns what is not denied.
const multiDenied = "multi OWN:p OTHER:secret OWN:q"

var libraries = []library{
	// A quiet client is one of its own, and its first get returns no item where
	// later ones raise.
	{name: "pylibmc", program: pylibmcProgram, without: []string{"gat"}, shop: 3, blog: 2,
		says: map[string]string{"quiet OTHER:secret mine": "miss", "flush": "ok"}},
	// Its get is a quiet one with a barrier behind it. Like pylibmc it doesn't look
	// at the answer to a flush.
	{name: "php-memcached", program: phpProgram, without: []string{"gat"},
		says: map[string]string{"get OTHER:secret": "miss", "quiet OTHER:secret mine": "miss", "flush": "ok"}},
	{name: "dalli", program: dalliProgram},
	// Its counters make what is not there, and its prepend appends.
	{name: "memjs", program: memjsProgram, without: []string{"multi", "quiet", "cas", "race", "gat", "flush"},
		says: map[string]string{"incr OWN:nil 1": "0", "get OWN:b": "berry-tailhead-"}},
	// Its multi-get is many loud ones, and the first error ends it.
	{name: "gomemcached", program: gomemcachedProgram, without: []string{"touch"},
		says: map[string]string{multiDenied: "denied"}, shop: 2},
}

// suite is calls as this library makes and answers them.
func (l library) suite(calls ...call) []call {
	var own []call
	for _, c := range calls {
		if want, ok := l.says[c.text]; ok {
			c.want = want
		}
		if !c.oneOf(l.without) {
			own = append(own, c)
		}
	}
	return own
}

// clientSource is the folder of the libraries' programs.
func clientSource(name ...string) string {
	return filepath.Join(append([]string{"testdata", "clients"}, name...)...)
}

func pylibmcProgram(t *testing.T, c caller) *exec.Cmd {
	t.Helper()
	needCyrus(t, c)
	return exec.Command(pythonWith(t, "pylibmc"), append([]string{clientSource("pylibmc_calls.py")}, c.args()...)...)
}

func phpProgram(t *testing.T, c caller) *exec.Cmd {
	t.Helper()
	needCyrus(t, c)
	php := interpreter(t, "php", "php-cli php-memcached", "-r", "exit(extension_loaded('memcached') ? 0 : 1);")
	return exec.Command(php, append([]string{clientSource("memcached_calls.php")}, c.args()...)...)
}

func dalliProgram(t *testing.T, c caller) *exec.Cmd {
	t.Helper()
	ruby := interpreter(t, "ruby", "ruby ruby-dalli", "-e", `require "logger"; require "dalli"; exit Dalli::VERSION.start_with?("3.")`)
	return exec.Command(ruby, append([]string{clientSource("dalli_calls.rb")}, c.args()...)...)
}

// interpreter is the system's program of a name, or the first in the path, that
// ends well with the probe, which asks for a library; or it skips the test.
func interpreter(t *testing.T, name, packages string, probe ...string) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/" + name, name} {
		if exec.Command(path, probe...).Run() == nil {
			return path
		}
	}
	t.Skipf("SKIP: a library for %s is not installed: apt-get install %s", name, packages)
	return ""
}

// needCyrus skips the test unless libmemcached can log in, which it leaves to
// plugins.
func needCyrus(t *testing.T, c caller) {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/*/sasl2/libscram.so"); c.user != "" && len(found) == 0 {
		t.Skip("SKIP: libmemcached cannot log in: apt-get install libsasl2-modules")
	}
}

func memjsProgram(t *testing.T, c caller) *exec.Cmd {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIP: node is not installed: apt-get install nodejs npm")
	}
	modules := nodeModules(t, "memjs")
	cmd := exec.Command(node, append([]string{clientSource("memjs_calls.js")}, c.args()...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}

func gomemcachedProgram(t *testing.T, c caller) *exec.Cmd {
	t.Helper()
	source, program := clientSource("gomemcached"), filepath.Join(t.TempDir(), "gomemcached")
	if said, err := exec.Command("go", "-C", source, "mod", "download").CombinedOutput(); err != nil {
		t.Skipf("SKIP: github.com/couchbase/gomemcached is not to be had: %s", said)
	}
	if said, err := exec.Command("go", "-C", source, "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	return exec.Command(program, "-addr", c.addr, "-user", c.user, "-password", c.password, "-ca", c.ca)
}

// nodeModules is a folder with what the lock file beside a program's
// package.json names, installed once into the user's cache, or it skips the test.
func nodeModules(t *testing.T, program string) string {
	t.Helper()
	lock, err := os.ReadFile(clientSource(program, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIP: there is no place for %s: %v", program, err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "slabgate-tests", program+"-"+hex.EncodeToString(sum[:8]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, program)); err != nil {
		installModules(t, program, dir)
	}
	return modules
}

// installModules installs what the lock file names into dir, and nothing else.
func installModules(t *testing.T, program, dir string) {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("SKIP: npm is not installed: apt-get install nodejs npm")
	}
	if err := os.CopyFS(dir, os.DirFS(clientSource(program))); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	cmd := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIP: %s is not to be had: %s", program, said)
	}
}
