package main

import (
	"strings"
	"testing"
)

// siteLogins is the line of siteConfig that these tests change.
const siteLogins = "logins: {ascii: [memcached], users: users.yaml}"

func TestCheckTellsOfMechanismsWithoutRecords(t *testing.T) {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", siteLogins, "logins: {sasl: [SCRAM-SHA-256, SCRAM-SHA-512, PLAIN, EXTERNAL], users: users.yaml}")
	o := s.call(t, "check")
	o.want(t, exitOK, "check: ok, 0 errors, 1 warning", "warning SG1409", s.path("slabgate.yaml:13:32"), "SCRAM-SHA-512 is not offered", "passwd NAME --scram SHA-256,SHA-512;")
	s.call(t, "check", "--strict").want(t, exitFindings, "SG1409")
	s.edit(t, "slabgate.yaml", "SCRAM-SHA-512, ", "")
	s.call(t, "check", "--strict").want(t, exitOK, "0 warnings")
}

// TestCheckOfABrokenUsersFileTellsThatOnly: who has which record is not known.
func TestCheckOfABrokenUsersFileTellsThatOnly(t *testing.T) {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", siteLogins, "logins: {sasl: [SCRAM-SHA-1], users: users.yaml}")
	s.edit(t, "users.yaml", "name: web", `name: "we b"`)
	o := s.call(t, "check")
	o.want(t, exitConfig, "SG1210")
	if strings.Contains(o.err, "SG1409") {
		t.Errorf("a mechanism is judged by users that could not be read:\n%s", o.err)
	}
}

func TestCheckRefusesLogins(t *testing.T) {
	for _, tc := range []struct{ logins, code, at, says string }{
		{"{sasl: [scram-sha-256], users: users.yaml}", "SG1062", "slabgate.yaml:13:17", "write SCRAM-SHA-256, in capitals"},
		{"{sasl: [CRAM-MD5], users: users.yaml}", "SG1063", "slabgate.yaml:13:17", "slabgate has no CRAM-MD5"},
		{"{sasl: [SCRAM-SHA-256-PLUS], users: users.yaml}", "SG1064", "slabgate.yaml:13:17", "write SCRAM-SHA-256"},
		{"{sasl: [PLAIN]}", "SG1028", "slabgate.yaml:13:1", "logins.sasl lets users log in"},
		{"{ascii: [memcached, key_value], users: users.yaml}", "SG1066", "slabgate.yaml:13:29", "keep one of the two"},
	} {
		s := newSite(t)
		s.edit(t, "slabgate.yaml", siteLogins, "logins: "+tc.logins)
		s.call(t, "check").want(t, exitConfig, "error "+tc.code, s.path(tc.at), tc.says)
	}
}

// TestCheckRunsTestsOfUsersBySASL: how a client becomes an identity changes
// nothing of what the identity may do.
func TestCheckRunsTestsOfUsersBySASL(t *testing.T) {
	s := newSite(t)
	s.edit(t, "slabgate.yaml", siteLogins, "logins: {sasl: [SCRAM-SHA-256], users: users.yaml}")
	s.edit(t, "policy.yaml", "[{ascii: web}]", "[{sasl: web}]")
	s.call(t, "check", "--strict").want(t, exitOK, "0 warnings")
	s.edit(t, "policy.yaml", "[{ascii: trial}]", "[{ascii: web}]")
	s.call(t, "check").want(t, exitConfig, "SG1114", "match each client in one identity only")
}
