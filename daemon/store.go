package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// storePath is the journal's file.
func storePath(dir string) string { return filepath.Join(dir, "kassad.db") }

// openStore opens the journal. One that is damaged is made again by the spool
// from its copy and its log; what is lost with all of them is found again in the
// devices' own memory (design 5.9). It is never a reason to stay down. Damage
// that is found later ends the daemon, and the next start mends it.
func openStore(dir string, opt spool.Options, fail func(error)) (*spool.Spool, error) {
	told := opt.OnDamage
	opt.OnDamage = func(err error) {
		if told != nil {
			told(err)
		}
		fail(err)
	}
	return spool.Open(storePath(dir), opt)
}

// storeBytes is how long the journal's files are together: index, log, copy and
// what was set aside.
func storeBytes(dir string) (n int64) {
	files, _ := filepath.Glob(storePath(dir) + "*") // the pattern is good
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			n += info.Size()
		}
	}
	return n
}

// refuseFull is the answer to a command that the disk has no room for; nil if
// err is something else.
func refuseFull(err error) *fiscal.Error {
	if errors.Is(err, spool.ErrFull) {
		return fiscal.Refuse(fiscal.CodeDiskFull, "", "the journal has no room")
	}
	return nil
}

// roomRetry is the time before a full disk is tried again.
const roomRetry = time.Second

func (w *worker) saveWithRoom(ctx context.Context, r fiscal.Record) (stored fiscal.Record, err error) {
	stored, err = w.journal.save(r)
	for spool.NoRoom(err) && w.awaitRoom(ctx) {
		stored, err = w.journal.save(r)
	}
	return stored, err
}

// awaitRoom waits before a state is saved once more. The reserve is for what is
// in hand, and may be used up by a long queue: then nothing is begun, and what a
// device has made stays to be told, until there is room. It is false when the
// daemon stops: the next start asks the device.
func (w *worker) awaitRoom(ctx context.Context) bool {
	w.pulse.within(roomRetry + turnMax)
	timer := time.NewTimer(roomRetry)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.stopping:
	case <-ctx.Done():
	}
	return false
}

// withRoom saves what is not of a worker, again and again while the disk has no
// room for it. An error that says so is of a daemon that stops.
func withRoom(ctx context.Context, save func() error) error {
	err := save()
	for spool.NoRoom(err) && ctx.Err() == nil {
		select {
		case <-time.After(roomRetry):
			err = save()
		case <-ctx.Done():
		}
	}
	return err
}

// watchRoom keeps the alert that the disk is full as long as it is.
func (d *Daemon) watchRoom() {
	if d.spool.Full() {
		d.alerts.raise("", fiscal.CodeDiskFull, d.cfg.DataDir)
	} else {
		d.alerts.clear("", fiscal.CodeDiskFull)
	}
}

// hold keeps a record whose document belongs to another command: two commands
// claim one document, and only a person can tell.
func (w *worker) hold(ctx context.Context, it *item, why error) error {
	r := it.record
	r.State, r.Receipt, r.FinalAt, r.Waiting = fiscal.Held, nil, time.Time{}, nil
	r.Error = fiscal.Refuse(fiscal.CodeClosedByOther, "", why.Error())
	stored, err := w.saveWithRoom(ctx, r)
	if err != nil && !errors.Is(err, errOvertaken) {
		return fmt.Errorf("hold %s: %w", r.ID, err)
	}
	it.record = stored
	return nil
}
