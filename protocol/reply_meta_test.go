package protocol

import (
	"strings"
	"testing"
)

// askedFor is a command of the meta dialect, as a client says it.
func askedFor(t *testing.T, line string) *Command {
	t.Helper()
	t.Helper()
	r, err := ParseLine([]byte(line))
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	c := r.Command(0)
	return &c
}

// metaReplyRow is a reply to a meta command. $O is the opaque that was sent.
type metaReplyRow struct {
	cmd, in string
	want    Reply
	err     error
}

// askingReplies have every flag that tells something.
func askingReplies() []metaReplyRow {
	all := AskFlags | AskCAS | AskHit | AskAccess | AskSize | AskTTL
	return []metaReplyRow{
		{"mg k f c h l s t v", "VA 3 f7 c8 h1 l9 s3 t-1 $O\r\n", value(all, Reply{Size: 3, Flags: 7, CAS: 8, Hit: 1, Access: 9, ItemSize: 3, TTL: -1}), nil},
		{"mg k t s l h c f", "HD f7 c8 h0 l9 s3 t60 $O W\r\n", Reply{Status: StatusOK, Flags: 7, CAS: 8, Access: 9, ItemSize: 3, TTL: 60, Notes: notes("W"), told: all}, nil},
		{"mg k f c h l s t v", "EN $O\r\n", Reply{Status: StatusMiss}, nil},
		{"mg k", "HD $O\r\n", Reply{Status: StatusOK}, nil},
		{"mg k", "HD $O X W\r\n", Reply{Status: StatusOK, Notes: notes("XW")}, nil},
		{"mg k", "HD W $O Z\r\n", Reply{Status: StatusOK, Notes: notes("WZ")}, nil},
		{"mg k t", "HD t4294967235 $O\r\n", Reply{Status: StatusOK, TTL: 4294967235, told: AskTTL}, nil},
		{"mg k t", "HD t-60 $O\r\n", Reply{Status: StatusOK, TTL: -60, told: AskTTL}, nil},
		{"mg k t", "HD t4294967296 $O\r\n", Reply{}, errReplyLine},
		{"mg k t", "HD t $O\r\n", Reply{}, errReplyLine},
		{"mg k t", "HD t- $O\r\n", Reply{}, errReplyLine},
		{"mg k h", "HD h2 $O\r\n", Reply{}, errReplyLine},
		{"mg k h", "HD h $O\r\n", Reply{}, errReplyLine},
		{"mg k l", "HD l4294967295 $O\r\n", Reply{Status: StatusOK, Access: maxU32, told: AskAccess}, nil},
		{"mg k l", "HD l4294967296 $O\r\n", Reply{}, errReplyLine},
		{"mg k l", "HD l-1 $O\r\n", Reply{}, errReplyLine},
		{"mg k s", "HD s4294967296 $O\r\n", Reply{}, errReplyLine},
		{"mg k s", "HD sx $O\r\n", Reply{}, errReplyLine},
		{"ms k 0 c s", "HD c5 $O\r\n", Reply{Status: StatusOK, CAS: 5, told: AskCAS}, nil},
		{"ms k 0 c s", "HD c5 s0 $O\r\n", Reply{Status: StatusOK, CAS: 5, told: AskCAS | AskSize}, nil},
		{"ms k 0 c", "NS c0 $O\r\n", Reply{Status: StatusNotStored, told: AskCAS}, nil},
		{"ms k 0 C1 c", "EX c0 $O\r\n", Reply{Status: StatusExists, told: AskCAS}, nil},
		{"ms k 0 C1 c", "NF c0 $O\r\n", Reply{Status: StatusNotFound, told: AskCAS}, nil},
		{"ms k 0 C1", "NF $O\r\n", Reply{Status: StatusNotFound}, nil},
		{"ma k v t c", "VA 2 t60 c5 $O\r\n17\r\n", Reply{Status: StatusNumber, Number: 17, TTL: 60, CAS: 5, told: AskTTL | AskCAS}, nil},
		{"ma k t c", "HD t60 c5 $O\r\n", Reply{Status: StatusOK, TTL: 60, CAS: 5, told: AskTTL | AskCAS}, nil},
		{"ma k N0", "NS $O\r\n", Reply{Status: StatusNotStored}, nil},
		{"ma k C1", "EX $O\r\n", Reply{Status: StatusExists}, nil},
		{"md k C1", "EX $O\r\n", Reply{Status: StatusExists}, nil},
		{"mg k C1 v", "HD $O\r\n", Reply{Status: StatusOK}, nil},
	}
}

