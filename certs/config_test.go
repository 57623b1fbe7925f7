package certs

import "testing"

func TestValidate(t *testing.T) {
	type change func(*Config)
	for name, tc := range map[string]struct {
		change change
		want   string
	}{
		"good pair":          {func(c *Config) {}, ""},
		"good bundle":        {func(c *Config) { c.Bundle, c.Cert, c.Key = "b", "", "" }, ""},
		"bundle and pair":    {func(c *Config) { c.Bundle = "b" }, "SG1301 bundle"},
		"bundle and key":     {func(c *Config) { c.Bundle, c.Cert = "b", "" }, "SG1301 bundle"},
		"bundle and cert":    {func(c *Config) { c.Bundle, c.Key = "b", "" }, "SG1301 bundle"},
		"no files":           {func(c *Config) { c.Cert, c.Key = "", "" }, "SG1301 bundle"},
		"key alone":          {func(c *Config) { c.Cert = "" }, "SG1301 cert"},
		"cert alone":         {func(c *Config) { c.Key = "" }, "SG1301 key"},
		"request":            {func(c *Config) { c.ClientAuth = "request" }, ""},
		"request without CA": {func(c *Config) { c.ClientAuth, c.ClientCA = "request", "" }, "SG1303 client_ca"},
		"require without CA": {func(c *Config) { c.ClientCA = "" }, "SG1303 client_ca"},
		"none without CA":    {func(c *Config) { c.ClientAuth, c.ClientCA = "none", "" }, ""},
		"none with CA":       {func(c *Config) { c.ClientAuth = "none" }, "SG1305 client_ca"},
		"auth in capitals":   {func(c *Config) { c.ClientAuth = "Require" }, "SG1302 client_auth"},
		"auth empty":         {func(c *Config) { c.ClientAuth = "" }, "SG1302 client_auth"},
		"auth empty, no CA":  {func(c *Config) { c.ClientAuth, c.ClientCA = "", "" }, "SG1302 client_auth"},
		"1.2":                {func(c *Config) { c.MinVersion = "1.2" }, "SG1306 min_version"},
		"common name":        {func(c *Config) { c.CommonName = true }, "SG1307 common_name"},
		"1.1":                {func(c *Config) { c.MinVersion = "1.1" }, "SG1304 min_version"},
		"version empty":      {func(c *Config) { c.MinVersion = "" }, "SG1304 min_version"},
		"all at once": {func(c *Config) { *c = Config{ClientAuth: "yes"} },
			"SG1301 bundle, SG1302 client_auth, SG1304 min_version"},
	} {
		c := Default()
		c.Cert, c.Key, c.ClientCA = "c", "k", "ca"
		tc.change(&c)
		l := c.Validate()
		if got := codes(l); got != tc.want {
			t.Errorf("%s: Validate(%+v) = %q, want %q", name, c, got, tc.want)
		}
		checkWords(t, l)
	}
}

func TestClip(t *testing.T) {
	long := string(make([]byte, 65))
	for _, tc := range []struct{ in, want string }{{"", ""}, {"a", "a"}, {long, long[:64]}} {
		if got := clip(tc.in); got != tc.want {
			t.Errorf("clip(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}
