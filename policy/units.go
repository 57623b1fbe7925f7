package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Scalars of a document that have a unit. Each reads one spelling only, so that
// a file says the same to everybody who reads it.
type (
	Bytes   int   // 512B, 256KiB, 20MiB, 1GiB
	Rate    int   // bytes a second: 20MiB/s
	Span    int32 // seconds: 60s, 15m, 24h, 7d
	Instant int64 // Unix seconds: 2027-01-01T00:00:00Z
)

// unitError is a scalar that is not written as its type wants it.
type unitError struct{ text, want string }

// Error says what is wrong with the text.
func (e *unitError) Error() string { return fmt.Sprintf("%q is not %s", clip(e.text), e.want) }

// Fix is what to write instead.
func (e *unitError) Fix() string { return "write " + e.want }

// unit is one ending of a number and what it stands for.
type unit struct {
	name string
	size int64
}

var (
	byteUnits = []unit{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}
	spanUnits = []unit{{"s", 1}, {"m", 60}, {"h", 60 * 60}, {"d", 24 * 60 * 60}}
)

const (
	bytesWant   = "a size such as 512B, 256KiB or 20MiB"
	rateWant    = "a rate such as 512KiB/s or 20MiB/s"
	spanWant    = "a time span such as 60s, 15m, 24h or 7d"
	instantWant = "a time such as 2027-01-01T00:00:00Z"
)

// parseUnits reads a whole number with one of the units, of at most the given
// size.
func parseUnits(text string, units []unit, most int64) (int64, bool) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != digits || n < 1 || n > most/u.size {
			return 0, false
		}
		return n * u.size, true
	}
	return 0, false
}

// formatUnits writes n in the largest unit that leaves no rest.
func formatUnits(n int64, units []unit) string {
	best := unit{"", 1}
	for _, u := range units {
		if n%u.size == 0 && (best.name == "" || u.size > best.size) {
			best = u
		}
	}
	return strconv.FormatInt(n/best.size, 10) + best.name
}

// UnmarshalText reads "20MiB".
func (b *Bytes) UnmarshalText(text []byte) error {
	n, ok := parseUnits(string(text), byteUnits, math.MaxInt32)
	if !ok {
		return &unitError{string(text), bytesWant}
	}
	*b = Bytes(n)
	return nil
}

// MarshalText writes "20MiB".
func (b Bytes) MarshalText() ([]byte, error) { return []byte(formatUnits(int64(b), byteUnits)), nil }

// UnmarshalText reads "20MiB/s".
func (r *Rate) UnmarshalText(text []byte) error {
	size, second := strings.CutSuffix(string(text), "/s")
	n, ok := parseUnits(size, byteUnits, 1<<40)
	if !ok || !second {
		return &unitError{string(text), rateWant}
	}
	*r = Rate(n)
	return nil
}

// MarshalText writes "20MiB/s".
func (r Rate) MarshalText() ([]byte, error) {
	return []byte(formatUnits(int64(r), byteUnits) + "/s"), nil
}

// UnmarshalText reads "24h".
func (s *Span) UnmarshalText(text []byte) error {
	n, ok := parseUnits(string(text), spanUnits, math.MaxInt32)
	if !ok {
		return &unitError{string(text), spanWant}
	}
	*s = Span(n)
	return nil
}

// MarshalText writes "24h".
func (s Span) MarshalText() ([]byte, error) { return []byte(formatUnits(int64(s), spanUnits)), nil }

// UnmarshalText reads "2027-01-01T00:00:00Z", in UTC and to the second.
func (t *Instant) UnmarshalText(text []byte) error {
	var year, month, day, hour, minute, second int64
	n, err := fmt.Sscanf(string(text), "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &month, &day, &hour, &minute, &second)
	at := (daysSince1970(year, month, day)*24+hour)*3600 + minute*60 + second
	if err != nil || n != 6 || Instant(at).String() != string(text) {
		return &unitError{string(text), instantWant}
	}
	*t = Instant(at)
	return nil
}

// MarshalText writes "2027-01-01T00:00:00Z".
func (t Instant) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// String is the time as a document has it.
func (t Instant) String() string {
	days, left := int64(t)/86400, int64(t)%86400
	if left < 0 {
		days, left = days-1, left+86400
	}
	year, month, day := dateOf(days)
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, left/3600, left/60%60, left%60)
}

// daysBefore are the days of a common year before each month.
var daysBefore = [...]int64{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

// daysTo1970 are the days of the calendar before the Unix epoch.
const daysTo1970 = 719162

func leap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// daysSince1970 counts days in the Gregorian calendar. What is no date counts as
// another one.
func daysSince1970(year, month, day int64) int64 {
	before := year - 1
	days := before*365 + before/4 - before/100 + before/400 - daysTo1970
	days += daysBefore[min(max(month, 1), 12)-1] + day - 1
	if month > 2 && leap(year) {
		days++
	}
	return days
}

// dateOf is the date of a day since 1970.
func dateOf(days int64) (year, month, day int64) {
	year = 1969 + days/365 - max(0, days)/20000 // this one or one before it
	for daysSince1970(year+1, 1, 1) <= days {
		year++
	}
	month = 1
	for month < 12 && daysSince1970(year, month+1, 1) <= days {
		month++
	}
	return year, month, days - daysSince1970(year, month, 1) + 1
}
