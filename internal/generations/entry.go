package generations

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/protocol"
)

// header is the first line of the file. Another number is another format.
const header = "slabgate generations 1\n"

// entry is what is known of a namespace beyond the life of the process.
type entry struct {
	generation uint64 // 0 if none is known
	due        int64  // of a delayed flush, in milliseconds since 1970; 0 if there is none
	owed       bool   // memcached is still to be told of a flush
}

// words are how the file spells entry.owed.
var words = map[bool]string{false: "told", true: "owed"}

// appendLine appends the entry's line: root, generation, due time, told or owed,
// and the CRC-32 of all that in eight hexadecimal digits.
func (e entry) appendLine(dst []byte, root string) []byte {
	start := len(dst)
	dst = fmt.Appendf(dst, "%s %d %d %s", root, e.generation, e.due, words[e.owed])
	return fmt.Appendf(dst, " %08x\n", crc32.ChecksumIEEE(dst[start:]))
}

// FileError says what is wrong with the file.
type FileError struct {
	Path string
	Line int // from 1; 0 if it is the file as a whole
	Why  string
}

// Error names file, line and fault.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("generations: %s: %s", e.Path, e.Why)
	}
	return fmt.Sprintf("generations: %s:%d: %s", e.Path, e.Line, e.Why)
}

// parseLedger reads a whole file into entries and returns its lines, the first not
// counted. Of a root the last line counts. The error is a [*FileError].
func parseLedger(text string, entries map[string]entry) (lines int, err error) {
	rest, ok := strings.CutPrefix(text, header)
	if !ok {
		return 0, &FileError{Line: 1, Why: fmt.Sprintf("it does not begin with the line %q", strings.TrimSuffix(header, "\n"))}
	}
	for line := range strings.Lines(rest) {
		lines++
		root, e, why := parseLine(line)
		if why != "" {
			return 0, &FileError{Line: lines + 1, Why: why}
		}
		e.generation = max(e.generation, entries[root].generation)
		entries[root] = e
	}
	return lines, nil
}

// parseLine reads one line, or says what is wrong with it.
func parseLine(line string) (root string, e entry, why string) {
	line, whole := strings.CutSuffix(line, "\n")
	at := strings.LastIndexByte(line, ' ')
	switch {
	case !whole:
		return "", e, "the line breaks off"
	case at < 0 || line[at+1:] != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(line[:at]))):
		return "", e, "the line was changed: its checksum is another one's"
	}
	f := strings.Split(line[:at], " ")
	if len(f) != 4 || !protocol.ValidKey([]byte(f[0])) || words[f[3] == words[true]] != f[3] {
		return "", e, "the line has another form"
	}
	generation, ok := parseGeneration(f[1])
	due, _ := strconv.ParseInt(f[2], 10, 64)
	if !ok && f[1] != "0" || due < 0 || strconv.FormatInt(due, 10) != f[2] {
		return "", e, "the line has a number that is none of ours"
	}
	return f[0], entry{generation, due, f[3] == words[true]}, ""
}
