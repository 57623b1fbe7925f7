// Package deploy_test checks what is shipped to run slabgate somewhere: the
// systemd unit, the firewall, the image and the pod. Each promise is a function
// that returns what is wrong, and is shown to fail on a copy that breaks it.
//
// It starts no slabgate and no memcached and needs no docker, cluster or booted
// systemd. It does not load the example configurations: that is tested with the
// command that loads them.
package deploy_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// tool skips the test unless the command name is installed.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIP: %s is not installed", name)
	}
	return path
}

// asRoot skips the test unless it runs as root.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: needs root")
	}
}

// read is the text of a file below this folder.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// write puts text into a file, and returns its path.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// replace puts to where from stands. It fails the test if from is not there,
// since a copy that was not changed would prove nothing.
func replace(t *testing.T, text, from, to string) string {
	t.Helper()
	if !strings.Contains(text, from) {
		t.Fatalf("there is no %q to replace", from)
	}
	return strings.ReplaceAll(text, from, to)
}

// quiet runs a command that has nothing to say if all is well.
func quiet(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		return fmt.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// broken is a copy of a shipped file with a fault that a check must find.
type broken struct {
	name     string
	from, to string
	want     string // part of the error
}

// testBroken runs check on every copy and wants its error.
func testBroken(t *testing.T, text string, rows []broken, check func(t *testing.T, text string) error) {
	t.Helper()
	for _, b := range rows {
		t.Run(b.name, func(t *testing.T) {
			err := check(t, replace(t, text, b.from, b.to))
			if err == nil || !strings.Contains(err.Error(), b.want) {
				t.Errorf("%q for %q: got error %v, want one with %q", b.to, b.from, err, b.want)
			}
		})
	}
}

// decode reads the one YAML document in text into out. A key that out has no
// field for is an error.
func decode(text string, out any) error {
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(out); err != nil {
		return err
	}
	if err := d.Decode(new(yaml.Node)); err != io.EOF {
		return fmt.Errorf("more than one document: %v", err)
	}
	return nil
}

// networkFlags are memcached's options that make it listen on a network.
var networkFlags = []string{"-l", "-p", "-U", "--listen", "--port", "--udp-port"}

// socketOf is the unix socket that memcached listens on with these arguments.
// It is an error if there is none, or if they ask for a network besides.
func socketOf(args []string) (string, error) {
	var socket string
	for i, a := range args {
		for _, flag := range networkFlags {
			if strings.HasPrefix(a, flag) {
				return "", fmt.Errorf("memcached listens on a network: %q", a)
			}
		}
		if a == "-s" && i+1 < len(args) {
			socket = args[i+1]
		}
	}
	if !strings.HasPrefix(socket, "/") {
		return "", fmt.Errorf("memcached has no unix socket: %q", args)
	}
	return socket, nil
}

func TestSocketOf(t *testing.T) {
	const sock = "/run/memcached/mc.sock"
	tests := []struct {
		name string
		args []string
		want string // "" is an error
	}{
		{"socket", []string{"-s", sock, "-a", "0770"}, sock},
		{"pid file", []string{"-P", "/run/x.pid", "-s", sock}, sock},
		{"nothing", nil, ""},
		{"no path", []string{"-m", "64", "-s"}, ""},
		{"relative path", []string{"-s", "mc.sock"}, ""},
		{"address", []string{"-s", sock, "-l", "127.0.0.1"}, ""},
		{"address, joined", []string{"-s", sock, "-l127.0.0.1"}, ""},
		{"address, long", []string{"-s", sock, "--listen=127.0.0.1"}, ""},
		{"port", []string{"-p", "11211", "-s", sock}, ""},
		{"port, long", []string{"--port", "11211", "-s", sock}, ""},
		{"udp", []string{"-s", sock, "-U", "11211"}, ""},
	}
	for _, tt := range tests {
		got, err := socketOf(tt.args)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: socketOf(%q) = %q, %v; want %q", tt.name, tt.args, got, err, tt.want)
		}
	}
}
