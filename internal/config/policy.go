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
	return doc, at, append(append(list, faults...), at.Place(numberIDs(doc))...)
}

// nothingLater is notYet for policy.yaml, of which this version has all.
func nothingLater(string) (string, bool) { return "", false }
