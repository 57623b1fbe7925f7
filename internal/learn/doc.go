// Package learn remembers the shapes of requests that clients make, so that a
// policy can be written from them.
//
// It keeps no key and no value, and decides nothing. This version has nothing
// to learn yet; the room is here so that nobody puts it elsewhere.
package learn
