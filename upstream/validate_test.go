package upstream

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// findingCodes writes a list as "code key" for a table.
func findingCodes(list finding.List) string {
	var out []string
	for _, f := range list {
		out = append(out, f.Code+" "+f.Key)
	}
	return strings.Join(out, "; ")
}

func TestUpstreamAddresses(t *testing.T) {
	long := "/" + strings.Repeat("s", 107)
	for _, row := range []struct {
		address string
		want    string // with unsafe: false
		unsafe  string // with unsafe: true
	}{
		{"unix:/run/memcached/memcached.sock", "", ""},
		{"127.0.0.1:11211", "", ""},
		{"127.9.9.9:1", "", ""},
		{"[::1]:11211", "", ""},
		{"[::ffff:127.0.0.1]:11211", "", ""},
		{"10.0.0.9:11211", "SG1052 address", "SG1058 unsafe"},
		{"[fd00::9]:11211", "SG1052 address", "SG1058 unsafe"},
		{"128.0.0.1:1", "SG1052 address", "SG1058 unsafe"},
		{"[::ffff:10.0.0.1]:1", "SG1052 address", "SG1058 unsafe"},
		{"0.0.0.0:11211", "SG1050 address", "SG1050 address"},
		{"[::]:11211", "SG1050 address", "SG1050 address"},
		{"224.0.0.1:11211", "SG1050 address", "SG1050 address"},
		{"127.0.0.1:0", "SG1050 address", "SG1050 address"},
		{"localhost:11211", "SG1051 address", "SG1051 address"},
		{"LOCALHOST.:11211", "SG1051 address", "SG1051 address"},
		{"memcached:11211", "SG1051 address", "SG1051 address"},
		{"cache.default.svc.cluster.local:11211", "SG1051 address", "SG1051 address"},
		{"", "SG1050 address", "SG1050 address"},
		{"127.0.0.1", "SG1050 address", "SG1050 address"},
		{"127.1:11211", "SG1050 address", "SG1050 address"},
		{"0x7f000001:11211", "SG1051 address", "SG1051 address"},
		{":11211", "SG1050 address", "SG1050 address"},
		{"::1:11211", "SG1050 address", "SG1050 address"},
		{"127.0.0.1:65536", "SG1050 address", "SG1050 address"},
		{"tcp://127.0.0.1:1", "SG1050 address", "SG1050 address"},
		{"unix:", "SG1050 address", "SG1050 address"},
		{"unix:s", "SG1050 address", "SG1050 address"},
		{"unix:/s?mode=0600", "SG1050 address", "SG1050 address"},
		{"unix:/s\x00", "SG1050 address", "SG1050 address"},
		{"unix:" + long, "SG1050 address", "SG1050 address"},
		{"unix:" + long[:107], "", ""},
	} {
		c := Default()
		c.Address = row.address
		list := c.Validate()
		c.Unsafe = true
		unsafe := c.Validate()
		if findingCodes(list) != row.want || findingCodes(unsafe) != row.unsafe {
			t.Errorf("%q: got %s and %s, want %s and %s", row.address, findingCodes(list), findingCodes(unsafe), row.want, row.unsafe)
		}
		for _, f := range append(list, unsafe...) {
			if f.Fix == "" || len(f.Problem) > 300 || (f.Severity == finding.Warning) != (f.Code == "SG1058") {
				t.Errorf("%q: %+v", row.address, f)
			}
		}
	}
}

func TestLocalhostIsToldItsAddress(t *testing.T) {
	c := Default()
	c.Address = "localhost:11211"
	if list := c.Validate(); len(list) != 1 || list[0].Fix != "write 127.0.0.1:11211" {
		t.Errorf("got %v", list)
	}
}

