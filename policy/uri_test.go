package policy

import (
	"regexp"
	"strings"
	"testing"
)

func TestCheckURI(t *testing.T) {
	tests := []struct {
		pattern string
		want    string // part of the problem; "" if there is none
	}{
		{"spiffe://corp/ns/shop/sa/web", ""},
		{"spiffe://corp", ""},
		{"spiffe://corp/ns/*/sa/web", ""},
		{"spiffe://corp/ns/*/sa/*", ""},
		{"spiffe://corp/ns/shop/**", ""},
		{"spiffe://corp/**", ""},
		{"spiffe://corp/*/**", ""},
		{"spiffe://a.b-c_d.1/Web", ""},
		{"spiffe://corp/a.b/..c", ""},
		{"", "does not begin"},
		{"corp/ns", "does not begin"},
		{"https://corp/ns", "does not begin"},
		{"SPIFFE://corp/ns", "does not begin"},
		{"spiffe:/corp/ns", "does not begin"},
		{"spiffe://", "trust domain"},
		{"spiffe:///ns", "trust domain"},
		{"spiffe://*/ns", "trust domain"},
		{"spiffe://**", "trust domain"},
		{"spiffe://Corp/ns", "trust domain"},
		{"spiffe://corp:443/ns", "trust domain"},
		{"spiffe://me@corp/ns", "trust domain"},
		{"spiffe://" + strings.Repeat("a", 256), "trust domain"},
		{"spiffe://corp/", "segment that no SPIFFE ID"},
		{"spiffe://corp//ns", "segment that no SPIFFE ID"},
		{"spiffe://corp/ns/", "segment that no SPIFFE ID"},
		{"spiffe://corp/./ns", "segment that no SPIFFE ID"},
		{"spiffe://corp/../ns", "segment that no SPIFFE ID"},
		{"spiffe://corp/a%2fb", "segment that no SPIFFE ID"},
		{"spiffe://corp/a b", "segment that no SPIFFE ID"},
		{"spiffe://corp/a?b", "segment that no SPIFFE ID"},
		{"spiffe://corp/a#b", "segment that no SPIFFE ID"},
		{"spiffe://corp/\x00", "segment that no SPIFFE ID"},
		{"spiffe://corp/ns/shop*", "not a whole segment"},
		{"spiffe://corp/ns/*shop", "not a whole segment"},
		{"spiffe://corp/ns/***", "not a whole segment"},
		{"spiffe://corp/**/sa", "before its end"},
		{"spiffe://corp/**/**", "before its end"},
	}
	for _, tt := range tests {
		got := checkURI(tt.pattern)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("checkURI(%q) = %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

func TestMatchURI(t *testing.T) {
	const shop = "spiffe://corp/ns/shop/sa/web"
	tests := []struct {
		pattern, uri string
		want         bool
	}{
		{shop, shop, true},
		{shop, "spiffe://corp/ns/shop/sa/web2", false},
		{shop, "spiffe://corp/ns/shop/sa/we", false},
		{shop, "spiffe://corp/ns/shop/sa/Web", false},
		{shop, "spiffe://corp/ns/shop/sa/web/", false},
		{shop, "spiffe://corp/ns/shop/sa/web/x", false},
		{shop, "spiffe://corp/ns/shop/sa", false},
		{shop, "spiffe://corp2/ns/shop/sa/web", false},
		{shop, "spiffe://CORP/ns/shop/sa/web", false},
		{shop, "https://corp/ns/shop/sa/web", false},
		{shop, "", false},
		{"spiffe://corp/ns/prod", "spiffe://corp/ns/prod-evil", false},
		{"spiffe://corp/ns/prod", "spiffe://corp/ns/prod/evil", false},
		{"spiffe://corp", "spiffe://corp", true},
		{"spiffe://corp", "spiffe://corp/", false},
		{"spiffe://corp", "spiffe://corp/ns", false},
		{"spiffe://corp", "spiffe://corp.evil", false},
		{"spiffe://corp/ns/*/sa/web", shop, true},
		{"spiffe://corp/ns/*/sa/web", "spiffe://corp/ns/shop/eu/sa/web", false},
		{"spiffe://corp/ns/*/sa/web", "spiffe://corp/ns//sa/web", false},
		{"spiffe://corp/ns/*/sa/web", "spiffe://corp/ns/../sa/web", false},
		{"spiffe://corp/ns/*/sa/web", "spiffe://corp/ns/./sa/web", false},
		{"spiffe://corp/ns/*/sa/web", "spiffe://corp/ns/%2e/sa/web", false},
		{"spiffe://corp/ns/*/sa/web", "spiffe://corp/ns/a%2fsa%2fb/sa/web", false},
		{"spiffe://corp/ns/*/sa/web", "spiffe://corp/ns/*/sa/web", false},
		{"spiffe://corp/ns/*", "spiffe://corp/ns/shop", true},
		{"spiffe://corp/ns/*", "spiffe://corp/ns/", false},
		{"spiffe://corp/ns/*", "spiffe://corp/ns", false},
		{"spiffe://corp/ns/*", "spiffe://corp/ns/shop/sa", false},
		{"spiffe://corp/ns/shop/**", shop, true},
		{"spiffe://corp/ns/shop/**", "spiffe://corp/ns/shop/x", true},
		{"spiffe://corp/ns/shop/**", "spiffe://corp/ns/shop", false},
		{"spiffe://corp/ns/shop/**", "spiffe://corp/ns/shop/", false},
		{"spiffe://corp/ns/shop/**", "spiffe://corp/ns/shop2/x", false},
		{"spiffe://corp/ns/shop/**", "spiffe://corp/ns/shop/../blog", false},
		{"spiffe://corp/ns/shop/**", "spiffe://corp/ns/shop/x/", false},
		{"spiffe://corp/ns/shop/**", "spiffe://corp/ns/shop/x?y", false},
		{"spiffe://corp/**", shop, true},
		{"spiffe://corp/**", "spiffe://corp", false},
		{"spiffe://corp/*/**", "spiffe://corp/ns", false},
		{"spiffe://corp/*/**", "spiffe://corp/ns/x", true},
	}
	for _, tt := range tests {
		if problem := checkURI(tt.pattern); problem != "" {
			t.Errorf("pattern %q %s", tt.pattern, problem)
		}
		if got := matchURI(tt.pattern, tt.uri); got != tt.want {
			t.Errorf("matchURI(%q, %q) = %v, want %v", tt.pattern, tt.uri, got, tt.want)
		}
	}
}

// refURI is a URI pattern as a regular expression.
func refURI(pattern string) *regexp.Regexp {
	const segment = `(?:[A-Za-z0-9_-][A-Za-z0-9._-]*|\.[A-Za-z0-9_-][A-Za-z0-9._-]*|\.\.[A-Za-z0-9._-]+)`
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		switch part {
		case "*":
			parts[i] = segment
		case "**":
			parts[i] = segment + `(?:/` + segment + `)*`
		default:
			parts[i] = regexp.QuoteMeta(part)
		}
	}
	return regexp.MustCompile(`\A` + strings.Join(parts, "/") + `\z`)
}

// FuzzURIMatch checks that a pattern that is accepted matches exactly what the
// same pattern as a regular expression does, and nothing with a segment that no
// SPIFFE ID has.
func FuzzURIMatch(f *testing.F) {
	for _, uri := range []string{"spiffe://corp/ns/shop/sa/web", "spiffe://corp", "spiffe://corp/ns/../x", "spiffe://corp/a/"} {
		for _, p := range []string{"spiffe://corp/ns/*/sa/*", "spiffe://corp/**", "spiffe://corp", "spiffe://corp/ns/**"} {
			f.Add(p, uri)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, uri string) {
		if checkURI(pattern) != "" {
			return
		}
		got := matchURI(pattern, uri)
		if want := refURI(pattern).MatchString(uri); got != want {
			t.Errorf("matchURI(%q, %q) = %v, want %v", pattern, uri, got, want)
		}
		if got && checkURI(uri) != "" {
			t.Errorf("matchURI(%q, %q) accepts what is no SPIFFE ID", pattern, uri)
		}
		if !matchURI(pattern, pattern) && !strings.Contains(pattern, "*") {
			t.Errorf("%q does not match itself", pattern)
		}
	})
}

// TestURIMatchAgainstReference tries every pattern of a small alphabet on every
// URI of one.
func TestURIMatchAgainstReference(t *testing.T) {
	parts := []string{"", "/a", "/*", "/**", "/", "/..", "/aa"}
	var paths []string
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				paths = append(paths, spiffeScheme+"td"+a+b+c)
			}
		}
	}
	matched := 0
	for _, pattern := range paths {
		if checkURI(pattern) != "" {
			continue
		}
		ref := refURI(pattern)
		for _, uri := range paths {
			got, want := matchURI(pattern, uri), ref.MatchString(uri)
			if got != want {
				t.Errorf("matchURI(%q, %q) = %v, want %v", pattern, uri, got, want)
			}
			if got {
				matched++
			}
		}
	}
	if matched < 100 {
		t.Errorf("only %d pairs match; the test tries too little", matched)
	}
}

