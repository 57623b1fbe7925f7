package config

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"os/user"
	"slices"
	"strconv"
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

var (
	anyUsers  = idKind{"user", standIn}
	anyGroups = idKind{"group", standIn}
)

// standIn is a number for a name that is looked up nowhere: the same for the same
// name, and above those that hosts give out.
func standIn(name string) (id string, err error) {
	h := fnv.New32a()
	h.Write([]byte(name))
	n := min(h.Sum32()>>1|1<<31, math.MaxUint32-1) // the last one is no user
	return strconv.FormatUint(uint64(n), 10), nil
}

// numberIDs puts numbers in the place of the users and groups that doc names. A name
// that is not known stays.
func numberIDs(doc *policy.Document, users, groups *idKind) (list finding.List) {
	for _, name := range slices.Sorted(maps.Keys(doc.Identities)) {
		for i, m := range doc.Identities[name].Match {
			if m.Unix == nil {
				continue
			}
			at := element(fmt.Sprintf("identities.%s.match", name), i) + ".unix"
			list = append(list, users.number(at+".uid", m.Unix.UID)...)
			list = append(list, groups.number(at+".gid", m.Unix.GID)...)
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
