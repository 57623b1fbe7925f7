package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestSummary(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []string
		want []string
	}{
		{"nothing", nil, []string{"counts 0 0 0"}},
		{"passes", []string{
			`{"Action":"start","Package":"p"}`,
			`{"Action":"run","Package":"p","Test":"TestA"}`,
			`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
			`{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}`,
			`{"Action":"pass","Package":"p","Test":"TestB/sub","Elapsed":0.1}`,
			`{"Action":"pass","Package":"p","Elapsed":1.26}`,
		}, []string{"ok    p 1.3s", "counts 2 0 0"}},
		{"a failed test and its package count once", []string{
			`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: got 1, want 2\n"}`,
			`{"Action":"output","Package":"p","Test":"TestB","Output":"not shown\n"}`,
			`{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA\n"}`,
			`{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0.1}`,
			`{"Action":"pass","Package":"p","Test":"TestB","Elapsed":0.1}`,
			`{"Action":"output","Package":"p","Output":"FAIL\n"}`,
			`{"Action":"fail","Package":"p","Elapsed":0.2}`,
		}, []string{"FAIL  p TestA", "    a_test.go:1: got 1, want 2", "--- FAIL: TestA", "FAIL  p 0.2s", "FAIL  p ", "FAIL", "counts 1 1 0"}},
		{"a package that does not build counts once", []string{
			`{"ImportPath":"p","Action":"build-output","Output":"p/a.go:1:1: undefined: x\n"}`,
			`{"ImportPath":"p","Action":"build-fail"}`,
			`{"Action":"start","Package":"p"}`,
			`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
			`{"Action":"fail","Package":"p","Elapsed":0,"FailedBuild":"p"}`,
		}, []string{"p/a.go:1:1: undefined: x", "FAIL  p 0.0s", "FAIL  p ", "FAIL\tp [build failed]", "counts 0 1 0"}},
		{"a package that ends early counts once", []string{
			`{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}`,
			`{"Action":"output","Package":"p","Output":"panic: test timed out\n"}`,
			`{"Action":"fail","Package":"p","Elapsed":600}`,
		}, []string{"FAIL  p 600.0s", "FAIL  p ", "panic: test timed out", "counts 1 1 0"}},
		{"two packages that fail", []string{
			`{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0}`,
			`{"Action":"fail","Package":"p","Elapsed":0}`,
			`{"Action":"fail","Package":"q","Elapsed":0}`,
		}, []string{"FAIL  p TestA", "FAIL  p 0.0s", "FAIL  p ", "FAIL  q 0.0s", "FAIL  q ", "counts 0 2 0"}},
		{"skips say why", []string{
			`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
			`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: SKIP: x is not installed: apt-get install x\n"}`,
			`{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
			`{"Action":"skip","Package":"p","Test":"TestA","Elapsed":0}`,
			`{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}`,
			`{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:19: only in long mode\n"}`,
			`{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}`,
			`{"Action":"skip","Package":"p","Test":"TestB","Elapsed":0}`,
			`{"Action":"output","Package":"p","Test":"TestC","Output":"--- SKIP: TestC (0.00s)\n"}`,
			`{"Action":"skip","Package":"p","Test":"TestC","Elapsed":0}`,
		}, []string{"SKIP  p TestA: x is not installed: apt-get install x", "SKIP  p TestB: a_test.go:19: only in long mode",
			"SKIP  p TestC: no reason given", "counts 0 0 3"}},
		{"a package without tests is no skip", []string{
			`{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}`,
			`{"Action":"skip","Package":"p","Elapsed":0}`,
		}, []string{"none  p 0.0s", "counts 0 0 0"}},
		{"what is no event is passed on", []string{
			`# p`, `./a.go:1: oops`, `{"Action":"pass","Package":"p","Test":"TestA"}`,
		}, []string{"# p", "./a.go:1: oops", "counts 1 0 0"}},
		{"unknown actions mean nothing", []string{
			`{"Action":"pause","Package":"p","Test":"TestA"}`, `{"Action":"bench","Package":"p","Test":"B"}`, `{}`,
		}, []string{"counts 0 0 0"}},
		{"a long line", []string{
			`{"Action":"output","Package":"p","Test":"T","Output":"` + strings.Repeat("x", 1<<20) + `"}`,
			`{"Action":"pass","Package":"p","Test":"T"}`,
		}, []string{"counts 1 0 0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := run(strings.NewReader(strings.Join(tc.in, "\n")), &out); err != nil {
				t.Fatal(err)
			}
			if got, want := out.String(), strings.Join(tc.want, "\n")+"\n"; got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Input that breaks off is an error, and what was counted is told all the same.
func TestSummaryOfBrokenInput(t *testing.T) {
	const in = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	for name, r := range map[string]io.Reader{
		"read error":      io.MultiReader(strings.NewReader(in), iotest.ErrReader(errors.New("broken pipe"))),
		"too long a line": strings.NewReader(in + strings.Repeat("x", maxLine+1)),
	} {
		var out bytes.Buffer
		if err := run(r, &out); err == nil || !strings.HasSuffix(out.String(), "counts 1 0 0\n") {
			t.Errorf("%s: got %v and %q, want an error and the count", name, err, out.String())
		}
	}
}
