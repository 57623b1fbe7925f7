package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/host"
)

// fine are facts of a host on which no check of memcached finds anything.
func fineCache() *host.Facts {
	mc := host.Process{
		PID: 812, Comm: "memcached", Exe: "/usr/bin/memcached", UID: 112, GID: 118, NoNewPrivs: true, Seccomp: 2,
		CoreLimit: 0, FileLimit: 4096, MemoryMax: 512 << 20, LimitsOK: true, StatusOK: true,
		Args: strings.Fields("/usr/bin/memcached -m 64 -c 1024 -s /run/memcached/memcached.sock -a 0770 -u memcache -F -X -W -B ascii"),
	}
	guard := host.Process{PID: 900, Comm: "slabgate", UID: 990, StatusOK: true, Args: []string{"slabgate", "run"}}
	f := &host.Facts{
		Active:    true,
		Self:      host.Process{PID: 1200, Comm: "slabgate", UID: 1000, StatusOK: true, Args: []string{"slabgate", "doctor"}},
		Processes: []host.Process{{PID: 1, Comm: "systemd", StatusOK: true}, mc, guard},
		Accounts:  []host.Account{{Name: "root"}, {Name: "memcache", UID: 112}, {Name: "slabgate", UID: 990}, {Name: "www-data", UID: 33}},
		Place:     host.Place{Scope: "host"},
		Answers:   []host.Answer{{Address: "unix:/run/memcached/memcached.sock", Error: "permission denied", UID: 1000}},
		Subject: &host.Subject{Path: "/etc/slabgate/slabgate.yaml", Upstream: "unix:/run/memcached/memcached.sock", ExpectUID: -1,
			PoolMax: 64, ItemMax: 1 << 20},
		Files: []host.File{
			{Path: "/run/memcached/memcached.sock", For: "socket", Kind: "socket", Mode: 0o770, UID: 112, GID: 118},
			{Path: "/run/memcached", For: "folder", Kind: "folder", Mode: 0o755, UID: 112, GID: 118},
			{Path: "/run", For: "folder", Kind: "folder", Mode: 0o755},
			{Path: "/", For: "folder", Kind: "folder", Mode: 0o755},
		},
	}
	f.Memcached = []host.Memcached{{
		Process: &f.Processes[1], Address: "unix:/run/memcached/memcached.sock", Version: "1.6.45", PeerUID: 112,
		Settings: map[string]string{
			"maxbytes": "67108864", "maxconns": "1024", "verbosity": "0", "shutdown_command": "no", "detail_enabled": "no", "binding_protocol": "ascii",
			"auth_enabled_sasl": "no", "auth_enabled_ascii": "no", "item_size_max": "1048576", "flush_enabled": "no", "dump_enabled": "no",
		},
	}}
	return f
}

// set changes a setting that memcached tells.
func tell(name, value string) func(*host.Facts) {
	return func(f *host.Facts) { f.Memcached[0].Settings[name] = value }
}

// argue changes memcached's arguments, and silences it so that they count.
func argue(words string) func(*host.Facts) {
	return func(f *host.Facts) {
		f.Processes[1].Args = strings.Fields("/usr/bin/memcached " + words)
		f.Memcached[0].Settings, f.Memcached[0].Error = nil, "no answer"
	}
}

// cacheOnTCP moves memcached and slabgate to loopback.
func cacheOnTCP(f *host.Facts) {
	f.Processes[1].Args = strings.Fields("/usr/bin/memcached -m 64 -p 11211 -l 127.0.0.1 -u memcache")
	f.Memcached[0].Address, f.Memcached[0].PeerUID = "127.0.0.1:11211", -1
	f.Subject.Upstream = "127.0.0.1:11211"
	f.Sockets = []host.Socket{
		{Network: "tcp", Addr: netip.MustParseAddrPort("0.0.0.0:22"), Source: "/proc/net/tcp", Line: 2},
		{Network: "tcp", Addr: netip.MustParseAddrPort("127.0.0.1:11211"), UID: 112, PID: 812, Source: "/proc/net/tcp", Line: 3},
	}
	f.Answers = []host.Answer{{Address: "127.0.0.1:11211", Version: "1.6.45", UID: 1000}, {Address: "10.1.2.3:11211", Version: "1.6.45", UID: 1000}}
}

