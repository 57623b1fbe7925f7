package status

import (
	"fmt"
	"time"
)

// Count is a figure in five characters or so: 950, 9.1k, 42M.
func Count(v float64) string { return scaled(v, 1000, []string{"", "k", "M", "G", "T"}) }

// Bytes is a number of bytes: 950 B, 4.2 kB.
func Bytes(v float64) string { return scaled(v, 1000, []string{" B", " kB", " MB", " GB", " TB"}) }

func scaled(v, step float64, units []string) string {
	i := 0
	for v >= step && i < len(units)-1 {
		v /= step
		i++
	}
	if v < 10 && (i > 0 || v != float64(int64(v))) {
		return fmt.Sprintf("%.1f%s", v, units[i])
	}
	return fmt.Sprintf("%.0f%s", v, units[i])
}

// Milli is a time of seconds in milliseconds.
func Milli(seconds float64) string { return fmt.Sprintf("%.2f ms", seconds*1000) }

// Delay is a time of seconds in seven characters at most, "-" for none.
func Delay(seconds float64) string {
	switch {
	case seconds <= 0:
		return "-"
	case seconds < 0.01:
		return Milli(seconds)
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// Span is how long something has been, in six characters at most: 12s, 5m, 3d04h.
func Span(d time.Duration) string {
	d = max(0, d)
	switch days := int(d.Hours() / 24); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case days == 0:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case days < 100:
		return fmt.Sprintf("%dd%02dh", days, int(d.Hours())%24)
	default:
		return fmt.Sprintf("%dd", days)
	}
}
