// Go-memcache makes the calls that it reads, one a line, with the client library
// github.com/QuangTung97/go-memcache, which speaks the meta dialect, and prints
// what each returned, one a line.
//
// It judges nothing: the test that starts it does.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/QuangTung97/go-memcache/memcache"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "go-memcache:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "", "host:port of the listener")
	flag.Parse()
	c, err := memcache.New(*addr, 1)
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word, rest, _ := strings.Cut(in.Text(), " ")
		call, known := calls[word]
		if !known {
			return fmt.Errorf("unknown call %q", in.Text())
		}
		got, err := call(c.Pipeline(), strings.Fields(rest))
		if err != nil {
			got = wordOf(err)
		}
		fmt.Println(got)
	}
	return in.Err()
}

// denied is the text of a denial.
const denied = "access denied"

// wordOf is the word for an error of a call.
func wordOf(err error) string {
	var refused memcache.ErrClientError
	if errors.As(err, &refused) && refused.Message == denied {
		return "denied"
	}
	return err.Error()
}

type caller = func(p *memcache.Pipeline, args []string) (string, error)

// calls are what a line may begin with.
var calls = map[string]caller{
	"get":    func(p *memcache.Pipeline, args []string) (string, error) { return valueOf(p.MGet(args[0], plain)()) },
	"set":    set,
	"delete": func(p *memcache.Pipeline, args []string) (string, error) { return gone(p.MDel(args[0], whole)()) },
	"stale":  func(p *memcache.Pipeline, args []string) (string, error) { return gone(p.MDel(args[0], stale)()) },
	"lease":  lease,
	"cas":    func(p *memcache.Pipeline, args []string) (string, error) { return swap(p, args, false) },
	"race":   func(p *memcache.Pipeline, args []string) (string, error) { return swap(p, args, true) },
	"multi":  multi,
	"mixed":  mixed,
	"big":    big,
	"many":   many,
	"flush":  func(p *memcache.Pipeline, _ []string) (string, error) { return "ok", p.FlushAll()() },
}

// Options of the requests.
var (
	plain = memcache.MGetOptions{}
	whole = memcache.MDelOptions{}
	stale = memcache.MDelOptions{I: true, TTL: 60}
)

func valueOf(r memcache.MGetResponse, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if r.Type == memcache.MGetResponseTypeEN {
		return "miss", nil
	}
	return string(r.Data), nil
}

// stored are the words for the answers to a write.
var stored = map[memcache.MSetResponseType]string{
	memcache.MSetResponseTypeHD: "ok",
	memcache.MSetResponseTypeNS: "not stored",
	memcache.MSetResponseTypeEX: "exists",
	memcache.MSetResponseTypeNF: "miss",
}

func storedOf(r memcache.MSetResponse, err error) (string, error) { return stored[r.Type], err }

func set(p *memcache.Pipeline, args []string) (string, error) {
	return storedOf(p.MSet(args[0], []byte(args[1]), memcache.MSetOptions{})())
}

func gone(r memcache.MDelResponse, err error) (string, error) {
	if r.Type == memcache.MDelResponseTypeNF {
		return "miss", err
	}
	return "ok", err
}

// lease reads a key, and makes it if it is not there. It prints the value, and
// whether it is this client's to renew, or somebody else's already.
func lease(p *memcache.Pipeline, args []string) (string, error) {
	r, err := p.MGet(args[0], memcache.MGetOptions{N: 60, CAS: true})()
	if err != nil {
		return "", err
	}
	words := []string{}
	if len(r.Data) > 0 {
		words = append(words, string(r.Data))
	}
	for _, f := range []struct {
		flag memcache.MGetFlags
		word string
	}{{memcache.MGetFlagW, "won"}, {memcache.MGetFlagX, "stale"}, {memcache.MGetFlagZ, "taken"}} {
		if r.Flags&f.flag != 0 {
			words = append(words, f.word)
		}
	}
	return strings.Join(words, " "), nil
}

// swap reads an item and changes it, with somebody coming between if asked to.
func swap(p *memcache.Pipeline, args []string, between bool) (string, error) {
	r, err := p.MGet(args[0], memcache.MGetOptions{CAS: true})()
	if err != nil || r.Type == memcache.MGetResponseTypeEN {
		return "miss", err
	}
	if between {
		if _, err := p.MSet(args[0], []byte("between"), memcache.MSetOptions{})(); err != nil {
			return "", err
		}
	}
	return storedOf(p.MSet(args[0], []byte(args[1]), memcache.MSetOptions{CAS: r.CAS})())
}

// readAll puts reads of all keys into one pipeline and returns their answers.
func readAll(p *memcache.Pipeline, keys []string) (reads []func() (memcache.MGetResponse, error)) {
	for _, key := range keys {
		reads = append(reads, p.MGet(key, plain))
	}
	return reads
}

// multi reads several items in one pipeline and prints what each key has.
func multi(p *memcache.Pipeline, args []string) (string, error) {
	var found []string
	for i, read := range readAll(p, args) {
		word, err := valueOf(read())
		if err != nil {
			word = wordOf(err)
		}
		found = append(found, args[i]+"="+word)
	}
	return strings.Join(found, " "), nil
}

// mixed writes, reads and deletes two keys in turn in one pipeline, and prints
// the answers in order.
func mixed(p *memcache.Pipeline, args []string) (string, error) {
	var answers []func() (string, error)
	for _, key := range args {
		write, read := p.MSet(key, []byte(key), memcache.MSetOptions{TTL: 60}), p.MGet(key, plain)
		remove := p.MDel(key, whole)
		answers = append(answers, func() (string, error) { return storedOf(write()) },
			func() (string, error) { return valueOf(read()) },
			func() (string, error) { return gone(remove()) })
	}
	var words []string
	for _, answer := range answers {
		word, err := answer()
		if err != nil {
			word = wordOf(err)
		}
		words = append(words, word)
	}
	return strings.Join(words, " "), nil
}

func big(p *memcache.Pipeline, args []string) (string, error) {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	value := bytes.Repeat([]byte("0123456789"), size/10)
	if _, err := p.MSet(args[0], value, memcache.MSetOptions{})(); err != nil {
		return "", err
	}
	r, err := p.MGet(args[0], plain)()
	if err != nil || !bytes.Equal(r.Data, value) {
		return "changed", err
	}
	return "ok", nil
}

// many writes so many keys in one pipeline and reads them in another, and prints
// how many came back right.
func many(p *memcache.Pipeline, args []string) (string, error) {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	keys := make([]string, count)
	for i := range keys {
		keys[i] = args[0] + strconv.Itoa(i)
		p.MSet(keys[i], []byte(keys[i]), memcache.MSetOptions{})
	}
	p.Finish()
	right := 0
	for i, read := range readAll(p, keys) {
		if value, err := valueOf(read()); err == nil && value == keys[i] {
			right++
		}
	}
	return strconv.Itoa(right), nil
}
