package probe

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTargets(t *testing.T) {
	for _, tc := range []struct {
		text       string
		authorised bool
		want       string // places, or the beginning of the error
	}{
		{"10.0.0.7", false, "10.0.0.7:1 10.0.0.7:2"},
		{"10.0.0.7:11212", false, "10.0.0.7:11212"},
		{"10.0.0.7:11212,11213", false, "10.0.0.7:11212 10.0.0.7:11213"},
		{"::1", false, "[::1]:1 [::1]:2"},
		{"[::1]", false, "[::1]:1 [::1]:2"},
		{"[::1]:11212", false, "[::1]:11212"},
		{"unix:/run/mc.sock", false, "unix:/run/mc.sock"},
		{"10.0.0.4/31", false, "10.0.0.4:1 10.0.0.4:2 10.0.0.5:1 10.0.0.5:2"},
		{"10.0.0.9/28", false, "32 places"},
		{"10.0.0.0/27", false, "error: 10.0.0.0/27 has 32 addresses"},
		{"10.0.0.0/27", true, "64 places"},
		{"10.0.0.0/20", true, "8192 places"},
		{"10.0.0.0/8", true, "error: 10.0.0.0/8 has more than 4096"},
		{"fe80::/64", true, "error: fe80::/64 has more than 4096"},
		{"fe80::/124", false, "32 places"},
		{"255.255.255.254/31", false, "255.255.255.254:1 255.255.255.254:2 255.255.255.255:1 255.255.255.255:2"},
		{"a/b", false, "error: \"a/b\" is neither"},
		{"", false, "error: \"\" names no host"},
		{"host name", false, "error: \"host name\" names no host"},
		{"host\x1b[1m", false, "error: \"host\\x1b[1m\" names no host"},
		{"host:0", false, "error: \"0\" is not a port"},
		{"host:http", false, "error: \"http\" is not a port"},
		{"a:b:c", false, "error: \"a:b:c\" is not HOST"},
		{"unix:", false, "error: \"unix:\" names no socket"},
		{"unix:" + strings.Repeat("/", 200), false, "error: \"unix:"},
		{":11211", false, "error: \":11211\" names no host"},
	} {
		got := ""
		target, err := ParseTarget(tc.text, []int{1, 2}, tc.authorised)
		if err != nil {
			got = "error: " + err.Error()
		} else if list, err := target.places(context.Background(), tc.authorised); err != nil {
			got = "error: " + err.Error()
		} else if len(list) > 8 {
			got = itoa(len(list)) + " places"
		} else {
			for _, p := range list {
				got = strings.TrimSpace(got + " " + p.String())
			}
		}
		if got != tc.want && !(strings.HasPrefix(tc.want, "error") && strings.HasPrefix(got, tc.want)) {
			t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestPorts(t *testing.T) {
	got, err := ParsePorts("11211, 11212,11211")
	if err != nil || !slices.Equal(got, []int{11211, 11212}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{"", "0", "65536", "-1", "1,,2", "x", strings.Trim(strings.Repeat("1,", 3), ",") + ",", manyPorts()} {
		if got, err := ParsePorts(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
}

func manyPorts() string {
	var list []string
	for i := range maxPorts + 1 {
		list = append(list, itoa(i+1))
	}
	return strings.Join(list, ",")
}

// A name with several addresses is not looked at, none of them, unless its owner
// has asked for it.
func TestNamesWithSeveralAddresses(t *testing.T) {
	target, err := ParseTarget("localhost:1", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := target.addresses(context.Background())
	if err != nil || len(addrs) < 2 {
		t.Skipf("SKIP: localhost has one address here: %v", addrs)
	}
	c := Default()
	c.Targets = []Target{target}
	if r, err := Run(context.Background(), c); !errors.Is(err, errMany) {
		t.Errorf("got %+v, %v, want errMany", r, err)
	}
	if list, err := target.places(context.Background(), true); err != nil || len(list) != len(addrs) {
		t.Errorf("authorised: got %v, %v", list, err)
	}
}

// FuzzParseTarget holds that a target without authority is 16 addresses at most,
// and that no place has what a resolver or a terminal would act on.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"10.0.0.7:11212", "[::1]:11212", "unix:/run/mc.sock", "10.0.0.0/28", "cache-1.example", "::ffff:10.0.0.1/120", "0.0.0.0/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s, []int{1}, false)
		if err != nil {
			return
		}
		if target.path == "" && target.host == "" && target.net.Addr().BitLen()-target.net.Bits() > 4 {
			t.Errorf("%q is %v", s, target.net)
		}
		if strings.ContainsFunc(target.host, odd) {
			t.Errorf("%q is host %q", s, target.host)
		}
		if _, err := netip.ParseAddr(target.host); target.host != "" && err != nil {
			return // a name, which is not looked up here
		}
		list, err := target.places(context.Background(), false)
		if err != nil || len(list) == 0 || len(list) > maxPlain*maxPorts {
			t.Errorf("%q: %d places, %v", s, len(list), err)
		}
	})
}

func TestCleanIsFitToShow(t *testing.T) {
	for in, want := range map[string]string{
		"cache-1.example":        "cache-1.example",
		"a\x1b[31mb\n":           `a\u001b[31mb\u000a`,
		"\xff":                   `\xff`,
		`back\slash`:             `back\\slash`,
		"\u202egnp":              `\u202egnp`,
		strings.Repeat("x", 101): strings.Repeat("x", 100) + "…",
	} {
		if got := clean([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestPacerSpacesWhatIsSent(t *testing.T) {
	p := newPacer(50)
	began := time.Now()
	for range 6 {
		if err := p.wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 5*p.step {
		t.Errorf("6 packets at 50 a second took %v, want %v at least", took, 5*p.step)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 3 {
		if err := p.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: got %v", err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Default()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"--from":    func(c *Config) { c.From = "outside" },
		"--rate 0":  func(c *Config) { c.Rate = 0 },
		"--rate 10": func(c *Config) { c.Rate = 10000 },
		"--timeout": func(c *Config) { c.Timeout = 0 },
		"--time":    func(c *Config) { c.Time = 2 * time.Hour },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
