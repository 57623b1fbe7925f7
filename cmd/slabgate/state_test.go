package main

import (
	"os"
	"strings"
	"testing"
)

// stateful is a site with a state folder, which is not there yet.
func stateful(t *testing.T) site {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", "policy: policy.yaml", "policy: policy.yaml\nstate: state")
	return s
}

func TestRunKeepsItsStateInAFile(t *testing.T) {
	s := stateful(t)
	if err := os.Mkdir(s.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := s.start(t)
	st, err := os.Stat(s.path("state/generations"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file of generations: %v, %v, want mode 0600", st, err)
	}
	next := s.start(t) // which takes its place
	next.await(t, "generations file is another process's")
	r.stop(t)
	next.await(t, "generations are written down")
	next.stop(t)
	s.start(t).stop(t)
}

func TestRunRefusesAStateItCannotUse(t *testing.T) {
	s := stateful(t)
	s.call(t, "run", "--allow-root").want(t, exitPermission, "error SG1080", "no such file", "  fix     ")
	if err := os.Mkdir(s.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(t, "state/generations", "")
	s.call(t, "run", "--allow-root").want(t, exitConfig, "error SG1081", "generations:1: ", "  fix     ")
}

func TestRunWithoutStateWritesNone(t *testing.T) {
	s := newSite(t)
	s.start(t).stop(t)
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		if strings.Contains(e.Name(), "generations") {
			t.Errorf("%s was written", e.Name())
		}
	}
	if err != nil || len(entries) == 0 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}
