package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// patternKind says how a pattern is compared with a key.
type patternKind uint8

const (
	patternAll    patternKind = iota // every key
	patternExact                     // the key is the text
	patternPrefix                    // the key begins with the text
	patternGlob                      // the key fits the text, in which * and ? stand for others
)

// pattern is one pattern of keys, parsed.
type pattern struct {
	kind patternKind
	text string
}

// patternFault is what is wrong with a pattern as written.
type patternFault struct{ code, problem, fix string }

// parsePattern reads one pattern: exact:TEXT, prefix:TEXT, TEXT*, glob:TEXT or *.
func parsePattern(s string) (pattern, *patternFault) {
	if s == "*" {
		return pattern{kind: patternAll}, nil
	}
	if text, ok := strings.CutPrefix(s, "exact:"); ok {
		return checkedPattern(pattern{patternExact, text})
	}
	if text, ok := strings.CutPrefix(s, "prefix:"); ok {
		if strings.HasSuffix(text, "*") {
			return pattern{}, &patternFault{codePattern, "is a prefix already and ends in *",
				fmt.Sprintf("write %q", "prefix:"+strings.TrimRight(text, "*"))}
		}
		return checkedPattern(pattern{patternPrefix, text})
	}
	if text, ok := strings.CutPrefix(s, "glob:"); ok {
		return parseGlob(text)
	}
	text, ok := strings.CutSuffix(s, "*")
	if !ok {
		return pattern{}, &patternFault{codePattern, "does not say how it is compared",
			fmt.Sprintf("write %q or %q", "exact:"+clip(s), "prefix:"+clip(s))}
	}
	if strings.ContainsAny(text, "*?") {
		return pattern{}, &patternFault{codePattern, "has * or ? before its end",
			fmt.Sprintf("only one * at the end is a wildcard; write %q for others", "glob:"+clip(s))}
	}
	return checkedPattern(pattern{patternPrefix, text})
}

// parseGlob reads what follows glob:. One that says no more than another pattern
// is refused: that one is found faster, and by a reader too.
func parseGlob(text string) (pattern, *patternFault) {
	stars, plain := strings.Count(text, "*"), strings.TrimSuffix(text, "*")
	switch {
	case stars > mostStars || strings.Contains(text, "**"):
		return pattern{}, &patternFault{codePattern, fmt.Sprintf("has more than %d stars, or two of them together", mostStars), "write a glob with fewer"}
	case text == "*":
		return pattern{}, &patternFault{codePattern, "covers every key", `write "*"`}
	case !strings.ContainsAny(plain, "*?"):
		kind := "exact:"
		if stars > 0 {
			kind = "prefix:"
		}
		return pattern{}, &patternFault{codePattern, "needs no glob", fmt.Sprintf("write %q", kind+clip(plain))}
	}
	return checkedPattern(pattern{patternGlob, text})
}

// checkedPattern returns p if some key can be covered by it.
func checkedPattern(p pattern) (pattern, *patternFault) {
	if p.text == "" {
		return p, &patternFault{codePattern, "has no text", `write what the key is, or "*" for every key`}
	}
	if len(p.text) > protocol.MaxKey {
		return p, &patternFault{codeNoKey, fmt.Sprintf("is longer than a key, %d bytes", protocol.MaxKey), "shorten it"}
	}
	for i := range len(p.text) {
		if c := p.text[i]; c <= ' ' || c == 0x7f {
			return p, &patternFault{codeNoKey, fmt.Sprintf("has the byte 0x%02x, which no key has", c), "remove that byte"}
		}
	}
	return p, nil
}

// covers reports whether p covers key.
func (p pattern) covers(key []byte) bool {
	switch p.kind {
	case patternExact:
		return string(key) == p.text
	case patternPrefix:
		return len(key) >= len(p.text) && string(key[:len(p.text)]) == p.text
	case patternGlob:
		g := newGlob(p.text)
		return g.covers(key)
	}
	return true
}

// fewPrefixes is how many prefixes are compared one after the other; more are
// searched. Measured: with more than about eight a search is faster.
const fewPrefixes = 8

// keySet is a set of patterns, ready to be asked for a key. The zero value
// covers no key.
type keySet struct {
	all      bool
	exact    map[string]struct{}
	prefixes []string // sorted, and none is a prefix of another
	globs    []glob
}

// newKeySet makes the set of patterns.
func newKeySet(patterns []pattern) keySet {
	var s keySet
	for _, p := range patterns {
		switch p.kind {
		case patternAll:
			s.all = true
		case patternPrefix:
			s.prefixes = append(s.prefixes, p.text)
		case patternGlob:
			s.globs = append(s.globs, newGlob(p.text))
		case patternExact:
			if s.exact == nil {
				s.exact = make(map[string]struct{})
			}
			s.exact[p.text] = struct{}{}
		}
	}
	s.prefixes = shortest(s.prefixes)
	return s
}

// shortest sorts prefixes and drops every one that another covers. What is
// left is free of prefixes of each other, so the only one that can cover a key
// is the greatest that is not greater than the key.
func shortest(prefixes []string) []string {
	slices.Sort(prefixes)
	kept := prefixes[:0]
	for _, p := range prefixes {
		if len(kept) == 0 || !strings.HasPrefix(p, kept[len(kept)-1]) {
			kept = append(kept, p)
		}
	}
	return kept
}

// covers reports whether a pattern of s covers key. It does not allocate.
func (s *keySet) covers(key []byte) bool {
	if s.all {
		return true
	}
	if _, ok := s.exact[string(key)]; ok {
		return true
	}
	for i := range s.globs {
		if s.globs[i].covers(key) {
			return true
		}
	}
	if len(s.prefixes) <= fewPrefixes {
		for _, p := range s.prefixes {
			if len(key) >= len(p) && string(key[:len(p)]) == p {
				return true
			}
		}
		return false
	}
	return s.search(key)
}

// search is covers for many prefixes.
func (s *keySet) search(key []byte) bool {
	low, high := 0, len(s.prefixes) // prefixes[low-1] <= key < prefixes[high]
	for low < high {
		middle := int(uint(low+high) / 2)
		if s.prefixes[middle] <= string(key) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 {
		return false
	}
	p := s.prefixes[low-1]
	return len(key) >= len(p) && string(key[:len(p)]) == p
}

// empty reports whether s covers no key.
func (s *keySet) empty() bool {
	return !s.all && len(s.exact) == 0 && len(s.prefixes) == 0 && len(s.globs) == 0
}
