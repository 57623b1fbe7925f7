// Package admin is how an operator looks into a running slabgate: HTTP on a unix
// socket, for root and slabgate's own user alone, and the client of it that the
// command line uses.
//
// It and the page are the only rooms that speak HTTP. It knows nothing by itself and
// changes nothing by itself: what there is to see and do is its [Backend].
package admin
