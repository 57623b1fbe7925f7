package protocol

// Category says what a command may do, in the words of a policy. A request
// needs at least one; some need several (a touch that expires the key at once
// needs [CatDelete] as well). The set is closed and versioned: see
// [CategoriesVersion].
type Category uint32

const (
	CatRead     Category = 1 << iota // returns the value or metadata of a named key
	CatTouch                         // may change the expiry of a named key
	CatVivify                        // may create a key while reading it
	CatStore                         // writes a value
	CatDelete                        // removes a named key, or makes it vanish at once
	CatArith                         // adds to or subtracts from a stored number
	CatFlush                         // invalidates every key
	CatStats                         // tells about the server
	CatKeyspace                      // reveals the names of keys
	CatSettings                      // changes how the server runs
	CatDanger                        // ends, reloads or debugs the server
	CatConn                          // concerns this connection alone; always allowed after login
	CatAuth                          // login; answered here, never forwarded

	catEnd
)

// CatAll is every category of this version of the table.
const CatAll = catEnd - 1

// CategoriesVersion is the version of the command table that a policy names,
// so that a command added later never slips into an existing policy.
const CategoriesVersion = 1

// Access says what a command does to the keys it names. Commands without keys
// have none.
type Access uint8

const (
	Reads  Access = 1 << iota // the key must be covered by a read pattern
	Writes                    // the key must be covered by a write pattern
)
