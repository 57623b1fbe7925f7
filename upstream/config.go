package upstream

import "time"

// Config says how a memcached is reached.
type Config struct {
	Name           string
	Address        string // "unix:/path" or a literal loopback "127.0.0.1:11211"
	Unsafe         bool   // allows any other literal address
	ExpectUID      int    // user that memcached must run as; AnyUID for anybody
	Dialect        string // auto, meta or classic
	Shared         int    // lanes, each for a loop with its clients; 0 is one per core
	PoolMin        int    // idle connections kept
	PoolMax        int    // connections in all; two are the fewest there can be
	ConnectTimeout time.Duration
	RequestTimeout time.Duration
	BackoffMin     time.Duration
	BackoffMax     time.Duration
}

// Default is the configuration of an upstream that only names its address.
func Default() Config {
	return Config{
		ExpectUID:      AnyUID,
		Dialect:        "auto",
		PoolMin:        2,
		PoolMax:        64,
		ConnectTimeout: 250 * time.Millisecond,
		RequestTimeout: time.Second,
		BackoffMin:     5 * time.Millisecond,
		BackoffMax:     20 * time.Millisecond,
	}
}
