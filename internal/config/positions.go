package config

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/slabgate/slabgate/internal/finding"
)

// Positions knows where in a file each key stands. The zero value knows none.
type Positions struct {
	file string
	sum  string              // SHA-256 of what was read, in hex
	at   map[string]position // by path: identities.web.rules[0].allow[1]
}

// Sum is the SHA-256 of the file as it was read, in hex; "" if it could not be.
func (p Positions) Sum() string { return p.sum }

// position is 1-based; the column counts bytes.
type position struct{ line, col int }

// Place says of each finding where its key stands, and returns the list. A key
// that is not in the file stands where the closest thing around it does. A
// finding that has a line already, or is in another file, keeps them.
func (p Positions) Place(list finding.List) finding.List {
	for i := range list {
		f := &list[i]
		if f.File == "" {
			f.File = p.file
		}
		if f.Line != 0 || f.File != p.file {
			continue
		}
		at := p.closest(f.Key)
		f.Line, f.Col = at.line, at.col
	}
	return list
}

// Where is the place of path as file:line:col, or "" if path is not in the file.
func (p Positions) Where(path string) string {
	at, ok := p.at[path]
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", p.file, at.line, at.col)
}

// closest is the position of path or of its nearest ancestor; the top of the
// file is everyone's.
func (p Positions) closest(path string) position {
	for {
		if at, ok := p.at[path]; ok {
			return at
		}
		if path == "" {
			return position{1, 1}
		}
		path = parent(path)
	}
}

// byteColumn turns a column that counts characters into one that counts bytes.
// A position outside the text, which another idea of what ends a line can
// bring about, stays as it is.
func byteColumn(lines [][]byte, line, col int) int {
	if line < 1 || line > len(lines) {
		return max(col, 1)
	}
	text, at := lines[line-1], 0
	for n := 1; n < col && at < len(text); n++ {
		_, width := utf8.DecodeRune(text[at:])
		at += width
	}
	return at + 1
}

// splitLines are the lines of data, which they point into.
func splitLines(data []byte) [][]byte {
	return bytes.Split(data, []byte("\n"))
}
