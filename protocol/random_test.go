package protocol

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// randomKeys are keys of every length and of every byte that a key may have.
func randomKeys() [][]byte {
	keys := [][]byte{[]byte("noreply"), []byte("0"), []byte("-1"), []byte("v"), []byte("O0000000000000000"), []byte("END"), []byte("HTTP/1.1")}
	for n := 1; n <= 250; n += 13 {
		keys = append(keys, bytes.Repeat([]byte{'a' + byte(n%26)}, n))
	}
	keys = append(keys, bytes.Repeat([]byte{0xff}, 250))
	for c := 0x21; c < 0x100; c++ {
		if c != 0x7f {
			keys = append(keys, []byte{byte(c)})
		}
	}
	return keys
}

// randomCommand makes any command there is out of any numbers it may have.
func randomCommand(src *rand.Rand, verbs []*Verb, keys [][]byte, knows Features) *Command {
	exptimes := []int32{0, 0, 0, 0, 60, 3600, 2592000, 2592001, -1, 1<<31 - 1, -(1<<31 - 1)}
	numbers := []uint64{0, 1, 7, 1 << 31, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	number := func() uint64 { return numbers[src.IntN(len(numbers))] }
	exptime := func() int32 { return exptimes[src.IntN(len(exptimes))] }
	c := verbs[src.IntN(len(verbs))].Command(keys[src.IntN(len(keys))])
	c.Flags, c.Exptime, c.Delta, c.CAS = uint32(number()), exptime(), number(), number()
	c.Initial, c.NewCAS, c.Vivify, c.Recache = number(), number(), exptime(), exptime()
	randomParts(src, &c, knows)
	if c.Verb.canon.value {
		c.Value = randomValue(src)
	}
	return &c
}

// randomValue is a number, or looks like what stands around values.
func randomValue(src *rand.Rand) []byte {
	if src.IntN(3) == 0 {
		return fmt.Append(nil, src.Uint64()>>src.IntN(64))
	}
	value := make([]byte, src.IntN(300))
	for i := range value {
		value[i] = "\r\nEND 0HDO\x00\xff"[src.IntN(12)]
	}
	return value
}

// partsOf are the parts that a command may have beside those of its row, by
// what puts them there: flags of a meta command, or a packet.
var partsOf = map[string]Part{
	"mg":  HasExptime | HasVivify | HasRecache | HasNewCAS | KeepsPlace,
	"ms":  HasExptime | HasCAS | HasVivify | HasNewCAS | Invalidates,
	"md":  HasExptime | HasCAS | HasNewCAS | Invalidates | DropsValue,
	"ma":  HasExptime | HasCAS | HasDelta | HasVivify | HasInitial | HasNewCAS,
	"SET": HasCAS, "ADD": HasCAS, "REPLACE": HasCAS, "APPEND": HasCAS, "PREPEND": HasCAS, "DELETE": HasCAS,
	"INCREMENT": HasCAS | HasVivify | HasInitial, "DECREMENT": HasCAS | HasVivify | HasInitial,
}

// modesOf are the modes of meta commands that have some.
var modesOf = map[string]string{"ms": "\x00EAPR", "ma": "\x00D"}

// randomParts adds to c what a client may have said beside what the row says.
func randomParts(src *rand.Rand, c *Command, knows Features) {
	unknown := Part(0)
	if knows&FeatureNewCAS == 0 {
		unknown |= HasNewCAS
	}
	if knows&FeatureDrop == 0 {
		unknown |= DropsValue
	}
	name := c.Verb.Name
	some, half := Part(src.Uint32()), Part(src.Uint32())
	c.Has |= some & half & partsOf[name] &^ unknown // a quarter of them
	if c.Verb.word == c.Verb.canon.word {
		c.Ask = Ask(src.Uint32()) & askable(name)
		c.Order = randomOrder(src)
	}
	if modes := modesOf[name]; modes != "" {
		c.Mode = modes[src.IntN(len(modes))]
	}
	if c.Verb.packet.read != nil && c.Verb.canon.value && c.Has&HasCAS != 0 && c.Has&HasExptime != 0 {
		c.Mode = 0 // as readStore has it
	}
	if c.Verb.packet.read != nil && c.Has&(HasVivify|HasInitial) != 0 {
		c.Has |= HasVivify | HasInitial
	}
	if !c.Verb.canon.value && name != "md" {
		c.Flags = 0
	}
}

// randomOrder is an order of the flags that have one, or none.
func randomOrder(src *rand.Rand) [4]byte {
	order := [4]byte{'N', 'R', 'T', 't'}
	if src.IntN(3) == 0 {
		return [4]byte{}
	}
	src.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}
