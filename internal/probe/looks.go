package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slabgate/slabgate/internal/doctor"
)

// How findings go away.
var (
	bind = doctor.Fix{
		Text:     "let memcached listen on a unix socket that only slabgate may open, or on loopback, without UDP",
		Commands: []string{"systemctl edit memcached"},
		Config:   "-s /run/memcached/memcached.sock -a 0660 -U 0\n",
	}
	login = doctor.Fix{
		Text:   "let slabgate ask for a certificate or a login, and name no identity for others",
		Config: "client_auth: require\n",
	}
	noUDP   = doctor.Fix{Text: "start memcached with -U 0, and let no UDP in", Config: "-U 0\n"}
	useTLS  = doctor.Fix{Text: "let clients in by TLS only, and memcached itself by a unix socket", Config: "transport: tls\n"}
	newTLS  = doctor.Fix{Text: "take TLS 1.3, or 1.2 for clients that have nothing newer", Config: "min_version: \"1.3\"\n"}
	renew   = doctor.Fix{Text: "renew the certificate, and let slabgate read it", Commands: []string{"slabgate reload"}}
	rename  = doctor.Fix{Text: "issue the certificate for the name that clients use, or let them use its name"}
	noFlush = doctor.Fix{Text: "put slabgate before memcached, and start it with -F", Config: "-F\n"}
	justify = doctor.Fix{Text: "stop it, close the port, or leave it out of the targets"}
)

func fail(text string, fix doctor.Fix, ev ...doctor.Evidence) doctor.Verdict {
	return doctor.Verdict{Status: doctor.Fail, Text: text, Fix: fix, Evidence: ev}
}

// at lowers or raises the severity of a verdict.
func at(s doctor.Severity, v doctor.Verdict) doctor.Verdict {
	v.Severity = s
	return v
}

// one is a list of one finding.
func one(v doctor.Verdict) ([]doctor.Verdict, bool) { return []doctor.Verdict{v}, true }

func lookReach(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	skip := func(why string) ([]doctor.Verdict, bool) {
		return one(doctor.Verdict{Status: doctor.Skip, Text: e.Address + ": " + why})
	}
	open := func(e *Endpoint) bool { return e.State == Open }
	switch {
	case !e.seen():
		return skip(string(e.State) + ", " + e.Why)
	case e.Why != "":
		return skip(e.Why)
	case len(e.answers("", unanswered)) > 0:
		return skip("no answer in time to " + strings.Join(names(e.answers("", unanswered)), "; "))
	case r.vantage() != untrusted && !slices.ContainsFunc(r.Endpoints, open):
		return skip(string(e.State) + ", as every other: from here slabgate at least has to answer")
	}
	return nil, true
}

// unanswered reports whether a question that matters was asked in vain of one that
// answers others: silence proves nothing then.
func unanswered(a *Answer) bool {
	return a.depth > greet && a.Outcome == Untested && a.Said != notAsked
}

func lookKeys(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	if e.Keys == 0 && e.Values == 0 {
		return nil, e.seen() && (!r.shallow || e.State != Open)
	}
	list := e.answers("", func(a *Answer) bool { return a.Keys > 0 || a.Values > 0 })
	text := fmt.Sprintf("%s and %s came back to a stranger, by %s", plural(e.Keys, "key name"), plural(e.Values, "value"), strings.Join(names(list), "; "))
	if e.Looks != "" {
		text += fmt.Sprintf("; the keys look like %s", e.Looks)
	}
	if e.Items > 0 {
		text += fmt.Sprintf("; it says it has %s", plural(e.Items, "item"))
	}
	var ev []doctor.Evidence
	for _, a := range list {
		ev = append(ev, doctor.Evidence{Source: e.Address, Text: fmt.Sprintf("%s over %s: %s, %s", a.Asked, a.Over, plural(a.Keys, "key"), plural(a.Values, "value"))})
	}
	return one(fail(text, bind, ev...))
}

