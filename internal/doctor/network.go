package doctor

// network are the checks of who can reach memcached past slabgate.
var network = []Check{
	{
		ID: "NET-01", Title: "memcached listens on loopback or a unix socket only", Severity: Critical, Critical: true,
		Why:  "Whoever reaches memcached reads, changes and empties the whole cache, and slabgate is not asked.",
		Refs: []string{"memcached(1) -l -s", "CWE-306"},
		Run:  judgeBinding,
	},
	{
		ID: "NET-02", Title: "memcached takes no UDP", Severity: Critical, Critical: true,
		Why:  "A packet of a few bytes with a forged source makes memcached send a thousand times as much to a victim, and no login precedes it.",
		Refs: []string{"CVE-2018-1000115", "memcached(1) -U"},
		Run:  judgeUDP,
	},
	{
		ID: "NET-03", Title: "memcached answers on none of this host's own addresses", Severity: Critical, Critical: true,
		Why:  "What answers on an address of this host answers whoever can send packets to it.",
		Refs: []string{"memcached(1) -l", "CWE-306"},
		Run:  judgeAnswers,
	},
	{
		ID: "NET-04", Title: "127.0.0.1 and ::1 lead to the same memcached", Severity: High,
		Why:  "A name such as localhost leads to either of the two, and who holds the other one is sent what clients store.",
		Refs: []string{"RFC 6724", "ipv6(7)"},
		Run:  judgeLoopbacks,
	},
	{
		ID: "NET-05", Title: "the network is not routed to loopback", Severity: Critical, Critical: true,
		Why:  "With route_localnet a neighbour on the network sends packets to 127.0.0.1 of this host, where memcached trusts everybody.",
		Refs: []string{"CVE-2020-8558", "https://docs.kernel.org/networking/ip-sysctl.html"},
		Run:  judgeRouteLocalnet,
	},
	{
		ID: "NET-06", Title: "a firewall drops what nobody asked for", Severity: High,
		Why:  "Without a rule the address memcached listens on is all that decides who reaches it, and one edit of its arguments opens it.",
		Refs: []string{"nft(8)", "iptables(8)"},
		Run:  judgeFirewall,
	},
	{
		ID: "NET-07", Title: "memcached's port is not published", Severity: Critical,
		Why:  "A published port leads around every address memcached is bound to, and around most firewalls.",
		Refs: []string{"nft(8) dnat", "https://docs.docker.com/engine/network/packet-filtering-firewalls/"},
		Run:  judgePublished,
	},
	{
		ID: "NET-08", Title: "slabgate listens where its configuration says, with TLS beyond this host", Severity: Critical, Critical: true,
		Why:  "Without TLS whoever is on the way reads passwords, keys and values; a listener that is not in the configuration has rules nobody reads.",
		Refs: []string{"slabgate(8)"},
		Run:  judgeOwnListeners,
	},
	{
		ID: "NET-09", Title: "somebody answers for everything that listens here", Severity: Medium,
		Why:  "A service that nobody can name is one that nobody updates, and from it memcached and slabgate are a step away.",
		Refs: []string{"ss(8)", "slabgate(8) doctor --waive"},
		Run:  judgeListeners,
	},
	{
		ID: "NET-10", Title: "the kernel takes as many connections as slabgate may get", Severity: Low,
		Why:  "A short queue or few ports turn a burst of clients into failed connections; without SYN cookies a flood of half-open ones does.",
		Refs: []string{"listen(2)", "tcp(7)", "https://docs.kernel.org/networking/ip-sysctl.html"},
		Run:  judgeKernel,
	},
}
