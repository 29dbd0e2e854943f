package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kassad/fiscal"
	"kassad/owner"
	"kassad/spool"
)

// epochFile holds the number of the last start beside the journal: a journal
// that has counted fewer was restored from an older copy, removed or set aside.
const epochFile = "epoch"

// lastEpoch is 0 where there is no file, or none that can be read: then nothing is
// claimed.
func lastEpoch(dataDir string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, epochFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	last, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return last, nil
}

// writeEpoch puts a new file in place of the old one. note is told the births of
// both before, one of which the next start finds.
func writeEpoch(dataDir string, epoch uint64, note func(births) error) error {
	path := filepath.Join(dataDir, epochFile)
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // a birth of its own
		return err
	}
	if err := os.WriteFile(next, fmt.Appendln(nil, epoch), 0o600); err != nil {
		return err
	}
	owner.InheritPath(next)
	if born := birthOf(next); born != "" {
		if err := note(births{Epoch: epoch, Files: []string{birthOf(path), born}}); err != nil {
			return err
		}
	}
	return os.Rename(next, path)
}

// births are how the journal knows the file that belongs to it.
type births struct {
	Epoch uint64   `json:"epoch"` // an older kassad that has run since has counted on, and knows no births
	Files []string `json:"files"` // before and after its replacement
}

const metaBirths = "births of epoch"

// putBack tells whether the file beside the journal is another one than it has
// left there: then the whole folder is a copy, older than the last start perhaps,
// although both have counted the same.
func (d *Daemon) putBack() (bool, error) {
	var known births
	err := d.spool.View(func(tx *spool.Tx) error {
		_, err := tx.Meta(metaBirths, &known)
		return err
	})
	before := d.id.Epoch
	if d.id.counted {
		before--
	}
	if err != nil || known.Files == nil || known.Epoch != before {
		return false, err
	}
	born := birthOf(filepath.Join(d.cfg.DataDir, epochFile))
	return born == "" || !slices.Contains(known.Files, born), nil
}

// NoteRestored marks a journal as put back from a backup: it may be one of the
// present start, which has counted as many as the file.
func NoteRestored(c Config) error {
	last, err := lastEpoch(c.DataDir)
	if err != nil || last == 0 {
		return err
	}
	return writeEpoch(c.DataDir, last+1, func(births) error { return nil })
}

// noteLoss tells of a journal that was damaged, and marks one that may have
// forgotten something: one whose copies were damaged too, that has counted fewer
// starts than the file beside it, or has another such file beside it. The mark is
// made before the file is written, so that a death between loses no mark. The
// count never goes back: an older journal that is put back later would not be
// seen.
func (d *Daemon) noteLoss(r spool.Recovery) error {
	last, err := lastEpoch(d.cfg.DataDir)
	if err != nil {
		return err
	}
	why, lost := "", r.Lost
	if r.Why != "" {
		why = fmt.Sprintf("%s; it was made again from %s", r.Why, r.From)
		if r.Aside != "" {
			why += "; the damaged journal was set aside as " + r.Aside
		}
	}
	copied, err := d.putBack()
	if err != nil {
		return err
	}
	if last > d.id.Epoch || last == d.id.Epoch && d.id.counted || copied {
		lost, why = true, "the journal is older than the last start: it was restored from a copy, or removed"
	}
	if copied && r.Why == "" {
		why = "data_dir is a copy: its journal may be older than the last start"
	}
	if lost {
		if err := d.journal.rebuilt(d.started); err != nil {
			return err
		}
		if d.id.Epoch <= last {
			d.id.Epoch = last + 1
			if err := d.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(metaIdentity, d.id) }); err != nil {
				return err
			}
		}
	}
	if why != "" {
		d.alerts.raise("", fiscal.CodeStoreRecovered, why)
		d.log.Warn("the journal was damaged", "why", why, "lost", lost, "frames", r.Replayed)
	}
	err = writeEpoch(d.cfg.DataDir, d.id.Epoch, func(known births) error {
		return d.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(metaBirths, known) })
	})
	if spool.NoRoom(err) { // an older number claims less
		return nil
	}
	return err
}
