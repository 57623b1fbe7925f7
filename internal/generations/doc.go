// Package generations knows the generation of every namespace of one memcached,
// and flushes a namespace by raising it: a key k of a namespace with the root
// t/shop/ travels as t/shop/1764128710042/k, so that with the next generation
// nothing that was stored before can be reached any more.
//
// # A generation never goes back
//
// It is known in three places: in memory, in a file, and in memcached, under the
// key slabgate/generation/ and the root. In force is the highest. Whatever has a
// lower one, or none, is made to agree.
//
// A generation is a point in time, in milliseconds since 1970. A new one is the
// clock's, or one more than the highest that is known if that is higher; a
// namespace of which nothing is known starts with the clock's. Before a new one
// is made the clock is waited for, so that none is in force before its time has
// come. That is why a start after both the file and memcached's record were lost
// is a flush and never a return to an old generation: every generation there has
// been is earlier than now. Two things can spoil that, and only if both records
// are lost as well: a clock that was set back behind the last flush, and another
// slabgate whose clock is ahead. A wait is never longer than 50 ms: a clock that
// was set back further is not waited for.
//
// A generation has 13 digits until the year 2286, so that a root of n bytes and
// the slash leave a client 236-n of the 250 bytes of a key.
//
// # Several slabgates
//
// memcached's record is changed by compare-and-swap. So of two that flush at one
// time the second goes above the first, and no two flushes that memcached was told
// share a generation. A flush that memcached could not be told is in force in the
// slabgate that made it, and owed: it is made once more when memcached answers,
// above what the others did meanwhile, because what they stored has to go as well.
// A start without an answer of memcached is such a flush. And one is made if
// memcached's record is gone, or lower than it should be: what was lost may have been
// a flush of another slabgate, which the file here does not know of. After a restart
// of memcached that costs nothing, since it is empty.
//
// A record that is more than a year ahead of the clock is none of ours, and replaced.
// Clients can't write records, whatever the policy says.
//
// The key slabgate/flushes names the last flushes. It is read every interval, the
// record of every namespace in it right after, and each of the others once in 15
// seconds.
//
// # One process after another
//
// The file is written by one process. One that is started before the other has
// ended, to take its place, reads the file, and goes on with memcached's records
// alone; once the other has ended it takes the file, puts into force what was
// flushed meanwhile, and writes. A flush of its own that memcached could not be told
// is lost if it ends before that.
//
// # Bounds
//
// A namespace is kept, and its record read, from the first time a client uses it
// until the process ends: some 500 bytes. There are as many as the policy has. The
// file has at most two lines for each and 1000 more; beyond 100,000 namespaces those
// that nobody used since the start are left out of it.
//
// It decides nothing and renames no key; it starts no goroutine.
package generations
