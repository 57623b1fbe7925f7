package testkit

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestScriptsRunOnTheFakeAndOnMemcached(t *testing.T) {
	servers := map[string]func(t *testing.T) net.Conn{
		"fake":      func(t *testing.T) net.Conn { return StartFake(t, FakeOptions{}).Dial(t) },
		"memcached": func(t *testing.T) net.Conn { return StartMemcached(t).Dial(t) },
	}
	ways := map[string]func(c net.Conn) (net.Conn, ScriptOptions){
		"whole":   func(c net.Conn) (net.Conn, ScriptOptions) { return c, ScriptOptions{} },
		"split":   func(c net.Conn) (net.Conn, ScriptOptions) { return c, ScriptOptions{Split: true} },
		"chopped": func(c net.Conn) (net.Conn, ScriptOptions) { return Chop(c, 1, 5), ScriptOptions{} },
	}
	for name, dial := range servers {
		for how, wrap := range ways {
			for _, s := range LoadScripts(t, "testdata/*.txt") {
				t.Run(name+"/"+how+"/"+s.Name, func(t *testing.T) {
					VerifyNoLeaks(t)
					conn, opts := wrap(dial(t))
					RunScript(t, conn, s, opts)
				})
			}
		}
	}
}

func TestScriptIsReadAsWritten(t *testing.T) {
	s, err := parseScript("dir/some-name.txt", strings.Join([]string{
		"# what is shown",
		"@policy open",
		"@rule one",
		"@rule two",
		"@bare",
		"# comment",
		"",
		"> get {{ab*3}}{{ *2}}",
		">",
		`>| "a\n{{\x00*2}}"`,
		"< END",
		`<| "x\r\n"`,
		`<~ VA \d+`,
		"<EOF",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "some-name" || s.About != "what is shown" {
		t.Errorf("got name %q, about %q", s.Name, s.About)
	}
	wantDirectives := map[string]string{"policy": "open", "rule": "one\ntwo", "bare": ""}
	if got, want := fmt.Sprint(s.Directives), fmt.Sprint(wantDirectives); got != want {
		t.Errorf("directives: got %s, want %s", got, want)
	}
	var got []string
	for _, step := range s.Steps {
		got = append(got, fmt.Sprintf("%s %s %q %v", step.Pos, step.Kind, step.Data, step.Re))
	}
	want := []string{
		`dir/some-name.txt:8 send "get ababab  \r\n" <nil>`,
		`dir/some-name.txt:9 send "\r\n" <nil>`,
		`dir/some-name.txt:10 send "a\n\x00\x00" <nil>`,
		`dir/some-name.txt:11 expect "END\r\n" <nil>`,
		`dir/some-name.txt:12 expect "x\r\n" <nil>`,
		`dir/some-name.txt:13 match "" ^(?:VA \d+)$`,
		`dir/some-name.txt:14 eof "" <nil>`,
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("steps: got\n%s\nwant\n%s", g, w)
	}
}

func TestMalformedScriptsAreRefusedWithTheirLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"> get a", `x.txt:1: the first line is no comment: "> get a"`},
		{"# a\nget a", `x.txt:2: no step begins so: "get a"`},
		{"# a\n\n>get a", `x.txt:3: no step begins so: ">get a"`},
		{"# a\n>| get", `x.txt:2: invalid syntax: ">| get"`},
		{"# a\n<| \"\"", `x.txt:2: empty string: "<| \"\""`},
		{"# a\n<EOF now", `x.txt:2: something stands after <EOF: "<EOF now"`},
		{"# a\n> {{a", `x.txt:2: want {{text*count}}: "> {{a"`},
		{"# a\n> {{a}}", `x.txt:2: want {{text*count}}: "> {{a}}"`},
		{"# a\n> {{a*-1}}", `x.txt:2: bad count "-1" in {{text*count}}: "> {{a*-1}}"`},
		{"# a\n> {{ab*99999999}}", `x.txt:2: bad count "99999999" in {{text*count}}: "> {{ab*99999999}}"`},
		{"# a\n<~ (", "x.txt:2: error parsing regexp: missing closing ): `^(?:()$`: \"<~ (\""},
	} {
		_, err := parseScript("x.txt", c.text)
		if got := fmt.Sprint(err); got != c.want {
			t.Errorf("%q:\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

// answering returns a connection whose peer reads one line, says reply and, if
// hangUp, closes.
func answering(t *testing.T, reply string, hangUp bool) net.Conn {
	here, there := net.Pipe()
	done := make(chan struct{})
	t.Cleanup(func() {
		here.Close()
		there.Close()
		<-done
	})
	go func() {
		defer close(done)
		in := bufio.NewReader(there)
		in.ReadString('\n')
		there.Write([]byte(reply))
		if hangUp {
			there.Close()
		}
	}()
	return here
}

func TestRunScriptSaysWhatWentWrong(t *testing.T) {
	for _, c := range []struct {
		steps, reply string
		hangUp       bool
		want         string
	}{
		{"< END", "END\r\n", false, ""},
		{"< END\n<EOF", "END\r\n", true, ""},
		{"<EOF", "", true, ""},
		{"<~ E.D", "END\r\n", false, ""},
		{"< END", "ERROR\r\n", false, "x.txt:3: \n\tgot  \"ERROR\\r\\n\"\n\twant \"END\\r\\n\""},
		{"< END", "EN", true, "x.txt:3: \n\tgot  \"EN\", then EOF\n\twant \"END\\r\\n\""},
		{"< END", "END\r\nEND\r\n", false, "x.txt:3: after the last step\n\tgot  \"END\\r\\n\"\n\twant nothing"},
		{"<EOF", "END\r\n", true, "x.txt:3: \n\tgot  \"END\\r\\n\"\n\twant the connection closed"},
		{"<~ E.", "END\r\n", false, "x.txt:3: \n\tgot  \"END\\r\\n\"\n\twant a line matching ^(?:E.)$"},
		{"<~ END", "END\n", false, "x.txt:3: \n\tgot  \"END\\n\"\n\twant a line matching ^(?:END)$"},
	} {
		s, err := parseScript("x.txt", "# about\n> get a\n"+c.steps)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := runScript(answering(t, c.reply, c.hangUp), s, ScriptOptions{}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q against %q:\ngot  %q\nwant %q", c.steps, c.reply, got, c.want)
		}
	}
}

func TestTranscriptEndsWithItsLastReply(t *testing.T) {
	f := StartFake(t, FakeOptions{})
	for _, c := range []struct{ in, want string }{
		{"", "MN\r\n"},
		{"get a\r\n", "END\r\nMN\r\n"},
		{"mn\r\nmn\r\n", "MN\r\nMN\r\nMN\r\n"},
		{"set a 0 0 4\r\nMN\r\n\r\nget a\r\n", "STORED\r\nVALUE a 0 4\r\nMN\r\n\r\nEND\r\nMN\r\n"},
		{"set a 0 0 9\r\nabc", ""}, // the block stays open: the silence ends it
	} {
		got := Transcript(t, f.Dial(t), []byte(c.in), 200*quiet)
		if string(got) != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestTranscriptEndsWithTheConnection(t *testing.T) {
	f := StartFake(t, FakeOptions{})
	f.Inject(CloseMidReply(2))
	if got := Transcript(t, f.Dial(t), []byte("get a\r\nget b\r\n"), patience); string(got) != "EN" {
		t.Errorf("got %q, want EN", got)
	}
}

// format writes steps so that parseScript must read the same ones.
func format(s Script) string {
	out := "# " + s.About + "\n"
	brace := strings.NewReplacer("{", `\x7b`)
	for _, step := range s.Steps {
		switch step.Kind {
		case Send:
			out += ">| " + brace.Replace(strconv.Quote(step.Data)) + "\n"
		case Expect:
			out += "<| " + brace.Replace(strconv.Quote(step.Data)) + "\n"
		case ExpectPacket:
			out += "< bin " + step.notation() + "\n"
		case EOF:
			out += "<EOF\n"
		}
	}
	return out
}

// FuzzParseScript checks that a script which is read, written and read again
// sends and expects the same bytes.
func FuzzParseScript(f *testing.F) {
	f.Add("# a\n> get a\n< END\n<EOF")
	f.Add("# a\n> bin SET key=a flags=5 bodylen=7\n< bin GET flags=1 cas=* value=\"{\"\n< bin GETK extras=* opaque=*")
	f.Add("# a\n>| \"{{\\x00*3}}\"\n@k v\n< {{a*7}}b")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := parseScript("x.txt", text)
		if err != nil {
			return
		}
		again, err := parseScript("x.txt", format(first))
		if err != nil {
			t.Fatalf("%q was read, %q is not: %v", text, format(first), err)
		}
		if a, b := format(first), format(again); a != b {
			t.Errorf("%q: got %q, then %q", text, a, b)
		}
	})
}
