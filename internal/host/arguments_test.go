package host

import (
	"slices"
	"strings"
	"testing"
)

func TestArgumentsAreReadAsMemcachedReadsThem(t *testing.T) {
	for _, tc := range []struct{ argv, want string }{
		{"memcached", ""},
		{"memcached -m 64 -p 11211 -u memcache -l 127.0.0.1 -P /run/mc.pid", "-m 64 -p 11211 -u memcache -l 127.0.0.1 -P /run/mc.pid"},
		{"memcached -m64 -uroot", "-m 64 -u root"},
		{"memcached -vvAm 64", "-v -v -A -m 64"},
		{"memcached -vvl127.0.0.1,::1", "-v -v -l 127.0.0.1,::1"},
		{"memcached --listen=127.0.0.1 --unix-socket /run/s --unix-mask=0700", "-l 127.0.0.1 -s /run/s -a 0700"},
		{"memcached --unix-s /run/s --listen ::1 --enable-sh", "-s /run/s -l ::1 -A"},
		{"memcached --unix /run/s -A", "-A"}, // of two, so memcached does not take it
		{"memcached --enable-shutdown=yes", "-A"},
		{"memcached --verbose --verbose", "-v -v"},
		{"memcached -U 0 -- -A", "-U 0"},
		{"memcached extra -A words", "-A"},
		{"memcached -l -A", "-l -A"}, // the next word is the value, whatever it is
		{"memcached -A -l", "-A"},    // memcached would not start
		{"memcached -?A --new-thing=1 -F", "-A -F"},
		{"memcached -o modern,idle_timeout=30 -o no_lru_crawler", "-o modern,idle_timeout=30 -o no_lru_crawler"},
		{"memcached - -X", "-X"},
		{"", ""},
	} {
		got := strings.Join(ParseArguments(strings.Fields(tc.argv)).Words(), " ")
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.argv, got, tc.want)
		}
	}
}

func TestArgumentsAnswer(t *testing.T) {
	list := ParseArguments(strings.Fields("memcached -l 127.0.0.1,10.1.2.3:11212 -l notls:[::1] -u a -u b -vv -o idle_timeout=30,modern -o idle_timeout=60"))
	if got, want := list.Listen(), []string{"127.0.0.1", "10.1.2.3:11212", "notls:[::1]"}; !slices.Equal(got, want) {
		t.Errorf("listens on %q, want %q", got, want)
	}
	if got, ok := list.Last('u'); got != "b" || !ok {
		t.Errorf("-u is %q, %v; want the last, b", got, ok)
	}
	if _, ok := list.Last('c'); ok || list.Has('c') || list.Count('v') != 2 || !list.Has('v') {
		t.Errorf("%v: -c is there, or -v is not there twice", list)
	}
	if got, ok := list.Extended("idle_timeout"); got != "60" || !ok {
		t.Errorf("idle_timeout is %q, %v; want the last, 60", got, ok)
	}
	if _, ok := list.Extended("modern"); !ok {
		t.Error("modern is missing")
	}
	if _, ok := list.Extended("mod"); ok {
		t.Error("mod is there")
	}
	if got, want := strings.Join(list.Without("luv").Words(), " "), "-o idle_timeout=30,modern -o idle_timeout=60"; got != want {
		t.Errorf("without -l, -u and -v: %q, want %q", got, want)
	}
	if LongName('l') != "listen" || LongName('D') != "" || LongName('?') != "" || !TakesValue('l') || TakesValue('A') {
		t.Error("the names of options are wrong")
	}
}

// FuzzParseArguments holds that what is written of a command line reads the same
// again, and that nothing is made up.
func FuzzParseArguments(f *testing.F) {
	for _, seed := range []string{
		"memcached\x00-m\x0064\x00-l127.0.0.1", "mc\x00--listen=a,b;c\x00-vvA", "mc\x00--\x00-A", "mc\x00-l", "mc\x00--=x\x00--e\x00-o\x00a=b,c", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		argv := strings.Split(text, "\x00")
		list := ParseArguments(argv)
		again := ParseArguments(append([]string{"memcached"}, list.Words()...))
		if !slices.Equal(list, again) {
			t.Fatalf("%q reads %v, and written again %v", argv, list, again)
		}
		for _, a := range list {
			if LongName(a.Letter) == "" && a.Letter != 'D' {
				t.Fatalf("%q: option %q is not memcached's", argv, a.Letter)
			}
			if a.Value != "" && !strings.Contains(text, a.Value) {
				t.Fatalf("%q: -%c has value %q from nowhere", argv, a.Letter, a.Value)
			}
			if a.Value != "" && !TakesValue(a.Letter) {
				t.Fatalf("%q: -%c takes no value and has %q", argv, a.Letter, a.Value)
			}
		}
	})
}
