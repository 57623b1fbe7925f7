package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/certs"
	"github.com/slabgate/slabgate/internal/config"
	"github.com/slabgate/slabgate/internal/doctor"
	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
	"github.com/slabgate/slabgate/protocol"
	"github.com/slabgate/slabgate/proxy"
)

const defaultConfig = "/etc/slabgate/slabgate.yaml"

// source says where a configuration is read from. It stays the same over all
// reloads of a process.
type source struct {
	path    string
	flags   []string // KEY=VALUE each, laid over everything
	environ []string
	dev     bool // throw-away certificates are good enough
}

// bind makes the flags that say where the configuration is.
func (s *source) bind(c *cobra.Command) {
	c.Flags().StringVarP(&s.path, "config", "c", defaultConfig, "configuration file")
	c.Flags().StringArrayVar(&s.flags, "set", nil, "set one configuration key, as in log.level=debug; repeatable")
	c.Flags().BoolVar(&s.dev, "dev", false, "accept the throw-away certificates of slabgate cert dev")
	s.environ = os.Environ()
}

// loaded is a configuration as run and check see it.
type loaded struct {
	config   *config.Config // nil if it can't be read
	policy   *policy.Policy // nil if it is refused
	snapshot *proxy.Snapshot
	parts    parts // of what could be read
	found    finding.List
}

// load reads every file and checks all of it, telling every fault at once. The
// snapshot is nil if anything is wrong. generation numbers it, and its users.
func (s *source) load(generation uint64) *loaded {
	l := &loaded{}
	flags := s.flagMap(&l.found)
	if l.found.Failed() {
		return l
	}
	l.config, l.found = config.Load(s.path, flags, s.environ)
	if l.config == nil {
		return l
	}
	l.parts = parts{}
	digest := sha256.New()
	for _, o := range l.config.Origins { // what is said, not where: that depends on where slabgate was started
		fmt.Fprintf(digest, "%q %q\n", o.Key, o.Value)
	}
	snap := &proxy.Snapshot{Limits: l.config.Limits, TLS: map[string]*tls.Config{}, CAs: map[string][]*x509.Certificate{}, CNs: map[string]bool{}, Number: generation}
	for i := range l.config.Listeners {
		fmt.Fprintln(digest, l.certificate(i, snap, s.dev))
	}
	for _, o := range l.config.Origins {
		if reloadable(o.Key) {
			l.parts.note("setting "+o.Key, "value", o.Value)
		}
	}
	// Of what was read just now: a file may be another one by the time it is read again.
	fmt.Fprintln(digest, l.config.Logins.Users, l.users(snap, generation))
	fmt.Fprintln(digest, l.config.Policy, l.compile(snap))
	snap.Digest = hex.EncodeToString(digest.Sum(nil))
	l.found = append(l.found, doctor.AtStart(l.config.Upstreams[0].Address, os.Getenv("GODEBUG"))...)
	if !l.found.Failed() {
		l.snapshot = snap
	}
	return l
}

// flagMap is every --set by its key.
func (s *source) flagMap(found *finding.List) map[string]string {
	flags := map[string]string{}
	for _, f := range s.flags {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			found.Errorf("SG1401", "", "write --set KEY=VALUE, as in --set log.level=debug", "--set %q has no value", f)
		}
		flags[key] = value
	}
	return flags
}

// certificate loads the TLS of one listener and returns its digest.
func (l *loaded) certificate(i int, snap *proxy.Snapshot, dev bool) string {
	c := &l.config.Listeners[i]
	if c.TLS == nil {
		return ""
	}
	tc := *c.TLS
	tc.Dev = dev
	m, found := certs.Load(tc)
	l.found = append(l.found, l.config.Place(found.Under(fmt.Sprintf("listeners[%d].tls", i)))...)
	if m == nil {
		return ""
	}
	l.parts.note("certificates of listener "+c.Name, "files", m.Digest)
	snap.TLS[c.Name], snap.CAs[c.Name], snap.CNs[c.Name] = m.Config(), m.Authorities(), tc.CommonName
	return m.Digest
}

// users loads the users file, if there are logins, and returns its sum.
func (l *loaded) users(snap *proxy.Snapshot, generation uint64) (sum string) {
	if l.config.Logins.Users == "" {
		return ""
	}
	users, sum, found := config.LoadUsersAndSum(l.config.Logins.Users, generation)
	l.found = append(l.found, found...)
	if !found.Failed() {
		snap.Users = users
		l.parts.noteUsers(users)
		l.found = append(l.found, l.unsupported(users)...)
	}
	return sum
}

// unsupported finds mechanisms that are configured and that no client is
// offered, since some user has no record for them.
func (l *loaded) unsupported(users *auth.Users) (found finding.List) {
	for i, m := range l.config.Logins.SASL {
		if users.Supports(m) {
			continue
		}
		hashes := string(auth.SHA256) // which every user has
		if h := strings.TrimPrefix(m, "SCRAM-"); h != hashes {
			hashes += "," + h
		}
		found.Warnf("SG1409", fmt.Sprintf("logins.sasl[%d]", i),
			"set passwords with: slabgate user passwd NAME --scram "+hashes+"; or remove the mechanism",
			"%s is not offered until every user has a record of it", m)
	}
	return l.config.Place(found)
}

// compile loads the policy, runs its tests, and returns the file's sum.
func (l *loaded) compile(snap *proxy.Snapshot) (sum string) {
	var f policyFile
	f.doc, f.at, f.found = config.LoadPolicy(l.config.Policy)
	f.compile()
	l.found = append(l.found, f.found...)
	if f.policy == nil {
		return f.at.Sum()
	}
	found := f.policy.RunTests(f.doc, time.Now().Unix(), parseLine)
	found = append(found, l.strangers(f.doc, f.policy)...)
	l.found = append(l.found, f.at.Place(found)...)
	if !found.Failed() {
		l.policy, snap.Policy = f.policy, f.policy
		l.parts.notePolicy(f.doc)
	}
	return f.at.Sum()
}

// parseLine parses a command line as a person writes it.
func parseLine(cmd string) (*protocol.Request, error) { return protocol.ParseLine([]byte(cmd)) }

// strangers finds what a policy needs of the configuration, and that has not.
func (l *loaded) strangers(doc *policy.Document, p *policy.Policy) (found finding.List) {
	if p.HasNamespaces() && l.config.State == "" {
		found.Warnf("SG1410", "", "set state in slabgate.yaml to a folder of slabgate's own, such as /var/lib/slabgate",
			"generations of namespaces are remembered by memcached alone: if that loses them, all namespaces begin anew")
	}
	for _, name := range p.Identities() {
		if up := doc.Identities[name].Upstream; up != "" && up != "default" && up != l.config.Upstreams[0].Name {
			found.Errorf("SG1411", "identities."+name+".upstream", "write "+l.config.Upstreams[0].Name+" or default, or remove the key",
				"no upstream is called %q", up)
		}
		for i, m := range doc.Identities[name].Match {
			if m.Listener == nil || l.hasListener(*m.Listener) {
				continue
			}
			found.Warnf("SG1402", fmt.Sprintf("identities.%s.match[%d].listener", name, i),
				"name a listener of slabgate.yaml, or remove the entry",
				"no listener is called %q", *m.Listener)
		}
	}
	return found
}

func (l *loaded) hasListener(name string) bool {
	for i := range l.config.Listeners {
		if l.config.Listeners[i].Name == name {
			return true
		}
	}
	return false
}

// usersFile is the path of the users file, if it is known and there is one.
func (l *loaded) usersFile() string {
	if l.config == nil {
		return ""
	}
	return l.config.Logins.Users
}

// exitCode is what a refused configuration ends the process with.
func (l *loaded) exitCode() int {
	if !l.found.Failed() {
		return exitOK
	}
	for _, f := range l.found {
		if code, special := exitOf[f.Code]; special && f.Severity == finding.Error {
			return code
		}
	}
	return exitConfig
}

// exitOf are the findings that are no fault of a file's text.
var exitOf = map[string]int{
	"SG1001": exitNoFile,
	"SG1015": exitPermission,
	"SG1039": exitPermission,
	"SG1280": exitPermission,
	"SG1310": exitNoFile,
	"SG1311": exitPermission,
	"SG1313": exitPermission,
	"SG1314": exitPermission,
	"SG1401": exitUsage,
	"SG1403": exitPermission,
}
