// Package proxy is the life of a connection, and the only room that holds a
// client's connection and memcached's together.
//
// A [Server] accepts on its listeners. Each client has one goroutine, started by
// the accept loop and waited for by Serve, which does everything for it in turn:
//
//  1. handshake (handshake.go): TLS, under a deadline and a byte budget.
//  2. identify (session.go): what the connection has proven becomes an identity.
//  3. login (login.go): if that is not enough, and the listener takes logins: in
//     lines (login_ascii.go) or in packets (sasl.go).
//  4. feed (exchange.go): requests are parsed, decided on, and queued.
//  5. turn (relay.go): what is queued goes to memcached in one batch.
//  6. settle (settle.go): replies are rendered, in the order of the requests.
//  7. flush (relay.go): one write to the client.
//  8. end (end.go): one reason, one log line.
//
// The [exchange] is steps 4 and 6 without any I/O: it is fed bytes and replies,
// and emits commands and bytes. Closing a connection is what wakes a session
// that reads from it.
//
// A session takes the [Snapshot] pointer once a turn; a reload swaps it. The
// package reads no file, knows no certificate's file and no configuration key.
package proxy
