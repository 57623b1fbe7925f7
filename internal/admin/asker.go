package admin

import (
	"context"
	"net"
	"strconv"
)

// askerKey is where the context of a request holds who asks.
type askerKey struct{}

// withAsker notes whose connection it is, for all that is asked on it.
func withAsker(ctx context.Context, c net.Conn) context.Context {
	if g, ok := c.(*guarded); ok {
		ctx = context.WithValue(ctx, askerKey{}, "uid "+strconv.FormatUint(uint64(g.uid), 10))
	}
	return ctx
}

// Asker is who asks, from the context of a call of the backend: "uid 0". It is
// empty for any other context.
func Asker(ctx context.Context) string {
	who, _ := ctx.Value(askerKey{}).(string)
	return who
}
