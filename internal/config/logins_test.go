package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/certs"
	"github.com/slabgate/slabgate/proxy"
)

// clear is a plaintext listener at address.
func clear(address string) Listener {
	l := Listener{ListenerConfig: proxy.DefaultListener()}
	l.Name, l.Address, l.Transport = "clear", address, "plaintext"
	return l
}

// TestLoginsReachEveryListener reads the file and looks at what the proxy gets.
func TestLoginsReachEveryListener(t *testing.T) {
	for _, row := range []struct {
		logins string
		want   proxy.ListenerConfig
	}{
		{"{ascii: [memcached], users: /u}", proxy.ListenerConfig{ASCIILogin: true}},
		{"{ascii: [key_value], users: /u}", proxy.ListenerConfig{KeyValueLogin: true}},
		{"{sasl: [PLAIN, SCRAM-SHA-1], users: /u}", proxy.ListenerConfig{SASL: []string{"PLAIN", "SCRAM-SHA-1"}}},
		{"{sasl: [EXTERNAL]}", proxy.ListenerConfig{SASL: []string{"EXTERNAL"}}},
		{"{sasl: [SCRAM-SHA-512], ascii: [memcached], users: /u}", proxy.ListenerConfig{SASL: []string{"SCRAM-SHA-512"}, ASCIILogin: true}},
	} {
		c, list := loadText(fullFile(t, "logins:\n  ascii: [memcached]\n  users: users.yaml\n", "logins: "+row.logins+"\n"), nil)
		if list.Failed() {
			t.Errorf("%s: %v", row.logins, list)
			continue
		}
		for i := range c.Listeners {
			l := c.Listeners[i].ListenerConfig
			got := proxy.ListenerConfig{ASCIILogin: l.ASCIILogin, KeyValueLogin: l.KeyValueLogin, SASL: l.SASL, PlainInClear: l.PlainInClear}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("%s: listener %d has %+v, want %+v", row.logins, i, got, row.want)
			}
		}
	}
}

func TestUnsafePlainReachesItsListenerOnly(t *testing.T) {
	c, list := loadText(`
version: 1
policy: /p.yaml
listeners:
  - {name: a, address: "127.0.0.1:1", transport: plaintext, unsafe_plain: true}
  - {name: b, address: "127.0.0.1:2", transport: plaintext}
upstreams: [{name: u, address: unix:/m.sock}]
logins: {sasl: [PLAIN], users: /u}
`, nil)
	var got []string
	for _, f := range list {
		got = append(got, at(f))
	}
	want := "5:61 SG1048 listeners[0].unsafe_plain; 6:5 SG1061 listeners[1]"
	if strings.Join(got, "; ") != want || c == nil || !c.Listeners[0].PlainInClear || c.Listeners[1].PlainInClear {
		t.Errorf("got %v, want %s", list, want)
	}
}

// TestWhatAListenerOffers tries sets of mechanisms on every kind of listener.
func TestWhatAListenerOffers(t *testing.T) {
	none := certs.Config{Bundle: "/b.pem", ClientAuth: "none", MinVersion: "1.3"}
	request := certs.Config{Bundle: "/b.pem", ClientCA: "/ca.pem", ClientAuth: "request", MinVersion: "1.3"}
	tls := func(c certs.Config) Listener { return Listener{valid().Listeners[0].ListenerConfig, &c} }
	unsafe := clear("127.0.0.1:1")
	unsafe.PlainInClear = true
	const noSASL, noProof = "SG1061 listeners[0]", "SG1029 listeners[0]"
	for _, row := range []struct {
		name string
		l    Listener
		sasl string
		want string
	}{
		{"PLAIN in the clear", clear("127.0.0.1:1"), "PLAIN", noSASL},
		{"PLAIN and EXTERNAL in the clear", clear("[::1]:1"), "PLAIN EXTERNAL", noSASL},
		{"SCRAM in the clear", clear("127.0.0.1:1"), "PLAIN SCRAM-SHA-256", ""},
		{"PLAIN in the clear, allowed", unsafe, "PLAIN", "SG1048 listeners[0].unsafe_plain"},
		{"PLAIN on a unix socket", clear("unix:/s"), "PLAIN", ""},
		{"EXTERNAL on a unix socket", clear("unix:/s"), "EXTERNAL", noSASL},
		{"EXTERNAL without certificates", tls(none), "EXTERNAL", noSASL},
		{"EXTERNAL with a certificate at will", tls(request), "EXTERNAL", noProof + ".tls.client_auth"},
		{"EXTERNAL with certificates", valid().Listeners[0], "EXTERNAL", ""},
		{"PLAIN inside TLS", tls(none), "PLAIN", ""},
		{"SCRAM inside TLS", tls(none), "SCRAM-SHA-512", ""},
		{"none", clear("unix:/s"), "", noProof},
	} {
		c := valid()
		c.Listeners = []Listener{row.l}
		c.Logins.SASL = strings.Fields(row.sasl)
		c.Listeners[0].SASL = c.Logins.SASL
		if c.Logins.wantUsers() != "" {
			c.Logins.Users = "/u.yaml"
		}
		var got []string
		list := c.Validate()
		for _, f := range list {
			got = append(got, f.Code+" "+f.Key)
		}
		if strings.Join(got, "; ") != row.want || list.Failed() {
			t.Errorf("%s: got %v, want %s", row.name, list, row.want)
		}
	}
}

