package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/slabgate/slabgate/internal/audit"
)

// openAudit opens the record that the configuration asks for.
func (d *daemon) openAudit(o audit.Options) (err error) {
	if d.audit, err = audit.Open(o, d.metrics, time.Now); err == nil {
		d.audit.Told = d.tellAudit
	}
	return err
}

// tellAudit logs that a sink of the record refuses events, or takes them again.
func (d *daemon) tellAudit(sink string, err error) {
	if err != nil {
		d.log.Error("audit sink refuses", zap.String("sink", sink), zap.Error(err))
		return
	}
	d.log.Info("audit sink takes again", zap.String("sink", sink))
}

// reopenAudit has audit files opened anew, soon: a disk may not answer at once.
func (d *daemon) reopenAudit() {
	select {
	case d.reopen <- struct{}{}:
	default: // it is about to be done
	}
}

// reopenWhenAsked goes on in new files, after somebody has moved the old ones, until
// ctx is done.
func (d *daemon) reopenWhenAsked(ctx context.Context) {
	for {
		select {
		case <-d.reopen:
		case <-ctx.Done():
			return
		}
		if err := d.audit.Reopen(); err != nil {
			d.log.Error("audit reopened", zap.String("outcome", "the old file stays in use"), zap.Error(err))
			continue
		}
		d.log.Info("audit reopened")
	}
}
