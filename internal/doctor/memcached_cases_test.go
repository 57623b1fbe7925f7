package doctor

import (
	"net/netip"

	"github.com/slabgate/slabgate/internal/host"
)

// cacheCases are faults of memcached, one each, laid over [fineCache], and
// neighbours of faults that are none.
var cacheCases = []struct {
	name   string
	change func(*host.Facts)
	id     string
	want   string // of each verdict, with commas between
	text   string // somewhere in the texts
	fix    string // somewhere in the first fix
}{
	{"root", ofProcess(func(p *host.Process) { p.UID = 0 }), "MC-01", "fail critical " + cacheUnix, "runs as root", "'-u memcache' >>/etc/memcached.conf"},
	{"root by the socket alone", together(cacheUnseen, func(f *host.Facts) { f.Memcached[0].PeerUID = 0 }), "MC-01", "fail critical " + cacheUnix, "runs as root", "chown memcache /run/memcached"},
	{"root by the listener alone", together(cacheOnTCP, cacheUnseen, func(f *host.Facts) { f.Sockets[1].UID = 0 }), "MC-01", "fail critical memcached 127.0.0.1:11211", "", "systemctl restart memcached"},
	{"root by the wide listener", together(cacheOnTCP, cacheUnseen, func(f *host.Facts) {
		f.Sockets[1].Addr, f.Sockets[1].UID = netip.MustParseAddrPort("[::]:11211"), 0
	}), "MC-01", "fail critical memcached 127.0.0.1:11211", "", ""},
	{"root without an account for memcached", together(ofProcess(func(p *host.Process) { p.UID = 0 }), func(f *host.Facts) { f.Accounts = nil }),
		"MC-01", "fail critical " + cacheUnix, "", "useradd --system --no-create-home --shell /usr/sbin/nologin memcache"},
	{"root in a pod", together(inScope("pod"), ofProcess(func(p *host.Process) { p.UID = 0 })), "MC-01", "fail critical " + cacheUnix, "", "runAsNonRoot: true"},
	{"root in a container of the host", ofProcess(func(p *host.Process) { p.UID, p.Container = 0, "0123" }), "MC-01", "fail critical " + cacheUnix, "", `command: ["/usr/bin/memcached", "-m", "64"`},
	{"root by a unit of its own", ofProcess(func(p *host.Process) { p.UID, p.Unit = 0, "memcached@two.service" }), "MC-01", "fail critical " + cacheUnix, "",
		"-B ascii -u memcache' >/etc/systemd/system/memcached@two.service.d/doctor-arguments.conf\nsystemctl daemon-reload\nsystemctl restart memcached@two"},
	{"user unknown", together(cacheUnseen, func(f *host.Facts) { f.Memcached[0].PeerUID = -1 }), "MC-01", "skip critical " + cacheUnix, "run doctor as root", ""},
	{"none found", func(f *host.Facts) { f.Memcached = nil }, "MC-01", "skip critical", "no memcached", ""},

	{"slabgate's user", ofProcess(func(p *host.Process) { p.UID = 990 }), "MC-02", "fail high " + cacheUnix, "shares slabgate (uid 990) with slabgate (pid 900)", "-u memcache"},
	{"application's user", func(f *host.Facts) {
		f.Processes = append(f.Processes, host.Process{PID: 950, Comm: "php-fpm", UID: 112, StatusOK: true})
	}, "MC-02", "fail high " + cacheUnix, "php-fpm (pid 950)", "as another user than memcache"},
	{"two memcacheds of one user", func(f *host.Facts) {
		f.Processes = append(f.Processes, host.Process{PID: 950, Comm: "memcached", UID: 112, StatusOK: true}, host.Process{PID: 951, Comm: "tini", UID: 112, StatusOK: true})
	}, "MC-02", "pass high " + cacheUnix, "", ""},
	{"root shares with all", ofProcess(func(p *host.Process) { p.UID = 0 }), "MC-02", "skip high " + cacheUnix, "MC-01", ""},

	{"flush", tell("flush_enabled", "yes"), "MC-03", "fail medium " + cacheUnix, "offers flush_all", "printf '%s\\n' -F >>"},
	{"dump", tell("dump_enabled", "yes"), "MC-03", "fail medium " + cacheUnix, "offers lists of its keys", "-X"},
	{"watch", ofProcess(func(p *host.Process) { p.Args = []string{"memcached", "-F", "-X"} }), "MC-03", "fail medium " + cacheUnix, "offers watch", "-W"},
	{"watch of a version without -W", together(withVersion("1.5.22"), ofProcess(func(p *host.Process) { p.Args = []string{"memcached"} })), "MC-03", "pass medium " + cacheUnix, "", ""},
	{"dump of a version without -X", func(f *host.Facts) { delete(f.Memcached[0].Settings, "dump_enabled") }, "MC-03", "pass medium " + cacheUnix, "", ""},
	{"all by arguments", argue("-m 64"), "MC-03", "fail medium " + cacheUnix, "flush_all, lists of its keys, watch", "-F -X -W"},
	{"none by arguments", argue("-FXW"), "MC-03", "pass medium " + cacheUnix, "", ""},
	{"mute", together(argue("-m 64"), cacheUnseen), "MC-03", "skip medium " + cacheUnix, "no answer", ""},

	{"shutdown", tell("shutdown_command", "yes"), "MC-04", "fail high " + cacheUnix + " shutdown", "shutdown", "--enable-shutdown"},
	{"verbose", tell("verbosity", "2"), "MC-04", "fail low " + cacheUnix + " verbosity", "key", "--verbose"},
	{"errors only", tell("verbosity", "1"), "MC-04", "pass high " + cacheUnix, "", ""},
	{"detail", tell("detail_enabled", "yes"), "MC-04", "fail low " + cacheUnix + " detail", "prefix", "-D"},
	{"all by arguments", argue("-Avv -D :"), "MC-04", "fail high " + cacheUnix + " shutdown,fail low " + cacheUnix + " verbosity,fail low " + cacheUnix + " detail", "", ""},

	{"pool too large", withPool(1000), "MC-05", "fail high " + cacheUnix, "pool.max is 1000", "'-c 1088' >>"},
	{"pool that just fits", withPool(992), "MC-05", "pass high " + cacheUnix, "", ""},
	{"by arguments", argue("-c 90"), "MC-05", "fail high " + cacheUnix, "takes 90", "-c 128"},
	{"without a configuration", func(f *host.Facts) { f.Subject = nil }, "MC-05", "skip high", "--config", ""},
	{"another memcached", func(f *host.Facts) { f.Subject.Upstream = "127.0.0.1:1" }, "MC-05", "skip high", "127.0.0.1:1", ""},

	{"larger than memcached takes", withItem(2 << 20), "MC-06", "fail medium " + cacheUnix, "2097152", "'-I 2048k' >>"},
	{"smaller", withItem(1000), "MC-06", "fail low " + cacheUnix, "", "raise slabgate's limit"},
	{"no limit", withItem(0), "MC-06", "pass medium " + cacheUnix, "no limit", ""},
	{"by arguments", argue("-I 512k"), "MC-06", "fail medium " + cacheUnix, "524288", ""},
	{"by arguments, equal", argue("-I 1m"), "MC-06", "pass medium " + cacheUnix, "", ""},

	{"1.4.32", withVersion("1.4.32"), "MC-07", "fail high " + cacheUnix, "CVE-2016-8704", "apt-get install --only-upgrade memcached"},
	{"1.5.5", withVersion("1.5.5"), "MC-07", "fail high " + cacheUnix, "CVE-2018-1000115", ""},
	{"1.6.1", withVersion("1.6.1"), "MC-07", "fail high " + cacheUnix, "CVE-2020-10931", ""},
	{"1.6.18", withVersion("1.6.18"), "MC-07", "fail medium " + cacheUnix, "1.6.18-1+deb12u1", "dpkg-query -W memcached"},
	{"1.6.18 with SASL", together(withVersion("1.6.18"), tell("auth_enabled_sasl", "yes")), "MC-07", "fail medium " + cacheUnix, "1.6.18-1+deb12u1", ""},
	{"1.6.41", withVersion("1.6.41"), "MC-07", "fail medium " + cacheUnix, "CVE-2026-47783", ""},
	{"1.6.41 with SASL", together(withVersion("1.6.41"), tell("auth_enabled_sasl", "yes")), "MC-07", "fail high " + cacheUnix, "CVE-2026-47783", ""},
	{"1.6.44", withVersion("1.6.44"), "MC-07", "fail medium " + cacheUnix, "older than 1.6.45", ""},
	{"in a pod", together(inScope("pod"), withVersion("1.6.44")), "MC-07", "fail medium " + cacheUnix, "", "image: memcached:1.6.45"},
	{"1.7.0-rc1", withVersion("1.7.0-rc1"), "MC-07", "pass high " + cacheUnix, "", ""},
	{"nonsense", withVersion("new"), "MC-07", "skip high " + cacheUnix, "", ""},

	{"both protocols", tell("binding_protocol", "auto-negotiate"), "MC-08", "fail low " + cacheUnix, "auto-negotiate", "'-B ascii' >>"},
	{"both by arguments", argue("-B auto"), "MC-08", "fail low " + cacheUnix, "", ""},
	{"with SASL", together(tell("binding_protocol", "auto-negotiate"), tell("auth_enabled_sasl", "yes")), "MC-08", "fail low " + cacheUnix, "", "--enable-sasl"},
	{"ascii by arguments", argue("-B ascii"), "MC-08", "pass low " + cacheUnix, "", ""},

	{"open list", withLogins(host.Logins{Flag: "-Y", File: host.File{Mode: 0o644}, Users: 1}), "MC-09", "fail high " + cacheUnix + " /etc/memcached.users", "every user reads", "chmod 0600 /etc/memcached.users"},
	{"nine users", withLogins(host.Logins{Flag: "-Y", File: host.File{Mode: 0o600}, Users: 9}), "MC-09", "fail high " + cacheUnix + " /etc/memcached.users users", "9 users", ""},
	{"nine users of SASL", withLogins(host.Logins{Flag: "MEMCACHED_SASL_PWDB", File: host.File{Mode: 0o600}, Users: 9}), "MC-09", "pass high " + cacheUnix, "", ""},
	{"long line", withLogins(host.Logins{Flag: "-Y", File: host.File{Mode: 0o600}, Users: 8, Longest: 256}), "MC-09", "fail high " + cacheUnix + " /etc/memcached.users length", "256", "take -Y away"},
	{"unreadable", withLogins(host.Logins{Flag: "-Y", File: host.File{Error: "needs root"}}), "MC-09", "skip high " + cacheUnix, "needs root", ""},
	{"not looked at", argue("-Y /etc/x"), "MC-09", "skip high " + cacheUnix, "", ""},

	{"open socket", withMode(cacheSock, 0o777), "MC-10", "fail critical " + cacheUnix + " mode", "every user", "chmod o= " + cacheSock},
	{"open socket in a closed folder", together(withMode(cacheSock, 0o777), withMode("/run/memcached", 0o750)), "MC-10", "warn low " + cacheUnix + " mode", "folder", ""},
	{"socket that others may only read", withMode(cacheSock, 0o774), "MC-10", "warn low " + cacheUnix + " mode", "", ""},
	{"folder that all may write", withMode("/run/memcached", 0o777), "MC-10", "fail critical " + cacheUnix + " folder /run/memcached", "another in its place", "chmod o-w /run/memcached"},
	{"sticky folder", withMode("/run/memcached", 0o1777), "MC-10", "fail high " + cacheUnix + " folder /run/memcached", "once memcached is down", ""},
	{"sticky folder further up", withMode("/run", 0o1777), "MC-10", "pass critical " + cacheUnix, "", ""},
	{"open folder further up", withMode("/run", 0o777), "MC-10", "fail critical " + cacheUnix + " folder /run", "", "chmod o-w /run"},
	{"folder of another", func(f *host.Facts) { fileAt(f, "/run/memcached").UID = 33 }, "MC-10", "fail high " + cacheUnix + " folder /run/memcached", "www-data (uid 33)", "chown root"},
	{"folder of slabgate", func(f *host.Facts) { fileAt(f, "/run/memcached").UID = 990 }, "MC-10", "pass critical " + cacheUnix, "", ""},
	{"peer of another", func(f *host.Facts) { f.Subject.ExpectUID = 113 }, "MC-10", "fail critical " + cacheUnix + " peer", "held by memcache (uid 112), and not by uid 113", "systemctl restart memcached"},
	{"peer of another than the process", func(f *host.Facts) { f.Memcached[0].PeerUID = 33 }, "MC-10", "fail critical " + cacheUnix + " peer", "held by www-data (uid 33), and not by memcache (uid 112)", ""},
	{"socket of another than the process", func(f *host.Facts) { f.Files[0].UID = 33 }, "MC-10", "fail critical " + cacheUnix + " owner", "held by www-data (uid 33), and not by memcache (uid 112)", ""},
	{"listener of another", together(cacheOnTCP, func(f *host.Facts) { f.Subject.ExpectUID, f.Sockets[1].UID = 112, 33 }), "MC-10",
		"fail critical memcached 127.0.0.1:11211 peer", "held by www-data (uid 33)", "kill -9 812"},
	{"no socket", cacheOnTCP, "MC-10", "pass critical memcached 127.0.0.1:11211", "MC-13", ""},
	{"not looked at", func(f *host.Facts) { f.Files = nil }, "MC-10", "skip critical " + cacheUnix, "", ""},
	{"a file in its place", func(f *host.Facts) { f.Files[0].Kind = "file" }, "MC-10", "fail critical " + cacheUnix, "which is a file", ""},

	{"core", ofProcess(func(p *host.Process) { p.CoreLimit = -1 }), "MC-11", "fail medium " + cacheUnix + " core", "unlimited", "runuser -u memcache -- prlimit --pid 812 --core=0:0"},
	{"core by -r", ofProcess(func(p *host.Process) { p.CoreLimit, p.Args = -1, append(p.Args, "-r") }), "MC-11", "fail medium " + cacheUnix + " core", "-r", "--enable-coredumps"},
	{"files", ofProcess(func(p *host.Process) { p.FileLimit = 1000 }), "MC-11", "fail medium " + cacheUnix + " files", "1000 files", "runuser -u memcache -- prlimit --pid 812 --nofile=1024:"},
	{"files as memcached sets them", ofProcess(func(p *host.Process) { p.FileLimit = 1024 }), "MC-11", "pass medium " + cacheUnix, "", ""},
	{"capabilities", ofProcess(func(p *host.Process) { p.CapEff = 0x80 }), "MC-11", "fail medium " + cacheUnix + " capabilities", "", "AmbientCapabilities="},
	{"no filter", ofProcess(func(p *host.Process) { p.Seccomp = 0 }), "MC-11", "fail medium " + cacheUnix + " filter", "", "SystemCallFilter=@system-service"},
	{"no filter in a pod", together(inScope("pod"), ofProcess(func(p *host.Process) { p.Seccomp = 0 })), "MC-11", "fail medium " + cacheUnix + " filter", "", "seccompProfile: {type: RuntimeDefault}"},
	{"process unseen", cacheUnseen, "MC-11", "skip medium " + cacheUnix, "root", ""},

	{"memory", ofProcess(func(p *host.Process) { p.MemoryMax = 80 << 20 }), "MC-12", "fail medium " + cacheUnix, "94 MiB (64 of items, 1024 connections), and is killed at 80", "MemoryMax=94M"},
	{"memory that in a small group", ofProcess(func(p *host.Process) { p.MemoryMax = 80 << 20 }), "MC-12", "fail medium " + cacheUnix, "", "-m 52"},
	{"no limit", ofProcess(func(p *host.Process) { p.MemoryMax = 0 }), "MC-12", "pass medium " + cacheUnix, "no memory limit", ""},
	{"memory in a pod", together(inScope("pod"), ofProcess(func(p *host.Process) { p.MemoryMax = 80 << 20 })), "MC-12", "fail medium " + cacheUnix, "", "memory: 94Mi"},
	{"memory by arguments", argue("-m 1024"), "MC-12", "fail medium " + cacheUnix, "1024 of items", ""},

	{"loopback", cacheOnTCP, "MC-13", "fail high memcached 127.0.0.1:11211", "uid 1000 talks to memcached 1.6.45", "'-s /run/memcached/memcached.sock' '-a 0770' >>"},
	{"loopback in a pod", together(inScope("pod"), cacheOnTCP), "MC-13", "fail critical memcached 127.0.0.1:11211", "", "unix:/run/memcached/memcached.sock"},
	{"open socket", func(f *host.Facts) { f.Answers[0].Version = "1.6.45" }, "MC-13", "fail high " + cacheUnix, "", "chmod o= " + cacheSock},
	{"UDP on loopback", func(f *host.Facts) {
		f.Answers[0] = host.Answer{Address: "udp:127.0.0.1:11211", Version: "1.5.5", UID: 1000}
	}, "MC-13", "fail high memcached udp:127.0.0.1:11211", "", ""},
	{"asked as root", together(cacheOnTCP, func(f *host.Facts) { f.Answers[0].UID = 0 }), "MC-13", "skip high", "runuser", ""},
	{"asked as slabgate", together(cacheOnTCP, func(f *host.Facts) { f.Answers[0].UID = 990 }), "MC-13", "skip high", "another user", ""},
	{"asked as who holds slabgate's port", together(cacheOnTCP, func(f *host.Facts) {
		f.Subject.Listeners = []host.SubjectListener{{Address: ":11212"}}
		f.Sockets = append(f.Sockets, host.Socket{Network: "tcp", Addr: netip.MustParseAddrPort("[::]:11212"), UID: 1000})
	}), "MC-13", "skip high", "another user", ""},
	{"asked as who calls himself slabgate", together(cacheOnTCP, func(f *host.Facts) {
		f.Processes = append(f.Processes, host.Process{PID: 951, Comm: "slabgate", UID: 1000, StatusOK: true, Args: []string{"slabgate", "run"}})
	}), "MC-13", "fail high memcached 127.0.0.1:11211", "", ""},
	{"nothing tried", func(f *host.Facts) { f.Answers = nil }, "MC-13", "skip high", "", ""},

	{"takeover", cacheOnTCP, "MC-14", "fail high memcached 127.0.0.1:11211", "any user may listen on 127.0.0.1:11211", "expect_uid: 112"},
	{"taken over", together(cacheOnTCP, func(f *host.Facts) { f.Sockets[1].UID = 33 }), "MC-14", "fail critical memcached 127.0.0.1:11211", "www-data (uid 33) listens", "kill -9 812\nsystemctl restart memcached\nsed"},
	{"takeover without an account", together(cacheOnTCP, func(f *host.Facts) { f.Accounts = nil }), "MC-14", "fail high memcached 127.0.0.1:11211", "", "expect_uid: 112"},
	{"takeover of nobody knows whom", together(cacheOnTCP, func(f *host.Facts) { f.Accounts, f.Sockets = nil, nil }), "MC-14", "fail high memcached 127.0.0.1:11211", "", "unix:/run/memcached/memcached.sock"},
	{"takeover in a pod", together(inScope("pod"), cacheOnTCP), "MC-14", "fail high memcached 127.0.0.1:11211", "", "expect_uid: 112"},
	{"low port", together(cacheOnTCP, func(f *host.Facts) { f.Subject.Upstream = "127.0.0.1:211" }), "MC-14", "pass high", "only root", ""},
	{"user expected", together(cacheOnTCP, func(f *host.Facts) { f.Subject.ExpectUID = 112 }), "MC-14", "pass high", "memcache (uid 112) alone", ""},
	{"not asked for", together(cacheOnTCP, func(f *host.Facts) { f.Active = false }), "MC-14", "skip high", "--active", ""},
	{"another host", together(cacheOnTCP, func(f *host.Facts) { f.Subject.Upstream = "10.1.2.3:11211" }), "MC-14", "skip high", "another host", ""},
}
