package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// sample has a field of every sort that a file may hold.
type sample struct {
	Version int               `yaml:"version"`
	Name    *string           `yaml:"name,omitempty"`
	On      bool              `yaml:"on"`
	Count   uint8             `yaml:"count"`
	Share   float64           `yaml:"share"`
	Wait    time.Duration     `yaml:"wait"`
	Until   time.Time         `yaml:"until"`
	Tags    []string          `yaml:"tags"`
	People  map[string]person `yaml:"people"`
	Words   map[string]string `yaml:"words"`
	Plain   int
	Hidden  int `yaml:"-"`
	Common  `yaml:",inline"`
	private int //lint:ignore U1000 what is not exported is no key
}

// Common is part of sample without a key of its own.
type Common struct {
	Note string `yaml:"note"`
}

type person struct {
	Rules []struct {
		Allow []string `yaml:"allow"`
	} `yaml:"rules"`
	Boss *person `yaml:"boss"`
}

func TestDecodeStrictRefuses(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", "1:1 SG1005"},
		{"# only a comment", "1:1 SG1005"},
		{"[]", "1:1 SG1009"},
		{"text", "1:1 SG1009"},
		{"version: 1\n...\n---\nversion: 2", "3:1 SG1006"},
		{"version: 1\n--- ", "2:1 SG1006"},
		{"version: 1\nversion: 1", "2:1 SG1007 version"},
		{"version: 1\n\"version\": 1", "2:1 SG1007 version"},
		{"Version: 1", "1:1 SG1008 Version"},
		{"VERSION: {}", "1:1 SG1008 VERSION"},
		{"hidden: 1", "1:1 SG1008 hidden"},
		{"private: 1", "1:1 SG1008 private"},
		{"common: {note: x}", "1:1 SG1008 common"},
		{"Plain: 1", "1:1 SG1008 Plain"},
		{"version:", "1:1 SG1010 version"},
		{"name: ~", "1:1 SG1010 name"},
		{"tags: [a, ]", ""},
		{"tags: [a, null]", "1:11 SG1010 tags[1]"},
		{"tags:\n  - a\n  -\n", "3:4 SG1010 tags[1]"},
		{"tags: a", "1:1 SG1009 tags"},
		{"people: [a]", "1:1 SG1009 people"},
		{"people: {web: [a]}", "1:10 SG1009 people.web"},
		{"people: {web: {rules: [{allow: x}]}}", "1:25 SG1009 people.web.rules[0].allow"},
		{"people: {web: {rules: [{allow: [x, {}]}]}}", "1:36 SG1009 people.web.rules[0].allow[1]"},
		{"people: {web: {boss: {boss: {bos: {}}}}}", "1:30 SG1008 people.web.boss.boss.bos"},
		{"people: {web: {}, web: {}}", "1:19 SG1007 people.web"},
		{"people: {web: {}, Web: {}}", ""},
		{"words: {a.b: x, 1: y, \"\": z, yes: no}", ""},
		{"words: {~: x}", "1:9 SG1013 words"},
		{"words: {[a]: x}", "1:9 SG1013 words"},
		{"words: {? {a: b} : x}", "1:11 SG1013 words"},
		{"words: &w {a: x}", "1:1 SG1011 words"},
		{"words: {&k a: x}", "1:9 SG1013 words"},
		{"words: {<<: {a: x}}", "1:9 SG1013 words"},
		{"words: {a: &x y, b: *x}", "1:9 SG1011 words.a; 1:18 SG1011 words.b"},
		{"words: !!map {a: x}", "1:1 SG1011 words"},
		{"name: !!str 1", "1:1 SG1011 name"},
		{"version: 1.0", "1:1 SG1012 version"},
		{"version: '1'", "1:1 SG1012 version"},
		{"version: 0x1", "1:1 SG1012 version"},
		{"version: +1", "1:1 SG1012 version"},
		{"version: 1_0", "1:1 SG1012 version"},
		{"version: one", "1:1 SG1012 version"},
		{"version: {}", "1:1 SG1009 version"},
		{"on: yes", "1:1 SG1012 on"},
		{"on: on", "1:1 SG1012 on"},
		{"on: True", "1:1 SG1012 on"},
		{"on: \"true\"", "1:1 SG1012 on"},
		{"on: 1", "1:1 SG1012 on"},
		{"count: 256", "1:1 SG1012 count"},
		{"count: -1", "1:1 SG1012 count"},
		{"share: .nan", "1:1 SG1012 share"},
		{"share: half", "1:1 SG1012 share"},
		{"wait: 5", "1:1 SG1012 wait"},
		{"wait: 1 s", "1:1 SG1012 wait"},
		{"until: 2027-01-01", "1:1 SG1012 until"},
		{"until: never", "1:1 SG1012 until"},
		{"name: \"\\xff\"", ""},
		{"name: \xff", "1:1 SG1003"},
		{"name: a: b", "1:1 SG1004"},
		{"on: true\nname: [a", "2:1 SG1004"},
		{"on: true\nname: 'a", "2:1 SG1004"},
		{"on: true\n\n  name: a", "3:1 SG1004"},
		{"on: true\nname: *a", "1:1 SG1004"},
		{"on: yes\ncount: x\nverison: 1\ntags: a", "1:1 SG1012 on; 2:1 SG1012 count; 3:1 SG1008 verison; 4:1 SG1009 tags"},
	} {
		var s sample
		_, list := DecodeStrict("f.yaml", []byte(row.text), &s)
		if got := errorsOf(list); got != row.want {
			t.Errorf("%q: got %s, want %s (%v)", row.text, got, row.want, list)
		}
		for _, f := range list {
			if f.File != "f.yaml" || f.Fix == "" || strings.Contains(f.Problem, "!!") && f.Code != "SG1011" {
				t.Errorf("%q: %+v", row.text, f)
			}
		}
	}
}

