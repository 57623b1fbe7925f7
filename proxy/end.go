package proxy

import (
	"errors"
	"io"
	"net"
	"os"
)

// End is why a session ended: the same word in log, audit and metric.
type End string

// Every way a session ends.
const (
	EndClient    End = "client"    // the client closed it, or it broke
	EndQuit      End = "quit"      // the client said so
	EndIdle      End = "idle"      // silent for longer than the idle timeout
	EndSlow      End = "slow"      // a request or a flush took too long
	EndSyntax    End = "syntax"    // what followed could not be framed
	EndDialect   End = "dialect"   // the first byte is of no dialect served here
	EndHandshake End = "handshake" // TLS failed
	EndUnknown   End = "unknown"   // nobody the policy knows
	EndLogin     End = "login"     // no login in time, or too many wrong ones
	EndRevoked   End = "revoked"   // a reload took the identity or its login away
	EndExpired   End = "expired"   // its certificate, or the secret it logged in with, did
	EndLimit     End = "limit"     // its identity has too many connections
	EndUpstream  End = "upstream"  // a value broke off after its first byte was sent
	EndKilled    End = "killed"    // an operator closed it, or quarantined its network
	EndDrain     End = "drain"     // slabgate is stopping
	EndBug       End = "bug"       // a panic was recovered
)

// lingers are the endings after which a client may still be sending, and has
// been answered, or may tell from an end without a reset that it can ask elsewhere.
var lingers = map[End]bool{EndDrain: true, EndSyntax: true, EndQuit: true, EndLogin: true, EndUnknown: true, EndLimit: true}

// endError carries an End through the error returns of a session.
type endError struct {
	end   End
	cause error // may be nil
}

func (e *endError) Error() string {
	if e.cause == nil {
		return "proxy: " + string(e.end)
	}
	return "proxy: " + string(e.end) + ": " + e.cause.Error()
}

func (e *endError) Unwrap() error { return e.cause }

// ended makes an error that ends a session for the given reason.
func ended(end End, cause error) error { return &endError{end, cause} }

// endOf turns the error that stopped a session into its End. It is the only
// place that does.
func endOf(err error) End {
	var e *endError
	switch {
	case errors.As(err, &e):
		return e.end
	case errors.Is(err, os.ErrDeadlineExceeded):
		return EndSlow
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return EndClient
	}
	return EndClient
}