// unfitReplies are of other commands than the one that they answer, or not whole.
func unfitReplies() []metaReplyRow {
	rows := []metaReplyRow{
		{"mg k v", "HD $O\r\n", Reply{}, errReplyKind},
		{"mg k", "VA 1 $O\r\n", Reply{}, errReplyKind},
		{"mg k", "NF $O\r\n", Reply{}, errReplyKind},
		{"ms k 0", "EN $O\r\n", Reply{}, errReplyKind},
		{"ms k 0", "EX $O\r\n", Reply{}, errReplyKind},
		{"ms k 0", "NF $O\r\n", Reply{}, errReplyKind},
		{"ms k 0 c", "HD $O\r\n", Reply{}, errReplyKind},
		{"md k", "EX $O\r\n", Reply{}, errReplyKind},
		{"md k", "NS $O\r\n", Reply{}, errReplyKind},
		{"ma k", "NS $O\r\n", Reply{}, errReplyKind},
		{"ma k v", "HD $O\r\n", Reply{}, errReplyKind},
		{"ma k", "VA 1 $O\r\n1\r\n", Reply{}, errReplyKind},
		{"ma k v c", "VA 1 $O\r\n1\r\n", Reply{}, errReplyKind},
		{"ma k v t", "VA 1 c5 t1 $O\r\n1\r\n", Reply{}, errReplyLine},
		{"ma k", "HD W $O\r\n", Reply{}, errReplyLine},
		{"ms k 0", "HD X $O\r\n", Reply{}, errReplyLine},
		{"md k", "HD Z $O\r\n", Reply{}, errReplyLine},
		{"mg k", "HD Wx $O\r\n", Reply{}, errReplyLine},
		{"mg k", "HD W $O W\r\n", Reply{}, errReplyLine},
		{"mg k", "HD w $O\r\n", Reply{}, errReplyLine},
		{"mg k f c h l s t v k q", "VA 3 f7 c8 h1 l9 s3 t-1 kk $O\r\n", Reply{}, errReplyLine},
		{"mg k Oabc", "HD Oabc $O\r\n", Reply{}, errReplyLine},
		{"mg k Oabc", "HD Oabc\r\n", Reply{}, errReplyLine},
		{"mg azE= b k", "HD b $O\r\n", Reply{}, errReplyLine},
	}
	flags := map[string]string{"f": "f7", "c": "c8", "h": "h1", "l": "l9", "s": "s3", "t": "t-1"}
	for flag, said := range flags {
		left, lacks := strings.ReplaceAll("mg k f c h l s t", " "+flag, ""), "HD $O"
		for other, said := range flags {
			if other != flag {
				lacks += " " + said
			}
		}
		rows = append(rows,
			metaReplyRow{"mg k f c h l s t", lacks + "\r\n", Reply{}, errReplyKind},
			metaReplyRow{left, lacks + " " + said + "\r\n", Reply{}, errReplyLine},
			metaReplyRow{"mg k " + flag, "HD " + said + " " + said + " $O\r\n", Reply{}, errReplyLine})
	}
	return rows
}

// TestMetaRepliesTellWhatWasAsked: a reply tells all that was asked for and
// nothing else.
func TestMetaRepliesTellWhatWasAsked(t *testing.T) {
	for _, row := range append(askingReplies(), unfitReplies()...) {
		in := strings.ReplaceAll(row.in, "$O", "O000000000000002a")
		var r Reply
		n, err := ParseMeta([]byte(in), askedFor(t, row.cmd), 42, &r)
		row.want.Proven = true
		if err != row.err || err == nil && (r != row.want || n != len(in)) {
			t.Errorf("%s: %q gives %+v, %d, %v, want %+v, %v", row.cmd, in, r, n, err, row.want, row.err)
		}
	}
}

// TestChangedMetaReplies changes every byte of a reply, and takes every byte out:
// what is accepted after that never has another's opaque, and no flag that was
// not asked for.
func TestChangedMetaReplies(t *testing.T) {
	for _, row := range askingReplies() {
		if row.err != nil {
			continue
		}
		c, in := askedFor(t, row.cmd), strings.ReplaceAll(row.in, "$O", "O000000000000002a")
		for i := range in {
			changed := []string{in[:i] + in[i+1:]}
			for _, b := range "\x00 \r\nOWkq9-\xff" {
				changed = append(changed, in[:i]+string(b)+in[i+1:], in[:i]+string(b)+in[i:])
			}
			for _, reply := range changed {
				checkChanged(t, c, reply)
			}
		}
	}
}

// checkChanged reads a reply that may be no good.
func checkChanged(t *testing.T, c *Command, in string) {
	t.Helper()
	var r Reply
	n, err := ParseMeta([]byte(in), c, 42, &r)
	if err != nil || codes[r.Status] == "" {
		return
	}
	checkMetaReply(t, []byte(in[:n]), c, 42, &r)
}

// TestAskedAgain: a reply to a command that was asked a second time tells of the
// item as it was at the first.
func TestAskedAgain(t *testing.T) {
	first := Reply{Status: StatusValue, Size: 9, Hit: 0, Access: 60, Notes: notes("W"), TTL: 5, CAS: 1}
	second := Reply{Status: StatusValue, Size: 9, Hit: 1, Access: 0, Notes: notes("Z"), TTL: 4, CAS: 2}
	small := Reply{Status: StatusOK, Hit: 0, Access: 60}
	want := second
	want.Hit, want.Access, want.TTL, want.Notes = 0, 60, 5, notes("W")
	for _, row := range []struct {
		name         string
		first        *Reply
		second, want Reply
	}{
		{"a value was thrown away", &first, second, want},
		{"nothing was asked before", nil, second, second},
		{"the first reply had no value", &small, second, second},
		{"the second failed", &first, Reply{Status: StatusLost}, Reply{Status: StatusLost}},
		{"the second failed with memory", &first, Reply{Status: StatusDropped, Hit: 1}, Reply{Status: StatusDropped, Hit: 1}},
	} {
		got := row.second
		got.AskedAgain(row.first)
		if got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
	}
}
