// Package host looks at the machine slabgate runs on, or at a captured tree of
// one, and tells what it saw as typed facts.
//
// It only looks: it opens files, lists firewall rules, and asks memcached for its
// version and its settings. It judges nothing; what a fact means is said in
// internal/doctor. What cannot be seen, for want of a privilege or because the
// tree does not have it, is told with the reason, never guessed.
package host
