package proxy

import "time"

// ListenerConfig says where clients come in. What TLS it does is decided by the
// [Snapshot], which a reload replaces.
type ListenerConfig struct {
	Name           string
	Address        string // "127.0.0.1:11212", ":11212", "[::1]:11212", "unix:/path?mode=0660&group=www-data" or "systemd:name"
	ReusePort      bool   // other processes may bind the address as well; TCP only
	Transport      string // tls or plaintext
	MaxConnections int
	ASCIILogin     bool     // the first set of a connection may be a login: its value is "user password"
	KeyValueLogin  bool     // the same, in another form: its key is the user, its value the password
	SASL           []string // mechanisms of the binary dialect's logins
	PlainInClear   bool     // PLAIN is good without TLS, too
}

// Limits bound what a client may make slabgate hold or wait for.
type Limits struct {
	LoginTimeout       time.Duration // from accept to authenticated, TLS included
	HandshakeTimeout   time.Duration // the TLS part of it
	MaxUnauthenticated int           // connections of one listener that are not authenticated yet
	MaxPerSource       int           // the same from one address (an IPv6 /64 counts as one); others wait in line
	IdleTimeout        time.Duration // between two requests; 0 is none
	RequestTimeout     time.Duration // from the first byte of a request to its last
	WriteTimeout       time.Duration // for a client to take one flush
	MaxInFlight        int           // requests of one client at once
	MaxReply           int           // reply bytes of one request
}

// DefaultLimits are the limits of a configuration that names none.
func DefaultLimits() Limits {
	return Limits{
		LoginTimeout:       5 * time.Second,
		HandshakeTimeout:   3 * time.Second,
		MaxUnauthenticated: 256,
		MaxPerSource:       32,
		RequestTimeout:     30 * time.Second,
		WriteTimeout:       10 * time.Second,
		MaxInFlight:        128,
		MaxReply:           32 << 20,
	}
}
