package host

import (
	"net/netip"
	"time"
)

// Facts are what was seen. Whatever could not be looked at is in Unseen, and the
// fields it would have filled are empty.
type Facts struct {
	Time      time.Time
	Live      bool              // of this machine, now; else of a captured tree
	Active    bool              // more was asked for than to look
	Unseen    []Unseen          // what could not be looked at, and why
	Self      Process           // the process that looked
	Sockets   []Socket          // TCP listeners and UDP sockets of this network namespace
	Addresses []netip.Addr      // of this network namespace, loopback included
	Processes []Process         // that are to be seen, in the order of their ids
	Memcached []Memcached       // each memcached that was found, by process or by address
	Settings  map[string]string // sysctls by name: net.ipv4.conf.all.route_localnet
	Firewall  Firewall
	Answers   []Answer // of every memcached port that was tried
	Trials    []Trial  // of what more than looking was allowed for
	Accounts  []Account
	Place     Place
	Clock     Clock
	Subject   *Subject   // slabgate's configuration; nil without one
	Files     []File     // that the configuration names, and the folders above them
	Unit      []UnitFile // of slabgate's systemd unit, in the order in which they apply
	LSM       string     // what the kernel confines processes with: capability,landlock; empty if unknown
}

// UnitFile is a file of a systemd unit: the unit itself first, then what is laid
// over it.
type UnitFile struct{ Path, Text string }

// Unseen is something that could not be looked at.
type Unseen struct {
	What string // a source: /proc/812/fd, nft list ruleset
	Why  string // needs root, no such file
}

// Socket is a TCP listener, or a UDP socket that anybody may send to.
type Socket struct {
	Network string // tcp or udp; tcp6 and udp6 sockets are told by their address
	Addr    netip.AddrPort
	UID     int    // of its owner
	Inode   uint64 // 0 if the kernel does not tell
	PID     int    // 0 if no process that is to be seen holds it
	Source  string // /proc/net/tcp
	Line    int
}

// Process is one process as /proc tells of it.
type Process struct {
	PID        int
	Comm       string   // the kernel's name of it, at most 15 bytes
	Exe        string   // empty if it may not be read
	Args       []string // argv
	UID, GID   int      // effective ones
	Groups     []int    // supplementary ones
	CapEff     uint64
	CapBnd     uint64
	NoNewPrivs bool
	Seccomp    int    // 0 none, 1 strict, 2 filter
	Dumpable   bool   // its files in /proc belong to its own user
	CoreLimit  int64  // soft limit in bytes; -1 is unlimited
	FileLimit  int64  // soft limit of open files; -1 is unlimited
	OOMScore   int    // oom_score_adj
	Network    string // its network namespace, as net:[4026531840]; empty if it may not be read
	MemoryMax  int64  // of its control group in bytes; 0 is none or unknown
	Unit       string // of systemd that runs it: memcached.service; empty if none does
	Container  string // id of the container it is in, as its control group is named; empty for none
	RootRO     bool   // its / is mounted read-only
	Environ    []string
	EnvironOK  bool // Environ could be read
	LimitsOK   bool // CoreLimit and FileLimit could be read
	StatusOK   bool // UID to Seccomp could be read
}

// Memcached is one memcached: a process, an address that answers as one, or both.
type Memcached struct {
	Process  *Process // nil if it is not to be seen
	Address  string   // where it was asked: 127.0.0.1:11211 or unix:/path; empty if nowhere
	Version  string   // as it says: 1.6.18; empty if it was not asked or refused
	Settings map[string]string
	Stats    map[string]string
	Error    string // why it was not asked, or what it said instead
	PeerUID  int    // the user at the other end of a unix socket; -1 if unknown
	Logins   []Logins
}

// Logins is a file of users that memcached itself asks for a password. What stands
// in it stays there.
type Logins struct {
	File
	Flag    string // what names it: -Y or MEMCACHED_SASL_PWDB
	Users   int    // lines
	Longest int    // of a line, in bytes
}

// Answer is what a port said to "version".
type Answer struct {
	Address string // 10.1.2.3:11211; udp:10.1.2.3:11211; unix:/path
	Version string // empty if it did not answer as memcached
	Error   string // why not: connection refused
	UID     int    // the user who asked
}

// Trial is something that was done to memcached as any neighbour could.
type Trial struct {
	What    string // TrialItem or TrialPort
	Address string
	Error   string // why it did not come off; empty if it did
	UID     int    // the user who tried
}