func TestUsersWithoutALogin(t *testing.T) {
	for _, row := range []struct {
		logins Logins
		want   string
	}{
		{Logins{Users: "/u"}, "SG1035 logins.users"},
		{Logins{Users: "/u", SASL: []string{"EXTERNAL"}}, "SG1035 logins.users"},
		{Logins{Users: "/u", SASL: []string{"EXTERNAL", "SCRAM-SHA-1"}}, ""},
		{Logins{Users: "/u", ASCII: []string{"key_value"}}, ""},
		{Logins{SASL: []string{"SCRAM-SHA-1"}}, "SG1028 logins.users"},
		{Logins{SASL: []string{"EXTERNAL"}}, ""},
		{Logins{}, ""},
	} {
		c := valid()
		c.Logins = row.logins
		got := ""
		for _, f := range c.Validate() {
			got += f.Code + " " + f.Key
		}
		if got != row.want {
			t.Errorf("%+v: got %s, want %s", row.logins, got, row.want)
		}
	}
}

func TestAMechanismIsSuggested(t *testing.T) {
	const all = "the mechanisms are SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, EXTERNAL"
	for _, row := range []struct{ name, want string }{
		{"plain", "write PLAIN, in capitals"},
		{"Scram-Sha-256", "write SCRAM-SHA-256, in capitals"},
		{"SCRAM-SHA256", "did you mean SCRAM-SHA-256?"},
		{"scram_sha_512", "did you mean SCRAM-SHA-512?"},
		{"SCRAM-SHA-265", "did you mean SCRAM-SHA-256?"},
		{"PLIAN", "did you mean PLAIN?"},
		{"EXTRENAL", "did you mean EXTERNAL?"},
		{"KERBEROS", all},
		{"", all},
		{"SCRAM-SHA-512-PLUS", "write SCRAM-SHA-512"},
		{"DIGEST-MD5", absentFix},
		{"login", absentFix},
	} {
		c := valid()
		c.Logins = Logins{SASL: []string{row.name}, Users: "/u.yaml"}
		list := c.Validate()
		if len(list) != 1 || list[0].Fix != row.want || list[0].Key != "logins.sasl[0]" || !list.Failed() {
			t.Errorf("%q: got %v, want one error with the fix %s", row.name, list, row.want)
		}
	}
}

// TestWhatAFlagSaysOfAListIsBlamedOnIt: a fault in an element of a list that the
// file does not have stands nowhere in the file.
func TestWhatAFlagSaysOfAListIsBlamedOnIt(t *testing.T) {
	_, list := loadText(small, map[string]string{"logins.sasl": "PLAIN,PLIAN"})
	if len(list) != 1 || !strings.HasSuffix(list[0].Problem, "(set by --set logins.sasl)") || list[0].Line != 0 {
		t.Errorf("got %v, want one finding about --set", list)
	}
}
