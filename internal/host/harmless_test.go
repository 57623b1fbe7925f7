package host

import (
	"strings"
	"testing"
)

func TestHarmless(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"/etc/slabgate/tls.key", "-----BEGIN\nabc\n", "x\nxxxxxxxxxx\n"},
		{"/etc/memcached.users", "alice:hunter2\n\nbob:x", "x\nxxxxxxxxxxxxx\n"},
		{"/etc/empty", "", ""},
		{"/etc/passwd", "root:$6$hash:0:0:Root, Room 1:/root:/bin/sh\nodd\n", "root:x:0:0::/root:/bin/sh\nodd\n"},
		{"/proc/1/environ", "PATH=/bin\x00DB_PASSWORD=hunter2\x00odd\x00", "PATH=/bin\x00DB_PASSWORD=...\x00odd\x00"},
		{"/proc/1/cmdline", "/usr/bin/mysqld\x00--verbose\x00", "/usr/bin/mysqld\x00"},
		{"/proc/1/cmdline", "memcached\x00-Y\x00/etc/users\x00-m\x0064\x00", "memcached\x00-Y\x00/etc/users\x00-m\x0064\x00"},
		{"/proc/1/cmdline", "slabgate\x00--password=hunter2\x00-v\x00", "slabgate\x00--password=...\x00-v\x00"},
		{"/proc/1/cmdline", "slabgate\x00--auth-token\x00hunter2\x00-v\x00", "slabgate\x00--auth-token\x00...\x00-v\x00"},
		{"/proc/1/cmdline", "slabgate\x00--tls-key\x00/etc/tls.key\x00", "slabgate\x00--tls-key\x00/etc/tls.key\x00"},
		{"/proc/1/cmdline", "", ""},
		{"/etc/systemd/system/slabgate.service.d/x.conf",
			"[Service]\n# the password is hunter2\nEnvironment=A=hunter2 \\\n; hunter2\n B=hunter2\nSystemCallFilter=@a \\\n @b\n  Environment = C=hunter2\n\nUser=x\n",
			"[Service]\n#\nEnvironment=...\\\n;\n...\nSystemCallFilter=@a \\\n @b\nEnvironment =...\n\nUser=x\n"},
		{"/etc/systemd/system.conf", "User=x\n", "xxxxxx\n"},
		{"/proc/net/tcp", "a line\n", "a line\n"},
	} {
		if got := string(harmless(row.name, []byte(row.text))); got != row.want {
			t.Errorf("%s %q: got %q, want %q", row.name, row.text, got, row.want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add("-----BEGIN\nabc\n")
	f.Add("alice:hunter2\n\nbob:x")
	f.Fuzz(func(t *testing.T, text string) {
		got := string(harmless("/etc/secret", []byte(text)))
		if strings.Trim(got, "x\n") != "" {
			t.Errorf("%q became %q", text, got)
		}
		lines, longest := countLines(text)
		if l, n := countLines(got); l != lines || n != longest {
			t.Errorf("%q has %d lines of %d at most, its likeness %q %d of %d", text, lines, longest, got, l, n)
		}
		for entry := range strings.SplitSeq(string(harmless("/proc/1/environ", []byte("SECRET="+text))), "\x00") {
			if first, _, _ := strings.Cut(text, "\x00"); entry == "SECRET="+first && first != masked {
				t.Errorf("%q kept its value", text)
			}
			break
		}
	})
}
