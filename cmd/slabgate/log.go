package main

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/slabgate/slabgate/internal/config"
)

// logRate is how many lines with the same words a second may be logged. What is
// beyond is counted, and the count is logged.
const logRate = 100

// logger is the process's log and the lines it kept back.
type logger struct {
	*zap.Logger
	ring       *ring
	suppressed atomic.Int64
}

// newLogger logs to w, once its ring runs. The configuration has been validated.
func newLogger(c config.Log, w io.Writer) *logger {
	level := zapcore.InfoLevel
	if parsed, err := zapcore.ParseLevel(c.Level); err == nil {
		level = parsed
	}
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(enc)
	if c.Format == "text" || c.Format == "auto" && isTerminal(w) {
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	l := &logger{ring: newRing(w)}
	core := zapcore.NewCore(encoder, zapcore.AddSync(l.ring), level)
	core = zapcore.NewSamplerWithOptions(core, time.Second, logRate, 0, zapcore.SamplerHook(l.count))
	l.Logger = zap.New(core)
	return l
}

func (l *logger) count(_ zapcore.Entry, d zapcore.SamplingDecision) {
	if d&zapcore.LogDropped != 0 {
		l.suppressed.Add(1)
	}
}

// summarise logs how many lines were kept back since the last call.
func (l *logger) summarise() {
	if len(l.ring.lines) == cap(l.ring.lines) {
		return // it would be dropped, and the count with it
	}
	if n := l.suppressed.Swap(0) + l.ring.dropped.Swap(0); n > 0 {
		l.Warn("lines suppressed", zap.Int64("lines", n))
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
