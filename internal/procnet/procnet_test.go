package procnet

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", ""},
		{"   0: 0100007F:2BCB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   109        0 4711 1 0000 100 0 0 10 0", "127.0.0.1:11211 0.0.0.0:0 0A 109 4711"},
		{"   1: 0000000000000000FFFF00000100007F:2BCB 0000000000000000FFFF00000100007F:C001 01 0:0 0:0 0 997 0 0 1", "[::ffff:127.0.0.1]:11211 [::ffff:127.0.0.1]:49153 01 997 0"},
		{"   2: 0100007F:2BCB 00000000:0000 0A 0:0 0:0 0 4294967296 0 1", ""},
		{"   2: 0100007F:2BCB 00000000:0000 0A 0:0 0:0 0 1 0 -1", ""},
		{"   2: 0100007F:2BCB0 00000000:0000 0A 0:0 0:0 0 1 0 1", ""},
		{"   2: 01007F:2BCB 00000000:0000 0A 0:0 0:0 0 1 0 1", ""},
		{"   2: 0100007F:2BCB 00000000:0000 0A 0:0 0:0 0 1 0", ""},
		{"", ""},
	} {
		got := ""
		if r, ok := Parse(tc.line); ok {
			got = fmt.Sprint(r.Local, " ", r.Remote, " ", r.State, " ", r.UID, " ", r.Inode)
		}
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.line, got, tc.want)
		}
	}
}

// FuzzAddrPort: what is read can be written as the kernel writes it, and is read the
// same again.
func FuzzAddrPort(f *testing.F) {
	for _, text := range []string{"0100007F:2BCB", "00000000000000000000000001000000:0016", ":0", "01:", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := ParseAddrPort(text)
		if !ok {
			return
		}
		if again, ok := ParseAddrPort(kernelForm(at)); !ok || again != at {
			t.Errorf("%q is %v, and %q is %v", text, at, kernelForm(at), again)
		}
	})
}

func kernelForm(at netip.AddrPort) string {
	raw := at.Addr().AsSlice()
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	return fmt.Sprintf("%X:%04X", raw, at.Port())
}
