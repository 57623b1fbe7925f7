package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"github.com/slabgate/slabgate/internal/finding"
)

// contents is what a file holds, in the order it holds it.
type contents struct {
	*source
	certs []*x509.Certificate
	keys  []crypto.Signer
}

// blockReader is what is done with one type of PEM block. The zero value is a
// block that is skipped.
type blockReader struct {
	holds holds
	read  func(der []byte, into *contents) error
}

// blockReaders are the PEM blocks that a file may hold.
var blockReaders = map[string]blockReader{
	"CERTIFICATE":     {certificates, readCertificate},
	"PRIVATE KEY":     {keys, readKey(x509.ParsePKCS8PrivateKey)},
	"RSA PRIVATE KEY": {keys, readKey(x509.ParsePKCS1PrivateKey)},
	"EC PRIVATE KEY":  {keys, readKey(x509.ParseECPrivateKey)},
	"EC PARAMETERS":   {}, // openssl writes it in front of a key, which repeats it
}

// readCertificate parses one certificate.
func readCertificate(der []byte, into *contents) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	into.certs = append(into.certs, cert)
	return nil
}

// readKey makes a reader of one of the encodings of a private key.
func readKey[K any](parse func([]byte) (K, error)) func([]byte, *contents) error {
	return func(der []byte, into *contents) error {
		key, err := parse(der)
		if err != nil {
			return err
		}
		signer, ok := any(key).(crypto.Signer)
		if !ok {
			return errors.New("it is a key that cannot sign")
		}
		into.keys = append(into.keys, signer)
		return nil
	}
}

// decode reads every PEM block of s and refuses what s is not for. Of a file
// with a fault it returns nothing: what is left would only mislead.
func (s *source) decode(l *finding.List) contents {
	c := contents{source: s}
	rest, blocks, before := s.data, 0, len(*l)
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		blocks++
		c.add(b, blocks, l)
	}
	// The decoder skips what it can't read, so a torn file must be counted out.
	if begun := bytes.Count(s.data, []byte("-----BEGIN ")); begun != blocks {
		l.Errorf("SG1320", s.key, "write the file under another name and rename it into place when it is whole",
			"%q begins %d PEM blocks of which %d are whole", s.path, begun, blocks)
	}
	if len(*l) != before {
		return contents{source: s}
	}
	c.checkCounts(l)
	return c
}

// add reads b, which is block number n of the file.
func (c *contents) add(b *pem.Block, n int, l *finding.List) {
	if b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "" {
		l.Errorf("SG1323", c.key, "write it without a passphrase and guard it with its mode: openssl pkey -in OLD -out NEW",
			"%q: block %d is an encrypted key, and there is nobody to ask for the passphrase", c.path, n)
		return
	}
	r, known := blockReaders[b.Type]
	if !known || r.holds&^c.holds != 0 {
		l.Errorf("SG1321", c.key, "keep in it what "+c.key+" is for, and move the rest to a file of its own",
			"%q: block %d is a %q, which does not belong in %s", c.path, n, clip(b.Type), c.key)
		return
	}
	if r.read == nil {
		return
	}
	if err := r.read(b.Bytes, c); err != nil {
		l.Errorf("SG1324", c.key, "have it issued again, in PEM",
			"%q: block %d (%s) cannot be parsed: %q", c.path, n, b.Type, clip(err.Error()))
	}
}

// checkCounts wants what the file is for to be in it.
func (c *contents) checkCounts(l *finding.List) {
	if c.holds&certificates != 0 && len(c.certs) == 0 {
		l.Errorf("SG1322", c.key, "put a PEM block in it that starts -----BEGIN CERTIFICATE-----",
			"%q holds no certificate", c.path)
	}
	if c.holds&keys != 0 && len(c.keys) != 1 {
		l.Errorf("SG1325", c.key, "leave the one private key of the first certificate in it",
			"%q holds %d private keys instead of one", c.path, len(c.keys))
	}
}
