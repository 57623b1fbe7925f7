package main

import "time"

// cell is one thing that is measured, for every row that it fits.
type cell struct {
	name     string
	what     string
	conns    int
	pipeline int    // requests in a batch
	size     int    // bytes of a value
	keys     int    // keys of a request, if more than one
	by       figure // what rows are compared by
	open     func(b *bench, c *cell, r *row) (trial, error)
	fits     func(r *row) bool
	once     bool // one round is enough
}

// trial is a cell prepared for one row: it can be run once a round.
type trial interface {
	run(each time.Duration) (outcome, error)
	close()
}

// outcome is what one round of a trial gave.
type outcome struct {
	requests int
	took     time.Duration
	latency  *histogram
	perConn  float64 // KiB
}

// cells are measured in this order. The idle one starts daemons anew, so that it
// is the last.
var cells = []cell{
	{name: "1x1", what: "1 connection, pipeline 1", conns: 1, pipeline: 1, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "16x1", what: "16 connections, pipeline 1", conns: 16, pipeline: 1, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "64x1", what: "64 connections, pipeline 1", conns: 64, pipeline: 1, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "256x1", what: "256 connections, pipeline 1", conns: 256, pipeline: 1, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "1x16", what: "1 connection, pipeline 16", conns: 1, pipeline: 16, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "16x16", what: "16 connections, pipeline 16", conns: 16, pipeline: 16, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "64x16", what: "64 connections, pipeline 16", conns: 64, pipeline: 16, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "256x16", what: "256 connections, pipeline 16", conns: 256, pipeline: 16, size: 100, by: perSecond, open: openLoad, fits: serves},
	{name: "10KB", what: "16 connections, pipeline 1, values of 10 KB", conns: 16, pipeline: 1, size: 10 << 10, by: perSecond, open: openLoad, fits: serves},
	{name: "100KB", what: "16 connections, pipeline 1, values of 100 KB", conns: 16, pipeline: 1, size: 100 << 10, by: perSecond, open: openLoad, fits: serves},
	{name: "multiget", what: "16 connections, each request a read of 50 keys", conns: 16, pipeline: 1, size: 100, keys: 50, by: perSecond, open: openLoad, fits: serves},
	{name: "open", what: "64 connections at a fixed rate, latency from when a request was due", conns: 64, pipeline: 1, size: 100, by: p99, open: openPaced, fits: serves},
	{name: "handshake", what: "new connections: full handshake, login, one request; 16 at once", conns: 16, pipeline: 1, size: 100, by: perSecond, open: openConnects, fits: secured},
	{name: "idle", what: "memory of an idle TLS connection", conns: 16, pipeline: 1, size: 100, by: perConn, open: openIdle, fits: idles, once: true},
}

// serves, secured and idles say which rows a cell is for: those that carry requests,
// those that speak TLS (once each, not again over a unix socket), and those of both.
func serves(r *row) bool  { return !r.connect }
func secured(r *row) bool { return r.tls != nil && !r.full }
func idles(r *row) bool   { return serves(r) && secured(r) }
