package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/slabgate/slabgate/auth"
	"github.com/slabgate/slabgate/internal/finding"
)

// usersDoc is users.yaml as it is written. It holds no password, only records
// that check one, and no message repeats them.
type usersDoc struct {
	Users []userDoc `yaml:"users"`
}

type userDoc struct {
	Name     string      `yaml:"name"`
	Secrets  []secretDoc `yaml:"secrets,omitempty"`
	Disabled bool        `yaml:"disabled,omitempty"`
}

type secretDoc struct {
	Scram    recordsDoc `yaml:"scram"`
	NotAfter time.Time  `yaml:"not_after,omitempty"`
}

// recordsDoc are the records of one secret. The one of most secrets is written
// without a list.
type recordsDoc []string

// MarshalYAML writes one record as text and more as a list.
func (r recordsDoc) MarshalYAML() (any, error) {
	if len(r) == 1 {
		return r[0], nil
	}
	return []string(r), nil
}

// listRecords makes a list of every lone value of a key scram, in place, where
// the value stands: the strict reader knows one shape for each key.
func listRecords(n *yaml.Node) {
	for i, c := range n.Content {
		lone := c.Kind == yaml.ScalarNode && !isNull(c)
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "scram" && lone {
			n.Content[i] = &yaml.Node{Kind: yaml.SequenceNode, Line: c.Line, Column: c.Column, Content: []*yaml.Node{c}}
			continue
		}
		listRecords(c)
	}
}

// decodeUsers is decode for users.yaml.
func decodeUsers(path string, data []byte, doc *usersDoc) (Positions, finding.List) {
	p := Positions{file: path, at: map[string]position{}}
	root, list := parse(data)
	if root == nil || list.Failed() {
		return p, placed(path, list)
	}
	listRecords(root)
	r := &reader{at: p.at, lines: splitLines(data), list: list, later: userNotYet}
	r.mark("", root)
	r.value(root, reflect.ValueOf(doc).Elem(), "")
	return p, p.Place(r.list)
}

// LoadUsers reads the users.yaml at path, which only its owner and group may
// read. The generation is passed on to [auth.NewUsers]. Users is nil if the
// findings hold an error.
func LoadUsers(path string, generation uint64) (*auth.Users, finding.List) {
	users, _, list := LoadUsersAndSum(path, generation)
	return users, list
}

// LoadUsersAndSum is LoadUsers with the SHA-256 of the file as it was read, in hex;
// "" if it could not be.
func LoadUsersAndSum(path string, generation uint64) (users *auth.Users, sum string, list finding.List) {
	data, list := readFile(path, usersFile)
	if list.Failed() {
		return nil, "", list
	}
	users, faults := readUsers(path, data, generation)
	return users, sumOf(data), append(list, faults...)
}

// readUsers is LoadUsers without the file system.
func readUsers(path string, data []byte, generation uint64) (*auth.Users, finding.List) {
	doc := &usersDoc{}
	at, list := decodeUsers(path, data, doc)
	if len(at.at) == 0 {
		return nil, list
	}
	refused := keysOf(list)
	var users []auth.User
	for i := range doc.Users {
		user, faults := doc.Users[i].user(element("users", i), refused)
		users = append(users, user)
		list = append(list, at.Place(faults)...)
		refused = append(refused, keysOf(faults)...)
	}
	out, faults := auth.NewUsers(users, generation)
	for _, f := range at.Place(faults) {
		if !touched(f.Key, refused) {
			list = append(list, f)
		}
	}
	if list.Failed() {
		return nil, list
	}
	return out, list
}

// user is u as auth wants it. What is wrong with a record that is not refused
// already is in the list.
func (u *userDoc) user(key string, refused []string) (auth.User, finding.List) {
	var list finding.List
	out := auth.User{Name: u.Name, Disabled: u.Disabled}
	for i := range u.Secrets {
		at := element(key+".secrets", i)
		secret, faults := u.Secrets[i].secret(at + ".scram")
		if !touched(at, refused) {
			list = append(list, faults...)
		}
		out.Secrets = append(out.Secrets, secret)
	}
	return out, list
}

// secret is s as auth wants it, the SHA-256 record apart from the others.
func (s *secretDoc) secret(key string) (auth.StoredSecret, finding.List) {
	var list finding.List
	out := auth.StoredSecret{NotAfter: s.NotAfter}
	texts := s.Scram
	if len(texts) == 0 {
		texts = recordsDoc{""}
	}
	for i, text := range texts {
		record, err := auth.ParseRecord(text)
		if err != nil {
			at := key
			if len(texts) > 1 {
				at = element(key, i)
			}
			list.Errorf("SG1281", at, "set a password with: slabgate user passwd NAME", "%s",
				strings.ReplaceAll(strings.ReplaceAll(err.Error(), "auth: ", ""), "\n", ", "))
			continue
		}
		if record.Hash() == auth.SHA256 && out.Record.IsZero() {
			out.Record = record
			continue
		}
		out.Others = append(out.Others, record)
	}
	return out, list
}

// recordsOf are the records of a secret as they are written.
func recordsOf(s auth.StoredSecret) recordsDoc {
	doc := recordsDoc{s.Record.String()}
	for _, r := range s.Others {
		doc = append(doc, r.String())
	}
	return doc
}

// touched reports whether key, or anything above or below it, is in refused.
func touched(key string, refused []string) bool {
	for _, r := range refused {
		if strings.HasPrefix(r, key+".") {
			return true
		}
	}
	return covered(key, refused)
}

// SaveUsers writes users to the users.yaml at path, whole or not at all: a
// reader sees the old file or the new one, also after a crash. A file that is
// there keeps its owner, group and mode, less what others might do with it; a
// new one gets mode 0640.
func SaveUsers(path string, users []auth.User) error {
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	if err := enc.Encode(docOf(users)); err != nil {
		return fmt.Errorf("config: writing users: %w", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays, what it names is replaced
	}
	if err := replace(path, text.Bytes(), usersFile); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// docOf is users as they are written.
func docOf(users []auth.User) usersDoc {
	doc := usersDoc{Users: []userDoc{}}
	for _, u := range users {
		d := userDoc{Name: u.Name, Disabled: u.Disabled}
		for _, s := range u.Secrets {
			d.Secrets = append(d.Secrets, secretDoc{Scram: recordsOf(s), NotAfter: s.NotAfter.UTC()})
		}
		doc.Users = append(doc.Users, d)
	}
	return doc
}

// replace puts data in the place of the file at path.
func replace(path string, data []byte, r rule) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, inherit(f, path, r), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

// inherit gives f the owner and mode of the file at path, if there is one.
func inherit(f *os.File, path string, r rule) error {
	mode := os.FileMode(0o640)
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Chmod(mode)
	}
	if err != nil {
		return err
	}
	if own, ok := st.Sys().(*syscall.Stat_t); ok {
		err = f.Chown(int(own.Uid), int(own.Gid))
	}
	// A change of owner may clear bits of the mode, which therefore comes last.
	return errors.Join(err, f.Chmod(st.Mode().Perm()&^r.denied))
}

// syncFolder makes a rename in dir last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
