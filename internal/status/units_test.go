package status

import (
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	for got, want := range map[string]string{
		Count(0): "0", Count(7): "7", Count(7.25): "7.2", Count(950): "950", Count(9100): "9.1k", Count(42e6): "42M", Count(1e18): "1000000T",
		Bytes(12): "12 B", Bytes(4200): "4.2 kB", Milli(0.00011): "0.11 ms",
		Delay(0): "-", Delay(0.00031): "0.31 ms", Delay(0.25): "250 ms", Delay(0.999): "999 ms", Delay(1): "1.0 s",
		Span(-time.Second): "0s", Span(59 * time.Second): "59s", Span(5 * time.Minute): "5m", Span(2*time.Hour + 5*time.Minute): "2h05m",
		Span(76 * time.Hour): "3d04h", Span(2400 * time.Hour): "100d",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
