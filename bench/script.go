package main

import (
	"bytes"
	"fmt"
)

// storeEvery: one request in so many stores, the others read.
const storeEvery = 10

// scriptBytes bounds the values of a script, so that large ones fit in memory.
const scriptBytes = 4 << 20

// script is an endless conversation: its batches, over and over. Clients start at
// different ones.
type script struct {
	fill    []batch // stores every key; to be played once, first
	batches []batch
}

// newScript composes what a cell asks of a server in a dialect.
func newScript(c *cell, d *dialect) *script {
	keys := min(1000, max(20, scriptBytes/c.size))
	value := func(k int) []byte { return valueOf(k, c.size) }
	s := new(script)
	for k := range keys {
		b := batch{requests: 1}
		d.set(&b, k, value(k))
		s.fill = append(s.fill, b)
	}
	for i := range keys {
		b := batch{requests: c.pipeline}
		for j := range c.pipeline {
			d.request(&b, c, i*c.pipeline+j, keys)
		}
		s.batches = append(s.batches, b)
	}
	return s
}

// request appends the request that has number n of all.
func (d *dialect) request(b *batch, c *cell, n, keys int) {
	value := func(k int) []byte { return valueOf(k, c.size) }
	k := n % keys
	switch {
	case c.keys > 1:
		list := make([]int, c.keys)
		for i := range list {
			list[i] = (n + i) % keys
		}
		d.many(b, list, value)
	case n%storeEvery == storeEvery-1:
		d.set(b, k, value(k))
	default:
		d.get(b, k, value(k))
	}
}

// valueOf is the value of a key. No two keys share one, so that a reply to another
// request is seen.
func valueOf(key, size int) []byte {
	word := fmt.Appendf(nil, "%07d.", key)
	return bytes.Repeat(word, size/len(word)+1)[:size]
}
