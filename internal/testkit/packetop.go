package testkit

import "fmt"

// Op is an opcode of the binary dialect.
type Op byte

// The opcodes.
const (
	OpGet           Op = 0x00
	OpSet           Op = 0x01
	OpAdd           Op = 0x02
	OpReplace       Op = 0x03
	OpDelete        Op = 0x04
	OpIncrement     Op = 0x05
	OpDecrement     Op = 0x06
	OpQuit          Op = 0x07
	OpFlush         Op = 0x08
	OpGetQ          Op = 0x09
	OpNoop          Op = 0x0a
	OpVersion       Op = 0x0b
	OpGetK          Op = 0x0c
	OpGetKQ         Op = 0x0d
	OpAppend        Op = 0x0e
	OpPrepend       Op = 0x0f
	OpStat          Op = 0x10
	OpSetQ          Op = 0x11
	OpAddQ          Op = 0x12
	OpReplaceQ      Op = 0x13
	OpDeleteQ       Op = 0x14
	OpIncrementQ    Op = 0x15
	OpDecrementQ    Op = 0x16
	OpQuitQ         Op = 0x17
	OpFlushQ        Op = 0x18
	OpAppendQ       Op = 0x19
	OpPrependQ      Op = 0x1a
	OpVerbosity     Op = 0x1b
	OpTouch         Op = 0x1c
	OpGAT           Op = 0x1d
	OpGATQ          Op = 0x1e
	OpSASLListMechs Op = 0x20
	OpSASLAuth      Op = 0x21
	OpSASLStep      Op = 0x22
	OpGATK          Op = 0x23
	OpGATKQ         Op = 0x24
)

// opNames are the opcodes as scripts call them. It is a list, so that a name is
// found by its opcode and the other way round.
var opNames = []struct {
	op   Op
	name string
}{
	{OpGet, "GET"}, {OpSet, "SET"}, {OpAdd, "ADD"}, {OpReplace, "REPLACE"}, {OpDelete, "DELETE"},
	{OpIncrement, "INCREMENT"}, {OpDecrement, "DECREMENT"}, {OpQuit, "QUIT"}, {OpFlush, "FLUSH"},
	{OpGetQ, "GETQ"}, {OpNoop, "NOOP"}, {OpVersion, "VERSION"}, {OpGetK, "GETK"}, {OpGetKQ, "GETKQ"},
	{OpAppend, "APPEND"}, {OpPrepend, "PREPEND"}, {OpStat, "STAT"}, {OpSetQ, "SETQ"}, {OpAddQ, "ADDQ"},
	{OpReplaceQ, "REPLACEQ"}, {OpDeleteQ, "DELETEQ"}, {OpIncrementQ, "INCREMENTQ"},
	{OpDecrementQ, "DECREMENTQ"}, {OpQuitQ, "QUITQ"}, {OpFlushQ, "FLUSHQ"}, {OpAppendQ, "APPENDQ"},
	{OpPrependQ, "PREPENDQ"}, {OpVerbosity, "VERBOSITY"}, {OpTouch, "TOUCH"}, {OpGAT, "GAT"}, {OpGATQ, "GATQ"},
	{OpSASLListMechs, "SASL_LIST_MECHS"}, {OpSASLAuth, "SASL_AUTH"}, {OpSASLStep, "SASL_STEP"},
	{OpGATK, "GATK"}, {OpGATKQ, "GATKQ"},
}

// String returns the opcode's name, or op=0x55 if it has none.
func (o Op) String() string {
	for _, n := range opNames {
		if n.op == o {
			return n.name
		}
	}
	return fmt.Sprintf("op=%#02x", byte(o))
}
