package config

import "regexp"

// notYet says of the path of an unknown key whether it belongs to another
// version, and the sentence to refuse it with.
type notYet func(path string) (sentence string, ok bool)

// settingNotYet is notYet for slabgate.yaml.
func settingNotYet(path string) (sentence string, ok bool) {
	what, ok := laterKeys[index.ReplaceAllString(path, "[]")]
	return "this version does not have " + what, ok
}

// userNotYet is notYet for users.yaml.
func userNotYet(path string) (sentence string, ok bool) {
	return "this version reads scram records only", index.ReplaceAllString(path, "[]") == "users[].secrets[].hash"
}

// laterKeys lists keys of slabgate.yaml that belong to the design but are not in this version.
// They deserve a plain word: the operator has not mistyped them.
var laterKeys = map[string]string{
	"connect":                    "the client side",
	"sandbox":                    "the sandbox",
	"resolver":                   "the resolver of the client side",
	"listeners[].sources":        "plaintext by source address",
	"listeners[].plaintext":      "TLS and plaintext on one port",
	"listeners[].proxy_protocol": "the PROXY protocol",
	"upstreams[].login":          "a login to the upstream",
	"logins.service_accounts":    "service account tokens",
	"audit.format":               "a choice of audit formats",
}

// index is the position of a list element inside a path.
var index = regexp.MustCompile(`\[\d+\]`)
