package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// newestMemcached is the newest release that this table knows.
var newestMemcached = [3]int{1, 6, 45}

// fault is a public weakness of some versions of memcached.
type fault struct {
	from, fixed [3]int // versions that have it, from the first to the one before fixed
	sasl        bool   // only with -S is it a high one
	severity    Severity
	refs        string
}

var faults = []fault{
	{[3]int{}, [3]int{1, 4, 33}, false, High, "CVE-2016-8704, CVE-2016-8705, CVE-2016-8706"},
	{[3]int{}, [3]int{1, 5, 6}, false, High, "CVE-2018-1000115 (answers UDP unless told not to)"},
	{[3]int{1, 6, 0}, [3]int{1, 6, 2}, false, High, "CVE-2020-10931"},
	{[3]int{1, 6, 0}, [3]int{1, 6, 22}, false, Medium, "CVE-2023-46852, CVE-2023-46853"},
	{[3]int{}, [3]int{1, 6, 42}, true, High, "CVE-2026-47783 (logins by SASL)"},
	{[3]int{}, newestMemcached, false, Medium, ""},
}

// patched are versions whose distribution mends them without a new number.
var patched = map[[3]int]string{
	{1, 6, 18}: "Debian bookworm's package of this version has the fixes of CVE-2023-46852, CVE-2023-46853 and CVE-2026-47783 from 1.6.18-1+deb12u1 on, which the number does not tell",
}

// parseVersion reads 1.6.18, whatever may follow the third number.
func parseVersion(text string) (v [3]int, ok bool) {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) < 3 {
		return v, false
	}
	parts[2] = parts[2][:len(parts[2])-len(strings.TrimLeft(parts[2], "0123456789"))]
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return [3]int{}, false
		}
		v[i] = int(n)
	}
	return v, true
}

// atLeast tells whether memcached is known to be as new as that.
func (c cache) atLeast(v [3]int) bool {
	own, ok := parseVersion(c.Version)
	return ok && slices.Compare(own[:], v[:]) >= 0
}

func judgeVersion(c cache) []Verdict {
	own, ok := parseVersion(c.Version)
	if !ok {
		why := "it did not tell its version"
		if c.Error != "" {
			why += " (" + c.Error + ")"
		}
		return c.skip(why)
	}
	seen := Evidence{Source: c.Address, Text: "VERSION " + c.Version}
	worst, refs := c.faultsOf(own)
	if worst == "" {
		return c.orPass(nil, "is "+c.Version, seen)
	}
	text := fmt.Sprintf("is %s, older than %d.%d.%d", c.Version, newestMemcached[0], newestMemcached[1], newestMemcached[2])
	if len(refs) > 0 {
		text += ": " + strings.Join(refs, ", ")
	}
	note, mended := patched[own]
	if mended {
		worst = Medium
		text += ". " + note
	}
	return []Verdict{c.fail("", text, c.upgrade(mended), seen).at(worst)}
}

// faultsOf are the faults of a version, and how bad the worst is; empty for none.
func (c cache) faultsOf(own [3]int) (worst Severity, refs []string) {
	sasl, _, _ := c.told("auth_enabled_sasl")
	for _, f := range faults {
		if slices.Compare(own[:], f.from[:]) < 0 || slices.Compare(own[:], f.fixed[:]) >= 0 {
			continue
		}
		severity := f.severity
		if f.sasl && sasl != "yes" && !c.args.Has('S') {
			severity = Medium
		}
		if worst == "" || severity.AtLeast(worst) {
			worst = severity
		}
		if f.refs != "" {
			refs = append(refs, f.refs)
		}
	}
	return worst, refs
}

func (c cache) upgrade(mended bool) Fix {
	newest := fmt.Sprintf("%d.%d.%d", newestMemcached[0], newestMemcached[1], newestMemcached[2])
	if c.contained() {
		return Fix{Text: "take an image with memcached " + newest + " or newer, pinned by digest", Config: "image: memcached:" + newest + "\n"}
	}
	fix := Fix{
		Text:     "upgrade memcached to " + newest + " or newer, or to what your distribution mends; the restart empties the cache",
		Commands: []string{"apt-get update", "apt-get install --only-upgrade memcached", "dpkg-query -W memcached", c.systemctl("restart")},
	}
	if mended {
		fix.Text += ". Waive this once dpkg-query shows a package that has the fixes"
	}
	return fix
}
