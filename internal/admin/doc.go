// Package admin looks at a running slabgate from above: health, figures and
// state, read only.
//
// It is the only room that may speak HTTP, and it changes nothing. This version
// has nothing to show yet; the room is here so that nobody puts it elsewhere.
package admin
