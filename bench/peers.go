package main

// role is what a peer is compared as.
type role int

const (
	cache      role = iota // memcached itself
	terminator             // ends TLS and copies bytes: what slabgate must beat
	router                 // understands requests, has no TLS
	guard                  // slabgate
)

// peer is a daemon that can be measured.
type peer struct {
	name   string
	role   role
	binary string
	pkg    string // Debian package
	ask    string // argument that makes it print its version

	// The daemon listens on a port of its own, or on a unix socket. All three are
	// templates over [place]; files are named as in the folder peers.
	files  []string
	before string // arguments of a first run, with the password on standard input
	args   string

	noTLS    bool
	socket   bool
	variants []variant
}

// variant is a way of running a peer. Each is a row of the results.
type variant struct {
	suffix    string
	unix      bool // memcached is reached by its unix socket
	mutual    bool // clients show a certificate
	anonymous bool // clients are known by where they connect
	login     bool // clients log in by SASL
	dialect   *dialect
	full      bool // left out of a quick run
	connect   bool // measured for new connections only
}

var (
	plain       = variant{dialect: &classic}
	overUnix    = variant{suffix: " unix", unix: true, dialect: &classic, full: true}
	mutualTLS   = variant{suffix: " mTLS", mutual: true, dialect: &classic, connect: true}
	terminators = []variant{plain, overUnix, mutualTLS}
)

// peers are started in this order: the first two are what the others forward to.
var peers = []peer{
	{
		name: "memcached", role: cache, binary: "memcached", pkg: "memcached", ask: "-V", noTLS: true, variants: []variant{plain},
		args: "-l 127.0.0.1 -p {{.Port}} " + cacheArgs,
	},
	{
		name: "memcached socket", role: cache, binary: "memcached", pkg: "memcached", ask: "-V", noTLS: true, socket: true, variants: []variant{plain},
		args: "-s {{.Own}} -a 0700 " + cacheArgs,
	},
	{
		name: "memcached -Z", role: cache, binary: "memcached", pkg: "memcached", ask: "-V", variants: []variant{plain, mutualTLS},
		args: "-l 127.0.0.1 -p {{.Port}} -Z -o ssl_chain_cert={{.PKI}}/server.pem,ssl_key={{.PKI}}/server-key.pem,ssl_min_version=3" +
			"{{if .Mutual}},ssl_verify_mode=2,ssl_ca_cert={{.PKI}}/ca.pem{{end}} " + cacheArgs,
	},
	{
		name: "haproxy", role: terminator, binary: "haproxy", pkg: "haproxy", ask: "-v", variants: terminators,
		files: []string{"haproxy.cfg"}, args: "-db -f {{.Dir}}/haproxy.cfg",
	},
	{
		name: "hitch", role: terminator, binary: "hitch", pkg: "hitch", ask: "--version", variants: terminators,
		files: []string{"hitch.conf"}, args: "--config={{.Dir}}/hitch.conf",
	},
	{
		name: "stunnel", role: terminator, binary: "stunnel4", pkg: "stunnel4", ask: "-version", variants: terminators,
		files: []string{"stunnel.conf"}, args: "{{.Dir}}/stunnel.conf",
	},
	{
		name: "nginx", role: terminator, binary: "nginx", pkg: "nginx libnginx-mod-stream", ask: "-v", variants: terminators,
		files: []string{"nginx.conf"}, args: "-p {{.Dir}} -c {{.Dir}}/nginx.conf",
	},
	{
		name: "ghostunnel", role: terminator, binary: "ghostunnel", pkg: "none; go install github.com/ghostunnel/ghostunnel@latest", ask: "--version", variants: terminators,
		args: "server --listen 127.0.0.1:{{.Port}} --target {{if .Unix}}unix:{{.Socket}}{{else}}{{.Cache}}{{end}} --quiet conns " +
			"--cert {{.PKI}}/server.pem --key {{.PKI}}/server-key.pem {{if .Mutual}}--cacert {{.PKI}}/ca.pem --allow-all{{else}}--disable-authentication{{end}}",
	},
	{
		name: "twemproxy", role: router, binary: "nutcracker", pkg: "nutcracker", ask: "-V", noTLS: true, variants: []variant{plain},
		files: []string{"nutcracker.yml"}, args: "-c {{.Dir}}/nutcracker.yml -p {{.Dir}}/pid -s {{.FreePort}}",
	},
	{
		name: "slabgate", role: guard, binary: "slabgate", ask: "version",
		files:  []string{"slabgate.yaml", "policy.yaml"},
		before: "user add " + userName + " --iterations 4096 --users {{.Dir}}/users.yaml",
		args:   "run --dev {{if .Root}}--allow-root {{end}}-c {{.Dir}}/slabgate.yaml",
		variants: []variant{
			{unix: true, mutual: true, dialect: &classic},
			{suffix: " meta", unix: true, mutual: true, dialect: &meta},
			{suffix: " binary SASL", unix: true, login: true, dialect: &packets},
			{suffix: " server-auth", unix: true, anonymous: true, dialect: &classic, connect: true},
		},
	},
}

// cacheArgs are those of every memcached.
const cacheArgs = "-U 0 -t {{.Cores}} -m 256 -c {{.MaxConns}} -b 4096{{if .Root}} -u root{{end}}"

// The user that logs in by SASL.
const userName, userPassword = "app", "throw-away"
