package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/slabgate/slabgate/internal/testkit"
)

// deployed is a folder in which the paths of a shipped configuration exist.
type deployed struct {
	dir   string
	paths *strings.Replacer // from those of the example to those of the folder
}

// deploy makes the folder, with certificates as an operator's CA issues them.
func deploy(t *testing.T) deployed {
	t.Helper()
	d := deployed{dir: t.TempDir()}
	pki := testkit.NewPKI(t)
	cert, key := pki.Server(t)
	for name, from := range map[string][]string{
		"cert.pem": {cert}, "key.pem": {key}, "ca.pem": {pki.CAFile()}, "bundle.pem": {key, cert},
		"tls.crt": {cert}, "tls.key": {key}, "ca.crt": {pki.CAFile()},
	} {
		var text []byte
		for _, path := range from {
			part, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, part...)
		}
		d.write(t, "tls/"+name, string(text))
	}
	d.paths = strings.NewReplacer(
		"/etc/slabgate/", d.dir+"/", "/run/slabgate/", d.dir+"/", "/run/memcached/", d.dir+"/", "/var/log/slabgate/", d.dir+"/")
	return d
}

// write writes a file with mode 0640, and what it says about paths rewritten.
func (d deployed) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(d.dir, name)
	if d.paths != nil {
		text = d.paths.Replace(text)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckAcceptsEveryExample(t *testing.T) {
	root := filepath.Join("..", "..", "deploy", "examples")
	configs, err := filepath.Glob(filepath.Join(root, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob(filepath.Join(root, "*", "*.yaml"))
	if err != nil || len(configs) == 0 || len(deeper) == 0 {
		t.Fatalf("examples: got %q and %q, %v", configs, deeper, err)
	}
	for _, path := range append(configs, deeper...) {
		if filepath.Base(path) != "slabgate.yaml" {
			continue
		}
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			d := deploy(t)
			for _, name := range []string{"slabgate.yaml", "policy.yaml", "users.yaml"} {
				text, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
				if err == nil {
					d.write(t, name, string(text))
				} else if !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			slabgate(t, "check", "-c", filepath.Join(d.dir, "slabgate.yaml")).want(t, exitOK, "check: ok, 0 errors")
		})
	}
}

func TestCheckAcceptsThePodsConfiguration(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "kubernetes", "pod.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var configMap struct {
		Kind string
		Data map[string]string
	}
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&configMap); err != nil {
		t.Fatal(err)
	}
	if configMap.Kind != "ConfigMap" || len(configMap.Data) != 2 {
		t.Fatalf("the first document is a %s with %d files, want a ConfigMap with 2", configMap.Kind, len(configMap.Data))
	}
	d := deploy(t)
	for name, text := range configMap.Data {
		d.write(t, name, text)
	}
	slabgate(t, "check", "-c", filepath.Join(d.dir, "slabgate.yaml")).want(t, exitOK, "check: ok, 0 errors, 0 warnings")
}

func TestCheckAcceptsTheDemo(t *testing.T) {
	d := deployed{dir: t.TempDir()}
	d.paths = strings.NewReplacer("DIR", d.dir)
	for _, name := range []string{"slabgate.yaml", "policy.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "demo", name))
		if err != nil {
			t.Fatal(err)
		}
		d.write(t, name, string(text))
	}
	slabgate(t, "cert", "dev", "--dir", filepath.Join(d.dir, "tls")).want(t, exitOK)
	config := filepath.Join(d.dir, "slabgate.yaml")
	slabgate(t, "check", "--dev", "--strict", "-c", config).want(t, exitOK, "check: ok, 0 errors, 0 warnings")
	slabgate(t, "check", "-c", config).want(t, exitConfig, "SG1338", "slabgate run --dev")
}

// refusal is what check has to say of one mistake.
type refusal struct {
	name      string
	file      string // that is changed
	old, text string
	exit      int
	code      string
	at        string   // file:line:col, or only the file
	says      []string // further texts
}

