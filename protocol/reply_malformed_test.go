package protocol

import (
	"strings"
	"testing"
)

// TestMalformedMetaReplies has one row for each way a line can be wrong. $O is
// the opaque that was sent.
func TestMalformedMetaReplies(t *testing.T) {
	for _, row := range []struct {
		verb, in string
		want     error
	}{
		// The opaque.
		{"set", "HD\r\n", errReplyOwner},
		{"set", "HD O000000000000002b\r\n", errReplyOwner},
		{"set", "HD O0000000000000000\r\n", errReplyOwner},
		{"set", "HD O2a\r\n", errReplyLine},
		{"set", "HD O\r\n", errReplyLine},
		{"set", "HD O00000000000002a\r\n", errReplyLine},
		{"set", "HD O0000000000000002a\r\n", errReplyLine},
		{"set", "HD O000000000000002A\r\n", errReplyLine},
		{"set", "HD O000000000000002g\r\n", errReplyLine},
		{"set", "HD o000000000000002a\r\n", errReplyLine},
		{"set", "HD $O $O\r\n", errReplyLine},
		{"set", "HD $O O000000000000002b\r\n", errReplyLine},
		{"set", "HD O000000000000002b $O\r\n", errReplyOwner},
		{"set", "EN\r\n", errReplyKind},
		{"get", "EN \r\n", errReplyLine},
		{"get", "VA 1 f0\r\n", errReplyOwner},

		// Spaces and line ends.
		{"set", "HD  $O\r\n", errReplyLine},
		{"set", "HD $O \r\n", errReplyLine},
		{"set", "HD \r\n", errReplyLine},
		{"set", " HD $O\r\n", errReplyError},
		{"set", "HD\t$O\r\n", errReplyError},
		{"set", "HD $O\n", errReplyLine},
		{"set", "HD $O\r\r\n", errReplyLine},
		{"set", "HD $O\x00\r\n", errReplyLine},
		{"set", "\r\n", errReplyError},
		{"set", "\n", errReplyLine},
		{"set", "\r\nHD $O\r\n", errReplyError},

		// Flags.
		{"set", "HD k $O\r\n", errReplyLine},
		{"set", "HD kk $O\r\n", errReplyLine},
		{"set", "HD b $O\r\n", errReplyLine},
		{"set", "HD s1 $O\r\n", errReplyLine},
		{"set", "HD W $O\r\n", errReplyLine},
		{"set", "HD f0 $O\r\n", errReplyLine},
		{"set", "HD c0 $O\r\n", errReplyLine},
		{"touch", "HD f0 $O\r\n", errReplyLine},
		{"get", "EN c0 $O\r\n", errReplyLine},
		{"delete", "NF c0 $O\r\n", errReplyLine},
		{"SET", "HD $O\r\n", errReplyKind},
		{"TOUCH", "HD f0 $O\r\n", errReplyKind},
		{"set", "HD \xff $O\r\n", errReplyLine},
		{"set", "HD $O $\r\n", errReplyLine},
		{"get", "VA 1 $O\r\n", errReplyKind},
		{"get", "VA 1 f0 c1 $O\r\n", errReplyLine},
		{"get", "VA 1 f0 f0 $O\r\n", errReplyLine},
		{"get", "VA 1 f $O\r\n", errReplyLine},
		{"get", "VA 1 f-1 $O\r\n", errReplyLine},
		{"get", "VA 1 f4294967296 $O\r\n", errReplyLine},
		{"get", "VA 1 f0 W1 $O\r\n", errReplyLine},
		{"get", "VA 1 f0 W W $O\r\n", errReplyLine},
		{"gets", "VA 1 f0 $O\r\n", errReplyKind},
		{"gets", "VA 1 c0 $O\r\n", errReplyKind},
		{"gets", "VA 1 f0 cx $O\r\n", errReplyLine},
		{"gets", "VA 1 f0 c18446744073709551616 $O\r\n", errReplyLine},
		{"incr", "VA 1 f0 $O\r\n1\r\n", errReplyLine},
		{"incr", "VA 1 W $O\r\n1\r\n", errReplyLine},
		{"incr", "VA 1 $O\r\nx\r\n", errReplyLine},
		{"incr", "VA 2 $O\r\n1\r\n\n", errReplyLine},
		{"incr", "VA 2 $O\r\n1 \r\n", errReplyLine},
		{"incr", "VA 1 $O\r\n12\r\n", errReplyLine},
		{"incr", "VA 1 $O\r\n1\n\n", errReplyLine},
		{"incr", "VA 0 $O\r\n\r\n", errReplyLine},
		{"incr", "VA 20 $O\r\n18446744073709551616\r\n", errReplyLine},
		{"incr", "VA 21 $O\r\n", errReplyLine},
		{"incr", "VA 2147483645 $O\r\n", errReplyLine},
		{"INCREMENT", "VA 1 $O\r\n1\r\n", errReplyKind},
		{"ma", "VA 1 $O\r\n1\r\n", errReplyKind},
		{"delete", "HD X $O\r\n", errReplyLine},

		// The size.
		{"get", "VA\r\n", errReplyLine},
		{"get", "VA \r\n", errReplyLine},
		{"get", "VA $O\r\n", errReplyLine},
		{"get", "VA  1 f0 $O\r\n", errReplyLine},
		{"get", "VA -1 f0 $O\r\n", errReplyLine},
		{"get", "VA +1 f0 $O\r\n", errReplyLine},
		{"get", "VA 1x f0 $O\r\n", errReplyLine},
		{"get", "VA f0 1 $O\r\n", errReplyLine},
		{"get", "VA 2147483646 f0 $O\r\n", errReplyLine},
		{"get", "VA 4294967297 f0 $O\r\n", errReplyLine},
		{"get", "VA 18446744073709551617 f0 $O\r\n", errReplyLine},
		{"set", "HD 1 $O\r\n", errReplyLine},

		// Another command's line.
		{"get", "MN\r\n", errReplyError},
		{"get", "MN $O\r\n", errReplyError},
		{"get", "ME k exp=-1 $O\r\n", errReplyError},
		{"get", "HD f0 $O\r\n", errReplyKind},
		{"get", "HD $O\r\n", errReplyKind},
		{"touch", "VA 1 $O\r\n", errReplyKind},
		{"set", "VA 1 $O\r\n", errReplyKind},

		// The bound.
		{"set", "HD" + strings.Repeat(" ", 1274), errReplyLength},
		{"set", strings.Repeat("x", 1274), errReplyLength},
		{"set", strings.Repeat("x", 1272) + "\r\n", errReplyError},
		{"set", strings.Repeat("x", 1273) + "\r\n", errReplyLength},
	} {
		in := strings.ReplaceAll(row.in, "$O", "O000000000000002a")
		var r Reply
		if _, err := ParseMeta([]byte(in), command(row.verb), 42, &r); err != row.want {
			t.Errorf("%s: %.100q gives %v, want %v", row.verb, in, err, row.want)
		}
	}
}
