package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slabgate/slabgate/auth"
)

// cutShort is until when the second of two secrets was to be good, if the change
// keeps the first in its place although the second has not ended; else it is
// empty. Without --keep-for every old secret ends, as everybody expects.
func (u *userCommand) cutShort(old []auth.StoredSecret, now time.Time) string {
	if u.keep <= 0 || len(old) < 2 {
		return ""
	}
	switch end := old[1].NotAfter; {
	case end.IsZero():
		return "for good"
	case now.Before(end):
		return "until " + endOf(old[1])
	}
	return ""
}

// rotate puts a new secret first and keeps the newest of the old ones for a
// while, if that was asked for.
func (u *userCommand) rotate(old []auth.StoredSecret, s auth.StoredSecret, now time.Time) []auth.StoredSecret {
	secrets := []auth.StoredSecret{s}
	if u.keep <= 0 || len(old) == 0 {
		return secrets
	}
	kept, until := old[0], now.Add(u.keep).UTC().Truncate(time.Second)
	if kept.NotAfter.IsZero() || kept.NotAfter.After(until) {
		kept.NotAfter = until
	}
	return append(secrets, kept)
}

// until is when each of a user's secrets ends, in the order of the file: the
// present one first.
func until(usr *auth.User) string {
	var ends []string
	for _, s := range usr.Secrets {
		ends = append(ends, endOf(s))
	}
	return cmp.Or(strings.Join(ends, ", "), "-")
}

// endOf is when a secret ends, in UTC, or a dash if it doesn't.
func endOf(s auth.StoredSecret) string {
	if s.NotAfter.IsZero() {
		return "-"
	}
	return s.NotAfter.UTC().Format(time.RFC3339)
}

// scramOf are the hashes that a user can log in with by SCRAM whichever secret
// the client has, strongest first.
func scramOf(usr *auth.User) string {
	var names []string
	for _, h := range auth.Hashes() {
		lacks := func(s auth.StoredSecret) bool { return !slices.Contains(s.Hashes(), h) }
		if len(usr.Secrets) > 0 && !slices.ContainsFunc(usr.Secrets, lacks) {
			names = append(names, string(h))
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}
