package audit

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slabgate/slabgate/internal/testkit"
)

// TestBlockingLosesNothingThatIsRefusedForAWhile has a disk that is full, and then
// is not.
func TestBlockingLosesNothingThatIsRefusedForAWhile(t *testing.T) {
	l, m := open(t, blocking())
	disk := &refuser{refuse: 2}
	l.outputs = []*output{{destination: disk}}
	var told []string
	l.Told = func(output string, err error) { told = append(told, fmt.Sprint(output, " ", err)) }
	go l.Run()
	l.Write(Event{Kind: Deny})
	l.Write(Event{Kind: Deny})
	testkit.Eventually(t, "both lines", func() bool { return disk.tries.Load() == 4 })
	shut(t, l)
	if len(disk.lines) != 2 || m.AuditDrops.Load() != 0 {
		t.Errorf("got %q and %d losses, want two lines", disk.lines, m.AuditDrops.Load())
	}
	if got := strings.Join(told, ", "); got != "refuser no room, refuser <nil>" {
		t.Errorf("told %s, want both changes", got)
	}
}

func TestCloseGivesUpWhatIsRefused(t *testing.T) {
	l, m := open(t, blocking())
	disk := &refuser{refuse: -1}
	l.outputs = []*output{{destination: disk}}
	go l.Run()
	l.Write(Event{Kind: Deny})
	l.Write(Event{Kind: Deny})
	testkit.Eventually(t, "a second try", func() bool { return disk.tries.Load() >= 2 })
	testkit.Within(t, "Close", func() { shut(t, l) })
	if m.AuditDrops.Load() != 2 {
		t.Errorf("got %d losses, want 2", m.AuditDrops.Load())
	}
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	l, m := open(t, blocking())
	disk := &stuck{free: make(chan struct{})}
	l.outputs, l.wait = []*output{{destination: disk}}, time.Millisecond
	go l.Run()
	for range 3 {
		l.Write(Event{Kind: Deny})
	}
	testkit.Eventually(t, "the first line to be taken up", func() bool { return len(l.queue) == 2 })
	if err := l.Close(); err == nil || err.Error() != "audit: 3 events were not written within 1ms" {
		t.Errorf("got %v, want three events that were not written", err)
	}
	if m.AuditDrops.Load() != 3 {
		t.Errorf("got %d losses, want 3", m.AuditDrops.Load())
	}
	close(disk.free)
}

// fill queues as many events as there is room for.
func fill(l *Log) {
	for range queueLines {
		l.Write(Event{Kind: Deny})
	}
}

func TestDroppingLosesWhatFindsNoRoom(t *testing.T) {
	file := path(t, "audit.jsonl")
	l, m := open(t, dropping(file))
	fill(l)
	for range 3 {
		l.Write(Event{Kind: Deny})
	}
	if m.AuditDrops.Load() != 3 {
		t.Errorf("got %d losses, want 3", m.AuditDrops.Load())
	}
	go l.Run()
	testkit.Eventually(t, "room", func() bool { return len(l.queue) == 0 })
	l.Write(Event{Kind: Deny})
	shut(t, l)
	list, _ := events(t, file)
	if len(list) != queueLines+1 || list[queueLines-1].Seq != queueLines || list[queueLines].Seq != queueLines+4 {
		t.Errorf("got %d events that end with %+v, want %d and a gap of 3", len(list), list[len(list)-1], queueLines+1)
	}
}

func TestBlockingWaitsForRoom(t *testing.T) {
	file := path(t, "audit.jsonl")
	l, m := open(t, blocking(file))
	fill(l)
	var waits sync.WaitGroup
	for range 3 {
		waits.Go(func() { l.Write(Event{Kind: Deny}) })
	}
	go l.Run()
	testkit.Within(t, "Write", waits.Wait)
	shut(t, l)
	list, _ := events(t, file)
	if len(list) != queueLines+3 || list[queueLines+2].Seq != queueLines+3 || m.AuditDrops.Load() != 0 {
		t.Errorf("got %d events and %d losses, want %d events", len(list), m.AuditDrops.Load(), queueLines+3)
	}
}

func TestReleaseLetsNobodyWait(t *testing.T) {
	l, m := open(t, blocking(path(t, "audit.jsonl")))
	fill(l)
	var waits sync.WaitGroup
	waits.Go(func() { l.Write(Event{Kind: Deny}) })
	l.Release()
	testkit.Within(t, "Write", waits.Wait)
	if m.AuditDrops.Load() != 1 {
		t.Errorf("got %d losses, want the one that waited", m.AuditDrops.Load())
	}
}
