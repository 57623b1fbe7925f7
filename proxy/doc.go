// Package proxy is the life of a connection, and the only room that holds a
// client's connection and memcached's together.
//
// A [Server] accepts on its listeners. Each client belongs to one loop (loop.go),
// which serves it as long as it waits for nothing but bytes. Whatever else has to
// wait is done by a goroutine that has the session meanwhile: a handshake, a login,
// a value that is streamed, a client that does not read.
//
//  1. handshake (handshake.go): TLS, under a deadline and a byte budget.
//  2. identify (session.go): what the connection has proven becomes an identity.
//  3. login (login.go): if that is not enough, and the listener takes logins: in
//     lines (login_ascii.go) or in packets (sasl.go). Here the loop takes over.
//  4. read and feed (phase.go, exchange.go): requests are parsed, decided on, and
//     queued.
//  5. lane: the loop sends what all its clients have queued in one batch.
//  6. settle (settle.go): replies are rendered, in the order of the requests.
//  7. flush (phase.go): one write to the client.
//  8. end (end.go): one reason, one log line.
//
// The [exchange] is steps 4 and 6 without any I/O: it is fed bytes and replies,
// and emits commands and bytes. Ending a client's connection is what wakes whoever
// waits for it.
//
// A session takes the [Snapshot] pointer once a turn; a reload swaps it. The
// package reads no file, knows no certificate's file and no configuration key.
package proxy
