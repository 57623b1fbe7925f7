package protocol

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// describeLogin is a login in one line.
func describeLogin(l *Login, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case l.Quit:
		return "quit"
	case l.Token != nil:
		return "token " + strconv.Quote(string(l.Token))
	}
	return describeRefusal(&l.Refusal)
}

func TestParseLogin(t *testing.T) {
	const (
		no     = "! CLIENT_ERROR unauthenticated"
		badEnd = "! CLIENT_ERROR bad command line termination" + closes
		short  = "protocol: request is not complete yet"
	)
	longest := strings.Repeat("p", MaxLogin)
	for _, row := range []struct {
		in, want string
		taken    int // -1 is everything
	}{
		// Logins.
		{"set a 0 0 9\r\nuser pass\r\n", `token "user pass"`, -1},
		{"set a 0 0 9\nuser pass\r\n", `token "user pass"`, -1},
		{"set a 0 0 9\r\nuser pass\r\nget a\r\n", `token "user pass"`, 24},
		{"set a 0 0 9 noreply\r\nuser pass\r\n", `token "user pass"`, -1},
		{"set a 0 0 9 x y z\r\nuser pass\r\n", `token "user pass"`, -1},
		{"set  a  0 0 9 \r\nuser pass\r\n", `token "user pass"`, -1},
		{"set x y z 9\r\nuser pass\r\n", `token "user pass"`, -1},
		{"set " + key(300) + " 0 0 9\r\nuser pass\r\n", `token "user pass"`, -1},
		{"set a 0 0 09\r\nuser pass\r\n", `token "user pass"`, -1},
		{"set a 0 0 4\r\nuser\r\n", `token "user"`, -1},
		{"set a 0 0 0\r\n\r\n", `token ""`, -1},
		{"set a 0 0 9\r\n\x00\xff\r\n \r\n\r\n\r\n", `token "\x00\xff\r\n \r\n\r\n"`, -1},
		{"set a 0 0 1153\r\n" + longest + "\r\n", "token " + strconv.Quote(longest), -1},

		// The end of the data block.
		{"set a 0 0 9\r\nuser passw\r\n", badEnd, 13},
		{"set a 0 0 9\r\nuser pass\n\n", badEnd, 13},
		{"set a 0 0 9\r\nuser pas\r\n\r\n", badEnd, 13},

		// Lengths.
		{"set a 0 0 1154\r\n", no + closes, -1},
		{"set a 0 0 2147483648\r\n", no + closes, -1},
		{"set a 0 0 4294967305\r\nuser pass\r\n", no + closes, 22},
		{"set a 0 0 -1\r\n", no + closes, -1},
		{"set a 0 0 +9\r\nuser pass\r\n", no + closes, 14},
		{"set a 0 0 x\r\nuser pass\r\n", no + closes, 13},
		{"set a 0 0 noreply\r\nuser pass\r\n", no + closes, 19},

		// Everything else.
		{"set a 0 0\r\nuser pass\r\n", no, 11},
		{"set\r\n", no, -1},
		{" set a 0 0 9\r\nuser pass\r\n", no, 14},
		{"set\ta\t0\t0\t9\r\nuser pass\r\n", no, 13},
		{"set a\x00 0 0 9\r\nuser pass\r\n", no, 14},
		{"set a 0 0 9\r\r\nuser pass\r\n", no, 14},
		{"set\u00a0a 0 0 0 9\r\nuser pass\r\n", no, 16},
		{"SET a 0 0 9\r\nuser pass\r\n", no, 13},
		{"setfoo k 0 0 9\r\nuser pass\r\n", no, 16},
		{"add a 0 0 9\r\nuser pass\r\n", no, 13},
		{"cas a 0 0 9 1\r\nuser pass\r\n", no, 15},
		{"ms a 9\r\nuser pass\r\n", no, 8},
		{"get a\r\n", no, -1},
		{"version\r\n", no, -1},
		{"mn\r\n", no, -1},
		{"mg a v\r\n", no, -1},
		{"stats\r\n", no, -1},
		{"flush_all\r\n", no, -1},
		{"shutdown\r\n", no, -1},
		{"\r\n", no, -1},
		{"\n", no, -1},
		{"   \r\n", no, -1},
		{"a\r\n", no, -1},
		{"\x80\x21\n", no, -1},
		{"quit\r\n", "quit", -1},
		{"quit\n", "quit", -1},
		{"quit \r\n", "quit", -1},
		{"quit now\r\n", no, -1},
		{" quit\r\n", no, -1},
		{"quitx\r\n", no, -1},

		// Web clients.
		{"GET / HTTP/1.1\r\n", silent + closes, -1},
		{"set a 0 0 9 HTTP/1.1\r\nuser pass\r\n", silent + closes, 22},
		{" GET / HTTP/1.1\r\n", silent + closes, -1},
		{"HTTP/ x\r\n", no, -1},

		// Lines that are too long, whether or not their end has come.
		{line(2048, "get "), no, -1},
		{line(2049, "get "), no + closes, 2048},
		{line(5000, "set a 0 0 9 "), no + closes, 2048},
		{strings.Repeat("x", 2048), no + closes, -1},
		{strings.Repeat("x", 2047), short, 0},

		// Not all there.
		{"", short, 0},
		{"set a 0 0 9", short, 0},
		{"set a 0 0 9\r\n", short, 0},
		{"set a 0 0 9\r\nuser pass", short, 0},
		{"set a 0 0 9\r\nuser pass\r", short, 0},
		{"quit", short, 0},
	} {
		var l Login
		in := []byte(row.in)
		n, err := ParseLogin(in, &l)
		want := row.taken
		if want < 0 {
			want = len(in)
		}
		if got := describeLogin(&l, err); got != row.want || n != want {
			t.Errorf("%.100q: got %.100s and %d bytes, want %.100s and %d", row.in, got, n, row.want, want)
		}
		if l.Token != nil && (l.Refusal.Reply != "" || l.Refusal.Close) {
			t.Errorf("%.100q: a token comes with a refusal", row.in)
		}
	}
}

