package docs_test

import (
	"encoding/json"
	"regexp"
	"testing"
)

// origin is where a value came from, as check prints it.
type origin struct{ Key, Value, Source string }

// origins are the values of a slabgate.yaml, its path from this folder.
func origins(t *testing.T, path string) []origin {
	t.Helper()
	r := run(t, ".", "check", "--config", path, "--show-origin", "--output", "json")
	var report struct{ Origins []origin }
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || len(report.Origins) == 0 {
		t.Fatalf("check %s: %v, %s%s", path, err, r.out, r.err)
	}
	return report.Origins
}

// least are files that say as little as they can, in the two ways there are. A
// key that no default can stand in for is in both.
var least = []string{`
version: 1
listeners: [{name: main, address: ":11212", tls: {bundle: bundle.pem, client_ca: ca.pem}}]
upstreams: [{name: local, address: "unix:/run/memcached/memcached.sock"}]
policy: policy.yaml
audit: {sinks: [{file: audit.jsonl}]}
`, `
version: 1
listeners: [{name: main, address: ":11212", tls: {cert: cert.pem, key: key.pem, client_auth: none}}]
upstreams: [{name: local, address: "unix:/run/memcached/memcached.sock"}]
policy: policy.yaml
audit: {sinks: [{syslog: local}]}
`}

// entry is what a page says of a key.
type entry struct{ kind, value, change string }

var index = regexp.MustCompile(`\[\d+\]`)

// defaultsOf are the defaults of every key, or required.
func defaultsOf(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, o := range origins(t, "../deploy/examples/slabgate.yaml") {
		all[index.ReplaceAllString(o.Key, "[]")] = "required"
	}
	for _, text := range least {
		dir := t.TempDir()
		write(t, dir, "slabgate.yaml", text)
		for _, o := range origins(t, dir+"/slabgate.yaml") {
			if o.Source != "default" {
				continue
			}
			if o.Value == "" {
				o.Value = "none"
			}
			all[index.ReplaceAllString(o.Key, "[]")] = o.Value
		}
	}
	return all
}

// pageEntries are the keys of configuration.md.
func pageEntries(t *testing.T) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	for _, r := range rows(read(t, "configuration.md")) {
		if len(r) != 5 || len(spans(r[0])) != 1 {
			continue
		}
		value := r[2]
		if s := spans(value); len(s) == 1 {
			value = s[0]
		}
		all[spans(r[0])[0]] = entry{r[1], value, r[3]}
	}
	return all
}

var manKey = regexp.MustCompile(`(?m)^\.It Sy (\S+)\n\((\w+), (default (?:\[.*\]|\S+)|no default|required), (\w+)\)$`)

// manEntries are the keys of slabgate.yaml.5.
func manEntries(t *testing.T) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	for _, m := range manKey.FindAllStringSubmatch(read(t, "man/slabgate.yaml.5"), -1) {
		value := m[3]
		if value == "no default" {
			value = "none"
		}
		if len(value) > 8 && value[:8] == "default " {
			value = value[8:]
		}
		all[m[1]] = entry{m[2], value, m[4]}
	}
	return all
}

// TestKeys compares both descriptions of slabgate.yaml with what it takes, and
// with each other.
func TestKeys(t *testing.T) {
	want := defaultsOf(t)
	if len(want) < 40 {
		t.Fatalf("only %d keys were found: check is not read right", len(want))
	}
	page, man := pageEntries(t), manEntries(t)
	for key, value := range want {
		p, ok := page[key]
		if !ok {
			t.Errorf("configuration.md: %s is missing", key)
		} else if p.value != value {
			t.Errorf("configuration.md: %s: default %q, want %q", key, p.value, value)
		}
		if m, ok := man[key]; !ok {
			t.Errorf("slabgate.yaml.5: %s is missing", key)
		} else if m != p {
			t.Errorf("slabgate.yaml.5: %s: %q, but configuration.md has %q", key, m, p)
		}
	}
	for name, entries := range map[string]map[string]entry{"configuration.md": page, "slabgate.yaml.5": man} {
		for key := range entries {
			if _, ok := want[key]; !ok {
				t.Errorf("%s: there is no key %s", name, key)
			}
		}
	}
}
