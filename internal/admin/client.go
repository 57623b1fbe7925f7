package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/slabgate/slabgate/internal/denials"
)

// Bounds of an answer that is no stream.
const (
	answerTimeout = 40 * time.Second // longer than the server takes to give up
	maxAnswer     = 64 << 20
)

// Client asks the slabgate behind an admin socket. Its errors are an [*Error] that
// slabgate answered with, [ErrClosed], or those of a connection.
type Client struct{ http http.Client }

// ErrClosed is an answer that did not come: slabgate closed the connection, as it
// does if it is not its own user's or root's, or if it has too many.
var ErrClosed = errors.New("admin: the connection was closed without an answer")

// Dial returns a client of the socket at path. A connection is made for each
// question, and closed after it.
func Dial(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Denials returns the denials that are remembered, the latest first.
func (c *Client) Denials(ctx context.Context) (d Denials, err error) {
	err = c.ask(ctx, http.MethodGet, "/denials", &d)
	return d, err
}

// Denial returns the denial with an id.
func (c *Client) Denial(ctx context.Context, id string) (e denials.Entry, err error) {
	err = c.ask(ctx, http.MethodGet, "/denials/"+url.PathEscape(id), &e)
	return e, err
}

// Explain reads into answer what the backend has to say about a denial.
func (c *Client) Explain(ctx context.Context, id string, answer any) error {
	return c.ask(ctx, http.MethodGet, "/denials/"+url.PathEscape(id)+"/explain", answer)
}

// Flush makes every key of a namespace unreachable.
func (c *Client) Flush(ctx context.Context, namespace string) (f Flushed, err error) {
	err = c.ask(ctx, http.MethodPost, "/flush?"+url.Values{"namespace": {namespace}}.Encode(), &f)
	return f, err
}

// Learned reads into answer what the backend has learned.
func (c *Client) Learned(ctx context.Context, answer any) error {
	return c.ask(ctx, http.MethodGet, "/learned", answer)
}

// Follow calls each for every denial that is remembered, and for every one that
// comes, until each returns an error, which is returned, or ctx is done, or
// slabgate stops, which is no error.
func (c *Client) Follow(ctx context.Context, each func(Update) error) error {
	body, err := c.open(ctx, http.MethodGet, "/denials?follow=1")
	if err != nil {
		return err
	}
	defer body.Close()
	for lines := json.NewDecoder(body); ; {
		var u Update
		if err := lines.Decode(&u); err != nil {
			return endOfStream(ctx, err)
		}
		if err := each(u); err != nil {
			return err
		}
	}
}

// endOfStream is what the end of a stream is to its reader.
func endOfStream(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	}
	return fmt.Errorf("admin: %w", err)
}

// ask reads the answer to one question into answer.
func (c *Client) ask(ctx context.Context, method, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	body, err := c.open(ctx, method, path)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("admin: answer to %s %s: %w", method, path, err)
	}
	return nil
}

// open asks, and returns the answer if it is none of an error. The caller closes
// it.
func (c *Client) open(ctx context.Context, method, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://slabgate"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unanswered(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	e := &Error{Status: resp.StatusCode}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(e); err != nil || e.Problem == "" {
		return nil, fmt.Errorf("admin: %s %s: answered with status %d", method, path, resp.StatusCode)
	}
	return nil, e
}

// unanswered is why no answer came, without the made-up address. Once there is a
// connection it can only have been closed, for which net/http has many words.
func unanswered(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	dialling := errors.As(err, &op) && op.Op == "dial"
	if !dialling && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return ErrClosed
	}
	return fmt.Errorf("admin: %w", err)
}
