package protocol

import (
	"bytes"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestParseUint(t *testing.T) {
	for _, row := range []struct {
		in   string
		max  uint64
		want uint64
		ok   bool
	}{
		{"0", maxU32, 0, true},
		{"00", maxU32, 0, true},
		{"05", maxU32, 5, true},
		{"4294967295", maxU32, 4294967295, true},
		{"4294967296", maxU32, 0, false},
		{"4294967297", maxU31, 0, false},
		{"2147483647", maxU31, 2147483647, true},
		{"2147483648", maxU31, 0, false},
		{"18446744073709551615", maxU64, math.MaxUint64, true},
		{"18446744073709551616", maxU64, 0, false},
		{"28446744073709551615", maxU64, 0, false},
		{"99999999999999999999", maxU64, 0, false},
		{"00000000000000000001", maxU64, 1, true},
		{"000000000000000000001", maxU64, 0, false},
		{"100000000000000000000", maxU64, 0, false},
		{"0", 0, 0, true},
		{"1", 0, 0, false},
		{"9", 8, 0, false},
		{"8", 8, 8, true},
		{"", maxU64, 0, false},
		{"-", maxU64, 0, false},
		{"-0", maxU64, 0, false},
		{"-1", maxU64, 0, false},
		{"+1", maxU64, 0, false},
		{" 1", maxU64, 0, false},
		{"1 ", maxU64, 0, false},
		{"1\t", maxU64, 0, false},
		{"\v1", maxU64, 0, false},
		{"1\x00", maxU64, 0, false},
		{"1\r", maxU64, 0, false},
		{"1.0", maxU64, 0, false},
		{"1_0", maxU64, 0, false},
		{"0x1", maxU64, 0, false},
		{"1e1", maxU64, 0, false},
		{"1/", maxU64, 0, false},
		{"1:", maxU64, 0, false},
		{"\u0661", maxU64, 0, false},
	} {
		got, ok := parseUint([]byte(row.in), row.max)
		if got != row.want || ok != row.ok {
			t.Errorf("parseUint(%q, %d) = %d, %t, want %d, %t", row.in, row.max, got, ok, row.want, row.ok)
		}
	}
}

func TestParseExptime(t *testing.T) {
	for _, row := range []struct {
		in   string
		want int32
		ok   bool
	}{
		{"0", 0, true},
		{"-0", 0, true},
		{"60", 60, true},
		{"0060", 60, true},
		{"-060", -60, true},
		{"-1", -1, true},
		{"2147483647", math.MaxInt32, true},
		{"-2147483647", -math.MaxInt32, true},
		{"2147483648", 0, false},
		{"-2147483648", 0, false},
		{"4294967296", 0, false},
		{"", 0, false},
		{"-", 0, false},
		{"--1", 0, false},
		{"+1", 0, false},
		{"-+1", 0, false},
		{"- 1", 0, false},
		{"1-", 0, false},
		{"5\t", 0, false},
	} {
		got, ok := parseExptime([]byte(row.in))
		if got != row.want || ok != row.ok {
			t.Errorf("parseExptime(%q) = %d, %t, want %d, %t", row.in, got, ok, row.want, row.ok)
		}
	}
}

func TestAppendNumbers(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 9, 10, -10, 99, 100, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		if got, want := string(appendInt([]byte("x"), v)), "x"+strconv.FormatInt(v, 10); got != want {
			t.Errorf("appendInt(%d) = %q, want %q", v, got, want)
		}
		if got, want := string(appendUint(nil, uint64(v))), strconv.FormatUint(uint64(v), 10); got != want {
			t.Errorf("appendUint(%d) = %q, want %q", uint64(v), got, want)
		}
	}
}

