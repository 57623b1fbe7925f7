package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/audit"
	"github.com/slabgate/slabgate/internal/finding"
)

// sections are a slabgate.yaml in which every key is written, one section each.
var sections = map[string]string{
	"LISTENERS": `listeners:
  - name: main
    address: ":11212"
    max_connections: 100
TLS  - name: local-app
    address: unix:/run/slabgate/app.sock?mode=0660
    transport: plaintext
`,
	"TLS": `    tls:
      bundle: tls/bundle.pem
      client_ca: tls/ca.pem
      client_auth: require
      min_version: "1.3"
      common_name: false
`,
	"UPSTREAMS": `upstreams:
  - name: cache
    address: 127.0.0.1:11211
    pool: {min: 1, max: 8}
    connect_timeout: 1s
    backoff: {min: 5ms, max: 50ms}
    dialect: auto
`,
	"LIMITS": `limits:
  login_timeout: 5s
  handshake_timeout: 3s
  idle_timeout: 0s
  max_reply: 32MiB
`,
	"AUDIT": `audit:
  sinks: [{file: audit.jsonl, mode: "0640"}]
`,
}

// skeleton is the order of the sections and what is too short to be one.
const skeleton = `version: 1
policy: policy.yaml
LISTENERSUPSTREAMSlogins:
  ascii: [memcached]
  users: users.yaml
LIMITSshutdown: {accept_for: 0s, grace: 20s}
log:
  level: info
  format: auto
AUDITadmin: {socket: run/admin.sock, hosts: [cache-0.test]}
`

// fullFile is the complete file with old replaced by text once; old may be the
// name of a section.
func fullFile(t *testing.T, old, text string) string {
	t.Helper()
	out := skeleton
	for _, name := range []string{"LISTENERS", "TLS", "UPSTREAMS", "LIMITS", "AUDIT"} {
		if name != old {
			out = strings.Replace(out, name, sections[name], 1)
		}
	}
	if !strings.Contains(out, old) {
		t.Fatalf("there is no %q to replace", old)
	}
	return strings.Replace(out, old, text, 1)
}

// at writes what a finding stands for in a table: line:col code key.
func at(f finding.Finding) string {
	return strings.TrimSpace(fmt.Sprintf("%d:%d %s %s", f.Line, f.Col, f.Code, f.Key))
}

// errorsOf are the errors of list, each as at writes it.
func errorsOf(list finding.List) string {
	var out []string
	for _, f := range list {
		if f.Severity == finding.Error {
			out = append(out, at(f))
		}
	}
	return strings.Join(out, "; ")
}

func loadText(text string, flags map[string]string, environ ...string) (*Config, finding.List) {
	return loader{file: "slabgate.yaml", dir: "/etc/slabgate"}.load([]byte(text), flags, environ)
}

func TestABrokenFileIsPointedAt(t *testing.T) {
	for _, row := range brokenFiles {
		text := fullFile(t, row.old, row.text)
		c, list := loadText(text, nil)
		if got := errorsOf(list); got != row.want {
			t.Errorf("%s:\n%s\ngot  %s\nwant %s\n%s", row.name, text, got, row.want, list)
		}
		if c != nil && row.want != "" {
			t.Errorf("%s: a config came with errors", row.name)
		}
		for _, f := range list {
			if f.Fix == "" || f.File != "slabgate.yaml" {
				t.Errorf("%s: finding without fix or file: %+v", row.name, f)
			}
			for _, goish := range []string{"struct", "float64", "unmarshal", "reflect", "mapstructure", "config.", "!!"} {
				if strings.Contains(f.Problem, goish) && row.name != "tag" {
					t.Errorf("%s: message speaks of Go: %q", row.name, f.Problem)
				}
			}
		}
	}
}

// TestStateIsTakenFromTheFoldersFile checks what becomes of its path.
func TestStateIsTakenFromTheFoldersFile(t *testing.T) {
	for text, want := range map[string]string{"lib": "/etc/slabgate/lib", "/var/lib/slabgate": "/var/lib/slabgate"} {
		c, list := loadText(fullFile(t, "version: 1", "version: 1\nstate: "+text), nil)
		if len(list) != 0 || c.State != want {
			t.Errorf("state: %s: got %q, %v, want %q", text, c.State, list, want)
		}
	}
}

func TestTheWholeFileLoads(t *testing.T) {
	c, list := loadText(fullFile(t, "version: 1", "version: 1"), nil)
	if len(list) != 0 {
		t.Fatalf("findings: %v", list)
	}
	type row struct {
		what      string
		got, want any
	}
	for _, r := range []row{
		{"policy", c.Policy, "/etc/slabgate/policy.yaml"},
		{"users", c.Logins.Users, "/etc/slabgate/users.yaml"},
		{"bundle", c.Listeners[0].TLS.Bundle, "/etc/slabgate/tls/bundle.pem"},
		{"client_ca", c.Listeners[0].TLS.ClientCA, "/etc/slabgate/tls/ca.pem"},
		{"sink", c.Audit.Sinks[0], audit.SinkOptions{File: "/etc/slabgate/audit.jsonl", Mode: 0o640}},
		{"admin socket", c.Admin.Socket, "/etc/slabgate/run/admin.sock"},
		{"transport by default", c.Listeners[0].Transport, "tls"},
		{"max_connections", c.Listeners[0].MaxConnections, 100},
		{"max_connections by default", c.Listeners[1].MaxConnections, 4096},
		{"ascii login", c.Listeners[0].ASCIILogin && c.Listeners[1].ASCIILogin, true},
		{"tls of a plaintext listener", c.Listeners[1].TLS == nil, true},
		{"pool", c.Upstreams[0].PoolMax, 8},
		{"request_timeout by default", c.Upstreams[0].RequestTimeout, time.Second},
		{"backoff", c.Upstreams[0].BackoffMax, 50 * time.Millisecond},
		{"events by default", strings.Join(c.Audit.Events, " "), "auth_fail deny would_deny flush keyspace settings admin reload revoke"},
		{"other defaults of the audit", fmt.Sprint(c.Audit.AllowSample, " ", c.Audit.Keys, " ", c.Audit.OnFull), "0 prefix:16 block"},
		{"max_reply", c.Limits.MaxReply, 32 << 20},
		{"max_in_flight by default", c.Limits.MaxInFlight, 128},
		{"grace", c.Shutdown.Grace, 20 * time.Second},
	} {
		if r.got != r.want {
			t.Errorf("%s: got %v, want %v", r.what, r.got, r.want)
		}
	}
}

