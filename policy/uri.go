package policy

import "strings"

const spiffeScheme = "spiffe://"

// checkURI says what is wrong with a URI pattern, or "". A pattern is a SPIFFE
// ID in which * may stand for one whole path segment and ** at the very end for
// one or more.
func checkURI(pattern string) string {
	rest, ok := strings.CutPrefix(pattern, spiffeScheme)
	if !ok {
		return "does not begin with " + spiffeScheme
	}
	segments := strings.Split(rest, "/")
	if !isTrustDomain(segments[0]) {
		return "has no trust domain of lower-case letters, digits, dots, dashes and underscores"
	}
	for i, s := range segments[1:] {
		switch {
		case s == "**" && i < len(segments)-2:
			return "has ** before its end"
		case s == "*", s == "**", isSegment(s):
		case strings.Contains(s, "*"):
			return "has a * that is not a whole segment"
		default:
			return "has a segment that no SPIFFE ID can have"
		}
	}
	return ""
}

// matchURI reports whether a URI, as found in a certificate, fits a pattern
// that [checkURI] accepts. Literal parts are compared byte for byte, and a
// wildcard takes only segments that a SPIFFE ID can have: never an empty one,
// never a dot segment, never anything with an escape in it.
func matchURI(pattern, uri string) bool {
	p, ok := strings.CutPrefix(pattern, spiffeScheme)
	if !ok {
		return false
	}
	u, ok := strings.CutPrefix(uri, spiffeScheme)
	if !ok {
		return false
	}
	pHead, p, pMore := strings.Cut(p, "/")
	uHead, u, uMore := strings.Cut(u, "/")
	if pHead != uHead {
		return false
	}
	for pMore && uMore {
		if p == "**" {
			return areSegments(u)
		}
		pHead, p, pMore = strings.Cut(p, "/")
		uHead, u, uMore = strings.Cut(u, "/")
		if !matchSegment(pHead, uHead) {
			return false
		}
	}
	return pMore == uMore
}

// matchSegment reports whether one path segment fits one of a pattern.
func matchSegment(pattern, segment string) bool {
	if pattern == "*" {
		return isSegment(segment)
	}
	return pattern == segment
}

// areSegments reports whether path is one or more segments.
func areSegments(path string) bool {
	for s := range strings.SplitSeq(path, "/") {
		if !isSegment(s) {
			return false
		}
	}
	return true
}

// isSegment reports whether s can be a path segment of a SPIFFE ID
// (SPIFFE-ID standard, section 2.2).
func isSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if !isWordByte(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

// isTrustDomain reports whether s can be one (SPIFFE-ID standard, section 2.1).
func isTrustDomain(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) && s[i] != '.' || 'A' <= s[i] && s[i] <= 'Z' {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// isWordByte reports whether c is an ASCII letter, a digit, a dash or an
// underscore.
func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// checkDNS says what is wrong with a DNS pattern, or "".
func checkDNS(pattern string) string {
	name := strings.TrimPrefix(pattern, "*.")
	if strings.ToLower(name) != name {
		return "has upper-case letters"
	}
	if len(name) > 253 {
		return "is longer than 253 bytes"
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return "has a label that no DNS name can have"
		}
	}
	return ""
}

// matchDNS reports whether a DNS name, lower case, fits a pattern that
// [checkDNS] accepts: the name itself, or *. and everything but its first label.
func matchDNS(pattern, name string) bool {
	parent, wild := strings.CutPrefix(pattern, "*.")
	if !wild {
		return pattern == name
	}
	label, rest, ok := strings.Cut(name, ".")
	return ok && rest == parent && isLabel(label)
}

// isLabel reports whether s can be one label of a lower-case DNS name.
func isLabel(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) || 'A' <= s[i] && s[i] <= 'Z' {
			return false
		}
	}
	return s != "" && len(s) <= 63
}