// lookServed finds what is served over one way.
func lookServed(over string) func(*Report, *Endpoint) ([]doctor.Verdict, bool) {
	fix := bind
	if over == overTLS {
		fix = login
	}
	return func(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
		list := e.answers(over, served)
		if len(list) == 0 {
			return nil, e.seen() && (over == overPlain || e.TLS != nil)
		}
		v := fail(fmt.Sprintf("strangers are served over %s: %s is answered", over, list[0].Asked), fix, evidence(e, list)...)
		switch {
		case r.vantage() == trusted && e.decided(over):
			v.Status, v.Severity = doctor.Warn, doctor.Medium
			v.Text = "slabgate serves everybody on this host, as its policy says: " + list[0].Asked + " is answered"
			v.Fix = login
		case r.vantage() == trusted:
			v = at(doctor.High, v)
		}
		return one(v)
	}
}

// decided reports whether a place refused something in the words of a slabgate that
// knows who asks, so that its policy has answered the rest.
func (e *Endpoint) decided(over string) bool {
	return len(e.answers(over, func(a *Answer) bool { return a.Said == deniedWords })) > 0
}

// lookDepth finds what is served of one depth.
func lookDepth(r *Report, e *Endpoint, d depth, words string) ([]doctor.Verdict, bool) {
	list := e.answers("", func(a *Answer) bool { return a.depth == d && served(a) && a.Over != overUDP })
	if len(list) == 0 {
		return nil, e.seen() && !r.shallow
	}
	return one(fail(words+strings.Join(names(list), "; "), bind, evidence(e, list)...))
}

func lookDumps(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	return lookDepth(r, e, dump, "commands that list keys are served: ")
}

func lookFigures(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	return lookDepth(r, e, figure, "statistics or settings are told: ")
}

func lookUDP(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	all := e.answers(overUDP, func(*Answer) bool { return true })
	list := e.answers(overUDP, func(a *Answer) bool { return a.Outcome == Answered || a.Outcome == Foreign })
	if len(list) == 0 {
		return nil, len(all) > 0
	}
	factor := 0.0
	for _, a := range list {
		factor = max(factor, a.Factor)
	}
	return one(fail(fmt.Sprintf("it answers over UDP, with up to %.1f bytes for each byte sent", factor), noUDP, evidence(e, list)...))
}

// lookPlain finds a memcached or slabgate that refuses in plaintext where only TLS
// is to be seen. One that serves is another check's.
func lookPlain(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	said := e.answers(overPlain, there)
	if len(said) == 0 || len(e.answers(overPlain, served)) > 0 || r.vantage() == trusted || e.unix() {
		return nil, e.seen()
	}
	return one(fail("it takes logins without TLS", useTLS, evidence(e, said)...))
}

// unix reports whether a place is a socket of this host.
func (e *Endpoint) unix() bool { return strings.HasPrefix(e.Address, "unix:") }

func lookMechs(r *Report, e *Endpoint) (found []doctor.Verdict, judged bool) {
	for _, m := range e.Mechs {
		if m.Over != overPlain || e.unix() || !slices.Contains(m.Names, "PLAIN") && !slices.Contains(m.Names, "LOGIN") {
			continue
		}
		v := fail("a password is asked for without TLS: "+strings.Join(m.Names, " "), useTLS,
			doctor.Evidence{Source: e.Address, Text: "binary SASL LIST MECHS over " + m.Over + ": " + strings.Join(m.Names, " ")})
		if r.vantage() == trusted {
			v = at(doctor.Medium, v)
		}
		found = append(found, v)
	}
	return found, e.seen()
}

func lookVersions(_ *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	if e.TLS == nil {
		return nil, false
	}
	old := func(v string) bool { return v != "TLS 1.3" && v != "TLS 1.2" }
	if !slices.ContainsFunc(e.TLS.Versions, old) {
		return nil, true
	}
	words := strings.Join(e.TLS.Versions, ", ")
	return one(fail("it takes "+words, newTLS, doctor.Evidence{Source: e.Address, Text: "handshakes: " + words}))
}