var refusals = []refusal{
	{"unknown key", "slabgate.yaml", "log: {", "lgo: {", exitConfig, "SG1008", "slabgate.yaml:15:1", []string{`did you mean "log"?`}},
	{"capital key", "slabgate.yaml", "policy: p", "Policy: p", exitConfig, "SG1008", "slabgate.yaml:14:1", []string{`did you mean "policy"?`}},
	{"no YAML", "slabgate.yaml", "log: {format: json}", "log: {format: json", exitConfig, "SG1004", "slabgate.yaml:1", nil},
	{"key twice", "slabgate.yaml", "log: {", "policy: policy.yaml\nlog: {", exitConfig, "SG1007", "slabgate.yaml:15:1", nil},
	{"bare time", "slabgate.yaml", "log: {", "shutdown: {grace: 20}\nlog: {", exitConfig, "SG1012", "slabgate.yaml:15:12", []string{"no unit", "30s"}},
	{"another version's key", "slabgate.yaml", "log: {", "sandbox: {landlock: \"on\"}\nlog: {", exitConfig, "SG1014", "slabgate.yaml:15:1", []string{"this version does not have"}},
	{"version", "slabgate.yaml", "version: 1", "version: 2", exitConfig, "SG1020", "slabgate.yaml:1:1", []string{"write version: 1"}},
	{"plaintext for all", "slabgate.yaml", "127.0.0.1:0\"\n    transport: tls\n    tls:\n      bundle: tls/server-bundle.pem\n      client_ca: tls/ca.pem\n      client_auth: request",
		"0.0.0.0:0\"\n    transport: plaintext", exitConfig, "SG1042", "slabgate.yaml:4:5", []string{"plaintext from beyond this host"}},
	{"listener by name", "slabgate.yaml", "127.0.0.1:0", "localhost:11212", exitConfig, "SG1041", "slabgate.yaml:4:5", []string{"write 127.0.0.1:11212"}},
	{"client_auth", "slabgate.yaml", "client_auth: request", "client_auth: required", exitConfig, "SG1302", "slabgate.yaml:9:7", []string{"write client_auth: require"}},
	{"memcached abroad", "slabgate.yaml", "unix:/nonexistent/mc.sock", "192.0.2.1:11211", exitConfig, "SG1052", "slabgate.yaml:12:5", []string{"unsafe: true"}},
	{"log level", "slabgate.yaml", "{format: json}", "{level: loud}", exitConfig, "SG1030", "slabgate.yaml:15:7", []string{"debug, info, warn or error"}},
	{"certificate missing", "slabgate.yaml", "tls/server-bundle.pem", "tls/none.pem", exitNoFile, "SG1310", "slabgate.yaml:7:7", nil},
	{"key instead of bundle", "slabgate.yaml", "tls/server-bundle.pem", "tls/server-key.pem", exitConfig, "SG1322", "slabgate.yaml:7:7", nil},
	{"policy missing", "slabgate.yaml", "policy: policy.yaml", "policy: none.yaml", exitNoFile, "SG1001", "none.yaml", []string{"create it, or name another file"}},
	{"unknown group", "policy.yaml", `["@rw"]`, `["@reads"]`, exitConfig, "SG1121", "policy.yaml:7:27", []string{`"@read"`}},
	{"unknown command", "policy.yaml", `["@rw"]`, `["@rw", "incrr"]`, exitConfig, "SG1122", "policy.yaml:7:34", []string{`"incr"`}},
	{"unknown policy key", "policy.yaml", `keys: ["prefix:web:"]`, `kesy: ["prefix:web:"]`, exitConfig, "SG1008", "policy.yaml:7:35", []string{`did you mean "keys"?`}},
	{"no patterns", "policy.yaml", `allow: ["@rw"], keys: ["prefix:web:"]`, `allow: ["@rw"]`, exitConfig, "SG1123", "policy.yaml:7:9", nil},
	{"bad pattern", "policy.yaml", `["prefix:web:"]`, `["regex:web"]`, exitConfig, "SG1127", "policy.yaml:7:42", nil},
	{"failed test", "policy.yaml", "expect: allow", "expect: deny", exitConfig, "SG1131", "policy.yaml:14:5", nil},
	{"test for nobody", "policy.yaml", "{as: web,", "{as: wbe,", exitConfig, "SG1130", "policy.yaml:14:6", []string{`"web"`}},
	{"two of one match", "policy.yaml", "[{ascii: trial}]", "[{ascii: web}]", exitConfig, "SG1114", "policy.yaml", nil},
	{"user's name", "users.yaml", "name: web", `name: "we b"`, exitConfig, "SG1210", "users.yaml:2:5", []string{"printable characters"}},
	{"user twice", "users.yaml", "users:\n", "users:\n  - {name: web, disabled: true}\n", exitConfig, "SG1211", "users.yaml:3:5", []string{"keep one of the two"}},
	{"identity twice", "policy.yaml", "  trial:\n", "  web:\n", exitConfig, "SG1007", "policy.yaml:9:3", []string{"keep one of the two"}},
	{"unknown user", "policy.yaml", "[{ascii: trial}]", "[{unix: {uid: no-such-user}}]", exitConfig, "SG1156", "policy.yaml", []string{`"no-such-user"`}},
	{"nobody matches", "policy.yaml", "[{ascii: trial}]", "[]", exitConfig, "SG1107", "policy.yaml", nil},
	{"password as record", "users.yaml", "SCRAM-SHA-256$4096", "hunter2$4096", exitConfig, "SG1281", "users.yaml:4:9", []string{"slabgate user passwd"}},
}

