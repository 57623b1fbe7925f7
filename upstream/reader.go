package upstream

import "github.com/slabgate/slabgate/protocol"

// part is what a reader takes next.
type part uint8

const (
	partHead    part = iota // the line of a reply
	partValue               // bytes of its value
	partTrailer             // the end of the value
	partProof               // the answer to the command that proves the last replies
)

// reader takes the replies of a round as they come, in any pieces.
type reader struct {
	part   part
	at     int    // flight[at] is answered next
	left   int    // bytes of the value that have not come
	dst    []byte // where they go
	kept   bool   // or else they are thrown away
	proven int    // calls of flight whose reply, up to its value, is proven to be theirs
	bytes  int    // of all values
	paced  int    // of those, when memcached last earned time
}

// read takes what is there of the round's replies. It returns
// [protocol.ErrShort] until all are there and proven.
func (l *Lane) read() error {
	for l.reader.proven < len(l.flight) {
		if err := parts[l.reader.part](l); err != nil {
			return err
		}
	}
	return nil
}

// parts takes each part. [protocol.ErrShort] says that it is not all there.
var parts = [...]func(*Lane) error{
	partHead:    (*Lane).readHead,
	partValue:   (*Lane).readValue,
	partTrailer: (*Lane).readTrailer,
	partProof:   (*Lane).readProof,
}

// call is the one that is answered next.
func (l *Lane) call() (*inFlight, *Call) {
	f := &l.flight[l.reader.at]
	return f, &f.batch.Calls[f.call]
}

// readHead takes the line of a reply. An error line carries no proof of its own:
// the reply after it proves it as well.
func (l *Lane) readHead() error {
	if l.reader.at == len(l.flight) {
		return l.askProof()
	}
	f, call := l.call()
	if err := l.conn.parse(&call.Command, f.opaque, &call.Reply); err != nil {
		return err
	}
	if call.Reply.Status != protocol.StatusValue {
		l.answered(l.conn.proves(&call.Reply))
		return nil
	}
	l.reader.left = call.Reply.Size
	l.reader.dst, l.reader.kept = f.batch.room(f.call, call.Reply.Size)
	l.reader.part = partValue
	return nil
}

// readValue takes bytes of a value, into its batch if that has room for all.
func (l *Lane) readValue() error {
	r, c := &l.reader, l.conn
	piece := c.rbuf[c.r:min(c.w, c.r+r.left)]
	c.r += len(piece)
	if r.kept {
		copy(r.dst, piece)
		r.came(len(piece))
	} else {
		r.left -= len(piece)
	}
	if r.left > 0 {
		return protocol.ErrShort
	}
	r.part = partTrailer
	return nil
}

// rest is where the bytes of a value belong that have not come.
func (r *reader) rest() []byte {
	if r.part != partValue || !r.kept {
		return nil
	}
	return r.dst
}

// came counts bytes that were read to where they belong.
func (r *reader) came(n int) {
	r.dst = r.dst[n:]
	r.left -= n
}

// readTrailer takes the end of a value, which is then whole.
func (l *Lane) readTrailer() error {
	f, call := l.call()
	if err := l.conn.skip(call.Reply.Trailer); err != nil {
		return err
	}
	if l.reader.kept {
		f.batch.keep(f.call, call.Reply.Size)
	} else {
		call.Reply.Status = protocol.StatusDropped
	}
	l.reader.bytes += call.Reply.Size
	if l.reader.bytes-l.reader.paced > paceBytes {
		l.reader.paced = l.reader.bytes
		l.extend()
	}
	l.reader.part = partHead
	l.answered(true)
	return nil
}

// answered goes on to the next call. A proof is one of every reply before it.
func (l *Lane) answered(proof bool) {
	l.reader.at++
	if proof {
		l.reader.proven = l.reader.at
	}
}

// askProof makes sure that memcached owes nothing: what it says next is the answer
// to a command that does nothing.
func (l *Lane) askProof() error {
	l.reader.part = partProof
	l.conn.wbuf = append(l.conn.wbuf, "mn\r\n"...)
	return l.send()
}

func (l *Lane) readProof() error {
	if err := l.conn.skip(protocol.MN); err != nil {
		return err
	}
	l.reader.part = partHead
	l.reader.proven = len(l.flight)
	return nil
}
