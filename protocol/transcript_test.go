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
	want    string // events, separated by "; "; see transcript
	maxItem int    // Parser.MaxItem
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
	refuse bool   // refuse each request whose value is not there yet
	visit  func(*Request)
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
		refusal, isRefusal := err.(*Refusal)
		switch {
		case err == nil:
			tr.events = append(tr.events, describe(req))
			if tr.visit != nil {
				tr.visit(req)
			}
		case isRefusal:
			tr.events = append(tr.events, describeRefusal(refusal))
			if req != nil {
				tr.events = append(tr.events, "BUG: a refusal with a request")
			}
		case err == ErrBody && tr.refuse:
			tr.events = append(tr.events, "refused "+string(req.Keys[0]))
			tr.take(tr.parser.Refuse(tr.buf))
		default: // ErrShort, or ErrBody that is waited for
			return
		}
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
	case tr.last == ErrBody:
		tr.events = append(tr.events, "waits for a value")
	case len(tr.buf) > 0 && !tr.parser.closed:
		tr.events = append(tr.events, "waits for a line")
	}
	tr.done = strings.Join(tr.events, "; ")
	return tr.done
}

// run feeds the pieces to a new parser.
func run(maxItem int, pieces ...string) *transcript {
	tr := &transcript{parser: Parser{MaxItem: maxItem}}
	for _, piece := range pieces {
		tr.arrive(piece)
	}
	return tr
}

// describe is a request in one line, written without the package's composers.
func describe(r *Request) string {
	s := r.Verb.word
	keys := string(bytes.Join(r.Keys, []byte(" ")))
	v := r.Verb
	switch v.Name {
	case "get", "gets", "delete":
		s += " " + keys
	case "gat", "gats":
		s += fmt.Sprintf(" %d %s", r.Exptime, keys)
	case "touch":
		s += fmt.Sprintf(" %s %d", keys, r.Exptime)
	case "incr", "decr":
		s += fmt.Sprintf(" %s %d", keys, r.Delta)
	case "set", "add", "replace", "append", "prepend":
		s += fmt.Sprintf(" %s %d %d %d %q", keys, r.Flags, r.Exptime, r.Size(), r.Value)
	case "cas":
		s += fmt.Sprintf(" %s %d %d %d %d %q", keys, r.Flags, r.Exptime, r.Size(), r.CAS, r.Value)
	default:
		if len(r.Args) > 0 {
			s += " " + string(r.Args)
		}
	}
	if r.NoReply {
		s += " noreply"
	}
	return s
}

func describeRefusal(r *Refusal) string {
	s := silent
	if r.Reply != "" {
		s = "! " + strings.TrimSuffix(r.Reply, "\r\n")
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
			want += "; get z"
		}
		tr := run(row.maxItem, row.in+probe)
		if got := tr.end(); got != want {
			t.Errorf("%.200q:\n got  %.400s\n want %.400s", row.in, got, want)
			continue
		}
		if !closed && !eaten && len(tr.buf) > 0 {
			t.Errorf("%.200q: %d bytes were left", row.in, len(tr.buf))
		}
	}
}

// allRows is every row of every table.
func allRows() []parserRow {
	var all []parserRow
	for _, rows := range [][]parserRow{
		framingRows(), retrievalRows(), touchRows(), deleteRows(), arithRows(),
		storeRows(), storeNumberRows(), storeSizeRows(), storeNoReplyRows(), valueRows(),
		connRows(), flushRows(), statsRows(), settingsRows(), refusedRows(), metaRows(),
	} {
		all = append(all, rows...)
	}
	return all
}
