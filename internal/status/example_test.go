package status

import (
	"net/netip"
	"time"

	"github.com/slabgate/slabgate/proxy"
)

// example is a document in which nothing is empty.
func example() *Document {
	return &Document{
		Schema: Schema, Time: noon, Host: "cache-0", Build: Build{"0.1.0", "8027857", "go1.26.8"}, Started: noon.Add(-76 * time.Hour), Leaving: "draining",
		Config: Config{
			Path: "/etc/slabgate/slabgate.yaml", Digest: "3f9a61c2d07e", Generation: 2, Loaded: noon.Add(-2 * time.Hour),
			Reload: &Reload{Time: noon.Add(-time.Hour), Problems: []string{`SG1042 unknown command group "@reads"`}},
		},
		Listeners:    []Listener{{"main", "tls", "0.0.0.0:11212", 220}, {"legacy", "plaintext", "10.2.9.1:11211", 14}},
		Upstream:     Upstream{"local", "unix:/run/memcached/memcached.sock", true, "1.6.18", noon.Add(-3 * time.Second), 0.00011, "dial: connection refused", noon.Add(-26 * time.Hour)},
		Certificates: []Certificate{{"main", "server", "cache-0.example", noon.Add(61*24*time.Hour + time.Hour), 61}, {"main", "ca", "Shop CA", noon.Add(2920 * 24 * time.Hour), 2920}},
		Clients: Clients{234, map[string]int{"tls": 220, "plaintext": 14}, []Group{
			{"shop", "tls", 220, 918273, 36, 0, 2, 81_000_000, 940_000_000, 0.00029, noon.Add(-2 * time.Hour)},
			{"legacy-batch", "plaintext", 12, 4400, 0, 12, 0, 500_000, 9_000_000, 0.012, noon.Add(-30 * time.Minute)},
			{"", "plaintext", 2, 0, 0, 0, 0, 0, 0, 0, noon.Add(-time.Second)},
		}},
		Plaintext: Plaintext{2, 14, 1, []Plain{
			{"10.2.9.17", "legacy-batch", "ascii", 12, 4400, 12, noon.Add(-70 * time.Hour), noon.Add(-4 * time.Second)},
			{"10.2.9.22", "", "binary", 2, 0, 0, noon.Add(-3 * time.Hour), noon.Add(-3 * time.Hour)},
		}, Enforcement{2, []string{"legacy-batch"}, []string{"trial"}, []string{}, []DenialGroup{
			{"7Q5CD", "would_deny", "trial", "mg user:77 N30", "own", "not_granted", 1, noon.Add(-10 * time.Minute), `add "@vivify" to allow: of identities.trial.rules[0]`},
		}, 3, false}},
		Denials: Denials{37, []DenialGroup{
			{"7Q2AB", "deny", "shop", "flush_all", "", "no_rule", 36, noon.Add(-time.Minute), `add "@flush" to allow: of identities.shop.rules[0]`},
			{"7Q5CD", "would_deny", "trial", "mg user:77 N30", "own", "not_granted", 1, noon.Add(-10 * time.Minute), `add "@vivify" to allow: of identities.trial.rules[0]`},
		}, 2, 3},
		Traffic: Traffic{proxy.Traffic{Requests: 922673, BytesIn: 81_500_000, BytesOut: 949_000_000}, 9100.5, 400_000, 4_200_000, 0.00031, History{
			noon, []float64{9000, 9200.5, 9101}, []float64{390_000, 410_000, 400_000}, []float64{4_100_000, 4_300_000, 4_200_000}, []float64{0.00012, 0.0001, 0.00011},
		}},
		Holds: Holds{proxy.Holds{
			Freezes:     []proxy.Freeze{{Writes: true, Since: noon.Add(-time.Minute), By: "uid 0"}, {Identity: "shop", Since: noon, By: "uid 0"}},
			Quarantines: []proxy.Quarantine{{Network: netip.MustParsePrefix("10.0.0.9/32"), Since: noon, Until: noon.Add(time.Hour), By: "uid 1000"}},
		}, 12, 3, 4},
		Warnings: []Warning{{"SG1306", "slabgate.yaml:7:5  ", "TLS 1.2 is accepted, which the default does not", `write min_version: "1.3" once every client can`}},
	}
}
