package config

import "strings"

// maxDistance is how many slips of the finger still make a suggestion.
const maxDistance = 2

// nearest is the word of known that word was most likely meant to be, or ""; at
// least half of it must be there.
// Case and hyphens count for nothing: Max-Connections is max_connections.
func nearest(word string, known []string) string {
	best, found := maxDistance+1, ""
	folded := strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	for _, k := range known {
		if d := distance(folded, k); d < best && 2*d <= len(k) {
			best, found = d, k
		}
	}
	return found
}

// distance is the Damerau-Levenshtein distance of a and b in bytes, where a
// piece of text is not changed twice. Beyond maxDistance it is only known to be
// too far, which keeps a long key from costing more than its length.
func distance(a, b string) int {
	if diff := len(a) - len(b); diff > maxDistance || -diff > maxDistance {
		return maxDistance + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
