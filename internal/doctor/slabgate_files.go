package doctor

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slabgate/slabgate/internal/host"
)

// judgeFilesOf judges the files of the configuration and the folders above them.
// Sockets are judged with memcached's.
func judgeFilesOf(f *host.Facts) (found []Verdict) {
	if f.Subject == nil {
		return moot("there is no configuration of slabgate")
	}
	looked := 0
	for i := range f.Files {
		file := &f.Files[i]
		if file.For == "socket" || file.For == "folder" && !aboveSubject(f.Subject, file.Path) {
			continue
		}
		if file.Error != "" {
			found = append(found, Verdict{Status: Skip, Subject: file.Path, Text: file.Path + " was not looked at: " + file.Error})
			continue
		}
		looked++
		found = append(found, judgeFile(f, file)...)
	}
	if looked == 0 && len(found) == 0 {
		return skip("the configuration names no file by its whole path")
	}
	return orPass(found, fmt.Sprintf("of %d files and folders none is open to others", looked), Evidence{Source: f.Subject.Path})
}

// aboveSubject tells whether a folder leads to a file that the configuration names.
func aboveSubject(s *host.Subject, folder string) bool {
	for path, what := range s.Files {
		if what != "socket" && strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/") {
			return true
		}
	}
	return false
}

const sticky = 0o1000

func judgeFile(f *host.Facts, file *host.File) (found []Verdict) {
	secret := file.For == "key" || file.For == "users"
	seen := fileEvidence(file)
	if secret && file.Mode&0o077&^0o040 != 0 {
		return []Verdict{fail(file.Path, fmt.Sprintf("%s (%s) has mode %04o, so that others may read or change it", file.Path, file.For, file.Mode), Fix{
			Text: "let only its owner, and slabgate's group, read it; if others may have read it, replace what is in it", Commands: closeSecret(f, file),
		}, seen)}
	}
	if open := writable(file); open != "" {
		found = append(found, fail(file.Path, fmt.Sprintf("%s (%s) has mode %04o, so that %s may change it", file.Path, file.For, file.Mode, open), Fix{
			Text: "take the permission to write away", Commands: []string{"chmod go-w " + quote(file.Path)},
		}, seen))
	}
	if file.For == "audit" && file.Mode&0o004 != 0 {
		v := fail(file.Path, fmt.Sprintf("%s (audit) has mode %04o, so that every user may read who did what", file.Path, file.Mode), Fix{
			Text: "let only slabgate and its group read it", Commands: []string{"chmod o-r " + quote(file.Path)},
		}, seen)
		found = append(found, v.at(Medium))
	}
	if file.UID != 0 && !ownedByServer(f, file) && len(guards(f)) > 0 {
		found = append(found, fail(file.Path, fmt.Sprintf("%s (%s) belongs to uid %d, who is neither root nor slabgate", file.Path, file.For, file.UID), Fix{
			Text: "give it to root", Commands: []string{"chown root " + quote(file.Path)},
		}, seen))
	}
	return found
}

// closeSecret are the commands that leave a secret to slabgate and root. What is
// root's, slabgate reads by its group.
func closeSecret(f *host.Facts, file *host.File) []string {
	if ownedByServer(f, file) {
		return []string{"chmod 0600 " + quote(file.Path)}
	}
	p := server(f)
	if p == nil || !p.StatusOK || p.UID == 0 || p.GID == file.GID || slices.Contains(p.Groups, file.GID) {
		return []string{"chmod 0640 " + quote(file.Path)}
	}
	return []string{fmt.Sprintf("chgrp %d %s", p.GID, quote(file.Path)), "chmod 0640 " + quote(file.Path)}
}

// writable tells who else may write a file, or empty. In a folder with the sticky
// bit nobody can replace what is another's.
func writable(file *host.File) string {
	switch {
	case file.Kind == "folder" && file.Mode&sticky != 0:
		return ""
	case file.Mode&0o002 != 0:
		return "every user"
	case file.Mode&0o020 != 0 && file.GID != 0 && file.For != "audit" && file.For != "state":
		return fmt.Sprintf("group %d", file.GID)
	}
	return ""
}

func ownedByServer(f *host.Facts, file *host.File) bool {
	return slices.Contains(guards(f), file.UID)
}

// leastFree is the share of a filesystem that an audit should find free.
const leastFree = 0.10

func judgeAudit(f *host.Facts) (found []Verdict) {
	if f.Subject == nil {
		return moot("there is no configuration of slabgate")
	}
	var seen []Evidence
	for i := range f.Files {
		file := &f.Files[i]
		if file.For != "audit" {
			continue
		}
		seen = append(seen, fileEvidence(file))
		found = append(found, judgeSink(f, file)...)
	}
	if len(seen) == 0 {
		return pass("no audit is written to a file", Evidence{Source: f.Subject.Path})
	}
	return orPass(found, "the audit can be written and has room", seen...)
}

