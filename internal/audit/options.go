package audit

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/finding"
)

// choices are the kinds that Options.Events may name. ReloadRefuse comes with
// Reload, and Allow is chosen by Options.AllowSample.
var choices = []Kind{AuthFail, Deny, WouldDeny, Flush, Keyspace, Settings, Admin, Reload, Revoke}

// Words of Options.
const (
	Block       = "block" // Options.OnFull: wait until there is room
	Drop        = "drop"  // Options.OnFull: lose the event, and count it
	LocalSyslog = "local" // SinkOptions.Syslog: the host's own
)

// Options say what is written down, how and where.
type Options struct {
	Events      []string // kinds that are written
	AllowSample int      // one of so many allowed requests is an event; 0 is none
	Keys        string   // as ParseKeys reads it
	OnFull      string   // Block or Drop
	Sinks       []SinkOptions
}

// SinkOptions name one place that every event goes to: a file or a syslog.
type SinkOptions struct {
	File   string      // path; empty for a syslog
	Mode   os.FileMode // of a file that slabgate creates
	Syslog string      // LocalSyslog, or empty for a file
}

// Default is everything that can be chosen, to no sink.
func Default() Options {
	o := Options{Keys: "prefix:16", OnFull: Block}
	for _, kind := range choices {
		o.Events = append(o.Events, string(kind))
	}
	return o
}

// Validate reports everything that is wrong with o. It looks at no file.
func (o *Options) Validate() finding.List {
	var list finding.List
	for _, word := range o.Events {
		if !slices.Contains(choices, Kind(word)) {
			list.Errorf("SG1067", "events", fixOfEvent(word), "%.40q is not an event that can be chosen", word)
		}
	}
	if o.AllowSample < 0 {
		list.Errorf("SG1068", "allow_sample", "write 0 for none, or 1000 for one of a thousand", "%d is less than none", o.AllowSample)
	}
	if _, err := ParseKeys(o.Keys); err != nil {
		list.Errorf("SG1067", "keys", "write prefix:16, with 1 to 250 for 16, or full, hash or none", "%.40q is no way to write a key", o.Keys)
	}
	if o.OnFull != Block && o.OnFull != Drop {
		list.Errorf("SG1067", "on_full", "write block or drop", "%.40q is neither", o.OnFull)
	}
	return append(list, validateSinks(o.Sinks)...)
}

// validateSinks checks each sink, and that no two are one.
func validateSinks(sinks []SinkOptions) (list finding.List) {
	for i, s := range sinks {
		key := fmt.Sprintf("sinks[%d]", i)
		list = append(list, s.validate().Under(key)...)
		first := slices.IndexFunc(sinks, func(other SinkOptions) bool { return other.File == s.File && other.Syslog == s.Syslog })
		switch {
		case first == i || s.File == "" && s.Syslog == "":
		case s.Syslog == "":
			list.Errorf("SG1036", key+".file", "keep one of the two", "%.80q is the file of audit.sinks[%d] too", s.File, first)
		default:
			list.Errorf("SG1036", key+".syslog", "keep one of the two", "audit.sinks[%d] is the same", first)
		}
	}
	return list
}

// validate checks one sink by itself.
func (s *SinkOptions) validate() (list finding.List) {
	switch {
	case s.Syslog != "" && s.File != "":
		list.Errorf("SG1069", "syslog", "make it an entry of its own in audit.sinks", "the sink has a file already")
	case s.Syslog != "" && s.Syslog != LocalSyslog:
		list.Errorf("SG1067", "syslog", "write syslog: local", "%.40q is not local", s.Syslog)
	case s.Syslog == "" && s.File == "":
		list.Errorf("SG1031", "file", "write file: /var/log/slabgate/audit.jsonl, or syslog: local", "not set")
	}
	if s.Syslog == "" && (s.Mode&0o007 != 0 || s.Mode&0o600 != 0o600) {
		list.Errorf("SG1037", "mode", `write mode: "0640"`, "%04o: slabgate must read and write the record, and others must not", uint32(s.Mode))
	}
	return list
}

// fixOfEvent is what to write instead of a word that is not in choices.
func fixOfEvent(word string) string {
	switch Kind(word) {
	case Allow:
		return "delete it, and write allow_sample: 1000 for one of a thousand allowed requests"
	case ReloadRefuse:
		return "write reload, which stands for both"
	}
	names := make([]string, len(choices))
	for i, kind := range choices {
		names[i] = string(kind)
	}
	return "choose from " + strings.Join(names, ", ")
}

// wanted are the kinds that o has written.
func (o *Options) wanted() map[Kind]bool {
	kinds := map[Kind]bool{Allow: true, Flush: true} // sampled by whoever makes them; always of interest
	for _, word := range o.Events {
		kinds[Kind(word)] = true
	}
	kinds[ReloadRefuse] = kinds[Reload]
	return kinds
}
