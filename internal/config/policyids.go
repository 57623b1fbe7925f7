package config

import (
	"errors"
	"fmt"
	"maps"
	"os/user"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
)

// idKind is users or groups: what they are called, and how one is found.
type idKind struct {
	word   string
	lookup func(name string) (id string, err error)
}

var (
	hostUsers = idKind{"user", func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	}}
	hostGroups = idKind{"group", func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	}}
)

// numberIDs puts numbers in the place of the users and groups that doc names, as
// this host knows them now. A name that it does not know stays.
func numberIDs(doc *policy.Document) (list finding.List) {
	for _, name := range slices.Sorted(maps.Keys(doc.Identities)) {
		for i, m := range doc.Identities[name].Match {
			if m.Unix == nil {
				continue
			}
			at := element(fmt.Sprintf("identities.%s.match", name), i) + ".unix"
			list = append(list, hostUsers.number(at+".uid", m.Unix.UID)...)
			list = append(list, hostGroups.number(at+".gid", m.Unix.GID)...)
		}
	}
	return list
}

// number puts a number in the place of the name at key, if there is one.
func (k *idKind) number(key string, name *string) (list finding.List) {
	if name == nil || strings.Trim(*name, "0123456789") == "" {
		return nil
	}
	id, err := k.lookup(*name)
	if err != nil {
		list.Errorf("SG1156", key, "write the name of a "+k.word+" of this host, or a number", "%s", k.problem(*name, err))
		return list
	}
	*name = id
	return nil
}

// problem says why name was not found.
func (k *idKind) problem(name string, err error) string {
	var noUser user.UnknownUserError
	var noGroup user.UnknownGroupError
	if errors.As(err, &noUser) || errors.As(err, &noGroup) {
		return fmt.Sprintf("there is no %s %q", k.word, clip(name))
	}
	return fmt.Sprintf("looking up the %s %q: %s", k.word, clip(name), err)
}
