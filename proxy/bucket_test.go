package proxy

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// rates are those of buckets under test: the least and the most that a policy can
// say, and some between.
var rates = []int{1, 2, 3, 7, 100, 3000, 1 << 20, 20 << 20, 1 << 30}

// pail is a bucket worked out a second time, in numbers without bounds: how many
// nanoseconds what was taken has still to go.
type pail struct {
	owed *big.Rat
	at   int64
	rate int
}

func (p *pail) cost(n int) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(int64(n)), big.NewInt(second)), big.NewInt(int64(p.rate)))
}

// pass lets the time go on until now.
func (p *pail) pass(now int64) {
	p.owed.Sub(p.owed, new(big.Rat).SetInt64(now-p.at))
	if p.owed.Sign() < 0 {
		p.owed.SetInt64(0)
	}
	p.at = now
}

// beyond is how many nanoseconds more than a second are owed, after n more.
func (p *pail) beyond(n int) float64 {
	sum := new(big.Rat).Add(p.owed, p.cost(n))
	f, _ := sum.Sub(sum, new(big.Rat).SetInt64(second)).Float64()
	return f
}

func (p *pail) charge(n int) { p.owed.Add(p.owed, p.cost(n)) }

// TestBucketAgreesWithItsReference takes and charges at random times. What is
// closer to the edge than a bucket's rounding, a nanosecond each time, is not judged.
func TestBucketAgreesWithItsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	judged := map[bool]int{}
	for round := range 400 {
		rate := rates[round%len(rates)]
		p := &pail{owed: new(big.Rat), rate: rate}
		var b bucket
		now, slack := int64(0), 1.0
		for step := range 200 {
			now += rng.Int64N(3*second/int64(min(rate, 1000)) + 1)
			p.pass(now)
			n := 1 + rng.IntN(min(rate, 1<<20))
			beyond := p.beyond(n)
			if math.Abs(beyond) <= slack || math.Abs(p.beyond(0)) <= slack {
				now += 10 * second // beyond doubt
				continue
			}
			if got, want := b.spent(now, rate), p.beyond(0) > 0; got != want {
				t.Fatalf("rate %d, round %d, step %d: spent %v, want %v", rate, round, step, got, want)
			}
			took, want := true, true
			if rng.IntN(8) == 0 {
				b.charge(now, n, rate)
			} else {
				took, want = b.take(now, n, rate), beyond <= 0
				judged[took]++
			}
			if took != want {
				t.Fatalf("rate %d, round %d, step %d: take %d gave %v, want %v", rate, round, step, n, took, want)
			}
			if took {
				p.charge(n)
				slack++
			}
			if idle := p.owed.Sign() == 0; !took && b.idle(now) != idle {
				t.Fatalf("rate %d, round %d, step %d: idle %v, want %v", rate, round, step, b.idle(now), idle)
			}
		}
	}
	if judged[true] < 1000 || judged[false] < 1000 {
		t.Errorf("took %d times and refused %d times: the test says nothing", judged[true], judged[false])
	}
}

// TestBucketHoldsASecond: what a second allows may come at once, and no more; then
// it comes evenly.
func TestBucketHoldsASecond(t *testing.T) {
	for _, rate := range []int{1, 2, 7, 100, 3000} {
		for _, now := range []int64{0, 12_345_678_901} {
			var b bucket
			n := 0
			for b.take(now, 1, rate) {
				n++
			}
			if n != rate {
				t.Errorf("rate %d: %d at once", rate, n)
			}
			if b.idle(now) || b.spent(now, rate) {
				t.Errorf("rate %d: idle %v, spent %v, want neither: it is just used up", rate, b.idle(now), b.spent(now, rate))
			}
			one := second/int64(rate) + 1
			if !b.take(now+one, 1, rate) || b.take(now+one, 1, rate) {
				t.Errorf("rate %d: after %d ns there is not one more", rate, one)
			}
			if later := now + one + second; !b.idle(later) {
				t.Errorf("rate %d: it is not as good as new after a second", rate)
			}
		}
	}
}

// TestBucketNeverOverflows: at the least and the most a rate can be, however much is
// charged however often, what is owed is never forgotten.
func TestBucketNeverOverflows(t *testing.T) {
	for _, rate := range []int{1, 1 << 10, 1 << 40} {
		for _, n := range []int{1, 1 << 20, math.MaxInt32} {
			var b bucket
			last := int64(0)
			for i := range 20 {
				b.charge(second, n, rate)
				if got := b.last.Load(); got < last || got < second {
					t.Fatalf("rate %d, %d charged %d times: it goes from %d to %d", rate, n, i+1, last, got)
				}
				last = b.last.Load()
			}
			owed := new(big.Rat).SetFrac64(20*int64(n), int64(rate)) // seconds
			if want := owed.Cmp(big.NewRat(1, 1)) > 0; b.spent(second, rate) != want {
				t.Errorf("rate %d, 20 times %d: spent %v, want %v", rate, n, b.spent(second, rate), want)
			}
			if b.spent(second, rate) && b.take(second, 1, rate) {
				t.Errorf("rate %d, 20 times %d: there is more", rate, n)
			}
			if got := b.last.Load(); got < last {
				t.Errorf("rate %d, 20 times %d: it goes from %d to %d", rate, n, last, got)
			}
		}
	}
}

func TestBucketWithoutARateIsNoLimit(t *testing.T) {
	var b bucket
	b.charge(0, math.MaxInt32, 0)
	for range 1000 {
		if !b.take(0, math.MaxInt32, 0) {
			t.Fatal("it refuses")
		}
	}
	if b.spent(0, 0) || !b.idle(0) {
		t.Errorf("spent %v, idle %v; want neither to be remembered", b.spent(0, 0), b.idle(0))
	}
}

// TestDebtIsMadeUpFor: who moved ten seconds' worth at once waits for nine.
func TestDebtIsMadeUpFor(t *testing.T) {
	const rate = 1000
	var b bucket
	b.charge(0, 10*rate, rate)
	for _, c := range []struct {
		at    int64
		spent bool
	}{{0, true}, {8 * second, true}, {9*second - 1, true}, {9 * second, false}, {20 * second, false}} {
		if got := b.spent(c.at, rate); got != c.spent {
			t.Errorf("after %d ns: spent %v, want %v", c.at, got, c.spent)
		}
	}
	if b.idle(10*second-1) || !b.idle(10*second) {
		t.Error("it is not as good as new when all is made up for")
	}
}

// TestBucketIsSharedFairly takes from many goroutines: together they get what the
// rate allows, to one.
func TestBucketIsSharedFairly(t *testing.T) {
	const rate = 5000
	var b bucket
	var got atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range rate {
				if b.take(second, 1, rate) {
					got.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got.Load() != rate {
		t.Errorf("%d of %d were taken", got.Load(), rate)
	}
}
