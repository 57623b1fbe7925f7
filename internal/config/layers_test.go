package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/finding"
)

// small is a file in which few keys are written, so that all layers have a say.
const small = `version: 1
policy: /p.yaml
listeners:
  - {name: main, address: ":1", tls: {bundle: /b.pem, client_ca: /c.pem}}
  - {name: my-app, address: "unix:/a.sock", transport: plaintext}
upstreams: [{name: local, address: "127.0.0.1:11211"}]
logins: {sasl: [SCRAM-SHA-1], ascii: [memcached], users: /u.yaml}
log: {level: warn}
audit: {sinks: [{file: /a.jsonl}]}
`

// origin finds what c says of key.
func origin(c *Config, key string) string {
	for _, o := range c.Origins {
		if o.Key == key {
			return strings.TrimSpace(fmt.Sprintf("%s %s %s", o.Value, o.Source, o.Where))
		}
	}
	return "none"
}

func TestTheStrongestLayerWins(t *testing.T) {
	for _, row := range []struct {
		name  string
		key   string
		flags map[string]string
		env   []string
		want  string
	}{
		{"default", "log.format", nil, nil, "auto default"},
		{"file", "log.level", nil, nil, "warn file slabgate.yaml:8:7"},
		{"env over file", "log.level", nil, []string{"SLABGATE_LOG__LEVEL=debug"}, "debug env SLABGATE_LOG__LEVEL"},
		{"env over default", "log.format", nil, []string{"SLABGATE_LOG__FORMAT=json"}, "json env SLABGATE_LOG__FORMAT"},
		{"flag over file", "log.level", map[string]string{"log.level": "error"}, nil, "error flag --set log.level"},
		{"flag over env", "log.level", map[string]string{"log.level": "error"}, []string{"SLABGATE_LOG__LEVEL=debug"}, "error flag --set log.level"},
		{"flag over default", "shutdown.grace", map[string]string{"shutdown.grace": "90s"}, nil, "1m30s flag --set shutdown.grace"},
		{"env of a section that is not written", "limits.max_reply", nil, []string{"SLABGATE_LIMITS__MAX_REPLY=1MiB"}, "1MiB env SLABGATE_LIMITS__MAX_REPLY"},
		{"env beside a default", "limits.max_in_flight", nil, []string{"SLABGATE_LIMITS__MAX_REPLY=1MiB"}, "128 default"},
		{"env of an element by name", "listeners[0].address", nil, []string{"SLABGATE_LISTENERS__MAIN__ADDRESS=:7"}, ":7 env SLABGATE_LISTENERS__MAIN__ADDRESS"},
		{"its neighbour keeps its own", "listeners[1].address", nil, []string{"SLABGATE_LISTENERS__MAIN__ADDRESS=:7"}, "unix:/a.sock file slabgate.yaml:5:20"},
		{"env of a name with a hyphen", "listeners[1].max_connections", nil, []string{"SLABGATE_LISTENERS__MY_APP__MAX_CONNECTIONS=7"}, "7 env SLABGATE_LISTENERS__MY_APP__MAX_CONNECTIONS"},
		{"flag of an element by name", "listeners[1].max_connections", map[string]string{"listeners.my-app.max_connections": "8"}, nil, "8 flag --set listeners.my-app.max_connections"},
		{"flag over env in an element", "listeners[1].max_connections", map[string]string{"listeners.my-app.max_connections": "8"},
			[]string{"SLABGATE_LISTENERS__MY_APP__MAX_CONNECTIONS=7"}, "8 flag --set listeners.my-app.max_connections"},
		{"default in an element", "listeners[1].max_connections", nil, nil, "4096 default"},
		{"env below an element", "upstreams[0].pool.max", nil, []string{"SLABGATE_UPSTREAMS__LOCAL__POOL__MAX=9"}, "9 env SLABGATE_UPSTREAMS__LOCAL__POOL__MAX"},
		{"env in the tls section", "listeners[0].tls.min_version", nil, []string{"SLABGATE_LISTENERS__MAIN__TLS__MIN_VERSION=1.2"}, "1.2 env SLABGATE_LISTENERS__MAIN__TLS__MIN_VERSION"},
		{"env of a truth value", "listeners[0].tls.common_name", nil, []string{"SLABGATE_LISTENERS__MAIN__TLS__COMMON_NAME=true"}, "true env SLABGATE_LISTENERS__MAIN__TLS__COMMON_NAME"},
		{"env of a list", "logins.sasl", nil, []string{"SLABGATE_LOGINS__SASL=PLAIN,SCRAM-SHA-256"}, "[PLAIN, SCRAM-SHA-256] env SLABGATE_LOGINS__SASL"},
		{"flag of a truth value", "listeners[1].unsafe_plain", map[string]string{"listeners.my-app.unsafe_plain": "false"}, nil, "false flag --set listeners.my-app.unsafe_plain"},
		{"the last of two variables", "log.level", nil, []string{"SLABGATE_LOG__LEVEL=debug", "SLABGATE_LOG__LEVEL=info"}, "info env SLABGATE_LOG__LEVEL"},
		{"no state by default", "state", nil, nil, "default"},
		{"default of a sink", "audit.sinks[0].mode", nil, nil, "0640 default"},
		{"other variables", "log.level", nil, []string{"LOG__LEVEL=debug", "slabgate_log__level=debug", "PATH=/bin", "odd"}, "warn file slabgate.yaml:8:7"},
	} {
		c, list := loadText(small, row.flags, row.env...)
		if list.Failed() {
			t.Errorf("%s: %v", row.name, list)
			continue
		}
		if got := origin(c, row.key); got != row.want {
			t.Errorf("%s: %s is %s, want %s", row.name, row.key, got, row.want)
		}
	}
}

