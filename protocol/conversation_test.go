package protocol

import "strings"

// conversation is a sequence of requests that depend on each other. $CAS is the
// last CAS id that was read.
func conversation() []string {
	return strings.SplitAfter(strings.ReplaceAll(`get c1
set c1 5 0 5|hello
get c1
gets c1
cas c1 6 0 3 $CAS|abc
cas c1 6 0 3 $CAS|abd
cas c1 6 0 3 0|abd
cas c2 0 0 3 1|abc
gets c1 c2 c1
add c1 0 0 1|x
add c2 9 0 1|x
replace c2 8 0 2|yy
replace c3 0 0 1|x
append c1 77 60 3|def
prepend c1 77 60 3|xyz
append c3 0 0 1|x
prepend c3 0 0 1|x
gets c1 c2 c3
incr c1 1
set n 3 0 2|10
incr n 5
decr n 6
get n
decr n 100
incr n 18446744073709551615
incr n 1
incr n 0
decr n 0
gets n
set n 0 0 20|18446744073709551615
incr n 2
incr missing 1
decr missing 1
set n 0 0 3|1 2
incr n 1
set n 0 0 0|
incr n 1
append n 0 0 1|7
incr n 1
touch c1 100
touch c3 100
touch c1 0
gat 100 c1 c3 c2
gats 100 c1
gats 0 c3
gat 0 c1 c1 c1
touch c2 -1
get c2
set c2 0 0 1|x
gat -1 c2
get c2
set c2 0 -1 1|x
get c2
set c2 0 2592001 1|x
get c2
set c2 0 2592000 1|x
get c2
add c2 0 -1 1|x
append c2 0 -1 1|y
get c2
replace c2 0 0 1|z
delete c2
delete c2
get c2
delete c1 0
set quiet 0 0 1 noreply|x
get quiet
append quiet 0 0 1 noreply|y
incr quiet 1 noreply
touch quiet 100 noreply
add quiet 0 0 1 noreply|y
cas quiet 0 0 1 5 noreply|y
gets quiet
delete quiet noreply
delete quiet noreply
get quiet
set noreply 0 0 1|x
get noreply
touch noreply 0
incr noreply 1
set e 0 0 3|END
get e
get e missing e
`, "\n", "\r\n"), "\r\n")
}
