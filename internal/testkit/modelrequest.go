package testkit

import (
	"encoding/base64"
	"slices"
	"strings"
)

// Request is one request of a client, in any of the dialects.
type Request struct {
	Verb  string   // of a text dialect; empty in the binary one
	Args  []string // what follows the verb, keys as they are
	Flags []string // of a meta command, in the order they are sent; b has the key sent in base64
	Value string   // data block of a store
	Quiet bool     // of a classic command: noreply

	Packet Packet // the request in the binary dialect
}

// storeVerbs are the text commands that a data block follows.
var storeVerbs = []string{"set", "add", "replace", "append", "prepend", "cas", "ms"}

// Bytes returns the request as a client sends it.
func (r Request) Bytes() []byte {
	if r.Verb == "" {
		return r.Packet.Bytes()
	}
	args := slices.Clone(r.Args)
	if r.has('b') {
		args[0] = base64.StdEncoding.EncodeToString([]byte(args[0]))
	}
	words := slices.Concat([]string{r.Verb}, args, r.Flags)
	if r.Quiet {
		words = append(words, "noreply")
	}
	line := strings.Join(words, " ") + "\r\n"
	if slices.Contains(storeVerbs, r.Verb) {
		line += r.Value + "\r\n"
	}
	return []byte(line)
}

// has reports whether the request has a meta flag.
func (r Request) has(letter byte) bool {
	return slices.ContainsFunc(r.Flags, func(f string) bool { return f[0] == letter })
}

// String returns the request as a failure shows it.
func (r Request) String() string {
	if r.Verb == "" {
		return r.Packet.String()
	}
	return written(string(r.Bytes()))
}

// canonical is the request as the fake reads it: without what only decides
// whether, and how, it is answered. command is its row of the fake's table.
func (r Request) canonical(command *fakeCommand) *fakeRequest {
	f := &fakeRequest{verb: r.Verb, args: r.Args, body: []byte(r.Value), command: command}
	for _, text := range r.Flags {
		flag := metaFlag{text[0], text[1:]}
		if flag.letter != 'q' && flag.letter != 'b' && !command.ignores(flag) {
			f.flags = append(f.flags, flag)
		}
	}
	if len(r.Args) > 0 {
		f.echo = r.Args[0]
	}
	if r.has('b') {
		f.echo = base64.StdEncoding.EncodeToString([]byte(f.echo)) + " b"
	}
	return f
}
