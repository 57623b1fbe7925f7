package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/denials"
)

// twoPolicy has one identity whose policy is enforced and one that is on trial.
const twoPolicy = openPolicy + `  trial:
    match: [{listener: try}]
    mode: audit
    rules: [{id: own, allow: ["@read"], keys: ["prefix:trial:"]}]
`

// startTwo starts a site with two listeners, for an identity each.
func startTwo(t *testing.T) *watched {
	t.Helper()
	w := startWatched(t)
	w.stop(t)
	w.edit(t, "slabgate.yaml", "listeners:", "listeners:\n  - {name: try, address: \"unix:"+w.dir+"/try\", transport: plaintext}")
	w.write(t, "policy.yaml", twoPolicy)
	w.running = w.start(t)
	return w
}

// sends sends lines to a listener at once and reads as many lines of answers.
func (w *watched) sends(t *testing.T, listener string, lines []string) {
	t.Helper()
	c, err := net.Dial("unix", w.dir+"/"+listener)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go fmt.Fprint(c, strings.Join(lines, "\r\n")+"\r\n")
	in := bufio.NewReader(c)
	for i := range lines {
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
}

// A client that is denied very much must not make what another would be denied look
// as if it were nothing.
func TestAFloodOfDenialsDoesNotMakeEnforcingSafe(t *testing.T) {
	w := startTwo(t)
	w.sends(t, "try", []string{"get other:1", "get other:2"})
	id := w.ids(t)[0]
	var flood []string
	for i := range 2 * denials.Most {
		flood = append(flood, fmt.Sprintf("get x%c%c%c:1", 'a'+i%26, 'a'+i/26%26, 'a'+i/676))
	}
	w.sends(t, "app", flood)
	d := w.statusNow(t)
	if d.Denials.Overwritten == 0 {
		t.Fatal("the flood was too small to overwrite anything")
	}
	b := d.Plaintext.Breaks
	if b.Safe || b.Total != 1 || len(b.Latest) != 1 || b.Latest[0].Identity != "trial" || b.Latest[0].Count != 2 || b.Latest[0].ID != id || b.Latest[0].Fix != `add "prefix:other:" to read: of identities.trial.rules[0]` {
		t.Errorf("got %+v", b)
	}
	if want := int64(len(flood) + 2); d.Denials.Total != want {
		t.Errorf("%d denials, want %d", d.Denials.Total, want)
	}
	w.call(t, "status").want(t, exitOK, "enforcing now would break 1: trial", "  "+id+"  trial ", fmt.Sprintf("DENIED  %d in 2 groups", len(flood)+2))
	total := fmt.Sprintf("DENIED  %d ", len(flood)+2)
	w.call(t, "denials").want(t, exitOK, total, "older kinds are forgotten")
	w.call(t, "denials", "--group").want(t, exitOK, total, "older kinds are forgotten")
	w.call(t, "explain", id).want(t, exitOK, id, "get other:2", "add ")
	w.stop(t)
}

// A rule that is tried out breaks as much as an identity that is.
func TestARuleOnTrialIsNotSafeToEnforce(t *testing.T) {
	w := startTwo(t)
	w.edit(t, "policy.yaml", "    mode: audit\n    rules: [", "    rules: [{mode: audit, allow: [\"@all\"], keys: [\"*\"]}, ")
	w.hangUp(t, `"msg":"reloaded"`)
	w.sends(t, "try", []string{"get trial:1", "get other:1"})
	if b := w.statusNow(t).Plaintext.Breaks; b.Safe || b.Total != 1 || len(b.WouldDeny) != 1 || b.WouldDeny[0] != "trial" {
		t.Errorf("got %+v", b)
	}
	w.stop(t)
}
