package host

import (
	"context"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

func TestUnitIsReadInTheOrderOfSystemd(t *testing.T) {
	dir := testkit.Tree(t, `
-- /etc/systemd/system/slabgate.service.d/20-b.conf --
etc b
-- /etc/systemd/system/slabgate.service.d/readme --
no drop-in
-- /usr/lib/systemd/system/slabgate.service.d/10-a.conf --
lib a
-- /usr/lib/systemd/system/slabgate.service.d/20-b.conf --
lib b
-- /usr/lib/systemd/system/slabgate.service --
the unit
-- /lib/systemd/system/slabgate.service --
the same by another name
-- /sys/kernel/security/lsm --
capability,landlock
`)
	source, err := Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := Gather(context.Background(), source, Options{})
	want := []UnitFile{
		{"/usr/lib/systemd/system/slabgate.service", "the unit\n"},
		{"/usr/lib/systemd/system/slabgate.service.d/10-a.conf", "lib a\n"},
		{"/etc/systemd/system/slabgate.service.d/20-b.conf", "etc b\n"},
	}
	if len(f.Unit) != len(want) {
		t.Fatalf("got %q, want %q", f.Unit, want)
	}
	for i := range want {
		if f.Unit[i] != want[i] {
			t.Errorf("file %d is %q, want %q", i, f.Unit[i], want[i])
		}
	}
	if f.LSM != "capability,landlock" {
		t.Errorf("the kernel has %q", f.LSM)
	}
}
