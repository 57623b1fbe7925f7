package proxy

import (
	"bytes"
	"testing"

	"github.com/slabgate/slabgate/internal/testkit"
)

// keyValueLogin is the set that logs a client in where the user is the key.
func keyValueLogin(user, password string) string {
	return "set " + user + " 0 0 " + itoa(len(password)) + "\r\n" + password + "\r\n"
}

// TestKeyValueLogin shows which values are the password of a user.
func TestKeyValueLogin(t *testing.T) {
	fake := testkit.StartFake(t, testkit.FakeOptions{})
	const failure = "CLIENT_ERROR authentication failure\r\n"
	for _, c := range []struct{ name, in, want string }{
		{"a password with spaces", keyValueLogin("alice", " open  sesame "), "STORED\r\n"},
		{"a password without them", keyValueLogin("bob", "open"), "STORED\r\n"},
		{"spaces that are missing", keyValueLogin("alice", "open sesame"), failure},
		{"a name in another case", keyValueLogin("Bob", "open"), failure},
		{"the password of somebody else", keyValueLogin("bob", " open  sesame "), failure},
		{"the other form of a login", login("bob", "open"), failure},
		{"nothing", keyValueLogin("bob", ""), failure},
		{"NUL", keyValueLogin("bob", "open\x00"), failure},
		{"no text", keyValueLogin("bob", "\xff\xfe"), failure},
		{"flags, expiry and noreply", "set bob 9 -1 4 noreply\r\nopen\r\n", "STORED\r\n"},
		{"an add", "add bob 0 0 4\r\n", "CLIENT_ERROR unauthenticated\r\n"},
		{"a meta store", "ms bob 4\r\n", "CLIENT_ERROR unauthenticated\r\n"},
		{"a value without an end", "set bob 0 0 3\r\nopen\r\n", "CLIENT_ERROR bad command line termination\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := fake.Received()
			r := startRig(t, fake.Addr(), rigOptions{
				doc: logins(), users: usersOf(t, 1, "alice: open  sesame ", "bob:open"), listen: func(lc *ListenerConfig) { lc.KeyValueLogin = true },
			})
			cl := r.client(t)
			cl.asks(c.in, c.want)
			cl.Close()
			got := r.sessionFields(t)
			if known := got["identity"] != ""; known != (c.want == "STORED\r\n") {
				t.Errorf("the client was %q", got["identity"])
			}
			if sent := fake.Received()[len(before):]; bytes.Contains(sent, []byte("open")) {
				t.Errorf("memcached was sent %q", sent)
			}
		})
	}
}
