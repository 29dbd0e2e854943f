package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kassad/daemon"
	"kassad/spool"
)

type spoolFormat struct {
	configFlag
	jsonFlag
}

// Help ends the help of spool format.
func (spoolFormat) Help() string {
	return `Nothing is changed, and no daemon is asked. Exit status: 0, also where there is no journal yet; 1 if it is of a newer kassad.

Examples:
  kassad spool format
  kassad spool format --json`
}

// Run tells the format of the store.
func (c *spoolFormat) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	f, err := spool.ReadFormat(daemon.StorePath(cfg))
	if err != nil {
		return storeHint(err)
	}
	if c.JSON {
		err = printJSON(e.stdout, f)
	} else {
		err = printFormat(e, f)
	}
	if err == nil && f.Store > f.Known {
		return hinted{err: fmt.Errorf("%w: its format is %d, this one knows %d", spool.ErrNewer, f.Store, f.Known), hint: newerHint}
	}
	return err
}

const newerHint = "run the newer kassad again, or go back as docs/store.md says"

func printFormat(e *env, f spool.Format) error {
	store := "none that can be read"
	if f.Store != 0 {
		store = fmt.Sprintf("format %d", f.Store)
	}
	t := newTable(e.stdout, "WHAT", "IS")
	t.row("journal", store)
	t.row("this kassad", fmt.Sprintf("format %d, records up to encoding %d", f.Known, f.Records))
	for _, name := range f.Former {
		t.row("before the upgrade", name)
	}
	for _, name := range f.Backups {
		t.row("backup", name)
	}
	return t.flush()
}

type spoolBackup struct {
	configFlag
	jsonFlag
}

// Help ends the help of spool backup.
func (spoolBackup) Help() string {
	return `The copy lies beside the journal, in data_dir; the last three are kept. Selling goes on meanwhile. Copy it to another disk.

Examples:
  kassad spool backup
  kassad spool backup --json`
}

// Run makes a backup, by the daemon if it runs.
func (c *spoolBackup) Run(e *env) error {
	raw, err := querySpool(e, c.configFlag, daemon.SpoolQuery{Action: "backup"})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, raw)
	}
	var made struct {
		Backup string `json:"backup"`
	}
	if err := json.Unmarshal(raw, &made); err != nil {
		return fmt.Errorf("spool backup: %w", err)
	}
	_, err = fmt.Fprintln(e.stdout, made.Backup)
	return err
}

type spoolRestore struct {
	configFlag
	File string `arg:"" help:"A backup of the journal." type:"path"`
}

// Help ends the help of spool restore.
func (spoolRestore) Help() string {
	return `Stop the service before. The backup is walked through, and the journal that was there is set aside. What the log has
beyond the backup is brought in by the next start; what is lost all the same is read back from the devices.

Examples:
  kassad spool restore backup.db`
}

// Run puts a backup in the place of the journal.
func (c *spoolRestore) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	path := daemon.StorePath(cfg)
	if err := os.MkdirAll(filepath.Dir(path), dataDirMode); err != nil {
		return err
	}
	aside, err := spool.Restore(path, c.File)
	switch {
	case errors.Is(err, spool.ErrLocked):
		return hinted{err: err, hint: "stop the service first: kassad service stop"}
	case errors.Is(err, spool.ErrNewer):
		return hinted{err: err, hint: newerHint}
	case errors.Is(err, spool.ErrDamaged):
		return hinted{err: err, hint: "nothing was changed: take another backup, or start without one, and kassad reads the devices"}
	case errors.Is(err, fs.ErrNotExist):
		return hinted{err: err, hint: "kassad spool format lists the backups"}
	case err != nil:
		return storeHint(err)
	}
	if err := daemon.NoteRestored(cfg); err != nil {
		return storeHint(err)
	}
	if aside != "" {
		_, err = fmt.Fprintf(e.stdout, "restored; the journal that was there is %s\n", aside)
	} else {
		_, err = fmt.Fprintln(e.stdout, "restored")
	}
	return err
}

// dataDirMode keeps receipts from other users of the computer.
const dataDirMode = 0o700
