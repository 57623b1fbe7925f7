package main

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// drain goes on taking clients for a while if the configuration says so, then
// lets those that are here finish. A second signal, or the end of the grace
// period, cuts them off.
func (d *daemon) drain(signals <-chan os.Signal) {
	d.log.Info("draining", zap.Duration("accept_for", d.shutdown.AcceptFor), zap.Duration("grace", d.shutdown.Grace))
	ctx, cancel := context.WithTimeout(context.Background(), d.shutdown.AcceptFor+d.shutdown.Grace)
	defer cancel()
	defer context.AfterFunc(ctx, d.audit.Release)() // who waits for a disk is cut off too
	stop := make(chan struct{})
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for {
			select {
			case s := <-signals:
				switch s {
				case syscall.SIGHUP: // too late
				case syscall.SIGUSR1:
					d.reopenAudit()
				default:
					cancel()
					return
				}
			case <-stop:
				return
			}
		}
	})
	select {
	case <-time.After(d.shutdown.AcceptFor):
	case <-ctx.Done():
	}
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Warn("draining", zap.String("outcome", "clients were cut off"), zap.Error(err))
	}
	close(stop)
	hearing.Wait()
}