func TestCheckTellsWhatWhereAndHowToFix(t *testing.T) {
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			s.edit(t, tc.file, tc.old, tc.text)
			o := s.call(t, "check")
			o.want(t, tc.exit, append(tc.says, "error "+tc.code, s.path(tc.at), "\n  fix     ", "slabgate help "+tc.code,
				"run would refuse this configuration, and a running slabgate would keep its own")...)
			if o.out != "" {
				t.Errorf("standard output: got %q, want nothing", o.out)
			}
			if tc.file == "users.yaml" && strings.Contains(o.err, " | ") {
				t.Errorf("a line of the users file is quoted:\n%s", o.err)
			}
			s.call(t, "run", "--allow-root").want(t, tc.exit, "error "+tc.code)
		})
	}
}

func TestCheckTellsEveryFaultAtOnce(t *testing.T) {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "{format: json}", "{level: loud, format: sung}")
	s.edit(t, "slabgate.yaml", "client_auth: request", "client_auth: maybe")
	s.call(t, "check").want(t, exitConfig, "slabgate.yaml:15:7", "slabgate.yaml:15:20", "slabgate.yaml:9:7", "check: 3 errors, 0 warnings")
	s = newSite(t)
	s.edit(t, "policy.yaml", "expect: allow", "expect: deny")
	s.edit(t, "users.yaml", "name: web", "name: a:b")
	s.edit(t, "slabgate.yaml", "tls/ca.pem", "tls/none.pem")
	s.call(t, "check").want(t, exitNoFile, "SG1131", "SG1210", "SG1310", "check: 3 errors, 0 warnings")
}

func TestCheckLooksAtFileModes(t *testing.T) {
	for _, tc := range []struct {
		file string
		mode os.FileMode
		code string
	}{
		{"slabgate.yaml", 0o646, "SG1015"},
		{"policy.yaml", 0o666, "SG1015"},
		{"users.yaml", 0o644, "SG1280"},
		{"users.yaml", 0o660, "SG1280"},
		{"tls/server-bundle.pem", 0o644, "SG1313"},
		{"tls/ca.pem", 0o666, "SG1314"},
	} {
		s := newSite(t)
		s.chmod(t, tc.file, tc.mode)
		s.call(t, "check").want(t, exitPermission, "error "+tc.code, s.path(tc.file), "fix     ", "chmod ")
	}
}

func TestCheckStrictFailsOnWarnings(t *testing.T) {
	s := newSite(t)
	s.call(t, "check", "--strict").want(t, exitOK, "check: ok, 0 errors, 0 warnings")
	s.edit(t, "policy.yaml", "[{ascii: trial}]", "[{ascii: trial, listener: back}]")
	s.edit(t, "policy.yaml", "[{ascii: web}]", "[{ascii: web}, {ascii: webb, listener: front}]")
	for range 3 { // in the same order each time
		o := s.call(t, "check")
		o.want(t, exitOK, "check: ok, 0 errors, 2 warnings", "warning SG1402", `no listener is called "front"`)
		if strings.Index(o.err, `"back"`) > strings.Index(o.err, `"front"`) {
			t.Errorf("warnings are not in the order of the identities' names:\n%s", o.err)
		}
	}
	s.call(t, "check", "--strict").want(t, exitFindings, "2 warnings")
	s.edit(t, "policy.yaml", "expect: allow", "expect: deny")
	s.call(t, "check", "--strict").want(t, exitConfig, "1 error, 2 warnings")
	s.call(t, "validate", "--strict").want(t, exitConfig, "1 error, 2 warnings")
}

func TestCheckJSONSaysWhatTheTextSays(t *testing.T) {
	for _, tc := range refusals {
		s := newSite(t)
		s.edit(t, tc.file, tc.old, tc.text)
		o := s.call(t, "check", "-o", "json")
		var r checkReport
		if err := json.Unmarshal([]byte(o.out), &r); err != nil {
			t.Fatalf("%s: %v in %s", tc.name, err, o.out)
		}
		if o.code != tc.exit || r.OK || r.Digest != "" || o.err != "" {
			t.Errorf("%s: got exit %d, %+v and %q beside it, want exit %d and nothing beside it", tc.name, o.code, r, o.err, tc.exit)
		}
		text := s.call(t, "check").err
		var heads []string
		for _, f := range r.Findings {
			heads = append(heads, f.Severity+" "+f.Code)
			if !strings.Contains(text, f.Problem) || !strings.Contains(text, f.Fix) {
				t.Errorf("%s: text lacks %+v:\n%s", tc.name, f, text)
			}
		}
		told := regexp.MustCompile(`(?m)^(error|warning) SG\d+`).FindAllString(text, -1)
		if strings.Join(heads, ",") != strings.Join(told, ",") {
			t.Errorf("%s: JSON has %q, text has %q", tc.name, heads, told)
		}
	}
}