func TestUpstreamConfigs(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(c *Config)
		want string
	}{
		{"as it is", func(c *Config) {}, ""},
		{"meta", func(c *Config) { c.Dialect = "meta" }, ""},
		{"classic", func(c *Config) { c.Dialect = "classic" }, ""},
		{"binary", func(c *Config) { c.Dialect = "binary" }, "SG1053 dialect"},
		{"no dialect", func(c *Config) { c.Dialect = "" }, "SG1053 dialect"},
		{"most shared", func(c *Config) { c.Shared = 64 }, ""},
		{"one too many", func(c *Config) { c.Shared = 65 }, "SG1054 shared"},
		{"negative shared", func(c *Config) { c.Shared = -1 }, "SG1054 shared"},
		{"pool of two", func(c *Config) { c.PoolMin, c.PoolMax = 1, 2 }, ""},
		{"pool of one", func(c *Config) { c.PoolMin, c.PoolMax = 1, 1 }, "SG1055 pool.max"},
		{"none kept", func(c *Config) { c.PoolMin = 0 }, ""},
		{"negative min", func(c *Config) { c.PoolMin = -1 }, "SG1055 pool.min"},
		{"no pool", func(c *Config) { c.PoolMin, c.PoolMax = 0, 0 }, "SG1055 pool.max"},
		{"max below min", func(c *Config) { c.PoolMin, c.PoolMax = 3, 2 }, "SG1055 pool.max"},
		{"connect", func(c *Config) { c.ConnectTimeout = 0 }, "SG1056 connect_timeout"},
		{"request", func(c *Config) { c.RequestTimeout = -time.Second }, "SG1056 request_timeout"},
		{"backoff min", func(c *Config) { c.BackoffMin = 0 }, "SG1056 backoff.min"},
		{"backoff max", func(c *Config) { c.BackoffMax = 0 }, "SG1056 backoff.max"},
		{"backoff equal", func(c *Config) { c.BackoffMax = c.BackoffMin }, ""},
		{"backoff order", func(c *Config) { c.BackoffMax = c.BackoffMin - 1 }, "SG1057 backoff.max"},
		{"uid of root", func(c *Config) { c.ExpectUID = 0 }, ""},
		{"uid of a socket", func(c *Config) { c.Address, c.ExpectUID = "unix:/s", 998 }, ""},
		{"largest uid", func(c *Config) { c.ExpectUID = 1<<32 - 2 }, ""},
		{"uid of none", func(c *Config) { c.ExpectUID = 1<<32 - 1 }, "SG1059 expect_uid"},
		{"uid below any", func(c *Config) { c.ExpectUID = -2 }, "SG1059 expect_uid"},
		{"uid beyond this host", func(c *Config) { c.Address, c.Unsafe, c.ExpectUID = "10.0.0.1:1", true, 998 }, "SG1059 expect_uid; SG1058 unsafe"},
		{"anybody beyond this host", func(c *Config) { c.Address, c.Unsafe = "10.0.0.1:1", true }, "SG1058 unsafe"},
		{"everything", func(c *Config) { *c = Config{} }, "SG1050 address; SG1053 dialect; SG1055 pool.max; SG1056 connect_timeout; " +
			"SG1056 request_timeout; SG1056 backoff.min; SG1056 backoff.max"},
	} {
		c := Default()
		c.Address = "127.0.0.1:11211"
		row.set(&c)
		if got := findingCodes(c.Validate()); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

// FuzzUpstreamAddress checks that without unsafe only a socket path or a
// loopback literal is accepted, whatever it is made to look like.
func FuzzUpstreamAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1:1", "[::1]:1", "unix:/s", "localhost:1", "10.0.0.1:1", "[::ffff:7f00:1]:1", "unix:/s?x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		c := Default()
		c.Address = address
		if c.Validate().Failed() {
			return
		}
		file, unix := strings.CutPrefix(address, "unix:")
		host, _, _ := net.SplitHostPort(address)
		host, _, _ = strings.Cut(host, "%")
		loopback := net.ParseIP(host).IsLoopback()
		if unix && (!strings.HasPrefix(file, "/") || strings.ContainsAny(file, "?\x00")) || !unix && !loopback {
			t.Errorf("%q is accepted", address)
		}
	})
}
