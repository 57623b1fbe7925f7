package protocol

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// corpus is every stream of the tables, and some that hold many requests.
func corpus() []parserRow {
	rows := allRows()
	var all, packets strings.Builder
	for _, row := range rows {
		// What closes or waits would end the stream early.
		if len(row.in) < 300 && row.maxItem == 0 && !strings.HasSuffix(row.want, closes) &&
			!strings.Contains(row.want, "waits") && !strings.Contains(row.want, "owes") && row.knows == 0 {
			[...]*strings.Builder{&all, &packets}[dialectOf(row.in)].WriteString(row.in)
		}
	}
	return append(rows, parserRow{in: all.String()}, parserRow{in: packets.String()})
}

// splits are the points at which a stream is cut: every one of a short stream,
// and of a long one those near its ends and near each line end.
func splits(in string) []int {
	var at []int
	for i := 1; i < len(in); i++ {
		near := i < 30 || len(in)-i < 30
		if len(in) > 2100 && len(in) < 3000 {
			near = near || i > 2040 && i < 2056
		}
		if len(in) > 100_000 && i > 20 {
			near = len(in)-i < 4 || len(in)-i == len(probe)+1
		}
		if len(in) < 400 || near || len(in) < 100_000 && strings.Contains(in[i-1:min(i+2, len(in))], "\n") {
			at = append(at, i)
		}
	}
	return at
}

// same reports how two transcripts of one stream differ, or "".
func same(one, other *transcript) string {
	a, b := one.end(), other.end()
	switch {
	case a != b:
		return fmt.Sprintf("events\n %.300s\n %.300s", a, b)
	case !bytes.Equal(one.taken, other.taken):
		return fmt.Sprintf("taken %d and %d bytes", len(one.taken), len(other.taken))
	}
	return ""
}

// TestEverySplitIsTheSame cuts every stream at every point: how the bytes arrive
// does not change what is read from them.
func TestEverySplitIsTheSame(t *testing.T) {
	for _, row := range corpus() {
		in := row.in + probeOf(row)
		whole := run(row, in)
		for _, at := range splits(in) {
			if diff := same(whole, run(row, in[:at], in[at:])); diff != "" {
				t.Errorf("%.100q cut at %d: %s", in, at, diff)
				break
			}
		}
	}
}

// TestByteByByteIsTheSame feeds every stream one byte at a time.
func TestByteByByteIsTheSame(t *testing.T) {
	for _, row := range corpus() {
		if len(row.in) > 10_000 {
			continue // cut in larger pieces by TestPiecesAreTheSame
		}
		in := row.in + probeOf(row)
		if diff := same(run(row, in), run(row, strings.Split(in, "")...)); diff != "" {
			t.Errorf("%.100q byte by byte: %s", in, diff)
		}
	}
}

// TestPiecesAreTheSame feeds every stream in pieces of one size.
func TestPiecesAreTheSame(t *testing.T) {
	for _, size := range []int{2, 3, 7, 1000, 4096} {
		for _, row := range corpus() {
			in := row.in + probeOf(row)
			if len(in)/size > 1000 || len(in) > 100_000 && size < 4096 {
				continue
			}
			if diff := same(run(row, in), run(row, pieces(in, size)...)); diff != "" {
				t.Errorf("%.100q in pieces of %d: %s", in, size, diff)
			}
		}
	}
}

// pieces cuts in into pieces of size bytes.
func pieces(in string, size int) []string {
	var out []string
	for len(in) > size {
		out, in = append(out, in[:size]), in[size:]
	}
	return append(out, in)
}

// TestUnwantedValueEndsAtTheSameByte wants no value, at every split point: the
// request behind it is always found.
func TestUnwantedValueEndsAtTheSameByte(t *testing.T) {
	row := parserRow{in: "get a\r\nset b 0 0 12\r\nEND\r\nget b\r\n\r\nset c 0 0 1 noreply\nx\r\nms d 7\r\nget pwn\r\nget e\r\n"}
	want := run(row, row.in).end()
	values := strings.NewReplacer(
		`unwanted set b 0 0 12 ""`, `set b 0 0 12 "END\r\nget b\r\n"`,
		`unwanted set c 0 0 1 "" noreply`, `set c 0 0 1 "x" noreply`,
		`unwanted ms d 7 ""`, `ms d 7 "get pwn"`,
	)
	for at := 1; at < len(row.in); at++ {
		tr := &transcript{parser: Parser{Wanted: wantsNothing}}
		tr.arrive(row.in[:at])
		tr.arrive(row.in[at:])
		if string(tr.taken) != row.in {
			t.Errorf("cut at %d: took %q", at, tr.taken)
		}
		if got := values.Replace(tr.end()); got != want {
			t.Errorf("cut at %d:\n got  %s\n want %s", at, got, want)
		}
	}
}

// wantsNothing as Parser.Wanted waits for no value.
func wantsNothing(*Request) bool { return false }

// TestTakenBytesAreThePrefix holds for every stream that what was taken is what
// came, in order.
func TestTakenBytesAreThePrefix(t *testing.T) {
	for _, row := range corpus() {
		tr := run(row, pieces(row.in, 1+len(row.in)/2)...)
		if !strings.HasPrefix(row.in, string(tr.taken)) {
			t.Errorf("%.100q: took %.100q", row.in, tr.taken)
		}
	}
}
