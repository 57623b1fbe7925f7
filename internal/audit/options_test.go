package audit

import (
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(o *Options)
		want string // "code key", and in brackets a part of the fix
	}{
		{"as it is", func(*Options) {}, ""},
		{"no events", func(o *Options) { o.Events = nil }, ""},
		{"samples", func(o *Options) { o.AllowSample = 1 }, ""},
		{"less than none", func(o *Options) { o.AllowSample = -1 }, "SG1068 allow_sample [1000]"},
		{"unknown events", func(o *Options) { o.Events = []string{"deny", "login", ""} }, "SG1067 events [would_deny]; SG1067 events [would_deny]"},
		{"event of the other key", func(o *Options) { o.Events = []string{"allow"} }, "SG1067 events [allow_sample]"},
		{"event that comes with another", func(o *Options) { o.Events = []string{"reload_refuse"} }, "SG1067 events [reload]"},
		{"keys", func(o *Options) { o.Keys = "prefix:251" }, "SG1067 keys [prefix:16]"},
		{"dropping", func(o *Options) { o.OnFull = "drop" }, ""},
		{"ignoring", func(o *Options) { o.OnFull = "ignore" }, "SG1067 on_full [drop]"},
	} {
		o := Default()
		tc.set(&o)
		var want []string
		if tc.want != "" {
			want = strings.Split(tc.want, "; ")
		}
		list := o.Validate()
		if len(list) != len(want) {
			t.Errorf("%s: got %v, want %q", tc.name, list, want)
			continue
		}
		for i, f := range list {
			head, fix, _ := strings.Cut(strings.TrimSuffix(want[i], "]"), " [")
			if f.Code+" "+f.Key != head || !strings.Contains(f.Fix, fix) {
				t.Errorf("%s: got %v, want %s", tc.name, f, want[i])
			}
		}
	}
}

// TestWantedKinds asks for every kind with each choice alone.
func TestWantedKinds(t *testing.T) {
	all := append([]Kind{ReloadRefuse, Allow}, choices...)
	for _, chosen := range choices {
		o := Options{Events: []string{string(chosen)}}
		wanted := o.wanted()
		for _, kind := range all {
			want := kind == chosen || kind == Allow || kind == Flush || kind == ReloadRefuse && chosen == Reload
			if wanted[kind] != want {
				t.Errorf("of %s, %s is written: %v, want %v", chosen, kind, wanted[kind], want)
			}
		}
	}
}
