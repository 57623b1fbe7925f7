package host

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// TestTrialsLeaveNothing tries a real memcached, and what it is recorded as tells
// the same.
func TestTrialsLeaveNothing(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	m := testkit.MemcachedConfig{TCP: true}.Start(t)
	dir := t.TempDir()
	recorder := Record(Live(), dir)
	f := Gather(context.Background(), recorder, Options{Memcached: m.Addr(), Active: true})
	if len(f.Trials) != 2 || f.Trials[0].What != TrialItem || f.Trials[0].Address != m.Addr() || f.Trials[1].What != TrialPort {
		t.Fatalf("trials are %+v, want an item and a port", f.Trials)
	}
	for _, trial := range f.Trials {
		if trial.Error != "" || trial.UID != f.Self.UID {
			t.Errorf("trial %+v, want it to come off", trial)
		}
	}
	ln, err := net.Listen("tcp", f.Trials[1].Address)
	if err != nil {
		t.Errorf("the port is still taken: %v", err)
	} else {
		ln.Close()
	}
	stats := Gather(context.Background(), Live(), Options{Memcached: m.Addr()}).Memcached[0].Stats
	if stats["curr_items"] != "0" || stats["total_items"] != "1" || stats["get_hits"] != "1" || stats["delete_hits"] != "1" {
		t.Errorf("stats are %v, want one item that was stored, read and deleted", stats)
	}
	tree, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again := Gather(context.Background(), tree, Options{Memcached: m.Addr(), Active: true}).Trials; !slices.Equal(again, f.Trials) {
		t.Errorf("the tree tells %+v, want %+v", again, f.Trials)
	}
}

// TestNothingIsTriedUnasked looks without Active.
func TestNothingIsTriedUnasked(t *testing.T) {
	m := testkit.MemcachedConfig{TCP: true}.Start(t)
	Gather(context.Background(), Live(), Options{Memcached: m.Addr()})
	f := Gather(context.Background(), Live(), Options{Memcached: m.Addr()})
	if stats := f.Memcached[0].Stats; len(f.Trials) != 0 || stats["cmd_set"] != "0" || stats["cmd_get"] != "0" || stats["delete_misses"] != "0" {
		t.Errorf("trials %+v, stats %v", f.Trials, stats)
	}
}

func TestTrialsThatDoNotComeOff(t *testing.T) {
	testkit.VerifyNoLeaks(t)
	address, heard := say(t, "SERVER_ERROR out of memory\r\nEND\r\nNOT_FOUND\r\n")
	err := tryItem(context.Background(), address)
	if err == nil || !strings.Contains(err.Error(), `"SERVER_ERROR out of memory"`) {
		t.Errorf("got %v", err)
	}
	if text := heard(); !strings.HasPrefix(text, "set doctor:") || !strings.Contains(text, "\ndelete doctor:") {
		t.Errorf("said %q, want the key deleted whatever came before", text)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := (live{}).try(context.Background(), TrialPort, ln.Addr().String()); err == nil {
		t.Error("a port that is taken was taken again")
	}
	f := gatherTree(t, openMachine+"-- trials.txt --\nitem 127.0.0.1:11211 out of memory\n", Options{Active: true})
	want := []Trial{{TrialItem, "127.0.0.1:11211", "out of memory", 110}, {TrialPort, "127.0.0.1:11212", errNoTrial.Error(), 110}}
	if !slices.Equal(f.Trials, want) {
		t.Errorf("trials are %+v, want %+v", f.Trials, want)
	}
}
