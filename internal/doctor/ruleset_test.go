package doctor

import (
	"strings"
	"testing"
)

// TestRulesThatDecide holds what a rule says of a first packet to TCP port 11211
// from anybody.
func TestRulesThatDecide(t *testing.T) {
	for text, want := range map[string]string{
		"drop":                                        "drop",
		"counter packets 3 bytes 180 reject":          "reject",
		"tcp dport 11211 reject with tcp reset":       "reject",
		"tcp dport { 22, 11200-11300 } accept":        "accept",
		"meta l4proto tcp th dport 11211 drop":        "drop",
		"ct state new tcp dport 11211 counter accept": "accept",
		"iifname != \"lo\" tcp dport 11211 drop":      "drop",
		"jump other":                                  "jump",
		"tcp dport { 22, 80 } drop":                   "",
		"tcp dport { 22, 11211":                       "",
		"tcp dport @ports drop":                       "",
		"udp dport 11211 drop":                        "",
		"ip saddr 192.0.2.1 tcp dport 11211 drop":     "",
		"ct state established,related accept":         "",
		"iifname \"lo\" accept":                       "",
		"limit rate 5/second tcp dport 11211 accept":  "",
		"-p tcp -m tcp --dport 11211 -j DROP":         "drop",
		"-p tcp -m multiport --dports 80,11000:12000 -j REJECT --reject-with tcp-reset": "reject",
		"! -i lo -m comment --comment \"a b c\" -j DROP":                                "drop",
		"-m state --state NEW -m tcp -p tcp --dport 11211 -j ACCEPT":                    "accept",
		"-p udp -m udp --dport 11211 -j DROP":                                           "",
		"-s 192.0.2.0/24 -j DROP":                                                       "",
		"-i lo -j ACCEPT":                                                               "",
		"-j":                                                                            "",
		"tcp dport":                                                                     "",
		"counter":                                                                       "",
	} {
		got, _, _ := rule{text: text}.judge(mark{network: "tcp", port: 11211})
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestChainsThatTurn holds that chains that lead to each other end.
func TestChainsThatTurn(t *testing.T) {
	rules := ruleset(parseNFT(`table inet x {
	chain input {
		type filter hook input priority filter; policy drop;
		jump a
		jump nowhere
	}
	chain a {
		jump b
	}
	chain b {
		goto a
	}
}
`))
	if len(rules) != 3 || !rules.filtered("tcp", 11211, "inet") || rules.filtered("tcp", 11211, "ip") {
		t.Errorf("got %+v", rules)
	}
}

// TestChainsThatBranch holds that the work is bounded where each chain leads to
// itself many times: 30 to the power of 16 ways.
func TestChainsThatBranch(t *testing.T) {
	text := "table inet x {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n" + strings.Repeat("\t\tjump input\n", 30) + "\t}\n}\n"
	if !ruleset(parseNFT(text)).filtered("tcp", 11211, "inet") {
		t.Error("the policy is to drop, and no rule decides")
	}
}

func FuzzRulesets(f *testing.F) {
	f.Add("table ip nat {\n\tchain DOCKER {\n\t\ttcp dport 11211 dnat to 172.17.0.2:11211\n\t}\n}\n")
	f.Add("table inet x {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\tjump input\n\t}\n}\n")
	f.Add("*nat\n:DOCKER - [0:0]\n-A DOCKER -p tcp --dport 1 -j DNAT --to-destination [fd00::1]:11211\nCOMMIT\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		plain := strings.Join(strings.Fields(text), " ")
		for _, chains := range []ruleset{parseNFT(text), parseIptables(text)} {
			chains.filtered("tcp", 11211, "ip", "inet")
			for _, c := range chains {
				for _, r := range c.rules {
					if r.line < 1 || r.line > lines || !strings.Contains(plain, r.text) {
						t.Fatalf("rule %q of line %d is not in the text", r.text, r.line)
					}
					r.forwards()
				}
			}
		}
	})
}