func TestDecodeStrictReads(t *testing.T) {
	s := sample{Share: 0.5}
	at, list := DecodeStrict("f.yaml", []byte(`version: -3
name: 007
on: true
count: 255
wait: 1m30s
until: 2027-01-01T00:00:00Z
tags: [no, 1e3, "", 'x y']
plain: 4
note: |
  two
  lines
people:
  Web.1: {rules: [{allow: [a, b]}, {allow: []}]}
  web.1: {}
words: {yes: no}
`), &s)
	if len(list) != 0 {
		t.Fatal(list)
	}
	name := "007"
	want := sample{
		Version: -3, Name: &name, On: true, Count: 255, Share: 0.5, Wait: 90 * time.Second, Plain: 4,
		Until:  time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		Tags:   []string{"no", "1e3", "", "x y"},
		Common: Common{Note: "two\nlines\n"},
		Words:  map[string]string{"yes": "no"},
	}
	people := s.People
	s.People = nil
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	if got := fmt.Sprint(len(people), people["Web.1"].Rules, people["Web.1"].Rules[1].Allow == nil); got != "2 [{[a b]} {[]}] false" {
		t.Errorf("people: got %s", got)
	}
	for _, row := range []struct{ key, want string }{
		{"version", "1:1"},
		{"people.Web.1", "13:3"},
		{"people.Web.1.rules", "13:11"},
		{"people.Web.1.rules[0].allow[1]", "13:31"},
		{"people.Web.1.rules[1].allow", "13:37"},
		{"people.Web.1.rules[1].allow[7]", "13:37"},
		{"people.Web.1.rules[1].deny", "13:36"},
		{"people.Web.1.rules[9].deny[0]", "13:11"},
		{"people.web.1.roles", "14:3"},
		{"people.nobody.rules", "12:1"},
		{"elsewhere[1].x", "1:1"},
		{"", "1:1"},
	} {
		f := at.Place(finding.List{{Key: row.key}})[0]
		if got := fmt.Sprintf("%d:%d", f.Line, f.Col); got != row.want || f.File != "f.yaml" {
			t.Errorf("%s: got %s in %s, want %s", row.key, got, f.File, row.want)
		}
	}
}

func TestPlaceKeepsAPlace(t *testing.T) {
	at, _ := DecodeStrict("f.yaml", []byte("\nversion: 1"), new(sample))
	for _, row := range []struct{ in, want finding.Finding }{
		{finding.Finding{Key: "version"}, finding.Finding{Key: "version", File: "f.yaml", Line: 2, Col: 1}},
		{finding.Finding{Key: "version", Line: 7, Col: 3}, finding.Finding{Key: "version", File: "f.yaml", Line: 7, Col: 3}},
		{finding.Finding{Key: "version", File: "other"}, finding.Finding{Key: "version", File: "other"}},
		{finding.Finding{Key: "version", File: "f.yaml"}, finding.Finding{Key: "version", File: "f.yaml", Line: 2, Col: 1}},
	} {
		if got := at.Place(finding.List{row.in})[0]; got != row.want {
			t.Errorf("%+v: got %+v, want %+v", row.in, got, row.want)
		}
	}
}

func TestALongValueIsClipped(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, text := range []string{"on: " + long, long + ": 1", "wait: " + long, "until: " + long} {
		_, list := DecodeStrict("f.yaml", []byte(text), new(sample))
		if len(list) != 1 || len(list[0].String()) > 400 {
			t.Errorf("%.20s: got %v", text, list)
		}
	}
}

func TestColumnsCountBytes(t *testing.T) {
	for _, row := range []struct {
		text      string
		line, col int
		want      int
	}{
		{"abc", 1, 1, 1},
		{"abc", 1, 3, 3},
		{"äbc", 1, 2, 3},
		{"日本x", 1, 3, 7},
		{"abc", 1, 9, 4},
		{"abc", 2, 5, 5},
		{"abc", 0, 0, 1},
		{"a\näö", 2, 2, 3},
	} {
		if got := byteColumn(splitLines([]byte(row.text)), row.line, row.col); got != row.want {
			t.Errorf("%q %d:%d: got %d, want %d", row.text, row.line, row.col, got, row.want)
		}
	}
}
