package deploy_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rotationFile = "systemd/logrotate.d/slabgate"

// checkRotation finds what the rotation and slabgate must agree on.
func checkRotation(t *testing.T, text string) error {
	var errs []error
	for _, line := range []string{
		"su slabgate slabgate", // the folder is slabgate's, and logrotate is root
		"nocreate",             // slabgate does, with the mode it was told
		"delaycompress",        // a line may be written before the signal is heard
		"sharedscripts",        // one signal is enough
		"systemctl kill --signal=USR1 slabgate.service || true",
	} {
		if !strings.Contains(text, "\n    "+line+"\n") && !strings.Contains(text, "\n        "+line+"\n") {
			errs = append(errs, fmt.Errorf("there is no line %q", line))
		}
	}
	for _, file := range []string{"examples/slabgate.yaml", "examples/vm/slabgate.yaml", "examples/migrate-audit/slabgate.yaml"} {
		if !strings.Contains(read(t, file), "file: /var/log/slabgate/audit.jsonl") || !strings.Contains(text, "\n/var/log/slabgate/*.jsonl {\n") {
			errs = append(errs, fmt.Errorf("the record of %s is not rotated", file))
		}
	}
	return errors.Join(errs...)
}

func TestRotation(t *testing.T) {
	text := read(t, rotationFile)
	if err := checkRotation(t, text); err != nil {
		t.Error(err)
	}
	testBroken(t, text, []broken{
		{"no signal", "systemctl kill --signal=USR1", "systemctl reload", "USR1"},
		{"compressed at once", "    delaycompress\n", "", "delaycompress"},
		{"another folder", "/var/log/slabgate/", "/var/log/other/", "is not rotated"},
	}, checkRotation)
}

// TestLogrotateMovesTheRecord runs logrotate on a copy, with a script that leaves a
// file instead of the signal.
func TestLogrotateMovesTheRecord(t *testing.T) {
	asRoot(t) // logrotate trusts no file that others own
	logrotate, dir := tool(t, "logrotate"), t.TempDir()
	record := write(t, filepath.Join(dir, "audit.jsonl"), "{}\n")
	text := replace(t, read(t, rotationFile), "/var/log/slabgate/", dir+"/")
	text = replace(t, text, "su slabgate slabgate", "su root root")
	text = replace(t, text, "systemctl kill --signal=USR1 slabgate.service || true", "touch "+dir+"/signalled")
	conf := write(t, filepath.Join(dir, "logrotate.conf"), text)
	if err := quiet(logrotate, "--force", "--state", filepath.Join(dir, "state"), conf); err != nil {
		t.Fatal(err)
	}
	if got := read(t, record+".1"); got != "{}\n" {
		t.Errorf("the moved record has %q", got)
	}
	if _, err := os.Stat(record); !os.IsNotExist(err) {
		t.Errorf("the record: got %v, want it gone until slabgate makes it", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "signalled")); err != nil {
		t.Errorf("the signal: %v", err)
	}
}
