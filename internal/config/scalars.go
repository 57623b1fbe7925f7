package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// scalarError says what is wrong with the text of a value, and what to write.
type scalarError struct{ problem, fix string }

func (e *scalarError) Error() string { return e.problem }

// wrong is a scalarError about text.
func wrong(text, problem, fix string) error {
	return &scalarError{fmt.Sprintf("%q %s", clip(text), problem), fix}
}

// fixOf is what to write instead of the text that err refuses.
func fixOf(err error) string {
	var e *scalarError
	if errors.As(err, &e) {
		return e.fix
	}
	var other interface{ Fix() string } // of a type of another room
	if errors.As(err, &other) {
		return other.Fix()
	}
	return "write a value that can stand here"
}

// duration is a span of time with its unit: 30s, 250ms, 1m30s. A bare number
// is refused, because it would be nanoseconds.
type duration time.Duration

const spanFix = "write it like 30s or 250ms"

// UnmarshalText reads "30s".
func (d *duration) UnmarshalText(text []byte) error {
	s := string(text)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return wrong(s, "has no unit", spanFix)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return wrong(s, "is not a time span", spanFix)
	}
	if v < 0 {
		return wrong(s, "is less than nothing", spanFix)
	}
	*d = duration(v)
	return nil
}

// MarshalText writes "30s".
func (d duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// size is a number of bytes with its unit: 512B, 32KiB, 20MiB, 1GiB.
type size int

// units are the endings of a size, longest first so that "KiB" is not a "B".
var units = []struct {
	name  string
	bytes int
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}

// UnmarshalText reads "20MiB".
func (s *size) UnmarshalText(text []byte) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := whole(digits)
		if err != nil || n < 0 || n > int64(math.MaxInt/u.bytes) {
			break
		}
		*s = size(int(n) * u.bytes)
		return nil
	}
	return wrong(string(text), "is not a size", "write it like 512B, 32KiB or 20MiB")
}

// MarshalText writes the size in the largest unit that leaves no rest.
func (s size) MarshalText() ([]byte, error) {
	best := units[len(units)-1]
	for _, u := range units {
		if s != 0 && int(s)%u.bytes == 0 && u.bytes > best.bytes {
			best = u
		}
	}
	return []byte(strconv.Itoa(int(s)/best.bytes) + best.name), nil
}

// fileMode is the permission bits of a file, written in octal as chmod does.
type fileMode os.FileMode

// UnmarshalText reads "0640".
func (m *fileMode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 || len(text) != 4 || text[0] != '0' {
		return wrong(string(text), "is not a file mode", `write it like "0640"`)
	}
	*m = fileMode(n)
	return nil
}

// MarshalText writes "0640".
func (m fileMode) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%04o", uint32(m)), nil
}

// wants says what a scalar of a foreign type looks like, for types whose own
// errors speak of Go.
var wants = map[reflect.Type]string{
	reflect.TypeFor[time.Time]():    "a time such as 2027-01-01T00:00:00Z",
	reflect.TypeFor[netip.Addr]():   "an address such as 10.2.3.4",
	reflect.TypeFor[netip.Prefix](): "a network such as 10.2.0.0/16",
}

// setters turn the text of a scalar into a value, by the kind of the value.
var setters = map[reflect.Kind]func(v reflect.Value, text string) error{
	reflect.String:  func(v reflect.Value, text string) error { v.SetString(text); return nil },
	reflect.Bool:    setBool,
	reflect.Int:     setInt,
	reflect.Int8:    setInt,
	reflect.Int16:   setInt,
	reflect.Int32:   setInt,
	reflect.Int64:   setInt,
	reflect.Uint:    setUint,
	reflect.Uint8:   setUint,
	reflect.Uint16:  setUint,
	reflect.Uint32:  setUint,
	reflect.Uint64:  setUint,
	reflect.Float64: setFloat,
}

// setScalar gives v the value that text stands for. Quoted says that the file
// marks the text as text, which a number or a truth value is not.
func setScalar(v reflect.Value, text string, quoted bool) error {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return (*duration)(v.Addr().Interface().(*time.Duration)).UnmarshalText([]byte(text))
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		err := u.UnmarshalText([]byte(text))
		if want := wants[v.Type()]; err != nil && want != "" {
			return wrong(text, "is not "+want, "write "+want)
		}
		return err
	}
	set := setters[v.Kind()]
	if set == nil {
		return errors.New("a value of this kind has no written form") // a BUG in the tagged type
	}
	if quoted && v.Kind() != reflect.String {
		return wrong(text, "is in quotes", "write it without quotes")
	}
	return set(v, text)
}

// isScalar reports whether a value of type t is written as one scalar.
func isScalar(t reflect.Type) bool {
	return setters[t.Kind()] != nil || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// plain is the value of a scalar or list as viper holds it: text, a number, a
// truth value, or a list of texts.
func plain(v reflect.Value) any {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	return v.Interface()
}

func setBool(v reflect.Value, text string) error {
	if text != "true" && text != "false" {
		return wrong(text, "is neither true nor false", "write true or false")
	}
	v.SetBool(text == "true")
	return nil
}

func setInt(v reflect.Value, text string) error {
	n, err := whole(text)
	if err != nil || v.OverflowInt(n) {
		return wrong(text, "is not a whole number", "write it in decimal digits")
	}
	v.SetInt(n)
	return nil
}

func setUint(v reflect.Value, text string) error {
	n, err := whole(text)
	if err != nil || n < 0 || v.OverflowUint(uint64(n)) {
		return wrong(text, "is not a whole number of 0 or more", "write it in decimal digits")
	}
	v.SetUint(uint64(n))
	return nil
}

func setFloat(v reflect.Value, text string) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return wrong(text, "is not a number", "write it like 0.5")
	}
	v.SetFloat(n)
	return nil
}

// whole reads a number that has one spelling only: 007, 1_000, 0x10 and +1
// mean different numbers to different readers.
func whole(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != text {
		return 0, strconv.ErrSyntax
	}
	return n, err
}

// clip shortens what an operator wrote to what a message can carry.
func clip(s string) string {
	if len(s) > 64 {
		return s[:61] + "..."
	}
	return s
}
