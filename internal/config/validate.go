package config

import (
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/finding"
)

// Words of the log section.
var (
	logLevels  = map[string]bool{"debug": true, "info": true, "warn": true, "error": true}
	logFormats = map[string]bool{"auto": true, "text": true, "json": true}
)

// Validate reports everything that is wrong with c: what each part says of its
// own, and what no part can see alone. Keys are those of slabgate.yaml. It looks
// at no file and no host.
func (c *Config) Validate() finding.List {
	var list finding.List
	if c.Version != 1 {
		list.Errorf("SG1020", "version", "write version: 1", "%d, but slabgate reads version 1 of this file", c.Version)
	}
	c.validateListeners(&list)
	c.validateUpstreams(&list)
	c.validateLogins(&list)
	if c.Policy == "" {
		list.Errorf("SG1033", "policy", "write policy: /etc/slabgate/policy.yaml", "not set; without a policy nobody may do anything")
	}
	list = append(list, c.Limits.Validate().Under("limits")...)
	c.validateProcess(&list)
	c.validateAdmin(&list)
	return list
}

// validateListeners checks each listener and what they must not share.
func (c *Config) validateListeners(list *finding.List) {
	if len(c.Listeners) == 0 {
		list.Errorf("SG1021", "listeners", `write listeners: [{name: main, address: ":11212", tls: {...}}]`, "there is no listener; nobody could connect")
	}
	named, bound := map[string]int{}, map[string]int{}
	for i := range c.Listeners {
		l, key := &c.Listeners[i], element("listeners", i)
		*list = append(*list, l.ListenerConfig.Validate().Under(key)...)
		validateTLS(list, l, key)
		if first, ok := named[l.Name]; ok && l.Name != "" {
			list.Errorf("SG1023", key+".name", "choose another name", "%q is the name of listeners[%d] too", clip(l.Name), first)
		}
		if first, ok := bound[l.Address]; ok && l.Address != "" && !strings.HasSuffix(l.Address, ":0") {
			list.Errorf("SG1034", key+".address", "choose another address or port", "%q is the address of listeners[%d] too", clip(l.Address), first)
		}
		named[l.Name], bound[l.Address] = i, i
		if !c.warnOfNoSASL(list, l, key) {
			c.warnOfNoProof(list, l, key)
		}
	}
}

// validateTLS checks that a listener has a tls section if its transport wants
// one, and what the section says.
func validateTLS(list *finding.List, l *Listener, key string) {
	switch {
	case l.TLS == nil && l.Transport == "tls":
		list.Errorf("SG1025", key+".tls", "write tls: {bundle: /etc/slabgate/tls/bundle.pem, client_ca: /etc/slabgate/tls/ca.pem}",
			"not set, but the transport is tls")
	case l.TLS != nil && l.Transport == "plaintext":
		list.Errorf("SG1026", key+".tls", "write transport: tls, or delete the section", "would not be used: the transport is plaintext")
	case l.TLS != nil:
		*list = append(*list, l.TLS.Validate().Under(key+".tls")...)
	}
}

// validateUpstreams checks the one upstream.
func (c *Config) validateUpstreams(list *finding.List) {
	if len(c.Upstreams) != 1 {
		list.Errorf("SG1024", "upstreams", "write one: upstreams: [{name: local, address: unix:/run/memcached/memcached.sock}]",
			"there are %d upstreams; this version wants exactly one", len(c.Upstreams))
	}
	for i := range c.Upstreams {
		u, key := &c.Upstreams[i], element("upstreams", i)
		if !isName(u.Name) {
			list.Errorf("SG1022", key+".name", "use a-z, 0-9 and single hyphens, 63 at most: local", "%q is not a name", clip(u.Name))
		}
		*list = append(*list, u.Validate().Under(key)...)
	}
}

// Bounds of reload.debounce: files that change together must be seen together, and
// soon.
const (
	minDebounce = 50 * time.Millisecond
	maxDebounce = 5 * time.Minute
)

// validateProcess checks reload, shutdown, log and audit record.
func (c *Config) validateProcess(list *finding.List) {
	if c.Shutdown.AcceptFor < 0 || c.Shutdown.Grace < 0 {
		list.Errorf("SG1032", "shutdown", "write 0s or more", "a wait is less than nothing")
	}
	if d := c.Reload.Debounce; c.Reload.Watch && (d < minDebounce || d > maxDebounce) {
		list.Errorf("SG1182", "reload.debounce", "write debounce: 2s", "%v is not between %v and %v", d, minDebounce, maxDebounce)
	}
	if !logLevels[c.Log.Level] {
		list.Errorf("SG1030", "log.level", "write debug, info, warn or error", "%q is not a level", clip(c.Log.Level))
	}
	if !logFormats[c.Log.Format] {
		list.Errorf("SG1030", "log.format", "write auto, text or json", "%q is not a format", clip(c.Log.Format))
	}
	*list = append(*list, c.Audit.Validate().Under("audit")...)
	for i, s := range c.Audit.Sinks {
		if key := element("audit.sinks", i) + ".mode"; s.Syslog != "" && c.at.Where(key) != "" {
			list.Errorf("SG1069", key, "delete the key", "would not be used: a syslog has no mode")
		}
	}
}

// isName reports whether s follows the grammar of every name in slabgate.yaml:
// lower-case words with single hyphens between them.
func isName(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for word := range strings.SplitSeq(s, "-") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}
