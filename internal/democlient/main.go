// Democlient sends one memcached command, inside TLS if it is given a
// certificate, and prints the first line of the reply. It is the application of
// demo.sh.
//
// It is no client library: it sends what it is told and understands nothing.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// deadline bounds everything the client does.
const deadline = 5 * time.Second

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "democlient:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	addr, ca, cert, key, data string
}

func run(args []string, out io.Writer) error {
	var o options
	f := flag.NewFlagSet("democlient", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "", "host:port of the listener")
	f.StringVar(&o.ca, "ca", "", "CA of the server; empty speaks plaintext")
	f.StringVar(&o.cert, "cert", "", "client certificate")
	f.StringVar(&o.key, "key", "", "its key")
	f.StringVar(&o.data, "data", "", "value of a storage command")
	if err := f.Parse(args); err != nil {
		return err
	}
	c, err := dial(o)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	request := strings.Join(f.Args(), " ") + "\r\n"
	if o.data != "" {
		request += o.data + "\r\n"
	}
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Fprintln(out, strings.TrimRight(line, "\r\n"))
	return nil
}

func dial(o options) (net.Conn, error) {
	d := &net.Dialer{Timeout: deadline}
	if o.ca == "" {
		return d.Dial("tcp", o.addr)
	}
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + o.ca)
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return tls.DialWithDialer(d, "tcp", o.addr, config)
}
