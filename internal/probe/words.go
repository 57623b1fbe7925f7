package probe

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// Opcodes of the binary protocol that are asked.
const (
	opGet     = 0x00
	opNoop    = 0x0a
	opVersion = 0x0b
	opStat    = 0x10
	opMechs   = 0x20
)

// packets are requests of the binary protocol without extras or value, one for
// each key. None that is made here changes anything.
func packets(op byte, keys ...string) (list [][]byte) {
	for _, key := range keys {
		b := make([]byte, header, header+len(key))
		b[0], b[1] = 0x80, op
		binary.BigEndian.PutUint16(b[2:], uint16(len(key)))
		binary.BigEndian.PutUint32(b[8:], uint32(len(key)))
		list = append(list, append(b, key...))
	}
	return list
}

// lines are requests of the text protocol.
func lines(texts ...string) (list [][]byte) {
	for _, text := range texts {
		list = append(list, []byte(text+"\r\n"))
	}
	return list
}

// shortened are the spellings of a word from its first letter up to all but its
// last, each between before and after.
func shortened(before, word, after string) (list []string) {
	for n := 1; n < len(word); n++ {
		list = append(list, before+word[:n]+after)
	}
	return list
}

func itoa(n int) string { return strconv.Itoa(n) }

// plural is a number with its word, which takes an s.
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
