package doctor

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/host"
)

// needRoot skips what only root can stage.
func needRoot(t *testing.T, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
}

// startGuard starts a process that looks like a slabgate that serves: a shell
// under its name, which ends when the test closes its input. before is what starts
// it. It returns the id of the process.
func startGuard(t *testing.T, env []string, before ...string) int {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	script := `ulimit -c 0; exec -a slabgate "$BASH" -c 'echo ready; read -r _' slabgate run`
	words := append(slices.Clone(before), bash, "-c", script)
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "BASH=" + bash}, env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() // its input is gone, or the context has ended it
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the process said %q, %v", line, err)
	}
	return cmd.Process.Pid
}

// liveVerdicts is what a check says of one process of this machine.
func liveVerdicts(t *testing.T, pid int, judge func(*host.Facts, *host.Process) []Verdict) []Verdict {
	t.Helper()
	f := host.Gather(t.Context(), host.Live(), host.Options{Startup: true})
	p := f.Process(pid)
	if p == nil || !isGuard(p) {
		t.Fatalf("process %d is not seen as a slabgate that serves: %+v", pid, p)
	}
	return judge(f, p)
}

func subjects(list []Verdict) (all []string) {
	for _, v := range list {
		if v.Status == Fail {
			all = append(all, v.Subject)
		}
	}
	return all
}

func TestLiveRootAndNot(t *testing.T) {
	needRoot(t, "setpriv")
	root := subjects(liveVerdicts(t, startGuard(t, nil), judgeServer))
	for _, want := range []string{"root", "capabilities"} {
		if !slices.Contains(root, want) {
			t.Errorf("as root got %v, want %s", root, want)
		}
	}
	if slices.Contains(root, "core") {
		t.Errorf("got %v of a process without core files", root)
	}
	user := subjects(liveVerdicts(t, startGuard(t, nil, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"), judgeServer))
	for _, gone := range []string{"root", "capabilities", "privileges", "core"} {
		if slices.Contains(user, gone) {
			t.Errorf("without privileges got %v", user)
		}
	}
}

func TestLiveSecretInEnvironment(t *testing.T) {
	judge := func(_ *host.Facts, p *host.Process) []Verdict { return judgeSecretsOf(p) }
	got := liveVerdicts(t, startGuard(t, []string{"WEB_PASSWORD=correct-horse", "TLS_KEY_FILE=/etc/key"}), judge)
	if len(got) != 1 || got[0].Status != Fail || got[0].Subject != "environ WEB_PASSWORD" {
		t.Fatalf("got %+v, want the variable", got)
	}
	for _, text := range []string{got[0].Text, got[0].Evidence[0].Text, got[0].Fix.Text} {
		if strings.Contains(text, "correct-horse") {
			t.Errorf("%q tells the secret", text)
		}
	}
	// What it says to do: the same without the secret.
	if after := liveVerdicts(t, startGuard(t, []string{"TLS_KEY_FILE=/etc/key"}), judge); after[0].Status != Pass {
		t.Errorf("got %+v, want the finding gone", after)
	}
}

func TestLiveReadableKey(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "it's a key.pem") // pasted into a shell
	for _, tc := range []struct {
		path string
		mode os.FileMode
	}{{key, 0o644}, {dir, 0o777}} {
		if tc.path == key {
			if err := os.WriteFile(key, []byte("key"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(tc.path, tc.mode); err != nil {
			t.Fatal(err)
		}
	}
	subject := &host.Subject{Path: "/etc/slabgate/slabgate.yaml", ExpectUID: -1, Files: map[string]string{key: "key"}}
	look := func() (found []Verdict) {
		f := host.Gather(t.Context(), host.Live(), host.Options{Startup: true, Subject: subject})
		for _, v := range judgeFilesOf(f) {
			if v.Status == Fail && (v.Subject == key || v.Subject == dir) {
				found = append(found, v)
			}
		}
		return found
	}
	before := look()
	if got := subjects(before); !slices.Contains(got, key) || !slices.Contains(got, dir) {
		t.Fatalf("got %v, want the key and its folder", got)
	}
	for _, v := range before {
		for _, command := range v.Fix.Commands {
			if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", command, err, out)
			}
		}
	}
	if after := look(); len(after) != 0 {
		t.Errorf("after %+v: %+v", before, after)
	}
}
