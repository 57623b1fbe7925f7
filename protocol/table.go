package protocol

// The rows of the command table. The ASCII dialects, classic and meta, share
// their connections; their rows are told apart by the first word of a line.
// Those of the binary dialect, which are in capitals, are told by opcode.

// keyVerbs are the commands of the classic dialect about keys (doc/protocol.txt).
var keyVerbs = []Verb{
	{Name: "get", Category: CatRead, Access: Reads, parse: parseGet, canon: canon{word: "mg", classic: "get", params: Params{Ask: AskFlags | AskValue}}, answers: readAnswers, Denied: StatusMiss},
	{Name: "gets", Category: CatRead, Access: Reads, parse: parseGet, canon: canon{word: "mg", classic: "gets", params: Params{Ask: AskFlags | AskCAS | AskValue}}, answers: readAnswers, Denied: StatusMiss},
	{Name: "gat", Category: CatTouch, Access: Reads | Writes, parse: parseGat, canon: canon{word: "mg", classic: "gat", params: Params{Ask: AskFlags | AskValue, Has: HasExptime}}, answers: readAnswers, Denied: StatusMiss},
	{Name: "gats", Category: CatTouch, Access: Reads | Writes, parse: parseGat, canon: canon{word: "mg", classic: "gats", params: Params{Ask: AskFlags | AskCAS | AskValue, Has: HasExptime}}, answers: readAnswers, Denied: StatusMiss},
	{Name: "touch", Category: CatTouch, Access: Writes, parse: parseTouch, canon: canon{word: "mg", classic: "touch", params: Params{Has: HasExptime}}, answers: touchAnswers, Denied: StatusMiss},
	{Name: "set", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", classic: "set", value: true, params: Params{Has: HasExptime}}, answers: storeAnswers, Denied: StatusNotStored},
	{Name: "add", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", classic: "add", value: true, params: Params{Has: HasExptime, Mode: 'E'}}, answers: storeAnswers, Denied: StatusNotStored},
	{Name: "replace", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", classic: "replace", value: true, params: Params{Has: HasExptime, Mode: 'R'}}, answers: storeAnswers, Denied: StatusNotStored},
	{Name: "append", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", classic: "append", value: true, params: Params{Mode: 'A'}}, answers: storeAnswers, Denied: StatusNotStored},
	{Name: "prepend", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", classic: "prepend", value: true, params: Params{Mode: 'P'}}, answers: storeAnswers, Denied: StatusNotStored},
	{Name: "cas", Category: CatStore, Access: Writes, parse: parseStore, canon: canon{word: "ms", classic: "cas", value: true, params: Params{Has: HasExptime | HasCAS}}, answers: casAnswers, Denied: StatusNotFound},
	{Name: "delete", Category: CatDelete, Access: Writes, parse: parseDelete, canon: canon{word: "md", classic: "delete"}, answers: deleteAnswers, Denied: StatusNotFound},
	{Name: "incr", Category: CatArith, Access: Reads | Writes, parse: parseArith, canon: canon{word: "ma", classic: "incr", params: Params{Ask: AskValue, Has: HasDelta}}, answers: arithAnswers, Denied: StatusNotFound},
	{Name: "decr", Category: CatArith, Access: Reads | Writes, parse: parseArith, canon: canon{word: "ma", classic: "decr", params: Params{Ask: AskValue, Has: HasDelta, Mode: 'D'}}, answers: arithAnswers, Denied: StatusNotFound},
}

// metaVerbs are the commands of the meta dialect (doc/protocol.txt, "Meta
// Commands"). Which flags each takes is in metaFlags.
var metaVerbs = []Verb{
	{Name: "mg", Category: CatRead, Access: Reads, parse: parseMeta, canon: canon{word: "mg"}, quiet: statusesOf(StatusMiss), Denied: StatusMiss},
	{Name: "ms", Category: CatStore, Access: Writes, parse: parseMetaStore, canon: canon{word: "ms", value: true}, quiet: statusesOf(StatusOK), Denied: StatusNotStored},
	{Name: "md", Category: CatDelete, Access: Writes, parse: parseMeta, canon: canon{word: "md"}, quiet: statusesOf(StatusOK), Denied: StatusNotFound},
	{Name: "ma", Category: CatArith, Access: Reads | Writes, parse: parseMeta, canon: canon{word: "ma"}, quiet: statusesOf(StatusOK, StatusNumber), Denied: StatusNotFound},
	{Name: "me", Category: CatKeyspace, Access: Reads, parse: parseMetaDebug, grammar: debugLine},
}

var connVerbs = []Verb{
	{Name: "version", Category: CatConn, parse: parseBare, Local: LocalVersion},
	{Name: "quit", Category: CatConn, parse: parseBare, Local: LocalQuit},
	{Name: "mn", Category: CatConn, parse: parseBare, Local: LocalNoOp},
}

var statsVerbs = []Verb{
	{Name: "flush_all", Category: CatFlush, parse: parseFlush, grammar: oneLine},
	{Name: "stats", Category: CatStats, grammar: statLines},
	{Name: "stats items", Category: CatStats, args: "items", grammar: statLines},
	{Name: "stats slabs", Category: CatStats, args: "slabs", grammar: statLines},
	{Name: "stats sizes", Category: CatStats, args: "sizes", grammar: statLines},
	{Name: "stats settings", Category: CatStats, args: "settings", grammar: statLines},
	{Name: "stats extstore", Category: CatStats, args: "extstore", grammar: statLines},
	{Name: "stats conns", Grant: "stats:conns", Category: CatStats, Apart: true, args: "conns", grammar: statLines},
	{Name: "stats reset", Grant: "stats:reset", Category: CatStats, Apart: true, args: "reset", grammar: oneLine},
	{Name: "stats cachedump", Grant: "stats:cachedump", Category: CatKeyspace, args: "cachedump # #", parse: parseRefused},
	{Name: "stats detail", Grant: "stats:detail", Category: CatKeyspace, args: "detail on|off|dump", parse: parseRefused},
}

var settingsVerbs = []Verb{
	{Name: "verbosity", Category: CatSettings, args: "#", grammar: oneLine},
	{Name: "cache_memlimit", Category: CatSettings, args: "#", grammar: oneLine},
	{Name: "slabs reassign", Category: CatSettings, args: "reassign - #", grammar: oneLine},
	{Name: "slabs automove", Category: CatSettings, args: "automove #", grammar: oneLine},
	{Name: "slabs automove window", Category: CatSettings, args: "automove ratio|freeratio|window %", grammar: oneLine},
	{Name: "lru mode", Category: CatSettings, args: "mode flat|segmented", grammar: oneLine},
	{Name: "lru tune", Category: CatSettings, args: "tune # # % %", grammar: oneLine},
	{Name: "lru temp_ttl", Category: CatSettings, args: "temp_ttl -", grammar: oneLine},
	{Name: "lru_crawler", Category: CatSettings, args: "enable|disable", grammar: oneLine},
	{Name: "lru_crawler sleep", Category: CatSettings, args: "sleep|tocrawl #", grammar: oneLine},
	{Name: "lru_crawler crawl", Category: CatSettings, args: "crawl @", grammar: oneLine},
	{Name: "extstore", Category: CatSettings, args: "item_size|item_age|low_ttl|recache_rate|compact_under|drop_under|max_sleep|drop_unread|free_memchunks #", grammar: oneLine},
	{Name: "extstore max_frag", Category: CatSettings, args: "max_frag %", grammar: oneLine},
}

// refusedVerbs are understood well enough to be refused: what they do to
// memcached or to other clients can't be made safe by forwarding them.
var refusedVerbs = []Verb{
	{Name: "lru_crawler metadump", Grant: "lru_crawler:metadump", Category: CatKeyspace, args: "metadump @", parse: parseRefused},
	{Name: "lru_crawler mgdump", Grant: "lru_crawler:mgdump", Category: CatKeyspace, args: "mgdump @", parse: parseRefused},
	{Name: "watch", Category: CatKeyspace, parse: parseRefused},
	{Name: "shutdown", Category: CatDanger, parse: parseRefused},
	{Name: "refresh_certs", Category: CatDanger, parse: parseRefused},
	{Name: "misbehave", Category: CatDanger, parse: parseRefused},
	{Name: "debugtime", Category: CatDanger, parse: parseRefused},
	{Name: "debugitem", Category: CatDanger, parse: parseRefused},
	{Name: "bget", Category: CatRead, Access: Reads, parse: parseLoud},
}

// opcodes are the commands of the binary dialect (doc/protocol-binary.txt). A
// loud opcode and its quiet twin are one row, and a policy grants both by the
// name of the classic command that does the same.
var opcodes = []Verb{
	{Name: "GET", Grant: "get", Category: CatRead, Access: Reads, packet: packet{code: 0x00, twin: 0x09, key: keyNeeded, read: readNothing}, canon: canon{word: "mg", params: Params{Ask: AskFlags | AskCAS | AskValue}}, quiet: quietReads, Denied: StatusMiss},
	{Name: "GETK", Grant: "get", Category: CatRead, Access: Reads, packet: packet{code: 0x0c, twin: 0x0d, key: keyNeeded, echo: true, read: readNothing}, canon: canon{word: "mg", params: Params{Ask: AskFlags | AskCAS | AskValue}}, quiet: quietReads, Denied: StatusMiss},
	{Name: "GAT", Grant: "gat", Category: CatTouch, Access: Reads | Writes, packet: packet{code: 0x1d, twin: 0x1e, extras: 4, key: keyNeeded, read: readExptime}, canon: canon{word: "mg", params: Params{Ask: AskFlags | AskCAS | AskValue, Has: HasExptime}}, quiet: quietReads, Denied: StatusMiss},
	{Name: "GATK", Grant: "gat", Category: CatTouch, Access: Reads | Writes, packet: packet{code: 0x23, twin: 0x24, extras: 4, key: keyNeeded, echo: true, read: readExptime}, canon: canon{word: "mg", params: Params{Ask: AskFlags | AskCAS | AskValue, Has: HasExptime}}, quiet: quietReads, Denied: StatusMiss},
	{Name: "TOUCH", Grant: "touch", Category: CatTouch, Access: Writes, packet: packet{code: 0x1c, extras: 4, key: keyNeeded, read: readExptime}, canon: canon{word: "mg", params: Params{Ask: AskFlags | AskCAS, Has: HasExptime}}, Denied: StatusMiss},
	{Name: "SET", Grant: "set", Category: CatStore, Access: Writes, packet: packet{code: 0x01, twin: 0x11, extras: 8, key: keyNeeded, read: readStore}, canon: canon{word: "ms", value: true, params: Params{Ask: AskCAS, Has: HasExptime}}, quiet: quietWrites, Denied: StatusNotStored},
	{Name: "ADD", Grant: "add", Category: CatStore, Access: Writes, packet: packet{code: 0x02, twin: 0x12, extras: 8, key: keyNeeded, notStored: codeExists, read: readStore}, canon: canon{word: "ms", value: true, params: Params{Ask: AskCAS, Has: HasExptime, Mode: 'E'}}, quiet: quietWrites, Denied: StatusNotStored},
	{Name: "REPLACE", Grant: "replace", Category: CatStore, Access: Writes, packet: packet{code: 0x03, twin: 0x13, extras: 8, key: keyNeeded, notStored: codeNotFound, read: readStore}, canon: canon{word: "ms", value: true, params: Params{Ask: AskCAS, Has: HasExptime, Mode: 'R'}}, quiet: quietWrites, Denied: StatusNotStored},
	{Name: "APPEND", Grant: "append", Category: CatStore, Access: Writes, packet: packet{code: 0x0e, twin: 0x19, key: keyNeeded, read: readNothing}, canon: canon{word: "ms", value: true, params: Params{Ask: AskCAS, Mode: 'A'}}, quiet: quietWrites, Denied: StatusNotStored},
	{Name: "PREPEND", Grant: "prepend", Category: CatStore, Access: Writes, packet: packet{code: 0x0f, twin: 0x1a, key: keyNeeded, read: readNothing}, canon: canon{word: "ms", value: true, params: Params{Ask: AskCAS, Mode: 'P'}}, quiet: quietWrites, Denied: StatusNotStored},
	{Name: "DELETE", Grant: "delete", Category: CatDelete, Access: Writes, packet: packet{code: 0x04, twin: 0x14, key: keyNeeded, read: readNothing}, canon: canon{word: "md"}, quiet: quietWrites, Denied: StatusNotFound},
	{Name: "INCREMENT", Grant: "incr", Category: CatArith, Access: Reads | Writes, packet: packet{code: 0x05, twin: 0x15, extras: 20, key: keyNeeded, read: readArith}, canon: canon{word: "ma", params: Params{Ask: AskValue | AskCAS, Has: HasDelta}}, quiet: quietArith, Denied: StatusNotFound},
	{Name: "DECREMENT", Grant: "decr", Category: CatArith, Access: Reads | Writes, packet: packet{code: 0x06, twin: 0x16, extras: 20, key: keyNeeded, read: readArith}, canon: canon{word: "ma", params: Params{Ask: AskValue | AskCAS, Has: HasDelta, Mode: 'D'}}, quiet: quietArith, Denied: StatusNotFound},
	{Name: "QUIT", Grant: "quit", Category: CatConn, packet: packet{code: 0x07, twin: 0x17, read: readNothing}, Local: LocalQuit, quiet: statusesOf(StatusOK)},
	{Name: "NOOP", Grant: "mn", Category: CatConn, packet: packet{code: 0x0a, read: readNothing}, Local: LocalNoOp},
	{Name: "VERSION", Grant: "version", Category: CatConn, packet: packet{code: 0x0b, read: readNothing}, Local: LocalVersion},
	{Name: "FLUSH", Grant: "flush_all", Category: CatFlush, packet: packet{code: 0x08, twin: 0x18, extras: 4, optional: true, read: readFlush}, grammar: oneLine, quiet: quietWrites},
	{Name: "STAT", Grant: "stats", Category: CatStats, packet: packet{code: 0x10, key: keyOptional, read: readStat}, grammar: statLines},
}

// What quiet opcodes leave unsaid: what the client expects, and denials, by a
// limit or an operator too, which the audit has. Common clients take an error to a quiet request for the end of
// many, or for the answer to the next request; that another key's value is read
// from then on is worse than that one denial is not heard of. A quiet read says
// nothing at all but what it found.
var (
	denials = statusesOf(StatusDenied, StatusLimitRate, StatusLimitBytes, StatusLimitInFlight, StatusLimitValue,
		StatusLimitTTL, StatusLimitKeys, StatusLimitConns, StatusFrozen)
	quietReads = denials | statusesOf(StatusMiss, StatusNone, StatusRefused, StatusNoMemory,
		StatusLost, StatusDown, StatusDropped, StatusBusy, StatusUnfit)
	quietWrites = denials | statusesOf(StatusOK)
	quietArith  = denials | statusesOf(StatusNumber)
)

// loginOpcodes are answered by slabgate and never go anywhere.
var loginOpcodes = []Verb{
	{Name: "SASL_LIST_MECHS", Grant: "sasl", Category: CatAuth, packet: packet{code: 0x20, read: readNothing}, Local: LocalMechs},
	{Name: "SASL_AUTH", Grant: "sasl", Category: CatAuth, packet: packet{code: 0x21, key: keyNeeded, read: readLogin}, canon: canon{value: true}, Local: LocalAuth},
	{Name: "SASL_STEP", Grant: "sasl", Category: CatAuth, packet: packet{code: 0x22, key: keyNeeded, read: readLogin}, canon: canon{value: true}, Local: LocalStep},
}
