package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/policy"
)

// parts is what a configuration consists of, as an operator thinks of it: of each
// thing, such as "identity shop", a digest of each of its properties. They are
// compared to tell what a reload has changed.
type parts map[string]map[string]string

// note adds a property of a thing.
func (p parts) note(thing, property string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	if p[thing] == nil {
		p[thing] = map[string]string{}
	}
	sum := sha256.Sum256(text)
	p[thing][property] = hex.EncodeToString(sum[:])
}

// noteFields adds every property of a struct by its name in the file.
func (p parts) noteFields(thing string, doc any) {
	v := reflect.ValueOf(doc)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		p.note(thing, name, v.Field(i).Interface())
	}
}

// notePolicy adds what a policy says.
func (p parts) notePolicy(doc *policy.Document) {
	p.noteFields("defaults", doc.Defaults)
	for name, role := range doc.Roles {
		p.noteFields("role "+name, role)
	}
	for name, id := range doc.Identities {
		p.noteFields("identity "+name, id)
	}
}

// noteUsers adds who may log in.
func (p parts) noteUsers(users *auth.Users) {
	for _, name := range users.Names() {
		u, _ := users.Find(name)
		p.note("user "+name, "disabled", u.Disabled)
		secrets := make([]string, 0, 2*len(u.Secrets))
		for _, s := range u.Secrets {
			secrets = append(secrets, s.NotAfter.String(), s.Record.String())
			for _, other := range s.Others {
				secrets = append(secrets, other.String())
			}
		}
		p.note("user "+name, "secrets", secrets)
	}
}

// changed says what differs in another configuration, a line each: first what was
// added, then what was changed, then what was removed.
func (p parts) changed(next parts) []string {
	var added, changed, removed []string
	for thing, now := range next {
		was, there := p[thing]
		if !there {
			added = append(added, "added "+thing)
		} else if names := differing(was, now); len(names) > 0 {
			changed = append(changed, "changed "+thing+": "+strings.Join(names, ", "))
		}
	}
	for thing := range p {
		if _, there := next[thing]; !there {
			removed = append(removed, "removed "+thing)
		}
	}
	for _, list := range [][]string{added, changed, removed} {
		slices.Sort(list)
	}
	return slices.Concat(added, changed, removed)
}

// differing are the properties that are not the same.
func differing(a, b map[string]string) (names []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for name := range all {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
