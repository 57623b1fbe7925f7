// Package status is what a running slabgate tells of itself: one document, which
// the admin socket, the command line and the page in a browser all show.
//
// It remembers what the parts themselves do not: how much traffic there was a
// moment ago, and who came without TLS. It asks nobody and decides nothing; the
// document is put together by whoever has the parts.
package status

import (
	"time"

	"github.com/slabgate/slabgate/proxy"
)

// Schema names the form of a [Document]. It changes when a field is renamed, taken
// away or given another meaning; a new field does not change it.
const Schema = "slabgate.status/1"

// Bounds of the lists of a Document. Totals beside them count everything.
const (
	MostPlaintext    = 200
	MostDenials      = 200
	MostCertificates = 200
)

// Document is everything that is to be seen at a glance. Lists are never null.
type Document struct {
	Schema       string        `json:"schema"`
	Time         time.Time     `json:"time"` // when it was made
	Host         string        `json:"host"`
	Build        Build         `json:"build"`
	Started      time.Time     `json:"started"`
	Leaving      string        `json:"leaving,omitempty"` // draining: clients are asked to leave; stopping: it is about to end
	Config       Config        `json:"config"`
	Listeners    []Listener    `json:"listeners"`
	Upstream     Upstream      `json:"upstream"`
	Certificates []Certificate `json:"certificates"`
	Clients      Clients       `json:"clients"`
	Plaintext    Plaintext     `json:"plaintext"`
	Denials      Denials       `json:"denials"`
	Traffic      Traffic       `json:"traffic"`
	Holds        Holds         `json:"holds"`
	Warnings     []Warning     `json:"warnings"` // of the configuration in force, and of the surroundings
}

// Build is which slabgate it is.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

// Config is the configuration in force.
type Config struct {
	Path       string    `json:"path"`
	Digest     string    `json:"digest"`
	Generation uint64    `json:"generation"` // 1 at the start, one more with each reload that is taken
	Loaded     time.Time `json:"loaded"`
	Reload     *Reload   `json:"last_reload,omitempty"` // nil before the first
}

// Reload is how the last reload went.
type Reload struct {
	Time     time.Time `json:"time"`
	Taken    bool      `json:"taken"`
	Problems []string  `json:"problems,omitempty"` // why it was refused
}

// Listener is a place where clients come in.
type Listener struct {
	Name      string `json:"name"`
	Transport string `json:"transport"` // tls or plaintext
	Address   string `json:"address"`
	Clients   int    `json:"clients"` // connected now
}

// Upstream is how memcached does.
type Upstream struct {
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Up        bool      `json:"up"` // it answered the last time it was asked
	Version   string    `json:"version,omitempty"`
	Checked   time.Time `json:"checked,omitzero"`
	RoundTrip float64   `json:"round_trip_seconds"`       // of that answer
	Error     string    `json:"last_error,omitempty"`     // also of one that is over
	ErrorAt   time.Time `json:"last_error_time,omitzero"` // zero if there was none
}

// Certificate is what a listener shows its clients, or one that issues theirs.
type Certificate struct {
	Listener string    `json:"listener"`
	Usage    string    `json:"usage"` // server, or ca for one that issues clients' certificates
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"` // of a server's, that of the first of its chain to expire
	Days     int       `json:"days_left"` // whole ones; negative once it has expired
}

// Clients is who is connected.
type Clients struct {
	Total      int            `json:"total"`
	Transports map[string]int `json:"transports"` // connections by tls, plaintext and unix
	Groups     []Group        `json:"groups"`     // by identity and transport, those with the most connections first
}

// Group is the clients of one identity that come in alike. What it counts is
// theirs: clients that are gone take their share with them.
type Group struct {
	Identity    string    `json:"identity"`  // empty for those that are not known yet
	Transport   string    `json:"transport"` // tls, plaintext or unix
	Connections int       `json:"connections"`
	Requests    int64     `json:"requests"`
	Denied      int64     `json:"denied"`
	WouldDeny   int64     `json:"would_deny"`
	Limited     int64     `json:"limited"`
	BytesIn     int64     `json:"bytes_in"`
	BytesOut    int64     `json:"bytes_out"`
	P99         float64   `json:"p99_seconds"` // of the identity's requests, be the transport what it may; see Traffic
	Oldest      time.Time `json:"oldest"`
}

// Plaintext is who comes over TCP without TLS.
type Plaintext struct {
	Total       int         `json:"total"`       // different clients in the last 24 hours
	Connections int         `json:"connections"` // of them, now
	Forgotten   int64       `json:"forgotten"`   // clients that were dropped from the list for want of room
	Clients     []Plain     `json:"clients"`     // those that were here last first
	Breaks      Enforcement `json:"enforcing_now"`
}

// Plain is one client without TLS: an address that comes as one identity.
type Plain struct {
	Address     string    `json:"address"`
	Identity    string    `json:"identity"`    // empty if it is nobody
	Dialect     string    `json:"dialect"`     // empty if it said nothing
	Connections int       `json:"connections"` // now
	Requests    int64     `json:"requests"`    // since it was first seen, as the next
	Denied      int64     `json:"denied"`      // or would have been
	FirstSeen   time.Time `json:"first_seen"`
	LastSeen    time.Time `json:"last_seen"`
}

// Enforcement is what would break if TLS and every policy were enforced now.
type Enforcement struct {
	Total     int           `json:"breaks"`            // clients without TLS in the last hour that are somebody, and identities whose policy is not enforced and would deny
	Plaintext []string      `json:"plaintext"`         // identities of the clients without TLS
	WouldDeny []string      `json:"would_deny"`        // identities in mode audit, or with a rule that is, that would have been denied something in the last hour
	Learning  []string      `json:"learning"`          // identities in mode learn, or with a rule that is, that are connected
	Latest    []DenialGroup `json:"latest_would_deny"` // of each in WouldDeny, with how many there were in all; the first [MostDenials]
	Untold    int64         `json:"untold"`            // requests in the last hour that would have been denied to identities too many to be told apart
	Safe      bool          `json:"safe"`              // nothing would, and nothing is untold
}

// Denials is what is denied, in groups.
type Denials struct {
	Total       int64         `json:"total"` // denials since the start, those that were forgotten included
	Groups      []DenialGroup `json:"groups"`
	GroupsTotal int           `json:"groups_total"`
	Overwritten int64         `json:"overwritten"` // kinds that were forgotten for want of room
}

// DenialGroup is denials of one identity that one rule decided, or none. Those that
// were forgotten are not counted in it.
type DenialGroup struct {
	ID       string    `json:"id"`    // of the latest, to ask about with slabgate explain
	Event    string    `json:"event"` // deny or would_deny
	Identity string    `json:"identity"`
	Command  string    `json:"command"` // the latest
	Rule     string    `json:"rule,omitempty"`
	Reason   string    `json:"reason"`
	Count    int64     `json:"count"`
	Last     time.Time `json:"last"`
	Fix      string    `json:"fix,omitempty"` // the narrowest edit of the policy that would allow the latest
}

// Holds is what an operator holds up, and what has come of that since the start.
type Holds struct {
	proxy.Holds
	Refused int64 `json:"requests_refused"`    // since they were frozen
	Killed  int64 `json:"connections_killed"`  // by slabgate kill, or by a quarantine that found them connected
	Turned  int64 `json:"connections_refused"` // as they came from a network in quarantine
}

// Warning is what slabgate check says of the configuration.
type Warning struct {
	Code    string `json:"code"`
	Where   string `json:"where,omitempty"`
	Problem string `json:"problem"`
	Fix     string `json:"fix"`
}