// TestValidKey tries every byte, at every place of a key, and every length.
func TestValidKey(t *testing.T) {
	for c := range 256 {
		want := c > 0x20 && c != 0x7f
		for _, in := range []string{"", "k", "kkk"} {
			for at := range len(in) + 1 {
				k := in[:at] + string([]byte{byte(c)}) + in[at:]
				if got := ValidKey([]byte(k)); got != want {
					t.Errorf("ValidKey(%q) = %t, want %t", k, got, want)
				}
			}
		}
	}
	for n := range 300 {
		if got, want := ValidKey(bytes.Repeat([]byte{0xff}, n)), n >= 1 && n <= 250; got != want {
			t.Errorf("ValidKey of %d bytes = %t, want %t", n, got, want)
		}
	}
}

func TestOpaques(t *testing.T) {
	for _, v := range []uint64{0, 1, 0xdeadbeef, 0x0123456789abcdef, math.MaxUint64} {
		text := appendOpaque(nil, v)
		if want := strings.Repeat("0", 16) + strconv.FormatUint(v, 16); string(text) != want[len(want)-16:] {
			t.Errorf("appendOpaque(%#x) = %q, want %q", v, text, want[len(want)-16:])
		}
		if got, ok := parseOpaque(text); !ok || got != v {
			t.Errorf("parseOpaque(%q) = %#x, %t, want %#x", text, got, ok, v)
		}
	}
	for _, in := range []string{
		"", "0", "000000000000000", "00000000000000000", "000000000000000g", "000000000000000F",
		" 000000000000000", "+000000000000000", "0x00000000000000", "00000000000000\r\n", "000000000000000/", "000000000000000:", "000000000000000`",
	} {
		if _, ok := parseOpaque([]byte(in)); ok {
			t.Errorf("parseOpaque(%q) was accepted", in)
		}
	}
}

// The two grammars of numbers, for the reference.
var (
	uintForm    = regexp.MustCompile(`^[0-9]{1,20}$`)
	exptimeForm = regexp.MustCompile(`^-?[0-9]{1,20}$`)
)

// reference reads tok with the standard library: what form allows, from least
// to most.
func reference(form *regexp.Regexp, tok []byte, least, most *big.Int) (*big.Int, bool) {
	if !form.Match(tok) {
		return new(big.Int), false
	}
	v, ok := new(big.Int).SetString(string(tok), 10)
	if !ok || v.Cmp(least) < 0 || v.Cmp(most) > 0 {
		return new(big.Int), false
	}
	return v, true
}

// FuzzNumbers holds the number readers and writers against the standard library.
func FuzzNumbers(f *testing.F) {
	for _, seed := range []string{"0", "05", "-0", "-1", "+5", "5\t", "2147483648", "4294967297", "18446744073709551615",
		"18446744073709551616", "000000000000000000001", "-2147483648", ""} {
		f.Add([]byte(seed), uint64(maxU64), int64(-1))
		f.Add([]byte(seed), uint64(maxU31), int64(math.MinInt64))
		f.Add([]byte(seed), uint64(5), int64(7))
	}
	f.Fuzz(func(t *testing.T, tok []byte, most uint64, v int64) {
		zero := new(big.Int)
		wantUint, wantOK := reference(uintForm, tok, zero, new(big.Int).SetUint64(most))
		if got, ok := parseUint(tok, most); ok != wantOK || got != wantUint.Uint64() {
			t.Errorf("parseUint(%q, %d) = %d, %t, want %d, %t", tok, most, got, ok, wantUint, wantOK)
		}
		limit := big.NewInt(math.MaxInt32)
		wantInt, wantOK := reference(exptimeForm, tok, new(big.Int).Neg(limit), limit)
		if got, ok := parseExptime(tok); ok != wantOK || int64(got) != wantInt.Int64() {
			t.Errorf("parseExptime(%q) = %d, %t, want %d, %t", tok, got, ok, wantInt, wantOK)
		}
		if got := appendInt(bytes.Clone(tok), v); string(got) != string(strconv.AppendInt(bytes.Clone(tok), v, 10)) {
			t.Errorf("appendInt(%q, %d) = %q", tok, v, got)
		}
		if got := appendUint(bytes.Clone(tok), most); string(got) != string(strconv.AppendUint(bytes.Clone(tok), most, 10)) {
			t.Errorf("appendUint(%q, %d) = %q", tok, most, got)
		}
	})
}