func TestCheckJSONOfARightConfiguration(t *testing.T) {
	s := newSite(t)
	o := s.call(t, "check", "-o", "json")
	o.want(t, exitOK, `"findings": []`)
	var r checkReport
	if err := json.Unmarshal([]byte(o.out), &r); err != nil || !r.OK || len(r.Digest) != 64 || len(r.Origins) != 0 {
		t.Errorf("got %+v, %v, want ok, a digest and no origins", r, err)
	}
	if text := s.call(t, "check"); !strings.Contains(text.out, "digest "+r.Digest[:12]) {
		t.Errorf("text says %q, JSON says digest %s", text.out, r.Digest)
	}
}

// A digest names what is in force: it must change with any of the files, and
// with nothing else.
func TestCheckDigestFollowsTheFiles(t *testing.T) {
	s := newSite(t)
	digest := func() string {
		o := s.call(t, "check", "-o", "json")
		var r checkReport
		if err := json.Unmarshal([]byte(o.out), &r); err != nil || r.Digest == "" {
			t.Fatalf("no digest in %s%s: %v", o.out, o.err, err)
		}
		return r.Digest
	}
	seen := map[string]string{digest(): "at first"}
	if seen[digest()] == "" {
		t.Error("the digest differs without a change")
	}
	t.Chdir(s.dir)
	o := slabgate(t, "check", "-o", "json", "--dev", "-c", "slabgate.yaml")
	var relative checkReport
	if err := json.Unmarshal([]byte(o.out), &relative); err != nil || seen[relative.Digest] == "" {
		t.Errorf("by a relative path the digest is %s, %v", relative.Digest, err)
	}
	for _, change := range []struct {
		name string
		do   func()
	}{
		{"policy", func() { s.edit(t, "policy.yaml", "id: own, allow: [\"@rw\"]", "id: own, allow: [\"@read\"]") }},
		{"users", func() { s.edit(t, "users.yaml", "users:\n", "users:\n  - {name: gone, disabled: true}\n") }},
		{"configuration", func() { s.edit(t, "slabgate.yaml", "{format: json}", "{format: text}") }},
		{"certificate", func() {
			if err := os.RemoveAll(s.path("tls")); err != nil {
				t.Fatal(err)
			}
			slabgate(t, "cert", "dev", "--dir", s.path("tls")).want(t, exitOK)
		}},
	} {
		change.do()
		d := digest()
		if seen[d] != "" {
			t.Errorf("after a change of the %s the digest is the one %s", change.name, seen[d])
		}
		seen[d] = "after a change of the " + change.name
	}
}

func TestCheckShowsWhereValuesComeFrom(t *testing.T) {
	s := newSite(t)
	t.Setenv("SLABGATE_SHUTDOWN__GRACE", "7s")
	t.Setenv("SLABGATE_LISTENERS__MAIN__MAX_CONNECTIONS", "9")
	args := []string{"check", "--show-origin", "--set", "log.level=debug"}
	o := s.call(t, args...)
	o.want(t, exitOK)
	fields := map[string]string{}
	for line := range strings.Lines(o.out) {
		f := strings.Fields(line)
		fields[f[0]] = strings.Join(f[1:], " ")
	}
	for key, want := range map[string]string{
		"log.level":                    "debug flag --set log.level",
		"shutdown.grace":               "7s env SLABGATE_SHUTDOWN__GRACE",
		"listeners[0].max_connections": "9 env SLABGATE_LISTENERS__MAIN__MAX_CONNECTIONS",
		"log.format":                   "json file " + s.path("slabgate.yaml") + ":15:7",
		"shutdown.accept_for":          "0s default",
		"policy":                       "policy.yaml file " + s.path("slabgate.yaml") + ":14:1",
	} {
		if fields[key] != want {
			t.Errorf("%s: got %q, want %q", key, fields[key], want)
		}
	}
	var r checkReport
	if err := json.Unmarshal([]byte(s.call(t, append(args, "-o", "json")...).out), &r); err != nil {
		t.Fatal(err)
	}
	if want := len(strings.Split(strings.TrimSpace(o.out), "\n")) - 1; len(r.Origins) != want {
		t.Errorf("JSON has %d origins, text has %d", len(r.Origins), want)
	}
	for _, origin := range r.Origins {
		if origin.Key == "log.level" && origin != (checkOrigin{"log.level", "debug", "flag", "--set log.level"}) {
			t.Errorf("origin of log.level: got %+v", origin)
		}
	}
}

