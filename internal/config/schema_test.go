package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// TestEveryKeyHasARow reads the schema, so that a key cannot be added without a
// broken file that names it. What cannot be wrong alone is let off.
func TestEveryKeyHasARow(t *testing.T) {
	all := &document{Listeners: []listenerDoc{{TLS: &tlsDoc{}}}, Upstreams: make([]upstreamDoc, 1), Audit: auditDoc{Sinks: make([]sinkDoc, 1)}}
	for _, l := range leaves(reflect.ValueOf(all), "") {
		found := false
		for _, row := range brokenFiles {
			key := strings.ReplaceAll(row.want, "[1]", "[0]")
			found = found || strings.Contains(key, " "+l.path)
		}
		if !found {
			t.Errorf("no broken file is about %s", l.path)
		}
	}
}

func TestEveryKeyOfAnotherVersionIsRefused(t *testing.T) {
	for path, what := range laterKeys {
		sentence, ok := settingNotYet(strings.ReplaceAll(path, "[]", "[3]"))
		if !ok || sentence != "this version does not have "+what {
			t.Errorf("%s: got %q, %v", path, sentence, ok)
		}
		segments := strings.Split(strings.ReplaceAll(path, "[]", ""), ".")
		text := segments[len(segments)-1] + ": 1"
		for i := len(segments) - 2; i >= 0; i-- {
			text = "{" + text + "}"
			if strings.Contains(path, segments[i]+"[]") {
				text = "[" + text + "]"
			}
			text = segments[i] + ": " + text
		}
		_, list := loadText(text, nil)
		if len(list) == 0 || list[0].Code != "SG1014" || list[0].Line != 1 {
			t.Errorf("%s: got %v", text, list)
		}
	}
	for _, path := range []string{"", "version", "listeners.sources", "connects", "audit"} {
		if _, ok := settingNotYet(path); ok {
			t.Errorf("%q belongs to another version", path)
		}
	}
}

// TestViperAddsNothing asks the hooks what viper would do without them.
func TestViperAddsNothing(t *testing.T) {
	for _, row := range []struct {
		to    any
		value any
		want  string
	}{
		{duration(0), "30s", "30000000000 <nil>"},
		{duration(0), 5, "<nil> 5 has no unit"},
		{size(0), 5.5, "<nil> 5.5 has no unit"},
		{fileMode(0), true, "<nil> true has no unit"},
		{size(0), "1KiB", "1024 <nil>"},
		{size(0), "1", `0 "1" is not a size`},
		{"", "30s", "30s <nil>"},
		{0, 5, "5 <nil>"},
	} {
		got, err := textHook(nil, reflect.TypeOf(row.to), row.value)
		if v := reflect.ValueOf(got); v.IsValid() && v.CanInt() {
			got = v.Int()
		}
		if s := fmt.Sprint(got, " ", err); s != row.want {
			t.Errorf("%T from %v: got %s, want %s", row.to, row.value, s, row.want)
		}
	}
	list, err := listHook(nil, reflect.TypeFor[[]sinkDoc](), map[string]any{"1": "b", "0": "a", "2": "c"})
	if fmt.Sprint(list, err) != "[a b c] <nil>" {
		t.Errorf("got %v, %v", list, err)
	}
	if same, _ := listHook(nil, reflect.TypeFor[logDoc](), map[string]any{"0": "a"}); fmt.Sprint(same) != "map[0:a]" {
		t.Errorf("got %v", same)
	}
}

func TestPaths(t *testing.T) {
	for _, row := range []struct{ path, parent, viper, nested string }{
		{"log", "", "log", "map[log:1]"},
		{"log.level", "log", "log.level", "map[log:map[level:1]]"},
		{"listeners[0]", "listeners", "listeners.0", "map[listeners:map[0:1]]"},
		{"listeners[12].tls.key", "listeners[12].tls", "listeners.12.tls.key", "map[listeners:map[12:map[tls:map[key:1]]]]"},
	} {
		got := fmt.Sprint(parent(row.path), " ", viperKey(row.path), " ", nest(row.path, 1))
		if want := fmt.Sprint(row.parent, " ", row.viper, " ", row.nested); got != want {
			t.Errorf("%s: got %s, want %s", row.path, got, want)
		}
	}
}

// TestTenListenersKeepTheirOrder is about indexes as keys, of which "10" sorts
// before "2".
func TestTenListenersKeepTheirOrder(t *testing.T) {
	text := "version: 1\npolicy: /p\nupstreams: [{name: u, address: unix:/m}]\nlogins: {ascii: [memcached], users: /u}\nlisteners:\n"
	for i := range 12 {
		text += fmt.Sprintf("- {name: l%d, address: \"unix:/%d\", transport: plaintext}\n", i, i)
	}
	c, list := loadText(text, nil)
	if len(list) != 0 {
		t.Fatal(list)
	}
	for i, l := range c.Listeners {
		if want := fmt.Sprintf("l%d unix:/%d", i, i); l.Name+" "+l.Address != want {
			t.Errorf("listener %d is %s %s", i, l.Name, l.Address)
		}
	}
}

func TestOnlyRegularFilesOfModestSizeAreRead(t *testing.T) {
	dir := t.TempDir()
	pipe, large, fine := filepath.Join(dir, "pipe"), filepath.Join(dir, "large"), filepath.Join(dir, "fine")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes here:", err)
	}
	for path, size := range map[string]int64{large: maxFile + 1, fine: maxFile} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ path, want string }{
		{pipe, "0:0 SG1060"},
		{large, "0:0 SG1060"},
		{dir, "0:0 SG1060"},
		{"/dev/null", "0:0 SG1060"},
		{"", "0:0 SG1001"},
		{fine, ""},
	} {
		data, list := readFile(row.path, settingsFile)
		if got := errorsOf(list); got != row.want || (row.want == "") != (len(data) == maxFile) {
			t.Errorf("%q: got %s and %d bytes, want %s", row.path, got, len(data), row.want)
		}
	}
}
