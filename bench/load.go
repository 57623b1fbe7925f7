package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// keys is how many keys a run uses; one request in storeEvery stores.
const (
	keys       = 1000
	storeEvery = 10
)

// target is something that speaks memcached's classic dialect.
type target struct {
	name string
	dial func() (net.Conn, error)
}

// measure loads the target for a while and returns its operations a second.
// Every reply is checked.
func (t *target) measure(p plan) (float64, error) {
	words := newWords(p.size)
	clients := make([]*client, p.conns)
	for i := range clients {
		c, err := t.dial()
		if err != nil {
			return 0, err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(p.each + 10*time.Second)); err != nil {
			return 0, err
		}
		clients[i] = &client{Conn: c, r: bufio.NewReaderSize(c, 64<<10), words: words, next: i * 37, plan: p}
	}
	if err := clients[0].fill(); err != nil {
		return 0, err
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	errs := make([]error, p.conns)
	began := time.Now()
	for i, c := range clients {
		wg.Go(func() { errs[i] = c.loop(&stop) })
	}
	time.Sleep(p.each)
	stop.Store(true)
	wg.Wait()
	took := time.Since(began).Seconds()
	total := 0
	for i, c := range clients {
		if errs[i] != nil {
			return 0, errs[i]
		}
		total += c.done
	}
	return float64(total) / took, nil
}

// words are the requests and the replies they must get, by key. All clients share
// them.
type words struct {
	sets, gets, items [keys][]byte
}

func newWords(size int) *words {
	w := new(words)
	for k := range keys {
		value := bytes.Repeat([]byte{byte('a' + k%26)}, size)
		w.sets[k] = fmt.Appendf(nil, "set app:%d 0 0 %d\r\n%s\r\n", k, size, value)
		w.gets[k] = fmt.Appendf(nil, "get app:%d\r\n", k)
		w.items[k] = fmt.Appendf(nil, "VALUE app:%d 0 %d\r\n%s\r\nEND\r\n", k, size, value)
	}
	return w
}

// client is one connection of the load.
type client struct {
	net.Conn
	*words
	r    *bufio.Reader
	out  []byte
	want [][]byte // replies that are owed, in order
	got  []byte
	next int // of the requests, all told
	done int
	plan plan
}

var stored = []byte("STORED\r\n")

// fill stores every key once.
func (c *client) fill() error {
	for k := range keys {
		c.out, c.want = append(c.out, c.sets[k]...), append(c.want, stored)
		if len(c.want) == 50 {
			if err := c.exchange(); err != nil {
				return err
			}
		}
	}
	return c.exchange()
}

func (c *client) loop(stop *atomic.Bool) error {
	for !stop.Load() {
		for range c.plan.pipeline {
			k := c.next % keys
			if c.next++; c.next%storeEvery == 0 {
				c.out, c.want = append(c.out, c.sets[k]...), append(c.want, stored)
			} else {
				c.out, c.want = append(c.out, c.gets[k]...), append(c.want, c.items[k])
			}
		}
		c.done += len(c.want)
		if err := c.exchange(); err != nil {
			return err
		}
	}
	return nil
}

// exchange sends what was queued and reads the replies to it.
func (c *client) exchange() error {
	if _, err := c.Write(c.out); err != nil {
		return err
	}
	for _, want := range c.want {
		c.got = slices.Grow(c.got[:0], len(want))[:len(want)]
		if _, err := io.ReadFull(c.r, c.got); err != nil {
			return err
		}
		if !bytes.Equal(c.got, want) {
			return fmt.Errorf("got %.40q, want %.40q", c.got, want)
		}
	}
	c.out, c.want = c.out[:0], c.want[:0]
	return nil
}
