// Package testkit is what tests of slabgate share: the real memcached under a
// test's control, a scripted memcached that misbehaves on request and refuses
// every line that is not canonical, a model that knows what a client must read
// and makes random pipelines, connections that arrive in pieces, conversations
// read from files, packets of the binary dialect, values that prove whose they
// are, and a check that no goroutine is left.
//
// It knows nothing of slabgate: no package that ships may import it, and it
// imports none of them, so that a mistake cannot hide by being made on both
// sides. It asserts no speed, and it is no memcached: what the fake does not
// need for a proxy's tests it does not do.
package testkit
