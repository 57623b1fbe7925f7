package auth

import (
	"fmt"
	"io"
)

// Secret is a password in clear. Every way of printing or encoding it gives
// three stars; the bytes are had only by converting it to a string.
//
// Package fmt does not call the methods of an unexported struct field, so a
// Secret is passed as an argument or kept in an exported field, never in an
// unexported one of a struct that may be printed.
type Secret string

// masked stands wherever a secret would.
const masked = "***"

// String hides the secret.
func (s Secret) String() string { return masked }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return masked }

// Format hides the secret from every verb and flag of package fmt, those that
// would print its bytes (%x, %q, %d) included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// MarshalText hides the secret from encoders of text, such as YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalJSON hides the secret from JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }
