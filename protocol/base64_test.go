package protocol

import (
	"encoding/base64"
	"testing"
)

// TestDecodeKey: a key has one way of being written, line ends in it included.
func TestDecodeKey(t *testing.T) {
	for in, want := range map[string]string{
		"Zm9v": "foo", "Zm8=": "fo", "Zg==": "f", "": "", "AAD/": "\x00\x00\xff",
		"Zm\r9v": "!", "Zm9v\n": "!", "Zm9v\r\n": "!", "\nZm9v": "!", "Zm8=\n": "!", "Zm8\n=": "!",
		"Zm9": "!", "Zm9=": "!", "Zh==": "!", "Zm8": "!", "Zm9v=": "!", "Zm8==": "!", "Zm8=Zm8=": "!", "Zm9v ": "!", "Zm-_": "!", "=": "!",
	} {
		key, err := decodeKey([]byte(in), MaxKey)
		got := string(key)
		if err != nil {
			got = "!"
		}
		if got != want || err != nil && err != errBase64 {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

// FuzzDecodeKey: what is decoded, encoded again, is what was read.
func FuzzDecodeKey(f *testing.F) {
	for _, in := range []string{"Zm9v", "Zm8=", "Zg==", "Zm9=", "Zm\r9v", "Zm8=Zm8=", "AAAA", "_-8="} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, limit := range []int{MaxKey, 3} {
			key, err := decodeKey(in, limit)
			if err == nil && (base64.StdEncoding.EncodeToString(key) != string(in) || len(in) > MaxKey || len(key) > limit) {
				t.Errorf("%q is read as %q", in, key)
			}
			plain, bad := base64.StdEncoding.DecodeString(string(in))
			good := bad == nil && base64.StdEncoding.EncodeToString(plain) == string(in) && len(in) <= MaxKey && len(plain) <= limit
			if err != nil && good {
				t.Errorf("%q is refused", in)
			}
		}
	})
}