// TestLoginIsReset: a Login is filled anew by each call.
func TestLoginIsReset(t *testing.T) {
	var l Login
	for _, row := range []struct{ in, want string }{
		{"quit\r\n", "quit"},
		{"set a 0 0 3\r\na b\r\n", `token "a b"`},
		{"GET / HTTP/1.1\r\n", silent + closes},
		{"get a\r\n", "! CLIENT_ERROR unauthenticated"},
	} {
		_, err := ParseLogin([]byte(row.in), &l)
		if got := describeLogin(&l, err); got != row.want {
			t.Errorf("%q: got %s, want %s", row.in, got, row.want)
		}
	}
}

// loginForm is the line of a login, in Latin-1.
var loginForm = regexp.MustCompile(`^set +[^ \x{0}-\x{1f}\x{7f}]+ +[^ \x{0}-\x{1f}\x{7f}]+ +[^ \x{0}-\x{1f}\x{7f}]+ +([0-9]{1,20})( [^\x{0}-\x{1f}\x{7f}]*)?\r?\n`)

// referenceLogin reads a login with a regular expression. It returns the token,
// and the bytes of the whole login.
func referenceLogin(in []byte) (token string, n int, ok bool) {
	m := loginForm.FindStringSubmatch(latin1(in))
	if m == nil {
		return "", 0, false
	}
	head := len([]rune(m[0]))
	size, err := strconv.ParseUint(m[1], 10, 64)
	tok := strings.Fields(m[2])
	web := len(tok) > 0 && strings.HasPrefix(tok[len(tok)-1], "HTTP/")
	if err != nil || size > 1153 || head > 2048 || web {
		return "", 0, false
	}
	end := head + int(size)
	if len(in) < end+2 || string(in[end:end+2]) != "\r\n" {
		return "", 0, false
	}
	return string(in[head:end]), end + 2, true
}

// FuzzParseLogin: a token is found exactly where the reference finds one, inside
// of what is taken, and however the bytes arrive; every answer is a known line.
func FuzzParseLogin(f *testing.F) {
	for _, in := range []string{
		"set a 0 0 9\r\nuser pass\r\n", "set a 0 0 9\nuser pass\r\nget a\r\n", "set a 0 0 1154\r\n", " set a 0 0 3\r\na b\r\n",
		"quit\r\n", "GET / HTTP/1.1\r\n", "set a 0 0 9 noreply \r\nuser pass\r\n", "set a b c 00\r\n\r\n", "set\ta 0 0 3 3\r\na b\r\n",
		"set a 0 0 3 HTTP/\r\na b\r\n", "set \xa0 \x85 0 3\r\na b\r\n",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var l Login
		n, err := ParseLogin(in, &l)
		token, end, ok := referenceLogin(in)
		if ok != (l.Token != nil) || ok && (token != string(l.Token) || n != end) {
			t.Errorf("%q: got token %q and %d bytes, want %q, %d, %t", in, l.Token, n, token, end, ok)
		}
		if n > len(in) || (n == 0) != (err == ErrShort) {
			t.Errorf("%q: %d bytes taken, %v", in, n, err)
		}
		if !bytes.Contains(in[:n], l.Token) {
			t.Errorf("%q: the token is not in the %d bytes that were taken", in, n)
		}
		switch l.Refusal.Reply {
		case "", Unauthenticated, AuthBadEnd:
		default:
			t.Errorf("%q: answered %q", in, l.Refusal.Reply)
		}
		checkLoginPieces(t, in, n, describeLogin(&l, err))
	})
}

// checkLoginPieces: a part of the bytes gives the same, or is too short.
func checkLoginPieces(t *testing.T, in []byte, n int, want string) {
	t.Helper()
	for end := range in {
		var l Login
		got, err := ParseLogin(in[:end:end], &l)
		if err != ErrShort && (got != n || describeLogin(&l, err) != want) {
			t.Errorf("%q: the first %d bytes give %s and %d, all of them %s and %d", in, end, describeLogin(&l, err), got, want, n)
		}
	}
}
