package protocol

// What clients are told, in memcached's own words where it has them.
const (
	crlf = "\r\n"

	lineEnd       = "END\r\n"
	lineStored    = "STORED\r\n"
	lineNotStored = "NOT_STORED\r\n"
	lineExists    = "EXISTS\r\n"
	lineNotFound  = "NOT_FOUND\r\n"
	lineDeleted   = "DELETED\r\n"
	lineTouched   = "TOUCHED\r\n"
	lineMN        = "MN\r\n"

	lineError        = "ERROR\r\n"
	lineBadFormat    = "CLIENT_ERROR bad command line format\r\n"
	lineBadChunk     = "CLIENT_ERROR bad data chunk\r\n"
	lineBadExptime   = "CLIENT_ERROR invalid exptime argument\r\n"
	lineBadDelta     = "CLIENT_ERROR invalid numeric delta argument\r\n"
	lineNonNumeric   = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
	lineTooLong      = "CLIENT_ERROR line too long\r\n"
	lineBadFlag      = "CLIENT_ERROR invalid flag\r\n"
	lineDuplicate    = "CLIENT_ERROR duplicate flag\r\n"
	lineBadFlagToken = "CLIENT_ERROR bad token in command line format\r\n"
	lineBadMode      = "CLIENT_ERROR invalid mode\r\n"
	lineBadBase64    = "CLIENT_ERROR error decoding key\r\n"
	lineLongOpaque   = "CLIENT_ERROR opaque token too long\r\n"
	lineManyFlags    = "CLIENT_ERROR options flags are too long\r\n"
	lineNotServed    = "CLIENT_ERROR command not supported\r\n"
	lineTooLarge     = "SERVER_ERROR object too large for cache\r\n"
	lineNoMemory     = "SERVER_ERROR out of memory storing object\r\n"
)

// Lines that other rooms have a reason to say.
const (
	Stored          = lineStored // a completed login
	MN              = lineMN     // the answer to mn
	AccessDenied    = "CLIENT_ERROR access denied\r\n"
	Unauthenticated = "CLIENT_ERROR unauthenticated\r\n"
	AuthFailed      = "CLIENT_ERROR authentication failure\r\n"
	AuthBadToken    = "CLIENT_ERROR bad authentication token format\r\n"
	AuthBadEnd      = "CLIENT_ERROR bad command line termination\r\n"
	AuthBusy        = "SERVER_ERROR too many logins, try again\r\n"
	UpstreamDown    = "SERVER_ERROR upstream unavailable\r\n"
	UpstreamLost    = "SERVER_ERROR upstream connection lost\r\n"
	UpstreamRefused = "SERVER_ERROR upstream refused\r\n"
	ReplyTooLarge   = "SERVER_ERROR reply too large\r\n"
	UpstreamBusy    = "SERVER_ERROR upstream busy\r\n"
	UpstreamUnfit   = "SERVER_ERROR upstream too old for this command\r\n"
	LimitRate       = "CLIENT_ERROR request rate limit exceeded\r\n"
	LimitBytes      = "CLIENT_ERROR byte rate limit exceeded\r\n"
	LimitInFlight   = "CLIENT_ERROR too many requests in flight\r\n"
	LimitValue      = "CLIENT_ERROR value exceeds the limit\r\n"
	LimitTTL        = "CLIENT_ERROR expiry exceeds the limit\r\n"
	LimitKeys       = "CLIENT_ERROR too many keys in one request\r\n"
	LimitConns      = "CLIENT_ERROR too many connections\r\n"
	Frozen          = "CLIENT_ERROR frozen\r\n"
)

// answers say what a client of the classic dialect reads for each status of a
// reply that carries no value. An empty one is a status memcached never gives
// that command, or an item that is missing among others.
type answers [statusCount]string

var (
	readAnswers   = answers{StatusNoMemory: lineNoMemory}
	storeAnswers  = answers{StatusOK: lineStored, StatusNotStored: lineNotStored, StatusTooLarge: lineTooLarge, StatusNoMemory: lineNoMemory}
	casAnswers    = answers{StatusOK: lineStored, StatusNotStored: lineNotStored, StatusExists: lineExists, StatusNotFound: lineNotFound, StatusTooLarge: lineTooLarge, StatusNoMemory: lineNoMemory}
	deleteAnswers = answers{StatusOK: lineDeleted, StatusNotFound: lineNotFound}
	touchAnswers  = answers{StatusOK: lineTouched, StatusMiss: lineNotFound}
	arithAnswers  = answers{StatusNotFound: lineNotFound, StatusNonNumeric: lineNonNumeric, StatusNoMemory: lineNoMemory}
)
