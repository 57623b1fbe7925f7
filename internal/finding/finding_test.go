package finding

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestAFindingOnOneLine(t *testing.T) {
	for _, row := range []struct {
		in   Finding
		want string
	}{
		{Finding{Problem: "p"}, "p"},
		{Finding{Problem: "p", Fix: "f"}, "p; f"},
		{Finding{Key: "a.b", Problem: "p", Fix: "f"}, "a.b: p; f"},
		{Finding{File: "x.yaml", Line: 3, Col: 7, Key: "a", Problem: "p", Fix: "f"}, "x.yaml:3:7: a: p; f"},
	} {
		if got := row.in.String(); got != row.want {
			t.Errorf("%+v: got %q, want %q", row.in, got, row.want)
		}
	}
}

func TestAList(t *testing.T) {
	var l List
	if l.Failed() || l.Err() != nil {
		t.Errorf("an empty list fails: %v", l.Err())
	}
	l.Warnf("SG1", "w", "fix", "%d", 1)
	if l.Failed() || l.Err() != nil {
		t.Errorf("a warning fails: %v", l.Err())
	}
	l.Errorf("SG2", "", "fix", "%s", "x")
	l.Errorf("SG3", "e", "fix", "y")
	if !l.Failed() {
		t.Error("an error does not fail")
	}
	if got, want := l.Err().Error(), "x; fix\ne: y; fix"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := All(l.Err()); !reflect.DeepEqual(got, l) {
		t.Errorf("got %v, want %v", got, l)
	}
	if got := All(errors.New("x")); got != nil {
		t.Errorf("got %v", got)
	}
	l = l.Under("top[0]")
	if got, want := fmt.Sprint(l[0].Key, " ", l[1].Key, " ", l[2].Key), "top[0].w top[0] top[0].e"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if Error.String() != "error" || Warning.String() != "warning" {
		t.Errorf("got %s, %s", Error, Warning)
	}
}
