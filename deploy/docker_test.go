package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one line of a Dockerfile, continuations joined.
type instruction struct {
	word string // upper case
	rest string
}

// stages splits a Dockerfile at its FROMs. The first stage holds what stands
// before the first FROM.
func stages(text string) [][]instruction {
	all := [][]instruction{nil}
	var joined string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part, more := strings.CutSuffix(line, `\`)
		joined += part
		if more {
			continue
		}
		word, rest, _ := strings.Cut(joined, " ")
		in := instruction{strings.ToUpper(word), strings.TrimSpace(rest)}
		joined = ""
		if in.word == "FROM" {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], in)
	}
	return all
}

// last is what the last such instruction of a stage says.
func last(stage []instruction, word string) string {
	for _, in := range slices.Backward(stage) {
		if in.word == word {
			return in.rest
		}
	}
	return ""
}

// labels every image carries.
var labels = []string{"title", "description", "source", "version", "revision"}

// nonRoot is a numeric user and group of which neither is 0.
var nonRoot = regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`)

// checkDockerfile finds promises that a Dockerfile breaks.
func checkDockerfile(_ *testing.T, text string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	all := stages(text)
	final := all[len(all)-1]
	if base := last(final, "FROM"); base != "scratch" {
		bad("the image is based on %q, want scratch", base)
	}
	if user := last(final, "USER"); !nonRoot.MatchString(user) {
		bad("USER is %q, want numbers other than 0", user)
	}
	for word, want := range map[string][]string{
		"ENTRYPOINT": {"/slabgate"},
		"CMD":        {"run", "--config", "/etc/slabgate/slabgate.yaml"},
	} {
		var got []string
		if err := json.Unmarshal([]byte(last(final, word)), &got); err != nil || !slices.Equal(got, want) {
			bad("%s is %q, want the list %q", word, last(final, word), want)
		}
	}
	if signal := last(final, "STOPSIGNAL"); signal != "SIGTERM" {
		bad("STOPSIGNAL is %q, want SIGTERM", signal)
	}
	for _, word := range []string{"RUN", "HEALTHCHECK"} { // there is no shell, and no such command yet
		if rest := last(final, word); rest != "" {
			bad("the image has %s %q", word, rest)
		}
	}
	for _, l := range labels {
		if !strings.Contains(last(final, "LABEL"), "org.opencontainers.image."+l+"=") {
			bad("there is no label %s", l)
		}
	}
	if !slices.ContainsFunc(slices.Concat(all[:len(all)-1]...), buildsStatic) {
		bad("no stage builds with CGO_ENABLED=0 and -trimpath")
	}
	return errors.Join(errs...)
}

// buildsStatic reports whether an instruction makes a static binary that does
// not tell where it was built.
func buildsStatic(in instruction) bool {
	return in.word == "RUN" && strings.HasPrefix(in.rest, "CGO_ENABLED=0 ") &&
		strings.Contains(in.rest, "go build ") && strings.Contains(in.rest, " -trimpath ")
}

func TestDockerfile(t *testing.T) {
	text := read(t, "docker/Dockerfile")
	if err := checkDockerfile(t, text); err != nil {
		t.Error(err)
	}
	testBroken(t, text, []broken{
		{"base", "FROM scratch", "FROM debian", "based on"},
		{"root", "USER 65532:65532", "USER 0:65532", "USER is"},
		{"root group", "USER 65532:65532", "USER 65532:0", "USER is"},
		{"named user", "USER 65532:65532", "USER nonroot", "USER is"},
		{"root in the end", "STOPSIGNAL", "USER 0\nSTOPSIGNAL", "USER is"},
		{"shell form", `ENTRYPOINT ["/slabgate"]`, "ENTRYPOINT /slabgate", "ENTRYPOINT is"},
		{"other command", `CMD ["run", `, `CMD ["check", `, "CMD is"},
		{"killed at once", "STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL", "STOPSIGNAL is"},
		{"health", "STOPSIGNAL", "HEALTHCHECK CMD true\nSTOPSIGNAL", "has HEALTHCHECK"},
		{"cgo", "CGO_ENABLED=0", "CGO_ENABLED=1", "CGO_ENABLED=0"},
		{"paths", " -trimpath", "", "-trimpath"},
		{"label", "image.source=", "image.sauce=", "no label source"},
	}, checkDockerfile)
}
