package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestParsePattern(t *testing.T) {
	tests := []struct {
		in   string
		want pattern
	}{
		{"*", pattern{patternAll, ""}},
		{"exact:foo", pattern{patternExact, "foo"}},
		{"exact:foo*", pattern{patternExact, "foo*"}},
		{"exact:*", pattern{patternExact, "*"}},
		{"exact:prefix:a", pattern{patternExact, "prefix:a"}},
		{"prefix:foo:", pattern{patternPrefix, "foo:"}},
		{"prefix:foo", pattern{patternPrefix, "foo"}},
		{"prefix:a*b", pattern{patternPrefix, "a*b"}},
		{"prefix:exact:", pattern{patternPrefix, "exact:"}},
		{"foo:*", pattern{patternPrefix, "foo:"}},
		{"f*", pattern{patternPrefix, "f"}},
		{"prefix:\x80\xff", pattern{patternPrefix, "\x80\xff"}},
		{"exact:" + strings.Repeat("k", 250), pattern{patternExact, strings.Repeat("k", 250)}},
	}
	for _, tt := range tests {
		got, fault := parsePattern(tt.in)
		if fault != nil || got != tt.want {
			t.Errorf("parsePattern(%q) = %v, %v, want %v", tt.in, got, fault, tt.want)
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	tests := []struct {
		in        string
		code, fix string // the fix has this in it
	}{
		{"foo", codePattern, `"exact:foo" or "prefix:foo"`},
		{"", codePattern, "exact:"},
		{"Exact:foo", codePattern, "exact:Exact:foo"},
		{"regex:^a$", codePattern, "exact:"},
		{"*foo", codePattern, "exact:"},
		{"f*o", codePattern, "exact:"},
		{"f*o*", codePattern, "glob:f*o*"},
		{"f?o*", codePattern, "glob:f?o*"},
		{"**", codePattern, "glob:**"},
		{"prefix:foo*", codePattern, `"prefix:foo"`},
		{"prefix:*", codePattern, `"prefix:"`},
		{"prefix:", codePattern, `"*"`},
		{"exact:", codePattern, `"*"`},
		{"glob:a*", codePattern, `write "prefix:a"`},
		{"glob:ab", codePattern, `write "exact:ab"`},
		{"glob:*", codePattern, `write "*"`},
		{"glob:a**b", codePattern, "with fewer"},
		{"glob:" + strings.Repeat("a*", 9) + "b", codePattern, "with fewer"},
		{"glob:a *b", codeNoKey, "that byte"},
		{"glob:", codePattern, `write "exact:"`},
		{"exact:a b", codeNoKey, "remove that byte"},
		{"prefix:a\r\n", codeNoKey, "remove that byte"},
		{"prefix:\x00", codeNoKey, "remove that byte"},
		{"a\x7f*", codeNoKey, "remove that byte"},
		{"exact:\x1f", codeNoKey, "remove that byte"},
		{" foo*", codeNoKey, "remove that byte"},
		{"exact:" + strings.Repeat("k", 251), codeNoKey, "shorten"},
		{strings.Repeat("k", 251) + "*", codeNoKey, "shorten"},
	}
	for _, tt := range tests {
		got, fault := parsePattern(tt.in)
		if fault == nil {
			t.Errorf("parsePattern(%q) = %v, want %s", tt.in, got, tt.code)
			continue
		}
		if fault.code != tt.code || !strings.Contains(fault.fix, tt.fix) {
			t.Errorf("parsePattern(%q) = %+v, want code %s and fix %q", tt.in, *fault, tt.code, tt.fix)
		}
	}
}

func TestKeySetCovers(t *testing.T) {
	many := make([]string, 0, 40)
	for i := range 20 {
		many = append(many, fmt.Sprintf("prefix:p%d:", i), fmt.Sprintf("exact:e%d", i))
	}
	tests := []struct {
		patterns []string
		key      string
		want     bool
	}{
		{nil, "a", false},
		{nil, "", false},
		{[]string{"*"}, "a", true},
		{[]string{"*", "exact:b"}, "a", true},
		{[]string{"exact:a"}, "a", true},
		{[]string{"exact:a"}, "A", false},
		{[]string{"exact:a"}, "ab", false},
		{[]string{"exact:ab"}, "a", false},
		{[]string{"prefix:app:"}, "app:", true},
		{[]string{"prefix:app:"}, "app:x", true},
		{[]string{"prefix:app:"}, "app2:x", false},
		{[]string{"prefix:app:"}, "app", false},
		{[]string{"prefix:app:"}, "APP:x", false},
		{[]string{"prefix:app:"}, "xapp:x", false},
		{[]string{"prefix:app"}, "app2:x", true},
		{[]string{"prefix:a:", "prefix:a:b:"}, "a:c", true},
		{[]string{"prefix:a:b:", "exact:a:c"}, "a:c", true},
		{[]string{"prefix:\xff"}, "\xff\xfe", true},
		{[]string{"prefix:\xff"}, "\xfe\xff", false},
		{many, "p0:", true},
		{many, "p19:x", true},
		{many, "p1:x", true},
		{many, "p1x", false},
		{many, "p2", false},
		{many, "o", false},
		{many, "q", false},
		{many, "e7", true},
		{many, "e77", false},
		{many, "", false},
	}
	for _, tt := range tests {
		s := keySetOf(t, tt.patterns)
		if got := s.covers([]byte(tt.key)); got != tt.want {
			t.Errorf("%q covers %q = %v, want %v", tt.patterns, tt.key, got, tt.want)
		}
	}
}

// keySetOf makes a set of patterns that are all right.
func keySetOf(t testing.TB, written []string) keySet {
	t.Helper()
	var list []pattern
	for _, s := range written {
		p, fault := parsePattern(s)
		if fault != nil {
			t.Fatalf("pattern %q %s", s, fault.problem)
		}
		list = append(list, p)
	}
	return newKeySet(list)
}

// TestKeySetAgainstPatterns checks that a set covers what any of its patterns,
// asked one by one, covers: below, at and above the size where it searches.
func TestKeySetAgainstPatterns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func(most int) string {
		b := make([]byte, 1+rnd.IntN(most))
		for i := range b {
			b[i] = "ab:\xff"[rnd.IntN(4)]
		}
		return string(b)
	}
	covered := 0
	for range 3000 {
		var list []pattern
		for range rnd.IntN(30) {
			list = append(list, pattern{patternExact + patternKind(rnd.IntN(2)), word(6)})
		}
		s := newKeySet(list)
		for range 20 {
			key := []byte(word(8))
			want := slices.ContainsFunc(list, func(p pattern) bool { return p.covers(key) })
			if got := s.covers(key); got != want {
				t.Fatalf("%q covers %q = %v, want %v", list, key, got, want)
			}
			if want {
				covered++
			}
		}
		if s.empty() != (len(list) == 0) {
			t.Fatalf("%q empty = %v", list, s.empty())
		}
	}
	if covered < 5000 || covered > 55000 {
		t.Errorf("%d of 60000 keys are covered; the test tries too little", covered)
	}
}

// FuzzPattern checks that a pattern which is accepted covers some key, and that
// a prefix covers exactly the keys that begin with its text.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"*", "exact:a", "prefix:a:", "a:*", "glob:*", "a", "prefix:*"} {
		f.Add(s, "a:b")
	}
	f.Fuzz(func(t *testing.T, s, key string) {
		p, fault := parsePattern(s)
		if fault != nil {
			if fault.code == "" || fault.problem == "" || fault.fix == "" {
				t.Errorf("parsePattern(%q) refuses with %+v", s, *fault)
			}
			return
		}
		set := newKeySet([]pattern{p})
		if !set.covers([]byte(p.text)) || !p.covers([]byte(p.text)) {
			t.Errorf("%q does not cover %q", s, p.text)
		}
		want := p.kind == patternAll || p.text == key || p.kind == patternPrefix && strings.HasPrefix(key, p.text)
		if got := set.covers([]byte(key)); got != want {
			t.Errorf("%q covers %q = %v, want %v", s, key, got, want)
		}
	})
}
