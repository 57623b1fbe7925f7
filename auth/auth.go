// Package auth says who a client is: by a verified certificate, by a login, by
// the process it is, by the listener it came to or the address it came from.
//
// It knows no command and no key, decides nothing about rights, writes nothing
// to a client and does not log.
package auth

import (
	"net/netip"
	"time"
)

// Facts is everything a connection has proven, or is known by. It is a value:
// a session gathers it once and it never changes afterwards.
type Facts struct {
	Listener string          // name of the listener the client came to
	Addr     netip.Addr      // its source address; invalid for a unix socket
	TLS      bool            // inside TLS
	Cert     *Cert           // names of the verified client certificate; nil without one
	Login    *Login          // a completed login; nil without one
	Unix     *Peer           // the process at the other end of a unix socket; nil over TCP
	Account  *ServiceAccount // the holder of a verified token; nil without one
}

// Cert is what a verified client certificate says its holder is called.
type Cert struct {
	URI      string   // the only URI SAN, SPIFFE grammar checked; empty if there is none
	DNS      []string // DNS SANs, lower case
	CN       string   // empty unless the configuration asks for common names
	Pin      [32]byte // SHA-256 of its SubjectPublicKeyInfo
	NotAfter time.Time
}

// Peer is the process at the other end of a unix socket, as the kernel saw it
// when it connected: its effective user and group, and the other groups it was in.
type Peer struct {
	UID, GID uint32
	Groups   []uint32
}

// ServiceAccount is the account of a Kubernetes cluster that a verified token
// was issued to.
type ServiceAccount struct {
	Namespace, Name string
	Audiences       []string // whom the token was issued for
}

// Login is a completed login.
type Login struct {
	User       string
	Mechanism  string    // "ascii", "PLAIN", "SCRAM-SHA-256-PLUS", …
	Generation uint64    // of the users file that verified it
	NotAfter   time.Time // when the secret that matched ends; zero is never
	Slot       int       // which of the user's secrets matched, in the order of the file, from 0

	secret fingerprint // of the secret that matched
}

// Source is how an identity was found.
type Source string

const (
	SourceLogin    Source = "login"
	SourceCert     Source = "certificate"
	SourceUnix     Source = "unix"
	SourceAccount  Source = "service_account"
	SourceListener Source = "listener"
	SourceAddress  Source = "address"
	SourceDefault  Source = "unauthenticated"
)

// Identity is who a client is: the only thing that passes from here to policy.
type Identity struct {
	Name   string
	Source Source
}
