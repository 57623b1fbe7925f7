package testkit

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"strings"
)

// trap stands in front of every padding that has room for it: whoever finds the
// end of a value by looking for a reply's last line finds this instead.
const trap = "\r\nEND\r\n"

// castagnoli is read only.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Value makes a value that says whose it is: "client|key|seq|len|crc32c|" and
// padding up to size bytes. It is longer than size if the header alone is. The
// same arguments make the same bytes; the padding differs with each of them
// and holds line ends. client may not contain '|'; key may hold anything.
func Value(client, key string, seq, size int) []byte {
	if strings.Contains(client, "|") {
		panic(fmt.Sprintf("BUG: testkit: client %q contains '|'", client))
	}
	head := fmt.Sprintf("%s|%s|%d|", client, key, seq)
	const sums = len("12345678|12345678|")
	size = max(size, len(head)+sums)
	head += fmt.Sprintf("%08d|", size)
	pad := padding(size-len(head)-len("12345678|"), crc32.Checksum([]byte(head), castagnoli))
	sum := crc32.Update(crc32.Checksum([]byte(head), castagnoli), castagnoli, pad)
	return append(fmt.Appendf(make([]byte, 0, size), "%s%08x|", head, sum), pad...)
}

// padding returns n bytes that follow from seed, none of them '|', which is
// what ends the header.
func padding(n int, seed uint32) []byte {
	const alphabet = "\r\n 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxy"
	pad := make([]byte, 0, n+8)
	if n >= len(trap) {
		pad = append(pad, trap...)
	}
	for src := rand.NewPCG(uint64(seed), 0); len(pad) < n; {
		for bits, i := src.Uint64(), 0; i < 10; i, bits = i+1, bits>>6 {
			pad = append(pad, alphabet[bits&63])
		}
	}
	return pad[:n]
}

// CheckValue reads back what Value wrote. It returns an error unless data is,
// byte for byte, what Value makes of the client, key, seq and length it names:
// a value that was cut, padded, mixed or flipped anywhere does not pass.
func CheckValue(data []byte) (client, key string, seq int, err error) {
	fail := func(why string) (string, string, int, error) {
		return "", "", 0, fmt.Errorf("testkit: not a whole value, %s: %.64q", why, data)
	}
	fields := strings.Split(string(data), "|")
	if len(fields) < 6 {
		return fail("header is cut")
	}
	// The key may hold '|', so that everything after it is counted from the end.
	tail := len(fields) - 4
	client, key = fields[0], strings.Join(fields[1:tail], "|")
	seq, err = strconv.Atoi(fields[tail])
	if err != nil {
		return fail("seq is no number")
	}
	size, err := strconv.Atoi(fields[tail+1])
	if err != nil || size != len(data) {
		return fail(fmt.Sprintf("length %q is not %d", fields[tail+1], len(data)))
	}
	if !bytes.Equal(data, Value(client, key, seq, size)) {
		return fail("bytes differ from what its header says")
	}
	return client, key, seq, nil
}
