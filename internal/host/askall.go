package host

import (
	"context"
	"slices"
	"sync"
)

// atOnce is how many addresses are asked at the same time.
const atOnce = 16

// askAll asks the addresses that have no answer yet, and returns when each has one.
// [Source.Ask] is bounded, so that this is.
func (g *gathering) askAll(ctx context.Context, addresses []string, answers map[string]answer) {
	var wanted []string
	for _, address := range addresses {
		if _, known := answers[address]; !known && !slices.Contains(wanted, address) {
			wanted = append(wanted, address)
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, address := range wanted {
		if i >= mostAsked || ctx.Err() != nil {
			g.unseen("addresses from "+address+" on", errLate)
			for _, left := range wanted[i:] {
				mu.Lock()
				answers[left] = answer{Reply{PeerUID: -1}, errLate}
				mu.Unlock()
			}
			break
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			reply, err := g.source.Ask(ctx, address)
			mu.Lock()
			defer mu.Unlock()
			answers[address] = answer{reply, err}
		})
	}
	wg.Wait()
}
