package policy

import "strings"

// glob is a pattern with * for any bytes, none included, and ? for one. It is cut
// at its stars: the pieces must come one after the other, each as early as it can,
// so that no choice is ever taken back. A key costs at most its length times that
// of the longest piece.
type glob struct {
	text   string
	pieces []string // two at least: the first begins the key, and the last ends it
}

// mostStars bounds the stars of a glob.
const mostStars = 8

// newGlob cuts a glob, which has a star.
func newGlob(text string) glob { return glob{text, strings.Split(text, "*")} }

// covers reports whether the whole key fits. It does not allocate.
func (g *glob) covers(key []byte) bool {
	if len(g.pieces) == 1 {
		return len(key) == len(g.text) && fitsPiece(key, g.text)
	}
	first, last := g.pieces[0], g.pieces[len(g.pieces)-1]
	if len(key) < len(first)+len(last) || !fitsPiece(key, first) || !fitsPiece(key[len(key)-len(last):], last) {
		return false
	}
	rest := key[len(first) : len(key)-len(last)]
	for _, piece := range g.pieces[1 : len(g.pieces)-1] {
		at := findPiece(rest, piece)
		if at < 0 {
			return false
		}
		rest = rest[at+len(piece):]
	}
	return true
}

// findPiece returns where piece first fits into key, or -1.
func findPiece(key []byte, piece string) int {
	for at := 0; at+len(piece) <= len(key); at++ {
		if fitsPiece(key[at:], piece) {
			return at
		}
	}
	return -1
}

// fitsPiece reports whether key, which is as long at least, begins with piece.
func fitsPiece(key []byte, piece string) bool {
	for i := range len(piece) {
		if piece[i] != key[i] && piece[i] != '?' {
			return false
		}
	}
	return true
}
