package protocol

// AppendAsked appends the request about its i-th key alone as a person would ask
// about it: a command line without its end, which [ParseLine] reads and a policy
// decides on alike. A packet becomes the line of the command that it is granted
// as, and what that command can't say, the meta command that says it. i counts
// for nothing if the request is about no key.
func (r *Request) AppendAsked(dst []byte, i int) []byte {
	v := r.Verb
	if v.Route != RouteKeys {
		dst = append(dst, v.upstreamWord()...)
		if len(r.Args) > 0 {
			dst = append(append(dst, ' '), r.Args...)
		}
		return dst
	}
	c := r.Command(i)
	if r.isMeta() || v.word == "" && r.Has&HasVivify != 0 {
		return r.appendAskedMeta(dst, &c)
	}
	dst = append(append(dst, v.upstreamWord()...), ' ')
	if read := c.Ask&AskValue != 0; v.canon.word == "mg" && c.Has&HasExptime != 0 && read { // gat names the expiry before the key
		dst = append(appendInt(dst, int64(c.Exptime)), ' ')
	}
	return r.appendAskedArgs(append(dst, c.Key...), &c)
}

// appendAskedArgs appends what a line of the classic dialect says behind its key.
func (r *Request) appendAskedArgs(dst []byte, c *Command) []byte {
	switch {
	case r.Verb.canon.value:
		dst = appendUint(append(dst, ' '), uint64(c.Flags))
		dst = appendInt(append(dst, ' '), int64(c.Exptime))
		dst = appendUint(append(dst, ' '), uint64(r.size))
		if r.Verb.word != "" && c.Has&HasCAS != 0 {
			dst = appendUint(append(dst, ' '), c.CAS)
		}
	case r.Verb.canon.word == "ma":
		dst = appendUint(append(dst, ' '), c.delta())
	case c.Has&HasExptime != 0 && c.Ask&AskValue == 0:
		dst = appendInt(append(dst, ' '), int64(c.Exptime))
	}
	return dst
}

// appendAskedMeta appends a meta command with the parts that it has. What it
// wants to be told is left out: nothing hangs on it.
func (r *Request) appendAskedMeta(dst []byte, c *Command) []byte {
	dst = append(append(append(dst, c.Verb.canon.word...), ' '), c.Key...)
	if c.Verb.canon.value {
		dst = appendUint(append(dst, ' '), uint64(r.size))
	}
	if c.Mode != 0 {
		dst = append(dst, ' ', 'M', c.Mode)
	}
	c.Ask &^= AskTTL
	return c.appendOrdered(appendParts(dst, &c.Params))
}
