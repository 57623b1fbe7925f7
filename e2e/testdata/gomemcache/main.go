// Gomemcache makes the calls that it reads, one a line, with the client library
// github.com/bradfitz/gomemcache, and prints what each returned, one a line.
//
// It judges nothing: the test that starts it does.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gomemcache:", err)
		os.Exit(1)
	}
}

func run() error {
	var d dialer
	addr := flag.String("addr", "", "host:port of the listener")
	flag.StringVar(&d.ca, "ca", "", "CA of the server")
	flag.StringVar(&d.cert, "cert", "", "client certificate")
	flag.StringVar(&d.key, "key", "", "its key")
	flag.StringVar(&d.login, "login", "", "user and password of an ASCII login")
	flag.Parse()
	c := memcache.New(*addr)
	c.Timeout = 10 * time.Second
	c.DialContext = d.dial
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word, rest, _ := strings.Cut(in.Text(), " ")
		call, known := calls[word]
		if !known {
			return fmt.Errorf("unknown call %q", in.Text())
		}
		got, err := call(c, strings.Fields(rest))
		if err != nil {
			got = wordOf(err)
		}
		fmt.Println(got)
	}
	return in.Err()
}

// dialer makes connections that are somebody before the library sees them.
type dialer struct{ ca, cert, key, login string }

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	pem, err := os.ReadFile(d.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(pem)
	if d.cert != "" {
		pair, err := tls.LoadX509KeyPair(d.cert, d.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	c, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
	if err != nil || d.login == "" {
		return c, err
	}
	reply := make([]byte, len("STORED\r\n"))
	fmt.Fprintf(c, "set login 0 0 %d\r\n%s\r\n", len(d.login), d.login)
	if n, err := c.Read(reply); err != nil || string(reply[:n]) != "STORED\r\n" {
		c.Close()
		return nil, fmt.Errorf("login: %q, %v", reply[:n], err)
	}
	return c, nil
}

// wordOf is the word for an error.
func wordOf(err error) string {
	switch {
	case errors.Is(err, memcache.ErrCacheMiss):
		return "miss"
	case errors.Is(err, memcache.ErrNotStored):
		return "not stored"
	case errors.Is(err, memcache.ErrCASConflict):
		return "exists"
	case strings.Contains(err.Error(), "access denied"):
		return "denied"
	}
	return err.Error()
}

type client = *memcache.Client

// calls are what a line may begin with.
var calls = map[string]func(c client, args []string) (string, error){
	"set":     storing(client.Set),
	"quiet":   storing(client.Set), // the library has no noreply
	"add":     storing(client.Add),
	"replace": storing(client.Replace),
	"append":  storing(client.Append),
	"prepend": storing(client.Prepend),
	"get":     func(c client, args []string) (string, error) { return valueOf(c.Get(args[0])) },
	"gat":     func(c client, args []string) (string, error) { return valueOf(c.GetAndTouch(args[0], 60)) },
	"touch":   func(c client, args []string) (string, error) { return "ok", c.Touch(args[0], 60) },
	"delete":  func(c client, args []string) (string, error) { return "ok", c.Delete(args[0]) },
	"flush":   func(c client, args []string) (string, error) { return "ok", c.FlushAll() },
	"incr":    counting(client.Increment),
	"decr":    counting(client.Decrement),
	"cas":     compareAndSwap,
	"race":    race,
	"multi":   multi,
	"version": func(c client, args []string) (string, error) { return "ok", c.Ping() },
}

func storing(call func(client, *memcache.Item) error) func(client, []string) (string, error) {
	return func(c client, args []string) (string, error) {
		return "ok", call(c, &memcache.Item{Key: args[0], Value: []byte(args[1])})
	}
}

func counting(call func(client, string, uint64) (uint64, error)) func(client, []string) (string, error) {
	return func(c client, args []string) (string, error) {
		delta, err := strconv.ParseUint(args[1], 10, 64)
		if err != nil {
			return "", err
		}
		n, err := call(c, args[0], delta)
		return strconv.FormatUint(n, 10), err
	}
}

func valueOf(item *memcache.Item, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return string(item.Value), nil
}

// compareAndSwap reads an item and changes it.
func compareAndSwap(c client, args []string) (string, error) {
	item, err := c.Get(args[0])
	if err != nil {
		return "", err
	}
	item.Value = []byte(args[1])
	return "ok", c.CompareAndSwap(item)
}

// race is compareAndSwap with somebody coming between.
func race(c client, args []string) (string, error) {
	item, err := c.Get(args[0])
	if err != nil {
		return "", err
	}
	if err := c.Set(&memcache.Item{Key: args[0], Value: []byte("between")}); err != nil {
		return "", err
	}
	item.Value = []byte(args[1])
	return "ok", c.CompareAndSwap(item)
}

// multi reads several items at once and prints those found, by key.
func multi(c client, args []string) (string, error) {
	items, err := c.GetMulti(args)
	if err != nil {
		return "", err
	}
	var found []string
	for key, item := range items {
		found = append(found, key+"="+string(item.Value))
	}
	slices.Sort(found)
	return strings.Join(found, " "), nil
}
