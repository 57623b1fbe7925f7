// Gomemcached makes the calls that it reads, one a line, with the client library
// github.com/couchbase/gomemcached, and prints what each returned, one a line.
//
// It judges nothing: the test that starts it does.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/couchbase/gomemcached"
	memcached "github.com/couchbase/gomemcached/client"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gomemcached:", err)
		os.Exit(1)
	}
}

func run() error {
	var d dialer
	flag.StringVar(&d.addr, "addr", "", "host:port of the listener")
	flag.StringVar(&d.ca, "ca", "", "CA of the server; without it there is no TLS")
	flag.StringVar(&d.user, "user", "", "user to log in as")
	flag.StringVar(&d.password, "password", "", "and the password")
	flag.Parse()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word, rest, _ := strings.Cut(in.Text(), " ")
		call, known := calls[word]
		if !known {
			return fmt.Errorf("unknown call %q", in.Text())
		}
		got, err := d.call(call, strings.Fields(rest))
		if err != nil {
			got = wordOf(word, err)
		}
		fmt.Println(got)
	}
	return in.Err()
}

type (
	client = *memcached.Client
	caller = func(c client, args []string) (string, error)
)

// dialer keeps the connection in use.
type dialer struct {
	addr, ca, user, password string

	client client
}

// errLogin is what a refused login is called.
var errLogin = errors.New("login failed")

// call makes a call over the connection in use, or over a new one if the library
// has given that up.
func (d *dialer) call(call caller, args []string) (string, error) {
	if d.client == nil || !d.client.IsHealthy() {
		if err := d.dial(); err != nil {
			return "", err
		}
	}
	return call(d.client, args)
}

// dial connects and logs in.
func (d *dialer) dial() error {
	if d.client != nil {
		d.client.Close()
	}
	c, err := d.connect()
	if err != nil {
		return err
	}
	if d.user != "" {
		if _, err := c.Auth(d.user, d.password); err != nil {
			c.Close()
			return errLogin
		}
	}
	d.client = c
	return nil
}

