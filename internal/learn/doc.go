// Package learn remembers what clients in mode learn ask for, so that a policy
// can be written from it: which commands, on keys of which shape, how often.
//
// It keeps no value, and of a key its shape alone. It decides nothing and writes
// nothing down; what it holds is bounded and gone with the process.
package learn