func judgeSink(f *host.Facts, file *host.File) (found []Verdict) {
	dir := filepath.Dir(file.Path)
	above := fileAt(f, dir)
	if file.Error == "no such file" && above != nil && above.Error == "" {
		return nil // slabgate makes it
	}
	if file.Error != "" {
		return skip(file.Path + " was not looked at: " + file.Error)
	}
	if file.Free < leastFree {
		found = append(found, fail(file.Path, fmt.Sprintf("%.0f%% of the filesystem of %s is free", file.Free*100, file.Path), Fix{
			Text:     "make room, and let logrotate keep less",
			Commands: []string{"df -h " + quote(dir), "logrotate -f /etc/logrotate.d/slabgate"},
		}, fileEvidence(file)))
	}
	if p := server(f); p != nil && p.StatusOK && p.UID != 0 && !mayWrite(p, file) {
		found = append(found, fail(file.Path, fmt.Sprintf("slabgate (uid %d) may not write %s", p.UID, file.Path), Fix{
			Text: "give the file to slabgate", Commands: []string{fmt.Sprintf("chown %d:%d %s", p.UID, p.GID, quote(file.Path)), "chmod 0640 " + quote(file.Path)},
		}, fileEvidence(file)))
	}
	return found
}

// mayWrite tells whether a process that has no privileges may write a file.
func mayWrite(p *host.Process, file *host.File) bool {
	switch {
	case p.UID == file.UID:
		return file.Mode&0o200 != 0
	case p.GID == file.GID || slices.Contains(p.Groups, file.GID):
		return file.Mode&0o020 != 0
	}
	return file.Mode&0o002 != 0
}

// secretName are names of variables and flags whose value is a secret, and
// harmlessName those that say where one is.
var (
	secretName   = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|secret|credential|private_?key|api_?key|access_?key|(^|_)token|sasl_?pwd?)`)
	harmlessName = regexp.MustCompile(`(?i)_(file|path|dir|url|name)s?$`)
	secretValue  = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY|SCRAM-SHA-(1|256|512)\$|://[^/:@ ]+:[^/@ ]+@`)
)

// isSecret tells whether a value is a secret by its name or its look. A path is
// where one is kept.
func isSecret(name, value string) bool {
	if secretValue.MatchString(value) {
		return true
	}
	return value != "" && !strings.HasPrefix(value, "/") && secretName.MatchString(name) && !harmlessName.MatchString(name)
}

func judgeSecrets(f *host.Facts) (found []Verdict) {
	for _, p := range servers(f) {
		found = append(found, judgeSecretsOf(p)...)
	}
	if len(found) == 0 {
		return pass("no running slabgate is to be seen, and so no secret of one")
	}
	return found
}

func judgeSecretsOf(p *host.Process) (found []Verdict) {
	for i, arg := range p.Args {
		key, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if isSecret(key, value) || secretValue.MatchString(arg) {
			found = append(found, secretFound(p, "cmdline", fmt.Sprintf("argument %d", i)))
		}
	}
	for _, entry := range p.Environ {
		key, value, _ := strings.Cut(entry, "=")
		if isSecret(key, value) {
			found = append(found, secretFound(p, "environ", key))
		}
	}
	if len(found) == 0 && !p.EnvironOK {
		return skip(fmt.Sprintf("/proc/%d/environ may not be read: needs root", p.PID))
	}
	return orPass(found, fmt.Sprintf("slabgate (pid %d) has no secret in its environment or command line", p.PID), procFile(p, "environ", ""))
}

// secretFound names the place of a secret and never the secret.
func secretFound(p *host.Process, file, name string) Verdict {
	fix := Fix{Text: "put it into a file that only slabgate reads, restart slabgate without it, and replace the secret"}
	if p.Unit != "" && file == "environ" {
		dir := "/etc/systemd/system/" + p.Unit + ".d"
		fix.Commands = []string{
			"mkdir -p " + quote(dir),
			"printf '%s\\n' '[Service]' " + quote("UnsetEnvironment="+name) + " >" + quote(dir+"/zz-doctor-unset-"+strings.ToLower(name)+".conf"),
			"systemctl daemon-reload", "systemctl restart " + quote(strings.TrimSuffix(p.Unit, ".service")),
		}
		fix.Config = "[Service]\nUnsetEnvironment=" + name + "\n"
	}
	return fail(file+" "+name, fmt.Sprintf("slabgate (pid %d) has a secret in %s: %s", p.PID, file, name), fix, procFile(p, file, name))
}