// connect opens a connection, inside TLS if there is a CA to check it by.
func (d *dialer) connect() (client, error) {
	if d.ca == "" {
		return memcached.Connect("tcp", d.addr)
	}
	pem, err := os.ReadFile(d.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	config.RootCAs.AppendCertsFromPEM(pem)
	c, err := memcached.ConnectTLS("tcp", d.addr, config)
	return c, err
}

// words are the statuses that every call may have; notStored those that say of
// a call that stores that it did not.
var (
	words = map[gomemcached.Status]string{
		gomemcached.KEY_ENOENT:  "miss",
		gomemcached.KEY_EEXISTS: "exists",
		gomemcached.NOT_STORED:  "not stored",
		gomemcached.E2BIG:       "denied",       // the status of a denial
		gomemcached.AUTH_ERROR:  "login failed", // and of a request before a login
	}
	notStored = []gomemcached.Status{gomemcached.KEY_ENOENT, gomemcached.KEY_EEXISTS}
)

// wordOf is the word for an error of a call.
func wordOf(call string, err error) string {
	var r *gomemcached.MCResponse
	if !errors.As(err, &r) {
		return err.Error()
	}
	if (call == "add" || call == "replace") && slices.Contains(notStored, r.Status) {
		return "not stored"
	}
	if word, ok := words[r.Status]; ok {
		return word
	}
	return err.Error()
}

// calls are what a line may begin with.
var calls = map[string]caller{
	"set":     storing(gomemcached.SET),
	"add":     storing(gomemcached.ADD),
	"replace": storing(gomemcached.REPLACE),
	"append":  joining(gomemcached.APPEND),
	"prepend": joining(gomemcached.PREPEND),
	"get":     func(c client, args []string) (string, error) { return valueOf(c.Get(0, args[0])) },
	"gat":     func(c client, args []string) (string, error) { return valueOf(c.GetAndTouch(0, args[0], 60)) },
	"delete":  func(c client, args []string) (string, error) { return done(c.Del(0, args[0])) },
	"incr":    counting(client.Incr),
	"decr":    counting(client.Decr),
	"cas":     func(c client, args []string) (string, error) { return swap(c, args, false) },
	"race":    func(c client, args []string) (string, error) { return swap(c, args, true) },
	"multi":   multi,
	"quiet":   quiet,
	"big":     big,
	"many":    many,
	"flush":   flush,
}

func done(_ *gomemcached.MCResponse, err error) (string, error) { return "ok", err }

func valueOf(r *gomemcached.MCResponse, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return string(r.Body), nil
}

// storing sends an opcode that has flags and an expiry.
func storing(code gomemcached.CommandCode) caller {
	return func(c client, args []string) (string, error) {
		return done(c.Send(&gomemcached.MCRequest{Opcode: code, Key: []byte(args[0]), Extras: make([]byte, 8), Body: []byte(args[1])}))
	}
}

// joining sends an opcode that has neither.
func joining(code gomemcached.CommandCode) caller {
	return func(c client, args []string) (string, error) {
		return done(c.Send(&gomemcached.MCRequest{Opcode: code, Key: []byte(args[0]), Body: []byte(args[1])}))
	}
}

// never is the expiry with which a counter that is not there is not made.
const never = 0xffffffff

// counter is how the library spells a call that counts.
type counter = func(c client, vb uint16, key string, delta, initial uint64, exp int, context ...*memcached.ClientContext) (uint64, error)

func counting(call counter) caller {
	return func(c client, args []string) (string, error) {
		delta, err := strconv.ParseUint(args[1], 10, 64)
		if err != nil {
			return "", err
		}
		n, err := call(c, 0, args[0], delta, 0, never)
		return strconv.FormatUint(n, 10), err
	}
}

// swap reads an item and changes it, with somebody coming between if asked to.
func swap(c client, args []string, between bool) (string, error) {
	r, err := c.Get(0, args[0])
	if err != nil {
		return "", err
	}
	if between {
		if _, err := c.Set(0, args[0], 0, 0, []byte("between")); err != nil {
			return "", err
		}
	}
	return done(c.SetCas(0, args[0], 0, 0, r.Cas, []byte(args[1])))
}

// multi reads several items at once and prints those found, by key.
func multi(c client, args []string) (string, error) {
	items := map[string]*gomemcached.MCResponse{}
	if err := c.GetBulk(0, args, items, nil); err != nil {
		return "", err
	}
	var found []string
	for key, r := range items {
		found = append(found, key+"="+string(r.Body))
	}
	slices.Sort(found)
	return strings.Join(found, " "), nil
}

// quiet stores by a quiet opcode, of which the library has no function, and then
// reads what is there.
func quiet(c client, args []string) (string, error) {
	err := c.Transmit(&gomemcached.MCRequest{Opcode: gomemcached.SETQ, Key: []byte(args[0]), Extras: make([]byte, 8), Body: []byte(args[1])})
	if err != nil {
		return "", err
	}
	return valueOf(c.Get(0, args[0]))
}

func big(c client, args []string) (string, error) {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	value := bytes.Repeat([]byte("0123456789"), size/10)
	if _, err := c.Set(0, args[0], 0, 0, value); err != nil {
		return "", err
	}
	r, err := c.Get(0, args[0])
	if err != nil || !bytes.Equal(r.Body, value) {
		return "changed", err
	}
	return "ok", nil
}

func many(c client, args []string) (string, error) {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	keys := make([]string, count)
	for i := range keys {
		keys[i] = args[0] + strconv.Itoa(i)
		if _, err := c.Set(0, keys[i], 0, 0, binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			return "", err
		}
	}
	items, right := map[string]*gomemcached.MCResponse{}, 0
	err = c.GetBulk(0, keys, items, nil)
	for i, key := range keys {
		if r := items[key]; r != nil && binary.BigEndian.Uint32(r.Body) == uint32(i) {
			right++
		}
	}
	return strconv.Itoa(right), err
}

func flush(c client, _ []string) (string, error) {
	return done(c.Send(&gomemcached.MCRequest{Opcode: gomemcached.FLUSH}))
}