func TestCheckRefusesLayersThatSetNothing(t *testing.T) {
	for _, tc := range []struct {
		env, value, set string
		code            int
		says            string
	}{
		{"SLABGATE_LOG__LEVLE", "debug", "", exitOK, "SG1016"},
		{"SLABGATE_LOG__LEVEL", "", "", exitConfig, "SG1017"},
		{"SLABGATE_LOG__LEVEL", "loud", "", exitConfig, "set by SLABGATE_LOG__LEVEL"},
		{"", "", "log.levle=debug", exitConfig, "SG1018"},
		{"", "", "log.level=loud", exitConfig, "set by --set log.level"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			if tc.env != "" {
				t.Setenv(tc.env, tc.value)
			}
			args := []string{"check"}
			if tc.set != "" {
				args = append(args, "--set", tc.set)
			}
			newSite(t).call(t, args...).want(t, tc.code, tc.says)
		})
	}
}

func TestCheckWeakGodebugIsRefused(t *testing.T) {
	t.Setenv("GODEBUG", "tlsrsakex=1")
	newSite(t).call(t, "check").want(t, exitConfig, "SG1404", "tlsrsakex")
}

func TestCheckMissingConfiguration(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for _, cmd := range [][]string{
		{"check"}, {"run", "--allow-root"}, {"explain", "--as", "a", "--cmd", "get a"}, {"user", "list"}, {"user", "disable", "a"},
	} {
		slabgate(t, append(cmd, "-c", missing)...).want(t, exitNoFile, "error SG1001", missing, "fix     create it")
	}
	slabgate(t, "check", "-c", missing, "-o", "json").want(t, exitNoFile, `"ok": false`, `"code": "SG1001"`)
}

// The most telling code wins over the general one, and warnings never count.
func TestExitCodeOfFindings(t *testing.T) {
	for _, tc := range []struct {
		codes []string
		want  int
	}{
		{nil, exitOK},
		{[]string{"SG1008"}, exitConfig},
		{[]string{"SG1008", "SG1310"}, exitNoFile},
		{[]string{"SG1313", "SG1008"}, exitPermission},
		{[]string{"SG1401"}, exitUsage},
	} {
		var l loaded
		l.found.Warnf("SG1001", "", "", "a warning")
		for _, code := range tc.codes {
			l.found.Errorf(code, "", "", "an error")
		}
		if got := l.exitCode(); got != tc.want {
			t.Errorf("%q: got %d, want %d", tc.codes, got, tc.want)
		}
	}
}

// TestCheckTellsEveryFaultOfAPolicyAtOnce: an unknown key hides no other fault,
// and makes up none.
func TestCheckTellsEveryFaultOfAPolicyAtOnce(t *testing.T) {
	s := newSite(t)
	s.write(t, "policy.yaml", `version: 1
categories: 1
identities:
  web:
    match: [{ascii: web}]
    whem: 1
    rules:
      - allow: ["@reads", gett]
        kyes: ["prefix:user:"]
      - allow: ["@read"]
        keys: ["user"]
`)
	r := s.call(t, "check")
	r.want(t, exitConfig, `policy.yaml:6:5  unknown key "whem"`, `policy.yaml:9:9  unknown key "kyes"`,
		`policy.yaml:8:17  unknown command group "@reads"`, `policy.yaml:8:27  unknown command "gett"`,
		`policy.yaml:11:16  the pattern "user"`)
	if strings.Contains(r.err, "SG1123") {
		t.Errorf("the mistyped key is also said to be missing:\n%s", r.err)
	}
	s.write(t, "policy.yaml", "version: 1\nidentities: {web: {rules: [{allow: [@read]}]}}\n")
	s.call(t, "check").want(t, exitConfig, "policy.yaml:2:37  not YAML: @read has to stand in quotes", `write "@read", with the quotes`)
	if err := os.Remove(s.path("policy.yaml")); err != nil {
		t.Fatal(err)
	}
	if r := s.call(t, "check"); r.code != exitNoFile || strings.Contains(r.err, "SG1101") {
		t.Errorf("code %d for a missing policy, and:\n%s", r.code, r.err)
	}
}
