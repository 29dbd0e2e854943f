package daemon

import (
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
func (w *worker) hold(it *item, why error) error {
	r := it.record
	r.State, r.Receipt, r.FinalAt, r.Waiting = fiscal.Held, nil, time.Time{}, nil
	r.Error = fiscal.Refuse(fiscal.CodeClosedByOther, "", why.Error())
	stored, err := w.journal.save(r)
	if err != nil && !errors.Is(err, errOvertaken) {
		return fmt.Errorf("hold %s: %w", r.ID, err)
	}
	it.record = stored
	return nil
}
