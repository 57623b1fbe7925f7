package policy

import "net/netip"

// At is what a rule may ask of the moment and of the connection of a request.
type At struct {
	Now  int64      // Unix seconds
	TLS  bool       // the connection is inside TLS
	From netip.Addr // of the client; invalid on a unix socket
}

// when is the condition of one rule, compiled.
type when struct {
	tls   *bool
	from  []netip.Prefix
	until *Instant
}

// holds reports whether every part of w does. The nil condition always holds.
func (w *when) holds(at *At) bool {
	if w == nil {
		return true
	}
	if w.tls != nil && *w.tls != at.TLS || w.until != nil && at.Now >= int64(*w.until) {
		return false
	}
	return len(w.from) == 0 || containsAddr(w.from, at.From)
}

// when compiles the condition of the rule at path.
func (c *compiler) when(path string, w *When) *when {
	if w == nil {
		return nil
	}
	path += ".when"
	if w.TLS == nil && w.From == nil && w.Until == nil {
		c.out.Errorf(codeEmptyMatch, path, "name tls, from or until, or remove the key", "a condition that asks for nothing always holds")
	}
	out := &when{tls: w.TLS, until: w.Until}
	out.from = c.networks(path+".from", w.From)
	return out
}