// Firewall is what filters packets, in the tools' own words.
type Firewall struct {
	NFT      string // nft list ruleset
	Iptables string // iptables-save
	Seen     bool   // at least one of the two could be listed; an empty list counts
}

// Account is a line of /etc/passwd.
type Account struct {
	Name, Shell string
	UID         int
	Login       bool // its shell lets it log in
}

// Place is what surrounds the process: a host, a container or a pod.
type Place struct {
	Scope       string   // host, container or pod
	Why         string   // what tells so
	HostNetwork bool     // in a pod or container: the network namespace is the host's
	Interfaces  []string // what tells so
	HostPID     bool     // in a pod or container: the host's processes are to be seen
	SharedPID   bool     // in a pod or container: processes of other containers are to be seen
	Token       string   // path of a mounted service-account token; empty if there is none
	RootRO      bool     // / is mounted read-only
	AppArmor    string   // /proc/self/attr/current; empty if there is none
	Mounts      []Mount
}

// Mount is a line of /proc/self/mountinfo.
type Mount struct {
	Root, Point, Type, Source string
	ReadOnly                  bool
	Propagation               string // shared:1, master:2 or empty for private
	Line                      int
}

// Clock is how well the machine knows the time.
type Clock struct {
	Known    bool
	Synced   bool
	MaxError time.Duration
}

// File is a file that matters, or a folder on the way to one.
type File struct {
	Path  string
	For   string // what it is: key, certificate, users, config, policy, audit, state, socket, folder
	Mode  uint32 // permission bits with setuid, setgid and sticky, as stat tells
	Kind  string // file, folder, socket or other
	UID   int
	GID   int
	Free  float64 // share of its filesystem that is free, 0 to 1; 0 if it is neither a folder nor an audit file
	Error string  // why it could not be looked at
}

// Subject is what doctor needs to know of slabgate's configuration. It holds no
// secret.
type Subject struct {
	Path       string            `json:"path"`
	Listeners  []SubjectListener `json:"listeners"`
	Upstream   string            `json:"upstream"`    // address
	ExpectUID  int               `json:"expect_uid"`  // -1 without upstream.expect_uid
	PoolMax    int               `json:"pool_max"`    // connections to memcached in all
	ItemMax    int64             `json:"item_max"`    // largest value slabgate lets through, in bytes; 0 is none of its own
	AdminHTTP  string            `json:"admin_http"`  // empty for none
	Files      map[string]string `json:"files"`       // path to what it is; see File.For
	Unsafe     []string          `json:"unsafe"`      // keys of unsafe switches that are on
	Findings   []SubjectFinding  `json:"findings"`    // of slabgate check
	Connection int               `json:"connections"` // the most client connections that it takes
	GoVersion  string            `json:"go_version"`
	Build      string            `json:"build"` // version of slabgate
}

// SubjectListener is one listener of the configuration.
type SubjectListener struct {
	Name       string        `json:"name"`
	Address    string        `json:"address"`
	TLS        bool          `json:"tls"`
	ClientAuth string        `json:"client_auth,omitempty"`
	MinVersion string        `json:"min_version,omitempty"`
	PlainClear bool          `json:"plain_in_clear,omitempty"` // PLAIN without TLS
	ASCIILogin bool          `json:"ascii_login,omitempty"`
	Tickets    bool          `json:"tickets,omitempty"`
	Chain      []Certificate `json:"chain,omitempty"` // the server's first
	ClientCAs  []Certificate `json:"client_cas,omitempty"`
	CertFile   string        `json:"cert_file,omitempty"`
	CAFile     string        `json:"ca_file,omitempty"`
	Error      string        `json:"error,omitempty"` // why the certificates could not be loaded
}

// Certificate is what doctor judges of a certificate.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Names     int       `json:"names"`    // subject alternative names
	KeyType   string    `json:"key_type"` // RSA, ECDSA, Ed25519
	KeyBits   int       `json:"key_bits"`
	Signature string    `json:"signature"` // SHA256-RSA
}

// SubjectFinding is a finding of slabgate check.
type SubjectFinding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Problem  string `json:"problem"`
	Fix      string `json:"fix"`
}

// Process returns the process with an id, or nil if it is not to be seen.
func (f *Facts) Process(pid int) *Process {
	for i := range f.Processes {
		if pid != 0 && f.Processes[i].PID == pid {
			return &f.Processes[i]
		}
	}
	return nil
}

// WhyUnseen is why a source could not be looked at, or empty if it could.
func (f *Facts) WhyUnseen(what string) string {
	for _, u := range f.Unseen {
		if u.What == what {
			return u.Why
		}
	}
	return ""
}
