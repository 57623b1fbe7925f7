package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/config"
)

// written ends a log and writes out what it holds.
func written(l *logger) {
	go l.ring.run()
	l.ring.close()
}

// TestStuckReaderStopsNothing: what a reader does not take is dropped and said so.
func TestStuckReaderStopsNothing(t *testing.T) {
	in, out := io.Pipe() // nobody reads it yet
	r := newRing(out)
	go r.run()
	const lines = 3 * ringLines
	for i := range lines {
		fmt.Fprintf(r, "line %d\n", i)
	}
	dropped := int(r.dropped.Load())
	if dropped < lines-ringLines-2 {
		t.Errorf("%d of %d lines were dropped, want all but %d", dropped, lines, ringLines)
	}
	read := make(chan string)
	go func() {
		all, err := io.ReadAll(in)
		if err != nil {
			t.Error(err)
		}
		read <- string(all)
	}()
	r.close()
	out.Close()
	if all := <-read; strings.Count(all, "\n") != lines-dropped || !strings.HasPrefix(all, "line 0\nline 1\n") {
		t.Errorf("%d lines were read, want %d, the first first", strings.Count(all, "\n"), lines-dropped)
	}
}

func TestLoggerLevels(t *testing.T) {
	for _, tc := range []struct {
		level string
		want  []string
	}{
		{"debug", []string{"debug", "info", "warn", "error"}},
		{"info", []string{"info", "warn", "error"}},
		{"warn", []string{"warn", "error"}},
		{"error", []string{"error"}},
		{"loud", []string{"info", "warn", "error"}},
	} {
		var w buffer
		l := newLogger(config.Log{Level: tc.level, Format: "json"}, &w)
		l.Debug("a")
		l.Info("b")
		l.Warn("c")
		l.Error("d")
		written(l)
		var got []string
		for line := range strings.Lines(w.String()) {
			var e struct{ Level, Msg string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			got = append(got, e.Level)
		}
		if strings.Join(got, " ") != strings.Join(tc.want, " ") {
			t.Errorf("level %s: got %q, want %q", tc.level, got, tc.want)
		}
	}
}

func TestLoggerFormats(t *testing.T) {
	for _, tc := range []struct {
		format string
		json   bool
	}{
		{"json", true},
		{"text", false},
		{"auto", true}, // no terminal
	} {
		var w buffer
		l := newLogger(config.Log{Level: "info", Format: tc.format}, &w)
		l.Info("ready", zap.Duration("after", 90*time.Second))
		written(l)
		var e struct {
			TS, Msg, After string
		}
		err := json.Unmarshal([]byte(w.String()), &e)
		if tc.json != (err == nil) {
			t.Errorf("%s: got %q, JSON: %v, want JSON: %v", tc.format, w.String(), err == nil, tc.json)
		}
		if _, bad := time.Parse(time.RFC3339Nano, e.TS); tc.json && (bad != nil || e.Msg != "ready" || e.After != "1m30s") {
			t.Errorf("%s: got %+v", tc.format, e)
		}
	}
}

func TestLoggerBoundsLinesAndSaysSo(t *testing.T) {
	var w buffer
	l := newLogger(config.Log{Level: "info", Format: "json"}, &w)
	l.summarise()
	if n := len(l.ring.lines); n != 0 {
		t.Errorf("nothing was kept back, and the log has %d lines", n)
	}
	const extra = 50
	for range 3*logRate + extra { // a second may begin in the middle
		l.Info("session ended")
	}
	l.Warn("login refused") // other words have a count of their own
	l.summarise()
	l.summarise()
	written(l)
	kept := strings.Count(w.String(), "session ended")
	if kept < logRate || kept > 2*logRate {
		t.Errorf("%d equal lines were logged, want %d a second", kept, logRate)
	}
	if strings.Count(w.String(), "login refused") != 1 || strings.Count(w.String(), "lines suppressed") != 1 {
		t.Errorf("want one line of each other kind in:\n%s", w.String())
	}
	var last struct{ Lines int }
	lines := strings.Split(strings.TrimSpace(w.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Lines+kept != 3*logRate+extra {
		t.Errorf("%d lines are logged and %d said to be kept back, want %d together (%v)", kept, last.Lines, 3*logRate+extra, err)
	}
}
