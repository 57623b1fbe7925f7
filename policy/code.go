package policy

// Codes of the findings about a policy. One stands for one kind of message and
// is never used for another.
const (
	codeVersion      = "SG1101" // the language version is not this one
	codeCategories   = "SG1102" // the command table version is not this one
	codeWord         = "SG1103" // a setting is none of the words it may be
	codeDefault      = "SG1105" // defaults.unauthenticated names no identity
	codeName         = "SG1106" // a name has bytes or a length that names can't have
	codeNoMatch      = "SG1107" // an identity that no client can become
	codeEmptyMatch   = "SG1108" // a match, or a part of it, that asks for nothing
	codeWeak         = "SG1109" // an address alone without weak_ok
	codeNetwork      = "SG1110" // a network that is not in CIDR form
	codeURI          = "SG1111" // a URI pattern that can't match or is too wide
	codeDNS          = "SG1112" // a DNS pattern that can't match
	codeMatchValue   = "SG1113" // a user, listener or common name that can't be one
	codeSameMatch    = "SG1114" // two identities match the same clients
	codeSecret       = "SG1115" // a login is required and no match has one
	codeRole         = "SG1116" // a role that is not defined
	codeRoleTwice    = "SG1117" // a role listed twice
	codeIDTwice      = "SG1118" // a rule id used twice in an identity
	codeAllowDeny    = "SG1119" // a rule with both or neither of allow and deny
	codeNoCommands   = "SG1120" // a rule that names no commands
	codeGroup        = "SG1121" // an unknown group
	codeCommand      = "SG1122" // an unknown command
	codeKeysMissing  = "SG1123" // commands with keys allowed without patterns
	codeKeysUnused   = "SG1124" // patterns that no command of the rule uses
	codeKeyless      = "SG1125" // commands without keys denied by a rule with patterns
	codeConn         = "SG1126" // a deny rule on what is always allowed
	codePattern      = "SG1127" // a pattern that does not follow the grammar
	codeNoKey        = "SG1128" // a pattern that no key can fit
	codeNoPatterns   = "SG1129" // an empty list of patterns
	codeTest         = "SG1130" // a test that can't be run
	codeTestFailed   = "SG1131" // a test with another outcome than expected
	codeNamespace    = "SG1132" // a namespace that can't be one
	codeNamespaces   = "SG1133" // namespaces that are in each other's way, or a grant of none
	codeFlush        = "SG1134" // a flush that this identity can't have
	codeLimit        = "SG1135" // a limit that is none
	codeDelimiter    = "SG1150" // warning: a prefix that may cover more than meant
	codeOverlap      = "SG1151" // warning: a prefix that covers another identity's keys
	codeWeakAll      = "SG1152" // warning: everything allowed to clients that proved nothing
	codeAllKeyless   = "SG1153" // warning: @all denied on keys does not deny commands without keys
	codeNeverServed  = "SG1155" // warning: a command is allowed that is never served
	codeNoIdentities = "SG1154" // warning: a policy without identities
	codeUnixID       = "SG1156" // a user or group that there can't be
	codePin          = "SG1157" // a pin that is no SHA-256
	codeAccount      = "SG1158" // a pattern that no service account fits
	codeNoAccounts   = "SG1159" // warning: no login proves a service account
	codeStar         = "SG1160" // warning: every key is allowed, those of other identities too
	codeShadowed     = "SG1161" // warning: a rule that never decides anything
	codeAdmin        = "SG1162" // warning: what concerns the whole server is allowed for good
	codeOff          = "SG1163" // warning: nothing is checked
)

// Words of the language.
const (
	replyError        = "error"
	replyQuiet        = "quiet"
	unauthenticatedNo = "deny"
	expectAllow       = "allow"
	expectDeny        = "deny"
	multigetError     = "error"
	multigetMiss      = "miss"
	unknownDeny       = "deny"
	unknownForward    = "forward"
	overlongError     = "error"
	overlongHash      = "hash"
	flushScoped       = "scoped"
	flushUpstream     = "upstream"
	flushDeny         = "deny"
)

const (
	listGroups   = "list groups with: slabgate help groups"
	listCommands = "list commands with: slabgate help groups"
	longestName  = 64       // of an identity, role or rule, in bytes
	longestValue = 256      // of a user, listener or common name in a match, in bytes
	delimiters   = ":./-_|" // bytes that end the name of a family of keys
)
