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

// openStore opens the journal. One that is damaged is set aside, never a reason
// to stay down: documents that were made are found again in the devices' own
// memory (design 5.9). aside names the file, for the alert.
func openStore(dir string, opt spool.Options, now time.Time) (s *spool.Spool, aside string, err error) {
	path := storePath(dir)
	s, err = spool.Open(path, opt)
	if !errors.Is(err, spool.ErrDamaged) {
		return s, "", err
	}
	aside = path + ".damaged-" + now.UTC().Format("20060102T150405.000")
	if renameErr := os.Rename(path, aside); renameErr != nil {
		return nil, "", errors.Join(err, renameErr)
	}
	s, err = spool.Open(path, opt)
	return s, aside, err
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
