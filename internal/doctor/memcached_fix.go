package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// Where Debian keeps memcached's arguments, and the drop-ins of its unit.
const (
	memcachedConf = "/etc/memcached.conf"
	memcachedUnit = "/etc/systemd/system/memcached.service.d"
)

// change is what to do to memcached's arguments.
type change struct {
	drop string          // letters of options that go
	add  []host.Argument // that come, in place of those of the same letter
}

func (ch change) dropped() string {
	all := ch.drop
	for _, a := range ch.add {
		if strings.IndexByte(all, a.Letter) < 0 {
			all += string(rune(a.Letter))
		}
	}
	return all
}

// words says the change in a sentence: drop -A, add -c 2048.
func (ch change) words() string {
	var parts []string
	for _, letter := range ch.drop {
		if !slices.ContainsFunc(ch.add, func(a host.Argument) bool { return rune(a.Letter) == letter }) {
			parts = append(parts, "without -"+string(letter))
		}
	}
	if len(ch.add) > 0 {
		parts = append(parts, "with "+strings.Join(host.Arguments(ch.add).Words(), " "))
	}
	return strings.Join(parts, ", ")
}

// restart is the fix that starts memcached with other arguments. On a host it is
// a change of Debian's file and, for a unit with arguments of its own, the line
// that belongs there; in a container it is the new command.
func (c cache) restart(ch change, before ...string) Fix {
	fix := Fix{Text: "start memcached " + ch.words() + "; the restart empties the cache"}
	argv := c.argvAfter(ch)
	if c.facts.Place.Scope != "host" {
		fix.Config = containerCommand(argv, ch)
		return fix
	}
	fix.Text += ". The commands are for Debian's " + memcachedConf
	if argv != nil {
		fix.Text += "; a unit with an ExecStart of its own needs the line below"
		fix.Config = "[Service]\nExecStart=\nExecStart=" + quoteAll(argv) + "\n"
	}
	fix.Commands = append(slices.Clone(before), ch.commands()...)
	return fix
}

// commands change Debian's file and restart memcached.
func (ch change) commands() (list []string) {
	if drop := ch.dropped(); drop != "" {
		edit := "sed -i.bak -E"
		for i := range len(drop) {
			edit += " -e " + quote("/"+lineOf(drop[i])+"/d")
		}
		list = append(list, edit+" "+memcachedConf)
	}
	if len(ch.add) > 0 {
		echo := `printf '%s\n'`
		for _, a := range ch.add {
			echo += " " + quote(strings.Join(host.Arguments{a}.Words(), " "))
		}
		list = append(list, echo+" >>"+memcachedConf)
	}
	return append(list, "systemctl restart memcached")
}

// lineOf matches a line of Debian's file that holds this option and nothing else.
func lineOf(letter byte) string {
	short, long := "-"+string(rune(letter)), host.LongName(letter)
	switch {
	case host.TakesValue(letter) && long != "":
		return `^\s*(` + short + `\s*|--` + long + `[ =]\s*)\S+\s*(#.*)?$`
	case host.TakesValue(letter):
		return `^\s*` + short + `\s*\S+\s*(#.*)?$`
	case letter == 'v':
		return `^\s*(-v+|--` + long + `)\s*(#.*)?$`
	default:
		return `^\s*(` + short + `|--` + long + `)\s*(#.*)?$`
	}
}

// argvAfter is the whole command line with the change; nil if it is not known.
func (c cache) argvAfter(ch change) []string {
	if !c.commanded() {
		return nil
	}
	name := c.Process.Exe
	if name == "" {
		name = c.Process.Args[0]
	}
	left := append(c.args.Without(ch.dropped()), ch.add...)
	return append([]string{name}, left.Words()...)
}

// containerCommand is what a container's definition says, in Kubernetes or for
// docker compose; without the old arguments only what is new.
func containerCommand(argv []string, ch change) string {
	key, words := "command", argv
	if words == nil {
		key, words = "args", host.Arguments(ch.add).Words()
		if len(words) == 0 {
			return ""
		}
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return key + ": [" + strings.Join(quoted, ", ") + "]\n"
}

// dropIn is the fix that lays lines over memcached's unit, and what takes effect
// at once; in a container it is the part of the container's definition.
func (c cache) dropIn(lines []string, container string, now ...string) Fix {
	if c.facts.Place.Scope != "host" {
		return Fix{Text: "change the definition of memcached's container", Config: container}
	}
	file := filepath.Join(memcachedUnit, "doctor-"+strings.ToLower(lineName(lines[0]))+".conf")
	text := "printf '%s\\n' '[Service]'"
	for _, l := range lines {
		text += " " + quote(l)
	}
	return Fix{
		Text:     "lay these lines over memcached's unit",
		Commands: append(now, "mkdir -p "+memcachedUnit, text+" >"+file, "systemctl daemon-reload"),
		Config:   "[Service]\n" + strings.Join(lines, "\n") + "\n",
	}
}

func lineName(line string) string {
	name, _, _ := strings.Cut(line, "=")
	return name
}

// andRestart is for what a running memcached does not take over.
func (f Fix) andRestart() Fix {
	if len(f.Commands) > 0 {
		f.Text += " and restart it, which empties the cache"
		f.Commands = append(f.Commands, "systemctl restart memcached")
	}
	return f
}

// toSocket is the fix that takes memcached off the network: another user cannot
// reach or take a socket in a folder of memcached's own.
func (c cache) toSocket() Fix {
	const path = "/run/memcached/memcached.sock"
	fix := c.restart(change{drop: "lpU", add: []host.Argument{{Letter: 's', Value: path}, {Letter: 'a', Value: "0770"}}})
	fix.Text = "let memcached listen on a unix socket alone, in a folder of its own, and slabgate be a member of its group; " + fix.Text
	subject := c.facts.Subject
	if subject == nil || strings.HasPrefix(subject.Upstream, "unix:") {
		return fix
	}
	if c.facts.Place.Scope != "host" {
		fix.Text += ". In slabgate's configuration: upstreams[].address: unix:" + path
		return fix
	}
	fix.Commands = append(fix.Commands,
		fmt.Sprintf("sed -i.bak -E 's|^(.*address: *)[\"'\\'']?%s[\"'\\'']?|\\1unix:%s|' %s", literal(subject.Upstream), path, quote(subject.Path)),
		"slabgate check --config "+quote(subject.Path),
		"systemctl restart slabgate")
	return fix
}

// literal is a text as a regular expression for itself.
func literal(s string) string {
	return strings.NewReplacer(".", `\.`, "[", `\[`, "]", `\]`).Replace(s)
}

// quote is a word for a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}
