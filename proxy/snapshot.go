package proxy

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/policy"
)

// Snapshot is everything that a reload replaces, as one whole. It is never
// changed once it is in use.
type Snapshot struct {
	Policy *policy.Policy
	Users  *auth.Users                    // nil if there are no logins
	TLS    map[string]*tls.Config         // by listener name; absent for plaintext ones
	CAs    map[string][]*x509.Certificate // of whose clients, by listener name; for operators: TLS has them for clients
	CNs    map[string]bool                // listeners on which a common name may name a client
	Limits Limits                         // of clients that come from now on
	Digest string                         // of every file it was made from
	Number uint64                         // counts the configurations that came into force, from 1
}
