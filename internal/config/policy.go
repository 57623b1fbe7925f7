package config

import (
	"reflect"

	"github.com/slabgate/slabgate/internal/finding"
	"github.com/slabgate/slabgate/policy"
)

// LoadPolicy reads the policy.yaml at path. Names in it are data and keep their
// case, but users and groups of this host become their numbers. The document is
// what could be read; the findings say what could not, and Positions places what
// compiling the document finds.
func LoadPolicy(path string) (*policy.Document, Positions, finding.List) {
	doc := &policy.Document{}
	data, list := readFile(path, settingsFile)
	if data == nil {
		return doc, Positions{file: path}, list
	}
	at, faults := decode(path, data, reflect.ValueOf(doc).Elem(), nothingLater)
	at.sum = sumOf(data)
	return doc, at, append(append(list, faults...), at.Place(numberIDs(doc, &hostUsers, &hostGroups))...)
}

// LoadPolicyElsewhere is LoadPolicy for a file that may be meant for another host.
// Users and groups are not looked up: doc has numbers for them that are made of
// their names and that no host is likely to use, written has the names. Neither
// shares memory with the other.
func LoadPolicyElsewhere(path string) (doc, written *policy.Document, at Positions, list finding.List) {
	doc, written = &policy.Document{}, &policy.Document{}
	data, list := readFile(path, settingsFile)
	if data == nil {
		return doc, written, Positions{file: path}, list
	}
	decode(path, data, reflect.ValueOf(written).Elem(), nothingLater)
	at, faults := decode(path, data, reflect.ValueOf(doc).Elem(), nothingLater)
	return doc, written, at, append(append(list, faults...), at.Place(numberIDs(doc, &anyUsers, &anyGroups))...)
}

// nothingLater is notYet for policy.yaml, of which this version has all.
func nothingLater(string) (string, bool) { return "", false }
