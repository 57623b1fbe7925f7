package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// crowd writes a captured tree of a host with many processes, each with sockets of
// its own.
func crowd(t testing.TB, processes, each int) Source {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var tcp strings.Builder
	inode := 1000
	for pid := 1; pid <= processes; pid++ {
		folder := fmt.Sprintf("proc/%d/", pid)
		put(folder+"status", fmt.Sprintf("Name:\tp%d\nUid:\t%d\t%d\t%d\t%d\nGid:\t0\t0\t0\t0\nGroups:\t\n", pid, pid, pid, pid, pid))
		put(folder+"cmdline", fmt.Sprintf("/usr/bin/p%d\x00-x\x00", pid))
		if err := os.Mkdir(filepath.Join(dir, folder+"fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		for fd := range each {
			inode++
			fmt.Fprintf(&tcp, "%d: 0100007F:%04X 00000000:0000 0A 0:0 00:00000000 00000000 %d 0 %d 1\n", inode, inode%60000+1, pid, inode)
			if err := os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(dir, folder+"fd", fmt.Sprint(fd))); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("proc/net/tcp", "header\n"+tcp.String())
	source, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestGatherOfACrowd(t *testing.T) {
	f := Gather(context.Background(), crowd(t, 200, 4), Options{})
	if len(f.Processes) != 200 || len(f.Sockets) != 800 {
		t.Fatalf("%d processes and %d sockets, want 200 and 800", len(f.Processes), len(f.Sockets))
	}
	for _, s := range f.Sockets {
		if s.PID != s.UID {
			t.Errorf("%s is of user %d, and held by %d", s.Addr, s.UID, s.PID)
		}
	}
}

// TestGatherStopsInTime has no time at all: nothing is looked at, and each part is
// told as unseen.
func TestGatherStopsInTime(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := Gather(ctx, crowd(t, 3, 1), Options{})
	if len(f.Processes)+len(f.Sockets) != 0 || len(f.Unseen) != len(steps) {
		t.Errorf("saw %d processes and %d sockets, unseen are %v", len(f.Processes), len(f.Sockets), f.Unseen)
	}
	if why := f.WhyUnseen("processes"); why != errLate.Error() {
		t.Errorf("processes are unseen because %q", why)
	}
}

// BenchmarkGather is a host as large as the two seconds are meant for.
func BenchmarkGather(b *testing.B) {
	source := crowd(b, 5000, 4)
	late := 0
	for b.Loop() {
		for _, u := range Gather(context.Background(), source, Options{}).Unseen {
			if u.Why == errLate.Error() {
				late++
			}
		}
	}
	b.ReportMetric(float64(late)/float64(b.N), "late/op")
}