// TestOriginsTellTheConfig sets one key in each layer and reads the config, not
// what is said about it.
func TestOriginsTellTheConfig(t *testing.T) {
	c, list := loadText(small, map[string]string{"limits.max_in_flight": "3"}, "SLABGATE_LISTENERS__MY_APP__ADDRESS=unix:/b.sock", "SLABGATE_POLICY=sub/p.yaml")
	if len(list) != 0 {
		t.Fatal(list)
	}
	got := fmt.Sprintln(c.Limits.MaxInFlight, c.Listeners[1].Address, c.Policy, c.Log.Level, c.Log.Format, c.Listeners[1].ASCIILogin)
	if want := "3 unix:/b.sock /etc/slabgate/sub/p.yaml warn auto true\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAVariableMayOpenASection(t *testing.T) {
	text := strings.Replace(small, `, tls: {bundle: /b.pem, client_ca: /c.pem}`, "", 1)
	c, list := loadText(text, nil, "SLABGATE_LISTENERS__MAIN__TLS__BUNDLE=/x.pem", "SLABGATE_LISTENERS__MAIN__TLS__CLIENT_CA=/y.pem")
	if len(list) != 0 {
		t.Fatal(list)
	}
	if got := fmt.Sprintf("%+v", *c.Listeners[0].TLS); got != "{Bundle:/x.pem Cert: Key: ClientCA:/y.pem ClientAuth:require MinVersion:1.3 CommonName:false Dev:false}" {
		t.Errorf("got %s", got)
	}
}

