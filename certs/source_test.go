package certs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForbiddenWords reads the package itself. VerifyPeerCertificate is skipped
// by resumed connections, so nothing may be checked there; the others have no
// safe use on a listener.
func TestForbiddenWords(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"VerifyPeerCertificate", "InsecureSkipVerify", "KeyLogWriter", "SystemCertPool", "SetSessionTicketKeys"} {
			if bytes.Contains(src, []byte(word)) {
				t.Errorf("%s mentions %s", f, word)
			}
		}
	}
}
