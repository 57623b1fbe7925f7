package proxy

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/testkit"
)

// keyless carries out a command about no key, to which the model says OK.
func (r *reference) keyless(rest, text string) (string, reach) {
	if r.permits() {
		r.send("%s", text)
		r.say("OK")
	}
	return rest, next
}

func (r *reference) flush(rest string) (string, reach) {
	r.dropNoreply(2, 3)
	if len(r.words) > 2 {
		r.say(badFormat)
		return rest, next
	}
	delay, ok := int64(0), true
	if len(r.words) == 2 {
		delay, ok = expiry(r.words[1])
	}
	if !ok {
		r.say("CLIENT_ERROR invalid exptime argument")
		return rest, next
	}
	text := "flush_all"
	if delay != 0 {
		text += " " + strconv.FormatInt(delay, 10)
	}
	if r.prefix == "" {
		r.memcached.Answer(testkit.Request{Verb: "flush_all"}) // the model knows no delay
	}
	return r.keyless(rest, text)
}

var (
	statsForms  = regexp.MustCompile(`^stats( (items|slabs|sizes|settings|extstore|conns|reset))?$`)
	statsUnsafe = regexp.MustCompile(`^stats (detail (on|off|dump)|cachedump [0-9]+ [0-9]+)$`)
)

func (r *reference) stats(rest string) (string, reach) {
	line := strings.Join(r.words, " ")
	switch {
	case statsForms.MatchString(line):
		return r.keyless(rest, line)
	case statsUnsafe.MatchString(line):
		for _, word := range r.words[2:] {
			if _, ok := number(word, 1<<32-1); !ok && r.words[1] == "cachedump" {
				r.say("ERROR")
				return rest, next
			}
		}
		return r.unserved(rest)
	}
	r.say("ERROR")
	return rest, next
}

func (r *reference) verbosity(rest string) (string, reach) {
	r.dropNoreply(len(r.words))
	if len(r.words) == 2 {
		if n, ok := number(r.words[1], 1<<32-1); ok {
			return r.keyless(rest, "verbosity "+strconv.FormatUint(n, 10))
		}
	}
	r.say("ERROR")
	return rest, next
}