// TestTheRecordIsWhatTheFileSays writes every key of it that has a default.
func TestTheRecordIsWhatTheFileSays(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"all of it", "audit: {events: [deny, reload], allow_sample: 1000, keys: hash, on_full: drop, sinks: [{syslog: local}]}\n",
			"{Events:[deny reload] AllowSample:1000 Keys:hash OnFull:drop Sinks:[{File: Mode:-rw-r----- Syslog:local}]}"},
		{"samples alone", "audit: {events: [], allow_sample: 2}\n",
			"{Events:[] AllowSample:2 Keys:prefix:16 OnFull:block Sinks:[]}"},
	} {
		c, list := loadText(fullFile(t, "AUDIT", row.text), nil)
		if len(list) != 0 {
			t.Errorf("%s: %v", row.name, list)
			continue
		}
		if got := fmt.Sprintf("%+v", c.Audit); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestWhatIsNotWrittenIsTheDefaultOfItsPart(t *testing.T) {
	c, list := loadText(`
version: 1
policy: /p.yaml
listeners: [{name: a, address: "127.0.0.1:1", tls: {bundle: /b.pem, client_ca: /c.pem}}]
upstreams: [{name: b, address: unix:/m.sock}]
`, nil)
	if len(list) != 0 {
		t.Fatalf("findings: %v", list)
	}
	got := fmt.Sprintf("%+v %+v %+v %+v %+v", c.Limits, c.Shutdown, c.Log, *c.Listeners[0].TLS, c.Upstreams)
	want := "{LoginTimeout:5s HandshakeTimeout:3s MaxUnauthenticated:256 MaxPerSource:32 IdleTimeout:0s RequestTimeout:30s WriteTimeout:10s MaxInFlight:128 MaxReply:33554432}" +
		" {AcceptFor:0s Grace:20s} {Level:info Format:auto}" +
		" {Bundle:/b.pem Cert: Key: ClientCA:/c.pem ClientAuth:require MinVersion:1.3 CommonName:false Dev:false}" +
		" [{Name:b Address:unix:/m.sock Unsafe:false ExpectUID:-1 Dialect:auto Shared:0 PoolMin:2 PoolMax:64 ConnectTimeout:250ms RequestTimeout:1s BackoffMin:5ms BackoffMax:20ms}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatEmptyFilesSay(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "~\n", "null"} {
		_, list := loadText(text, nil)
		if got := errorsOf(list); got != "1:1 SG1005" {
			t.Errorf("%q: got %s", text, got)
		}
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	_, list := loadText("version: 3\nlog: {level: x, colour: y}\nlimits: {idle_timeout: 5}\npolicy: [a]\nlisteners: [1]\n", nil)
	want := "2:17 SG1008 log.colour; 3:10 SG1012 limits.idle_timeout; 4:1 SG1009 policy; 5:13 SG1009 listeners[0]; " +
		"1:1 SG1020 version; 1:1 SG1024 upstreams; 2:7 SG1030 log.level"
	if got := errorsOf(list); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWarnings(t *testing.T) {
	for _, row := range []struct{ name, old, text, want string }{
		{"no proof", "client_auth: require", "client_auth: request", ""},
		{"no proof and no login", "logins:\n  ascii: [memcached]\n  users: users.yaml\n", "", "13:5 SG1029 listeners[1]"},
		{"users without a login", "  ascii: [memcached]\n", "", "13:5 SG1029 listeners[1]; 24:3 SG1035 logins.users"},
		{"upstream elsewhere", "address: 127.0.0.1:11211", "address: 10.0.0.1:11211\n    unsafe: true", "19:5 SG1058 upstreams[0].unsafe"},
	} {
		c, list := loadText(fullFile(t, row.old, row.text), nil)
		var got []string
		for _, f := range list {
			got = append(got, at(f))
		}
		if strings.Join(got, "; ") != row.want || c == nil {
			t.Errorf("%s: got %v, want %s", row.name, list, row.want)
		}
	}
}

func TestASuggestionIsMade(t *testing.T) {
	for _, row := range []struct{ old, text, want string }{
		{"policy: policy.yaml", "polciy: policy.yaml", `did you mean "policy"?`},
		{"- name: main", "- Name: main", `did you mean "name"?`},
		{"max_connections", "max-connection", `did you mean "max_connections"?`},
		{"level: info", "leve1: info", `did you mean "level"?`},
		{"level: info", "verbosity: info", "the keys here are level, format"},
	} {
		_, list := loadText(fullFile(t, row.old, row.text), nil)
		if len(list) == 0 || list[0].Fix != row.want {
			t.Errorf("%s: got %v, want %s", row.text, list, row.want)
		}
	}
}

func TestLoadReadsAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "slabgate.yaml")
	if err := os.WriteFile(path, []byte(fullFile(t, "version: 1", "version: 1")), 0o644); err != nil {
		t.Fatal(err)
	}
	c, list := Load(path, nil, nil)
	if len(list) != 0 || c.Policy != filepath.Join(dir, "policy.yaml") {
		t.Errorf("got %v, %v", c, list)
	}
	for _, row := range []struct {
		name string
		path string
		mode os.FileMode
		want string
	}{
		{"missing", filepath.Join(dir, "none.yaml"), 0, "0:0 SG1001"},
		{"folder", dir, 0, "0:0 SG1060"},
		{"writable by anybody", path, 0o646, "1:1 SG1015"},
	} {
		if row.mode != 0 {
			if err := os.Chmod(row.path, row.mode); err != nil {
				t.Fatal(err)
			}
		}
		c, list := Load(row.path, nil, nil)
		if got := errorsOf(list); got != row.want || c != nil {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestAFileThatMayNotBeReadNamesModeAndOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slabgate.yaml")
	if err := os.WriteFile(path, nil, 0o040); err != nil {
		t.Fatal(err)
	}
	// Root may read everything, so the finding is asked for as such.
	f := unreadable(path, &os.PathError{Op: "open", Path: path, Err: os.ErrPermission})
	want := fmt.Sprintf("may not be read by uid %d: mode 0040, owner %d:%d", os.Geteuid(), os.Getuid(), os.Getgid())
	if f.Code != "SG1039" || f.Problem != want || f.Fix == "" || f.File != path {
		t.Errorf("got %+v, want %s", f, want)
	}
}

// TestPlaceServesOtherRooms does what cmd does with what certs finds.
func TestPlaceServesOtherRooms(t *testing.T) {
	c, list := loadText(small, nil, "SLABGATE_LISTENERS__MAIN__TLS__BUNDLE=/x.pem")
	if len(list) != 0 {
		t.Fatal(list)
	}
	for _, row := range []struct{ key, want string }{
		{"listeners[0].tls.bundle", "0:0  listeners[0].tls.bundle: p (set by SLABGATE_LISTENERS__MAIN__TLS__BUNDLE)"},
		{"listeners[0].tls.client_ca", "4:55  listeners[0].tls.client_ca: p"},
		{"listeners[0].tls.key", "4:33  listeners[0].tls.key: p"},
	} {
		f := c.Place(finding.List{{Key: row.key, Problem: "p"}})[0]
		if got := at(f) + ": " + f.Problem; got != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}
