package auth

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretNeverShows(t *testing.T) {
	const secret = Secret("hunter2")
	type holder struct {
		Name     string
		Password Secret
		Pointer  *Secret
		List     []Secret
	}
	p := secret
	values := map[string]any{
		"value":   secret,
		"pointer": &p,
		"slice":   []Secret{secret},
		"map":     map[string]Secret{"k": secret},
		"struct":  holder{"n", secret, &p, []Secret{secret}},
		"nested":  &struct{ H holder }{holder{Password: secret}},
		"error":   fmt.Errorf("login with %v", secret),
		"any":     []any{secret, &p},
	}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%T %v", "%10s", "%-10v", "%.3s", "%U", "%c", "%t", "%!"}
	for name, value := range values {
		for _, verb := range verbs {
			args := []any{value}
			if strings.Count(verb, "%") > 1 {
				args = []any{value, value}
			}
			if got := fmt.Sprintf(verb, args...); shows(got) {
				t.Errorf("%s of %s shows the secret: %s", verb, name, got)
			}
		}
		if got := fmt.Sprint(value); shows(got) {
			t.Errorf("Sprint of %s shows the secret: %s", name, got)
		}
	}
}

// shows reports whether s holds the secret, whole or cut, plain or in hex.
func shows(s string) bool {
	s = strings.ToLower(s)
	for _, part := range []string{"hun", "ter2", "68756e", "68 75", "0x68", "104 117"} {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

func TestSecretNeverEncodes(t *testing.T) {
	const secret = Secret("hunter2")
	type holder struct {
		Password Secret
		Pointer  *Secret
		List     []Secret
		Map      map[string]Secret `xml:"-"`
	}
	p := secret
	value := holder{secret, &p, []Secret{secret}, map[string]Secret{"k": secret}}
	encoders := map[string]func() ([]byte, error){
		"json":     func() ([]byte, error) { return json.Marshal(value) },
		"json ptr": func() ([]byte, error) { return json.Marshal(&value) },
		"xml":      func() ([]byte, error) { return xml.Marshal(value) },
		"text":     func() ([]byte, error) { return secret.MarshalText() },
		"slog json": func() ([]byte, error) {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "p", secret, "h", value)
			return b.Bytes(), nil
		},
		"slog text": func() ([]byte, error) {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "p", secret, "h", value)
			return b.Bytes(), nil
		},
	}
	for name, encode := range encoders {
		got, err := encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if shows(string(got)) {
			t.Errorf("%s shows the secret: %s", name, got)
		}
		if !bytes.Contains(got, []byte("***")) {
			t.Errorf("%s: got %s, want stars in it", name, got)
		}
	}
}

func TestSecretMethodsCalledDirectly(t *testing.T) {
	if a, b := Secret("hunter2").String(), Secret("hunter2").GoString(); a != "***" || b != "***" {
		t.Errorf("String %q, GoString %q; want stars", a, b)
	}
}

func TestSecretIsStillItsBytes(t *testing.T) {
	if got := string(Secret("hunter2")); got != "hunter2" {
		t.Errorf("string(Secret) = %q", got)
	}
	var decoded struct{ Password Secret }
	if err := json.Unmarshal([]byte(`{"Password":"hunter2"}`), &decoded); err != nil || string(decoded.Password) != "hunter2" {
		t.Errorf("decoding a secret: got %q, %v", string(decoded.Password), err)
	}
}

func TestDeniedErrorHoldsNothingOfTheClient(t *testing.T) {
	for _, r := range []Reason{ReasonMalformed, ReasonUnknownUser, ReasonDisabled, ReasonExpired, ReasonPassword} {
		var err error = &DeniedError{r}
		if !errors.Is(err, ErrDenied) {
			t.Errorf("%v does not match ErrDenied", err)
		}
		if errors.Is(err, ErrThrottled) || errors.Is(err, ErrBusy) {
			t.Errorf("%v matches another error", err)
		}
		if want := "auth: login denied: " + string(r); err.Error() != want {
			t.Errorf("text: got %q, want %q", err, want)
		}
		if wrapped := fmt.Errorf("session: %w", err); !errors.Is(wrapped, ErrDenied) {
			t.Errorf("wrapped %v does not match ErrDenied", wrapped)
		}
	}
}
