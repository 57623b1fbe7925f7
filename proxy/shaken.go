package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
)

// shakenOK is how a handshake that succeeds ends, for metrics.
const shakenOK = "ok"

// shaken are the other ways, the first that fits. The library has no error of its
// own for some of them, but for its text.
var shaken = []struct {
	word string
	fits func(err error) bool
}{
	{"not_tls", func(err error) bool { var e tls.RecordHeaderError; return errors.As(err, &e) }},
	{"timeout", func(err error) bool {
		return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	}},
	{"too_long", func(err error) bool { return errors.Is(err, errHandshakeBytes) }},
	{"unknown_ca", func(err error) bool { var e x509.UnknownAuthorityError; return errors.As(err, &e) }},
	{"expired", func(err error) bool {
		var e x509.CertificateInvalidError
		return errors.As(err, &e) && e.Reason == x509.Expired
	}},
	{"bad_certificate", func(err error) bool {
		var e *tls.CertificateVerificationError
		return errors.As(err, &e) || says(err, "certs: client certificate")
	}},
	{"no_certificate", func(err error) bool { return says(err, "didn't provide a certificate", "no client certificate") }},
	{"bad_version", func(err error) bool { return says(err, "unsupported versions", "unsupported version") }},
	{"no_common_cipher", func(err error) bool { return says(err, "no cipher suite supported") }},
	{"refused_by_client", func(err error) bool { return says(err, "remote error") }},
	{"client_gone", func(err error) bool {
		var e *net.OpError
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &e)
	}},
}

func says(err error, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// shakenOf is how a handshake ended, for metrics: one of a closed set of words.
func shakenOf(err error) string {
	if err == nil {
		return shakenOK
	}
	for _, s := range shaken {
		if s.fits(err) {
			return s.word
		}
	}
	return "other"
}
