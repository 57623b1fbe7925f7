package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// describe is a request in one line, written without the package's composers.
func describe(r *Request) string {
	s := describeCommand(r)
	if r.NoReply {
		s += " noreply"
	}
	if r.Quiet {
		s += " quiet"
	}
	if r.Unwanted {
		s = "unwanted " + s
	}
	return s
}

func describeCommand(r *Request) string {
	switch {
	case r.Verb.canon.classic != "":
		return describeClassic(r)
	case r.Verb.Route == RouteKeys:
		return describeParts(r) + describeReturns(&r.Form)
	case r.Verb.Category == CatAuth && len(r.Keys) > 0:
		return fmt.Sprintf("%s %s %q", r.Verb.Name, r.Keys[0], r.Value)
	}
	s := r.Verb.word
	if s == "" {
		s = r.Verb.Name
	}
	if len(r.Args) > 0 {
		s += " " + string(r.Args)
	}
	return s
}

// describeClassic is a request of the classic dialect about keys.
func describeClassic(r *Request) string {
	s, keys := r.Verb.word, string(bytes.Join(r.Keys, []byte(" ")))
	switch r.Verb.Name {
	case "gat", "gats":
		return fmt.Sprintf("%s %d %s", s, r.Exptime, keys)
	case "touch":
		return fmt.Sprintf("%s %s %d", s, keys, r.Exptime)
	case "incr", "decr":
		return fmt.Sprintf("%s %s %d", s, keys, r.Delta)
	case "set", "add", "replace", "append", "prepend":
		return fmt.Sprintf("%s %s %d %d %d %q", s, keys, r.Flags, r.Exptime, r.Size(), r.Value)
	case "cas":
		return fmt.Sprintf("%s %s %d %d %d %d %q", s, keys, r.Flags, r.Exptime, r.Size(), r.CAS, r.Value)
	}
	return s + " " + keys
}

// describeParts is a meta or binary request about a key: its name, the key, the
// size, what it asks for, and every part that it has, in the letters of meta
// commands; last the value.
func describeParts(r *Request) string {
	tok := []string{r.Verb.Name, string(bytes.Join(r.Keys, []byte(" ")))}
	if r.Verb.canon.value {
		tok = append(tok, fmt.Sprint(r.Size()))
	}
	tok = append(tok, partTokens(&r.Params)...)
	if r.Verb.canon.value {
		tok = append(tok, fmt.Sprintf("%q", r.Value))
	}
	return strings.Join(tok, " ")
}

// partTokens are the flags of a meta command that says p, in canonical order.
func partTokens(p *Params) []string {
	var tok []string
	add := func(ok bool, s string) {
		if ok {
			tok = append(tok, s)
		}
	}
	add(p.Ask&AskFlags != 0, "f")
	add(p.Ask&AskCAS != 0, "c")
	add(p.Ask&AskHit != 0, "h")
	add(p.Ask&AskAccess != 0, "l")
	add(p.Ask&AskSize != 0, "s")
	add(p.Ask&AskValue != 0, "v")
	add(p.Mode != 0, "M"+string(rune(p.Mode)))
	add(p.Flags != 0, fmt.Sprint("F", p.Flags))
	add(p.Has&HasCAS != 0, fmt.Sprint("C", p.CAS))
	add(p.Has&HasDelta != 0, fmt.Sprint("D", p.Delta))
	add(p.Has&HasNewCAS != 0, fmt.Sprint("E", p.NewCAS))
	add(p.Has&HasInitial != 0, fmt.Sprint("J", p.Initial))
	add(p.Has&Invalidates != 0, "I")
	add(p.Has&KeepsPlace != 0, "u")
	add(p.Has&DropsValue != 0, "x")
	return append(tok, orderedTokens(p)...)
}

// orderedTokens are the flags whose order is the client's.
func orderedTokens(p *Params) []string {
	order := strings.Trim(string(p.Order[:]), "\x00")
	if order == "" {
		order = "NTRt"
	}
	var tok []string
	for _, flag := range order {
		switch {
		case flag == 'N' && p.Has&HasVivify != 0:
			tok = append(tok, fmt.Sprint("N", p.Vivify))
		case flag == 'T' && p.Has&HasExptime != 0:
			tok = append(tok, fmt.Sprint("T", p.Exptime))
		case flag == 'R' && p.Has&HasRecache != 0:
			tok = append(tok, fmt.Sprint("R", p.Recache))
		case flag == 't' && p.Ask&AskTTL != 0:
			tok = append(tok, "t")
		}
	}
	return tok
}

// describeReturns is what the reply must repeat, behind an arrow.
func describeReturns(f *Form) string {
	var tok []string
	for _, flag := range f.returns.all() {
		s := string(rune(flag))
		if flag == 'O' {
			s += string(f.token)
		}
		tok = append(tok, s)
	}
	if f.base64 {
		tok = append(tok, "b")
	}
	if len(tok) == 0 {
		return ""
	}
	return " -> " + strings.Join(tok, " ")
}

// verbNamed returns the row of that name, which there must be.
func verbNamed(name string) *Verb {
	return verbs[slices.IndexFunc(verbs, func(v *Verb) bool { return v.Name == name })]
}

// command returns a command about key k that says no more than its row does.
func command(name string) *Command {
	c := verbNamed(name).Command([]byte("k"))
	return &c
}

// keyCommands are the names of all commands about a key.
func keyCommands() []string { return namesOf(func(v *Verb) bool { return v.Route == RouteKeys }) }

// classicCommands are those of the classic dialect.
func classicCommands() []string {
	return namesOf(func(v *Verb) bool { return v.canon.classic != "" })
}

func namesOf(in func(*Verb) bool) []string {
	var names []string
	for _, v := range Verbs() {
		if in(v) {
			names = append(names, v.Name)
		}
	}
	return names
}
