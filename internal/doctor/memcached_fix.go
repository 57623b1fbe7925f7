package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// Debian's unit for memcached, and where it keeps memcached's arguments.
const (
	debianUnit    = "memcached.service"
	memcachedConf = "/etc/memcached.conf"
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
// a change of Debian's file, and for a unit that has its own arguments the line
// that belongs there; in a container it is the new command.
func (c cache) restart(ch change, before ...string) Fix {
	fix := Fix{Text: "start memcached " + ch.words() + " (the restart empties the cache)"}
	argv := c.argvAfter(ch)
	if c.contained() {
		fix.Config = containerCommand(argv, ch)
		return fix
	}
	if argv != nil {
		fix.Config = "[Service]\nExecStart=\n" + execStart(argv) + "\n"
	}
	fix.Commands = slices.Clone(before)
	if argv != nil && c.unit() != debianUnit {
		fix.Commands = append(fix.Commands, c.layOver("doctor-arguments.conf", []string{"ExecStart=", execStart(argv)})...)
		fix.Commands = append(fix.Commands, c.systemctl("restart"))
		return fix
	}
	fix.Text += ". The commands are for Debian's " + memcachedConf
	if argv != nil {
		fix.Text += "; a unit with an ExecStart of its own needs the lines below instead"
	}
	fix.Commands = append(fix.Commands, ch.commands()...)
	return fix
}

// contained tells whether memcached is started by the definition of a container.
func (c cache) contained() bool {
	return c.facts.Place.Scope != "host" || c.Process != nil && c.Process.Container != ""
}

// unit is what starts memcached: Debian's, unless it is known to be another.
func (c cache) unit() string {
	if c.Process != nil && c.Process.Unit != "" {
		return c.Process.Unit
	}
	return debianUnit
}

func (c cache) systemctl(verb string) string {
	return "systemctl " + verb + " " + quote(strings.TrimSuffix(c.unit(), ".service"))
}

// layOver are the commands that write a drop-in for memcached's unit.
func (c cache) layOver(file string, lines []string) []string {
	folder := "/etc/systemd/system/" + c.unit() + ".d"
	return []string{
		"mkdir -p " + quote(folder),
		"printf '%s\\n' '[Service]' " + quoteAll(lines) + " >" + quote(folder+"/"+file),
		"systemctl daemon-reload",
	}
}

// execStart is a line of a unit.
func execStart(argv []string) string {
	line := "ExecStart="
	for i, w := range argv {
		if i > 0 {
			line += " "
		}
		w = strings.NewReplacer("$", "$$", "%", "%%").Replace(w)
		if w == "" || strings.ContainsAny(w, " \t\n\"'\\;") {
			w = strconv.Quote(w)
		}
		line += w
	}
	return line
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
	if c.contained() {
		return Fix{Text: "change the definition of memcached's container", Config: container}
	}
	name, _, _ := strings.Cut(lines[0], "=")
	return Fix{
		Text:     "lay these lines over memcached's unit",
		Commands: append(now, c.layOver("doctor-"+strings.ToLower(name)+".conf", lines)...),
		Config:   "[Service]\n" + strings.Join(lines, "\n") + "\n",
	}
}

// thenRestart is for what a running memcached does not take over.
func (c cache) thenRestart(f Fix) Fix {
	if len(f.Commands) > 0 {
		f.Text += " and restart it, which empties the cache"
		f.Commands = append(f.Commands, c.systemctl("restart"))
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
	if c.contained() {
		fix.Text += ". In slabgate's configuration: upstreams[].address: unix:" + path
		return fix
	}
	fix.Commands = append(fix.Commands, c.joinGroup()...)
	fix.Commands = append(fix.Commands,
		fmt.Sprintf("sed -i.bak -E 's|^(.*address: *)[\"'\\'']?%s[\"'\\'']?|\\1unix:%s|' %s", literal(subject.Upstream), path, quote(subject.Path)),
		"slabgate check --config "+quote(subject.Path),
		"systemctl restart slabgate")
	return fix
}

// evict stops whoever holds the address and starts memcached there.
func (c cache) evict() (commands []string) {
	if s := c.listener(); s != nil && s.PID != 0 {
		commands = []string{fmt.Sprintf("ps -fp %d", s.PID), fmt.Sprintf("kill -9 %d", s.PID)}
	}
	if c.contained() {
		return commands
	}
	return append(commands, c.systemctl("restart"))
}

// expect is the fix that has slabgate talk to one user alone; memcached keeps what
// it has.
func (c cache) expect(uid int) Fix {
	subject := c.facts.Subject
	fix := Fix{
		Text:   "name memcached's user in slabgate's configuration; better still, let both use a unix socket",
		Config: fmt.Sprintf("upstreams:\n  - address: %q\n    expect_uid: %d\n", subject.Upstream, uid),
	}
	if c.contained() {
		return fix
	}
	address := `address: *["'\'']?` + literal(subject.Upstream) + `["'\'']?`
	line := fmt.Sprintf("expect_uid: %d", uid)
	fix.Commands = []string{
		"sed -i.bak -E -e '/^ *expect_uid: *-1 *$/d' -e 's/, *expect_uid: *-1//'" +
			" -e '/[{]/s|(" + address + ")|\\1, " + line + "|;t'" +
			" -e 's|^( *)(" + address + ".*)$|\\1\\2\\n\\1" + line + "|'" +
			" -e 's|^( *)(- " + address + ".*)$|\\1\\2\\n\\1  " + line + "|' " + quote(subject.Path),
		"slabgate check --config " + quote(subject.Path),
		"systemctl restart slabgate",
	}
	return fix
}

// joinGroup lets slabgate reach a socket of memcached's group.
func (c cache) joinGroup() []string {
	name, _, exists := accountOf(c.facts)
	guard := slices.ContainsFunc(c.facts.Accounts, func(a host.Account) bool { return a.Name == "slabgate" })
	if !exists || !guard {
		return nil
	}
	return []string{fmt.Sprintf("usermod -aG \"$(id -gn %s)\" slabgate", name)}
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
