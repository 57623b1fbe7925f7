package auth

import (
	"encoding/base64"
	"errors"
)

// errBase64 names no byte of what it refuses: the input is secret or nearly so.
var errBase64 = errors.New("not canonical base64")

// decodeBase64 decodes padded standard base64 (RFC 4648 §4) if s is the one way
// of writing its bytes. The decoder of the standard library skips line breaks
// and, outside strict mode, ignores stray bits; comparing with the encoding of
// the result leaves neither.
func decodeBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || encodeBase64(b) != s {
		return nil, errBase64
	}
	return b, nil
}

// encodeBase64 is the inverse of decodeBase64.
func encodeBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
