package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/slabgate/slabgate/internal/status"
	"github.com/slabgate/slabgate/proxy"
)

// Status returns everything at a glance.
func (c *Client) Status(ctx context.Context) (*status.Document, error) {
	d := new(status.Document)
	return d, c.ask(ctx, http.MethodGet, "/status", d)
}

// Clients returns who is connected, the oldest first.
func (c *Client) Clients(ctx context.Context) (list []proxy.ClientInfo, err error) {
	err = c.ask(ctx, http.MethodGet, "/clients", &list)
	return list, err
}

// Plaintext returns who came over TCP without TLS since the start.
func (c *Client) Plaintext(ctx context.Context) (p status.SincePlaintext, err error) {
	err = c.ask(ctx, http.MethodGet, "/plaintext", &p)
	return p, err
}

// Kill closes the connection of the client with an id.
func (c *Client) Kill(ctx context.Context, id string) (Done, error) {
	return c.do(ctx, "/kill", url.Values{"id": {id}})
}

// Freeze holds up the requests of an identity, or of all if it is empty: those that
// write, or all of them. Without on they are held up no longer.
func (c *Client) Freeze(ctx context.Context, identity string, writes, on bool) (Done, error) {
	path, what := "/freeze", url.Values{"identity": {identity}}
	if !on {
		path = "/unfreeze"
	}
	if writes {
		what.Set("writes", "1")
	}
	return c.do(ctx, path, what)
}

// Quarantine turns the clients of an address or a network away for a while.
func (c *Client) Quarantine(ctx context.Context, network string, during time.Duration) (Done, error) {
	return c.do(ctx, "/quarantine", url.Values{"network": {network}, "for": {during.String()}})
}

// Release ends a quarantine.
func (c *Client) Release(ctx context.Context, network string) (Done, error) {
	return c.do(ctx, "/release", url.Values{"network": {network}})
}

func (c *Client) do(ctx context.Context, path string, what url.Values) (d Done, err error) {
	err = c.ask(ctx, http.MethodPost, path+"?"+what.Encode(), &d)
	return d, err
}
