package poll

import (
	"slices"
	"testing"
	"time"
)

// TestHabit checks that only a loop whose waits have mostly been short is eager,
// and that it forgets faster than it learns.
func TestHabit(t *testing.T) {
	const short, long = eagerness - 1, eagerness
	repeat := func(n int, of ...time.Duration) []time.Duration { return slices.Repeat(of, n) }
	tests := []struct {
		name  string
		waits []time.Duration
		want  bool
	}{
		{"none", nil, false},
		{"too few short", repeat(eagerScore-1, short), false},
		{"enough short", repeat(eagerScore, short), true},
		{"enough of no time", repeat(eagerScore, 0), true},
		{"the bound is long", repeat(100, long), false},
		{"hours", repeat(100, time.Hour), false},
		{"enough short, one long", append(repeat(eagerScore, short), long), false},
		{"many short, two long", append(repeat(1000, short), repeat(2, long)...), true},
		{"many short, three long", append(repeat(1000, short), repeat(3, long)...), false},
		{"many short, three long, two short", append(repeat(1000, short), long, long, long, short, short), true},
		{"every second is long", repeat(1000, short, long), false},
		{"every third is long", repeat(1000, short, short, long), false},
		{"every tenth is long", append(repeat(100, append(repeat(9, short), long)...), short), true},
		{"many long count no more than few", append(repeat(1000, long), repeat(eagerScore, short)...), true},
	}
	for _, tt := range tests {
		var h habit
		for _, d := range tt.waits {
			h.learn(d)
			if h.score < 0 || h.score > mostScore {
				t.Fatalf("%s: score %d is outside 0 to %d", tt.name, h.score, mostScore)
			}
		}
		if got := h.eager(); got != tt.want {
			t.Errorf("%s: eager %v with score %d, want %v", tt.name, got, h.score, tt.want)
		}
	}
}
