// Package probe finds out what a neighbour without rights sees of a memcached, or
// of a slabgate in front of one: it asks over the network as a stranger would, and
// says for each check whether that ended well.
//
// It never writes, never flushes and never logs in: what it can't ask without that
// is reported as not tested. It remembers how many keys it was shown and what they
// look like, and no key or value. It prints nothing, starts no goroutine, and asks
// only the targets it is handed, one after the other.
//
// What is asked is a row of the tables in form.go; what is made of the answers, a
// row of the table in judge.go. A [Report] is written as JSON in the form that
// slabgate doctor reads.
package probe
