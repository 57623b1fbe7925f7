package host

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// masked stands for what is not written down.
const masked = "..."

// open are the folders whose files hold no secret, but for those of /proc that
// harmless treats by name.
var open = []string{"/proc/", "/sys/"}

// harmless is a file without what might be secret in it.
func harmless(name string, data []byte) []byte {
	proc := strings.HasPrefix(name, "/proc/")
	switch base := path.Base(name); {
	case name == "/etc/passwd":
		return eachPart(data, "\n", maskAccount)
	case proc && base == "environ":
		return eachPart(data, "\x00", maskVariable)
	case proc && base == "cmdline":
		return maskWords(data)
	case slices.ContainsFunc(unitFolders, func(folder string) bool { return strings.HasPrefix(name, folder+"/") }):
		return maskUnit(data)
	case slices.ContainsFunc(open, func(folder string) bool { return strings.HasPrefix(name, folder) }):
		return data
	}
	return outline(data)
}

// outline has as many lines as a text, of which one is as long as its longest.
func outline(data []byte) []byte {
	lines, longest := countLines(string(data))
	if lines == 0 {
		return nil
	}
	return append(bytes.Repeat([]byte("x\n"), lines-1), append(bytes.Repeat([]byte("x"), longest), '\n')...)
}

func eachPart(data []byte, separator string, change func(string) string) []byte {
	parts := strings.Split(string(data), separator)
	for i := range parts {
		parts[i] = change(parts[i])
	}
	return []byte(strings.Join(parts, separator))
}

// maskAccount takes the password and the person's name out of a line of
// /etc/passwd.
func maskAccount(line string) string {
	parts := strings.Split(line, ":")
	if len(parts) == 7 {
		parts[1], parts[4] = "x", ""
	}
	return strings.Join(parts, ":")
}

// plain are the variables whose values are told: they decide what is examined, and
// hold no secret.
var plain = []string{
	"CREDENTIALS_DIRECTORY", "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK", "HOME", "INVOCATION_ID", "KUBERNETES_SERVICE_HOST",
	"KUBERNETES_SERVICE_PORT", "LANG", "LISTEN_FDS", "LISTEN_FDNAMES", "MEMCACHED_SASL_PWDB", "NOTIFY_SOCKET", "PATH", "SASL_CONF_PATH",
	"STATE_DIRECTORY", "TZ", "USER", "container",
}

// maskVariable takes the value out of NAME=value, unless it is known to be plain.
func maskVariable(entry string) string {
	name, _, ok := strings.Cut(entry, "=")
	if !ok || slices.Contains(plain, name) {
		return entry
	}
	return name + "=" + masked
}

// secretDirectives are the lines of a unit whose values may be secrets.
var secretDirectives = []string{"Environment", "SetCredential", "SetCredentialEncrypted"}

// maskUnit takes the comments and what may be secret out of a unit, and leaves
// every line where it is.
func maskUnit(data []byte) []byte {
	secret, goesOn := false, false
	return eachPart(data, "\n", func(line string) string {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text[0] == ';' {
			return text[:min(len(text), 1)] // it does not end what goes on
		}
		first := !goesOn
		goesOn = strings.HasSuffix(line, "\\")
		name, _, _ := strings.Cut(text, "=")
		if first {
			secret = slices.Contains(secretDirectives, strings.TrimSpace(name))
		}
		switch ending := line[len(strings.TrimSuffix(line, "\\")):]; {
		case !secret:
			return line
		case first:
			return name + "=" + masked + ending
		default:
			return masked + ending
		}
	})
}

// secretParts are in the names of options whose values are secrets.
var secretParts = []string{"pass", "pwd", "secret", "token", "key", "credential", "auth", "cookie"}

// maskWords takes the values of options that may be secret out of a command line.
// Of a command line that is not memcached's, slabgate's or docker-proxy's only the
// name stays.
func maskWords(data []byte) []byte {
	words := splitNUL(data)
	if len(words) == 0 {
		return data
	}
	if !slices.Contains([]string{"memcached", "memcached-debug", "slabgate", "docker-proxy"}, path.Base(words[0])) {
		title, _, _ := strings.Cut(words[0], " ") // a process may write its whole command line there
		return []byte(title + "\x00")
	}
	hide := false
	for i, word := range words[1:] {
		name, _, valued := strings.Cut(word, "=")
		flag := valued || strings.HasPrefix(word, "-")
		secret := flag && slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(strings.ToLower(name), part) })
		switch {
		case hide && !flag && !path.IsAbs(word), secret && valued && !path.IsAbs(word[len(name)+1:]):
			words[i+1] = masked
			if secret {
				words[i+1] = name + "=" + masked
			}
		}
		hide = secret && !valued
	}
	return []byte(strings.Join(words, "\x00") + "\x00")
}
