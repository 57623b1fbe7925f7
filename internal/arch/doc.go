// Package arch holds the rules of the source tree as tests: which package may
// import which, where goroutines start and processes end.
//
// It ships nothing. A rule that a test does not hold is not a rule.
package arch