func lookCiphers(_ *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	if e.TLS == nil || len(e.TLS.Weak) == 0 {
		return nil, e.TLS != nil
	}
	words := strings.Join(e.TLS.Weak, ", ")
	return one(fail("it takes weak ciphers: "+words, newTLS, doctor.Evidence{Source: e.Address, Text: "handshakes: " + words}))
}

// How long a certificate should last at least. One with a short life, which somebody
// renews all the time, is judged by the part of its life that is left.
const (
	soon       = 30 * 24 * time.Hour
	urgent     = 7 * 24 * time.Hour
	soonPart   = 3
	urgentPart = 10
	dateFmt    = "2006-01-02"
)

func lookDates(r *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	if e.TLS == nil || e.TLS.Until.IsZero() {
		return nil, false
	}
	from, until := e.TLS.From, e.TLS.Until
	ev := doctor.Evidence{Source: e.Address, Text: "valid from " + from.Format(dateFmt) + " until " + until.Format(dateFmt)}
	left, life := until.Sub(r.Time), until.Sub(from)
	switch {
	case left <= 0:
		return one(fail("the certificate expired on "+until.Format(dateFmt), renew, ev))
	case r.Time.Before(from):
		return one(fail("the certificate is not valid before "+from.Format(dateFmt), renew, ev))
	case left < min(urgent, life/urgentPart):
		return one(fail("the certificate expires on "+until.Format(dateFmt), renew, ev))
	case left < min(soon, life/soonPart):
		v := at(doctor.Medium, fail("the certificate expires on "+until.Format(dateFmt), renew, ev))
		v.Status = doctor.Warn
		return one(v)
	}
	return nil, true
}

func lookNames(_ *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	if e.TLS == nil || e.TLS.Until.IsZero() || e.TLS.Matches {
		return nil, e.TLS != nil && !e.TLS.Until.IsZero()
	}
	words := strings.Join(e.TLS.Names, ", ")
	if words == "" {
		words = "no name"
	}
	return one(fail("the certificate is for "+words, rename, doctor.Evidence{Source: e.Address, Text: "asked for " + clean([]byte(e.TLS.Name))}))
}

// argumentWords refuse the number and not the command.
var argumentWords = []string{"CLIENT_ERROR bad command line format", "CLIENT_ERROR invalid exptime argument"}

// lookFlush judges flush_all where it was asked, or where nothing at all is served
// before a login.
func lookFlush(_ *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	asked := e.answers("", func(a *Answer) bool { return a.Asked == flushName })
	reached := func(a *Answer) bool { return served(a) || slices.Contains(argumentWords, a.Said) }
	for _, a := range asked {
		if !reached(a) {
			continue
		}
		v := fail("flush_all is let through to where its number is read", noFlush, evidence(e, []*Answer{a})...)
		if len(e.answers(a.Over, func(a *Answer) bool { return a.depth == dump && served(a) })) == 0 {
			// A slabgate reads the number before it decides, so that this may be its.
			v.Status, v.Severity = doctor.Warn, doctor.Medium
		}
		return one(v)
	}
	open := len(e.answers("", func(a *Answer) bool { return served(a) && a.Over != overUDP })) > 0
	return nil, e.seen() && (len(asked) > 0 || !open)
}

// lookForeign finds an open port that is neither memcached nor TLS.
func lookForeign(_ *Report, e *Endpoint) ([]doctor.Verdict, bool) {
	ours := e.answers("", func(a *Answer) bool { return a.Over != overUDP && (served(a) || there(a) || a.alert) })
	if e.State != Open || e.TLS != nil || len(ours) > 0 {
		return nil, e.seen()
	}
	return one(fail("it is open, and speaks neither memcached nor TLS", justify, evidence(e, e.answers(overPlain, func(*Answer) bool { return true }))...))
}