// cacheUnseen takes the process away, as from a user without rights or another pod.
func cacheUnseen(f *host.Facts) {
	f.Processes = slices.Delete(f.Processes, 1, 2)
	f.Memcached[0].Process = nil
}

func together(changes ...func(*host.Facts)) func(*host.Facts) {
	return func(f *host.Facts) {
		for _, change := range changes {
			change(f)
		}
	}
}

func inScope(name string) func(*host.Facts) {
	return func(f *host.Facts) { f.Place.Scope = name }
}

func withPool(max int) func(*host.Facts)   { return func(f *host.Facts) { f.Subject.PoolMax = max } }
func withItem(max int64) func(*host.Facts) { return func(f *host.Facts) { f.Subject.ItemMax = max } }
func withVersion(v string) func(*host.Facts) {
	return func(f *host.Facts) { f.Memcached[0].Version = v }
}

func ofProcess(change func(*host.Process)) func(*host.Facts) {
	return func(f *host.Facts) { change(&f.Processes[1]) }
}

func withMode(path string, m uint32) func(*host.Facts) {
	return func(f *host.Facts) { fileAt(f, path).Mode = m }
}

func withLogins(l host.Logins) func(*host.Facts) {
	return func(f *host.Facts) {
		l.Path = "/etc/memcached.users"
		f.Memcached[0].Logins = []host.Logins{l}
	}
}

const (
	cacheSock = "/run/memcached/memcached.sock"
	cacheUnix = "memcached unix:" + cacheSock
)

// verdicts are those of one check, in short: fail critical SUBJECT.
func verdictsOf(f *host.Facts, id string) (short []string, list []Record) {
	at := slices.IndexFunc(memcached, func(c Check) bool { return c.ID == id })
	list = Examine(f, memcached[at:at+1])
	for i := range list {
		short = append(short, strings.TrimSpace(string(list[i].Status)+" "+string(list[i].Severity)+" "+list[i].Subject))
	}
	return short, list
}

func TestMemcachedChecksFindNothingOnAFineHost(t *testing.T) {
	for _, c := range memcached {
		for _, r := range Examine(fineCache(), []Check{c}) {
			if r.Status != Pass {
				t.Errorf("%s: %s %s", r.ID, r.Status, r.Text)
			}
			if len(r.Evidence) == 0 && r.ID != "MC-03" && r.ID != "MC-04" && r.ID != "MC-09" {
				t.Errorf("%s passes without evidence: %s", r.ID, r.Text)
			}
		}
	}
}

func TestMemcachedChecks(t *testing.T) {
	for _, tc := range cacheCases {
		f := fineCache()
		tc.change(f)
		got, records := verdictsOf(f, tc.id)
		if strings.Join(got, ",") != tc.want {
			t.Errorf("%s, %s: got %q, want %q", tc.id, tc.name, strings.Join(got, ","), tc.want)
			continue
		}
		var texts, fix string
		for _, r := range records {
			texts += r.Text + "\n"
			if r.Fix != nil && fix == "" {
				fix = strings.Join(append(r.Fix.Commands, r.Fix.Text, r.Fix.Config), "\n")
			}
			if r.Found() && (len(r.Evidence) == 0 || r.Fix.Text == "") {
				t.Errorf("%s, %s: without evidence or a fix: %+v", tc.id, tc.name, r)
			}
		}
		if !strings.Contains(texts, tc.text) || !strings.Contains(fix, tc.fix) {
			t.Errorf("%s, %s: got %q and fix\n%s\nwant %q and %q", tc.id, tc.name, texts, fix, tc.text, tc.fix)
		}
	}
}
