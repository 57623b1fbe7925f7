package protocol

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// probe is a request that follows the input of every row: whether it is served
// says whether the parser still knows where a request starts.
const probe = "get z\r\n"

// parserRow is one stream of a client and what the parser makes of it.
type parserRow struct {
	in      string
	want    string   // events, separated by "; "; see transcript
	maxItem int      // Parser.MaxItem
	knows   Features // Parser.Knows
	prefix  int      // Parser.Prefix
	maxKey  int      // Parser.MaxKey

	forwards bool // Parser.Forwards
}

// Replies as events, for rows.
const (
	badFormat  = "! CLIENT_ERROR bad command line format"
	badExptime = "! CLIENT_ERROR invalid exptime argument"
	badDelta   = "! CLIENT_ERROR invalid numeric delta argument"
	badChunk   = "! CLIENT_ERROR bad data chunk"
	tooLong    = "! CLIENT_ERROR line too long"
	notServed  = "! CLIENT_ERROR command not supported"
	tooLarge   = "! SERVER_ERROR object too large for cache"
	unknown    = "! ERROR"
	silent     = "! silent"
	closes     = ", closes"
)

// transcript feeds a stream to a parser as a connection does: pieces arrive,
// what is taken leaves the buffer.
type transcript struct {
	parser Parser
	buf    []byte
	events []string
	taken  []byte // every byte taken, in order
	visit  func(*Request)
	refuse func(*Refusal)
	last   error
	done   string // what end returned
}

// arrive hands over one more piece. The buffer is a new one each time, as large
// as it must be, so that reading beyond it or keeping a slice of it shows.
func (tr *transcript) arrive(piece string) {
	tr.buf = append(bytes.Clone(tr.buf), piece...)
	tr.buf = tr.buf[:len(tr.buf):len(tr.buf)]
	for {
		req, n, err := tr.parser.Next(tr.buf)
		tr.take(n)
		tr.last = err
		if err == ErrShort {
			return
		}
		tr.see(req, err)
	}
}

// see makes events of what the parser returned.
func (tr *transcript) see(req *Request, err error) {
	refusal, refused := err.(*Refusal)
	if refused == (req != nil) {
		tr.events = append(tr.events, fmt.Sprintf("BUG: a request %v with the error %v", req, err))
		return
	}
	if refused {
		tr.events = append(tr.events, describeRefusal(refusal))
		if tr.refuse != nil {
			tr.refuse(refusal)
		}
		return
	}
	tr.events = append(tr.events, describe(req))
	if tr.visit != nil {
		tr.visit(req)
	}
}

func (tr *transcript) take(n int) {
	tr.taken = append(tr.taken, tr.buf[:n]...)
	tr.buf = tr.buf[n:]
}

// end returns all events, with one for what is still to come.
func (tr *transcript) end() string {
	switch {
	case tr.done != "":
		return tr.done
	case tr.parser.Owes():
		tr.events = append(tr.events, "owes")
	case len(tr.buf) > 0 && !tr.parser.closed:
		tr.events = append(tr.events, tr.waits())
	}
	tr.done = strings.Join(tr.events, "; ")
	return tr.done
}

// waits says what the parser waits for.
func (tr *transcript) waits() string {
	switch {
	case tr.parser.Dialect == Binary:
		return "waits for a packet"
	case bytes.IndexByte(tr.buf, '\n') >= 0:
		return "waits for a value"
	}
	return "waits for a line"
}

// run feeds the pieces of a row's stream to a new parser.
func run(row parserRow, pieces ...string) *transcript {
	tr := &transcript{parser: Parser{
		MaxItem: row.maxItem, Knows: row.knows, Prefix: row.prefix, MaxKey: row.maxKey, Dialect: dialectOf(row.in), Forwards: row.forwards,
	}}
	for _, piece := range pieces {
		tr.arrive(piece)
	}
	return tr
}

// dialectOf is the dialect of a row, whose stream may begin with any byte if it
// is lines.
func dialectOf(in string) Dialect {
	if in != "" && in[0] == magicRequest {
		return Binary
	}
	return ASCII
}

func describeRefusal(r *Refusal) string {
	s := silent
	if r.Reply != "" {
		s = "! " + strings.TrimSuffix(r.Reply, "\r\n")
	}
	if r.Dialect == Binary && r.Reply != "" {
		s = fmt.Sprintf("! %#02x", packetOf([]byte(r.Reply)).status)
	}
	if r.Close {
		s += closes
	}
	return s
}

// testRows feeds each row's stream, and a request behind it, in one piece.
func testRows(t *testing.T, rows []parserRow) {
	t.Helper()
	for _, row := range rows {
		want := row.want
		closed := strings.HasSuffix(want, closes)
		eaten := strings.HasSuffix(want, "owes") || strings.Contains(want, "waits for")
		if !closed && !eaten {
			want += "; " + probed(row)
		}
		tr := run(row, row.in+probeOf(row))
		if got := tr.end(); got != want {
			t.Errorf("%.200q:\n got  %.400s\n want %.400s", row.in, got, want)
			continue
		}
		if !closed && !eaten && len(tr.buf) > 0 {
			t.Errorf("%.200q: %d bytes were left", row.in, len(tr.buf))
		}
	}
}

// probeOf is the probe in the dialect of a row.
func probeOf(row parserRow) string {
	if dialectOf(row.in) == Binary {
		return string(noop)
	}
	return probe
}

// probed is the event of the probe.
func probed(row parserRow) string {
	if dialectOf(row.in) == Binary {
		return "NOOP"
	}
	return "get z"
}

// allRows is every row of every table.
func allRows() []parserRow {
	var all []parserRow
	for _, rows := range [][]parserRow{
		framingRows(), retrievalRows(), touchRows(), deleteRows(), arithRows(),
		storeRows(), storeNumberRows(), storeSizeRows(), storeNoReplyRows(), valueRows(),
		connRows(), flushRows(), statsRows(), settingsRows(), refusedRows(),
		metaGetRows(), metaSetRows(), metaOtherRows(), metaKeyRows(), metaFlagRows(), packetRows(), hostileRows(), unknownRows(),
	} {
		all = append(all, rows...)
	}
	return all
}