func TestCheckDNS(t *testing.T) {
	tests := []struct {
		pattern string
		want    string
	}{
		{"web.corp", ""},
		{"web", ""},
		{"*.corp", ""},
		{"*.web.corp", ""},
		{"a-b.c_d.1", ""},
		{"", "label"},
		{"*", "label"},
		{"*.", "label"},
		{"*.*.corp", "label"},
		{"web.*", "label"},
		{"w*.corp", "label"},
		{"web..corp", "label"},
		{".corp", "label"},
		{"web.corp.", "label"},
		{"web corp", "label"},
		{"web/corp", "label"},
		{strings.Repeat("a", 64) + ".corp", "label"},
		{"Web.corp", "upper-case"},
		{"*.CORP", "upper-case"},
		{strings.Repeat("a.", 127), "longer"},
	}
	for _, tt := range tests {
		got := checkDNS(tt.pattern)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("checkDNS(%q) = %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

func TestMatchDNS(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"web.corp", "web.corp", true},
		{"web.corp", "web.corp.evil", false},
		{"web.corp", "aweb.corp", false},
		{"web.corp", "a.web.corp", false},
		{"web.corp", "*.corp", false},
		{"web.corp", "", false},
		{"*.corp", "web.corp", true},
		{"*.corp", "corp", false},
		{"*.corp", ".corp", false},
		{"*.corp", "a.web.corp", false},
		{"*.corp", "*.corp", false},
		{"*.corp", "web.corp2", false},
		{"*.corp", "webcorp", false},
		{"*.web.corp", "a.web.corp", true},
		{"*.web.corp", "web.corp", false},
	}
	for _, tt := range tests {
		if got := matchDNS(tt.pattern, tt.name); got != tt.want {
			t.Errorf("matchDNS(%q, %q) = %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}
