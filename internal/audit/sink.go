package audit

// Sink takes events. It may be called by many goroutines, and holds up its caller
// only if the operator would rather wait than lose an event.
type Sink interface {
	Write(Event)
}

// Discard is the sink of a configuration that names none.
type Discard struct{}

// Write forgets e.
func (Discard) Write(Event) {}
