package policy

import "strings"

// nearest returns the candidate that name was most likely meant to be, or ""
// if none is near. Of two that are equally near the first wins.
func nearest(name string, candidates []string) string {
	best, least := "", 3
	low := strings.ToLower(name)
	for _, c := range candidates {
		if strings.TrimPrefix(c, "@") == low {
			return c
		}
		if d := distance(low, strings.ToLower(c)); d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of bytes to insert, drop or replace to turn a into b.
// It gives up on names that are too long to be one of ours.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var row [longest + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// clip shortens input that is quoted in a finding or an error.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