func TestWhatLayersGetWrong(t *testing.T) {
	const warning, fault = finding.Warning, finding.Error
	for _, row := range []struct {
		name     string
		flags    map[string]string
		env      string
		severity finding.Severity
		want     string
	}{
		{"mistyped variable", nil, "SLABGATE_LOG__LEVLE=x", warning, `0:0 SG1016: the variable SLABGATE_LOG__LEVLE sets nothing: unknown key "log.levle"; did you mean "level"?`},
		{"variable of a part", nil, "SLABGATE_LOG=x", warning, `0:0 SG1016: the variable SLABGATE_LOG sets nothing: log is more than one value; name one of its keys`},
		{"variable below a value", nil, "SLABGATE_POLICY__PATH=x", warning, `0:0 SG1016: the variable SLABGATE_POLICY__PATH sets nothing: policy is one value; set policy itself`},
		{"variable of no listener", nil, "SLABGATE_LISTENERS__APP__ADDRESS=x", warning, `0:0 SG1016: the variable SLABGATE_LISTENERS__APP__ADDRESS sets nothing: nothing in listeners is called "app"; add it to the file first`},
		{"variable of a list", nil, "SLABGATE_LISTENERS=x", warning, `0:0 SG1016: the variable SLABGATE_LISTENERS sets nothing: listeners is more than one value; name one of its keys`},
		{"variable of a sink", nil, "SLABGATE_AUDIT__SINKS__0__FILE=x", warning, `0:0 SG1016: the variable SLABGATE_AUDIT__SINKS__0__FILE sets nothing: the elements of audit.sinks have no name; set it in the file`},
		{"variable of the version", nil, "SLABGATE_VERSION=1.2.3", warning, `0:0 SG1016: the variable SLABGATE_VERSION sets nothing: the version is the file's own; set it in the file`},
		{"variable without a name", nil, "SLABGATE_=x", warning, `0:0 SG1016: the variable SLABGATE_ sets nothing: unknown key ""; the keys here are version, listeners, upstreams, logins, policy, state, limits, reload, shutdown, log, audit, admin`},
		{"empty variable", nil, "SLABGATE_LOG__LEVEL=", fault, `0:0 SG1017: the variable SLABGATE_LOG__LEVEL is empty; unset it, or give it a value`},
		{"bare time", nil, "SLABGATE_SHUTDOWN__GRACE=30", fault, `0:0 SG1019 shutdown.grace: "30" has no unit (set by SLABGATE_SHUTDOWN__GRACE); write it like 30s or 250ms`},
		{"truth as a number", nil, "SLABGATE_UPSTREAMS__LOCAL__UNSAFE=1", fault, `0:0 SG1019 upstreams[0].unsafe: "1" is neither true nor false (set by SLABGATE_UPSTREAMS__LOCAL__UNSAFE); write true or false`},
		{"value that a part refuses", nil, "SLABGATE_LOG__LEVEL=loud", fault, `0:0 SG1030 log.level: "loud" is not a level (set by SLABGATE_LOG__LEVEL); write debug, info, warn or error`},
		{"mistyped flag", map[string]string{"log.levle": "x"}, "", fault, `0:0 SG1018: --set log.levle sets nothing: unknown key "log.levle"; did you mean "level"?`},
		{"flag in capitals", map[string]string{"LOG.LEVEL": "x"}, "", fault, `0:0 SG1018: --set LOG.LEVEL sets nothing: unknown key "LOG"; did you mean "log"?`},
		{"flag with a bare size", map[string]string{"limits.max_reply": "5"}, "", fault, `0:0 SG1019 limits.max_reply: "5" is not a size (set by --set limits.max_reply); write it like 512B, 32KiB or 20MiB`},
		{"flag that a part refuses", map[string]string{"listeners.main.transport": "x"}, "", fault, `0:0 SG1043 listeners[0].transport: "x" is not a transport (set by --set listeners.main.transport); write tls, or plaintext on a loopback address or unix socket`},
	} {
		c, list := loadText(small, row.flags, row.env)
		if len(list) != 1 || list[0].Severity != row.severity || (c == nil) != (row.severity == fault) {
			t.Errorf("%s: got %v, %v", row.name, c, list)
			continue
		}
		f := list[0]
		if got := at(f) + ": " + f.Problem + "; " + f.Fix; got != row.want {
			t.Errorf("%s:\ngot  %s\nwant %s", row.name, got, row.want)
		}
		if f.File != "" {
			t.Errorf("%s: is said to be in file %s", row.name, f.File)
		}
	}
}

func TestWhatKubernetesInjectsIsIgnored(t *testing.T) {
	for _, row := range []struct {
		name    string
		ignored bool
	}{
		{"SLABGATE_SERVICE_HOST", true},
		{"SLABGATE_SERVICE_PORT", true},
		{"SLABGATE_SERVICE_PORT_MEMCACHED_TLS", true},
		{"SLABGATE_PORT", true},
		{"SLABGATE_PORT_11212_TCP", true},
		{"SLABGATE_PORT_11212_TCP_PROTO", true},
		{"SLABGATE_PORT_11212_TCP_PORT", true},
		{"SLABGATE_PORT_11212_TCP_ADDR", true},
		{"SLABGATE_METRICS_SERVICE_HOST", true},
		{"SLABGATE_METRICS_PORT_9090_TCP", true},
		{"SLABGATE_PORTS", false},
		{"SLABGATE_PORT_X", false},
		{"SLABGATE_SERVICE", false},
	} {
		_, list := loadText(small, nil, row.name+"=tcp://10.0.0.1:11212")
		if (len(list) == 0) != row.ignored {
			t.Errorf("%s: ignored is %v, want %v: %v", row.name, len(list) == 0, row.ignored, list)
		}
	}
}

// TestEveryKeyCanBeSetByAVariable walks the schema, so that a key which is added
// is settable too.
func TestEveryKeyCanBeSetByAVariable(t *testing.T) {
	c, list := loadText(small, nil)
	if len(list) != 0 {
		t.Fatal(list)
	}
	for _, o := range c.Origins {
		if o.Key == "version" || o.Value == "" || o.Value == "[]" || strings.HasPrefix(o.Key, "audit.sinks") {
			continue
		}
		name := strings.NewReplacer("listeners[0]", "listeners.main", "listeners[1]", "listeners.my_app", "upstreams[0]", "upstreams.local").Replace(o.Key)
		name = envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "__"))
		again, list := loadText(small, nil, name+"="+strings.ReplaceAll(strings.Trim(o.Value, "[]"), ", ", ","))
		if len(list) != 0 {
			t.Errorf("%s=%s: %v", name, o.Value, list)
			continue
		}
		if got, want := origin(again, o.Key), o.Value+" env "+name; got != want {
			t.Errorf("%s: got %s, want %s", o.Key, got, want)
		}
	}
}
