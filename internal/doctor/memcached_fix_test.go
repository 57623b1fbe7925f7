package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/host"
)

// confWords are the arguments that Debian's wrapper takes from its file.
func confWords(text string) (words []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "-d") && !strings.HasPrefix(line, "logfile") {
			words = append(words, strings.Fields(line)...)
		}
	}
	return words
}

const debianConf = `# memcached default config file
-d
logfile /var/log/memcached.log

# -v
# -vv
-m 64
-p 11211
-u memcache
-l 127.0.0.1
# -c 1024
-P /var/run/memcached/memcached.pid
`

// TestFixesChangeDebiansFile runs the commands that are printed on Debian's file
// and on what people make of it.
func TestFixesChangeDebiansFile(t *testing.T) {
	for _, tool := range []string{"sh", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("SKIP: " + tool + " is not installed")
		}
	}
	for _, tc := range []struct {
		conf string
		change
		want string
	}{
		{debianConf, change{add: []host.Argument{{Letter: 'F'}, {Letter: 'X'}}}, "-m 64 -p 11211 -u memcache -l 127.0.0.1 -P /var/run/memcached/memcached.pid -F -X"},
		{debianConf + "-A\n--enable-shutdown   # why not\n", change{drop: "A"}, "-m 64 -p 11211 -u memcache -l 127.0.0.1 -P /var/run/memcached/memcached.pid"},
		{debianConf + "-c 100\n", change{add: []host.Argument{{Letter: 'c', Value: "1088"}}}, "-m 64 -p 11211 -u memcache -l 127.0.0.1 -P /var/run/memcached/memcached.pid -c 1088"},
		{debianConf, change{drop: "lpU", add: []host.Argument{{Letter: 's', Value: "/run/a b"}}}, "-m 64 -u memcache -P /var/run/memcached/memcached.pid -s /run/a b"},
		{"-m 64\n-u root\n  -uroot\n--user=root\n--user root # all\n", change{add: []host.Argument{{Letter: 'u', Value: "memcache"}}}, "-m 64 -u memcache"},
		{"-vv\n-v\n--verbose\n-m 64\n", change{drop: "v"}, "-m 64"},
		{"-D :\n-D/\n", change{drop: "D"}, ""},
		{"-F -m 64\n", change{drop: "F"}, "-F -m 64"}, // a line with more in it is not touched
		{"-m 64\n-U 0\n-u memcache\n", change{drop: "U"}, "-m 64 -u memcache"},
	} {
		file := filepath.Join(t.TempDir(), "memcached.conf")
		if err := os.WriteFile(file, []byte(tc.conf), 0o600); err != nil {
			t.Fatal(err)
		}
		list := tc.commands()
		if list[len(list)-1] != "systemctl restart memcached" {
			t.Errorf("%q: memcached is not restarted", list)
		}
		script := strings.ReplaceAll(strings.Join(list[:len(list)-1], "\n"), memcachedConf, file)
		if out, err := exec.Command("sh", "-e", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%s\n%v: %s", script, err, out)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(confWords(string(data)), " "); got != tc.want {
			t.Errorf("%q after\n%s\nis %q, want %q", tc.conf, script, got, tc.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"plain", "", "a b", "it's", "$HOME", "`id`", `\`, "a\nb", "*"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q is written %s and read %q, %v", s, quote(s), out, err)
		}
	}
}

// TestFixOfTheUpstreamChangesTheConfiguration holds that the line printed for
// slabgate's file finds the address however it is written.
func TestFixOfTheUpstreamChangesTheConfiguration(t *testing.T) {
	for _, tc := range []struct{ upstream, yaml, want string }{
		{"127.0.0.1:11211", "upstreams:\n  - name: local\n    address: 127.0.0.1:11211\n", "unix:/run/memcached/memcached.sock"},
		{"127.0.0.1:11211", "upstreams:\n  - {name: local, address: \"127.0.0.1:11211\"}\n", "unix:/run/memcached/memcached.sock"},
		{"[::1]:11211", "upstreams:\n  - address: '[::1]:11211'\n    name: local\n", "unix:/run/memcached/memcached.sock"},
		{"127.0.0.1:11211", "listeners:\n  - address: \":11212\"\nupstreams:\n  - address: 127.0.0.1:11211\n", ":11212"},
	} {
		file := filepath.Join(t.TempDir(), "slab gate.yaml")
		if err := os.WriteFile(file, []byte(tc.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		f := fineCache()
		cacheOnTCP(f)
		f.Subject.Upstream, f.Subject.Path = tc.upstream, file
		list := caches(f)[0].toSocket().Commands
		at := slices.IndexFunc(list, func(c string) bool { return strings.Contains(c, "address:") })
		if at < 0 {
			t.Fatalf("%q does not change slabgate's file", list)
		}
		if out, err := exec.Command("sh", "-e", "-c", list[at]).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", list[at], err, out)
		}
		data, _ := os.ReadFile(file)
		if !strings.Contains(string(data), tc.want) || strings.Contains(string(data), tc.upstream) {
			t.Errorf("%s makes of %q\n%s", list[at], tc.yaml, data)
		}
	}
}

// TestFixOfTheUserChangesTheConfiguration holds that the line printed for slabgate's
// file adds the user in every way to write an upstream, once.
func TestFixOfTheUserChangesTheConfiguration(t *testing.T) {
	for _, tc := range []struct{ upstream, yaml, want string }{
		{"127.0.0.1:11211", "upstreams:\n  - name: local\n    address: 127.0.0.1:11211\n    shared: 2\n",
			"upstreams:\n  - name: local\n    address: 127.0.0.1:11211\n    expect_uid: 112\n    shared: 2\n"},
		{"127.0.0.1:11211", "upstreams:\n  - address: \"127.0.0.1:11211\"   # ours\n    expect_uid: -1\n    name: local\n",
			"upstreams:\n  - address: \"127.0.0.1:11211\"   # ours\n    expect_uid: 112\n    name: local\n"},
		{"[::1]:11211", "upstreams: [{name: local, address: '[::1]:11211', expect_uid: -1}]\n",
			"upstreams: [{name: local, address: '[::1]:11211', expect_uid: 112}]\n"},
		{"127.0.0.1:11211", "upstreams:\n  - {name: local, address: \"127.0.0.1:11211\"}\n",
			"upstreams:\n  - {name: local, address: \"127.0.0.1:11211\", expect_uid: 112}\n"},
		{"127.0.0.1:11211", "listeners:\n  - {name: main, address: \":11212\"}\nupstreams:\n- address: 127.0.0.1:11211\n  name: local\n",
			"listeners:\n  - {name: main, address: \":11212\"}\nupstreams:\n- address: 127.0.0.1:11211\n  expect_uid: 112\n  name: local\n"},
	} {
		file := filepath.Join(t.TempDir(), "slabgate.yaml")
		if err := os.WriteFile(file, []byte(tc.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		f := fineCache()
		cacheOnTCP(f)
		f.Subject.Upstream, f.Subject.Path = tc.upstream, file
		command := caches(f)[0].expect(112).Commands[0]
		if out, err := exec.Command("sh", "-e", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
		if data, _ := os.ReadFile(file); string(data) != tc.want {
			t.Errorf("%s makes of\n%s\n%s\nwant\n%s", command, tc.yaml, data, tc.want)
		}
	}
}

func TestVersionsAreRead(t *testing.T) {
	for text, want := range map[string][3]int{
		"1.6.18": {1, 6, 18}, "1.6.18-1+deb12u1": {1, 6, 18}, "1.7.0-rc1": {1, 7, 0}, "1.6.9_beta": {1, 6, 9},
	} {
		if got, ok := parseVersion(text); got != want || !ok {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "1", "1.6", "1.6.", "1.6.x", "a.b.c", "-1.6.1", "1.99999999999.1"} {
		if got, ok := parseVersion(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestExecStart(t *testing.T) {
	got := execStart([]string{"/usr/bin/memcached", "-s", "/run/a b", "-D", "$", "-o", "", "-u", "50%"})
	if want := `ExecStart=/usr/bin/memcached -s "/run/a b" -D $$ -o "" -u 50%%`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzParseVersion holds that a version is read as it is written.
func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"1.6.18", "1.6.18-1+deb12u1", "1.6", "..", "01.6.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parseVersion(text)
		if !ok {
			if v != [3]int{} {
				t.Fatalf("%q is no version, and %v", text, v)
			}
			return
		}
		again, ok := parseVersion(fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]))
		if !ok || again != v {
			t.Fatalf("%q is %v, and written again %v, %v", text, v, again, ok)
		}
	})
}

// FuzzParseSize holds that a size is never negative, and grows with its number.
func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"64", "8m", "1G", "512k", "-1", "", "m", "99999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseSize(text, 1<<20)
		if err != nil && n != 0 || n < 0 {
			t.Fatalf("%q is %d, %v", text, n, err)
		}
		if more, bad := parseSize("1"+text, 1<<20); err == nil && bad == nil && more < n {
			t.Fatalf("1%s is %d, less than %d", text, more, n)
		}
	})
}
