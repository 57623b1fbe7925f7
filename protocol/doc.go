// Package protocol reads and writes what memcached and its clients say to each
// other: the classic, meta and binary dialects towards clients; the meta dialect,
// or canonical classic text, towards memcached (doc/protocol.txt and
// doc/protocol-binary.txt in memcached's source).
//
// Bytes from a client become a typed [Request], or a [Refusal] that says what
// to answer. A request is composed anew as [Command]s for memcached: no byte of
// a client's command line is ever copied as framing. Bytes from memcached
// become a [Reply] that must prove which command it answers, and are rendered in
// the client's [Form]. One table, in table.go, defines every command and opcode.
//
// It opens no connection, reads no clock, starts no goroutine, keeps no state
// between requests but what framing needs, and never decides whether a request
// is allowed.
package protocol
