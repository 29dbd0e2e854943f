package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// formerKept is how long the index of an older format is kept beside the
	// store: a release that must be taken back is taken back before that.
	formerKept = 90 * 24 * time.Hour
	// backupsKept is how many backups of BackupFile stay; the oldest go.
	backupsKept = 3

	timeOfFile = "20060102T150405.000"
)

// keepFormer copies the index, as the older format has it, before anything in
// it is changed. Without room for that the store is left as it is.
func (s *Spool) keepFormer(from uint32) error {
	name := fmt.Sprintf("%s%s%d", s.path, suffixFormer, from)
	if err := s.writeBackup(name); err != nil {
		return fmt.Errorf("keep the store of format %d as %s before it is taken over: %w", from, filepath.Base(name), err)
	}
	s.recovery.Backup = name
	return nil
}

// dropFormer removes what is older than formerKept. A failure is tried again
// the next day.
func (s *Spool) dropFormer(now time.Time) {
	for _, name := range keptFiles(s.path, suffixFormer) {
		if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > formerKept {
			_ = s.disk.Remove(name)
		}
	}
}

// BackupFile writes a copy of the store as it is now into its folder, and
// returns its name. Writers go on meanwhile. Of such copies the last three are
// kept.
func (s *Spool) BackupFile() (name string, err error) {
	s.copying <- struct{}{} // the disk has room for one at a time
	defer func() { <-s.copying }()
	if !roomFor(filepath.Dir(s.path), s.path) {
		return "", ErrFull
	}
	name = s.path + suffixBackup + time.Now().UTC().Format(timeOfFile)
	if err := s.writeBackup(name); err != nil {
		return "", fmt.Errorf("back up spool: %w", err)
	}
	old := keptFiles(s.path, suffixBackup)
	for _, n := range old[:max(0, len(old)-backupsKept)] {
		if err := s.disk.Remove(n); err != nil {
			return name, err
		}
	}
	return name, nil
}

// writeBackup makes a whole copy of the index under a name, or none.
func (s *Spool) writeBackup(name string) (err error) {
	half := name + suffixNew
	f, err := s.disk.Open(half, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	w := copyWriter{f: f, breathe: func() error { return nil }}
	err = s.read(func(b *bolt.Tx) error {
		_, err := b.WriteTo(&w)
		return err
	})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.disk.Rename(half, name)
	}
	if err == nil {
		return s.disk.SyncDir(filepath.Dir(s.path))
	}
	return errors.Join(err, s.disk.Remove(half))
}

// keptFiles lists the whole files of a kind beside the store, the oldest first.
func keptFiles(path, suffix string) (names []string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	for _, e := range entries { // sorted
		if strings.HasPrefix(e.Name(), filepath.Base(path)+suffix) && !strings.HasSuffix(e.Name(), suffixNew) {
			names = append(names, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return names
}

// Format is what can be told of a store without opening it.
type Format struct {
	Store   uint32   `json:"store"`             // 0: there is none, or it cannot be read
	Known   uint32   `json:"known"`             // the newest that this kassad reads, and the one that it writes
	Records int      `json:"records"`           // the newest encoding of a record that this kassad reads
	Former  []string `json:"former,omitempty"`  // indexes of older formats that are kept
	Backups []string `json:"backups,omitempty"` // of BackupFile
}

// ReadFormat tells the format of the store at path. Nothing is changed, and a
// daemon may run.
func ReadFormat(path string) (Format, error) {
	out := Format{Known: format, Records: codecVersion, Former: keptFiles(path, suffixFormer), Backups: keptFiles(path, suffixBackup)}
	f, err := openFile(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	defer f.Close()
	if metas := readMetas(f); len(metas) > 0 {
		p := pages{f: f, m: metas[0]}
		if st, ok := p.standing(); ok || st.newer() {
			out.Store = st.format
		}
	}
	return out, nil
}

// Restore puts a backup in the place of the index of the store at path, which
// nobody may have open. The index that was there is set aside, and its name is
// returned; empty if there was none. What the log has beyond the backup is
// brought in at the next Open, so that nothing newer is lost.
//
// A backup that is damaged (ErrDamaged) or of a newer format (ErrNewer) is
// refused, and nothing is changed.
func Restore(path, backup string) (aside string, err error) {
	lock, err := lockStore(path, lockWaitDefault, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if err := proveBackup(backup); err != nil {
		return "", fmt.Errorf("restore %s: %w", backup, err)
	}
	s := &Spool{path: path, disk: ownDisk{}}
	name := path + suffixNew
	if err := errors.Join(s.disk.Remove(name), copyFile(backup, name)); err != nil {
		return "", errors.Join(err, s.disk.Remove(name))
	}
	f, err := s.disk.Open(name, os.O_RDWR)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err == nil {
		err = s.setAside(path)
	}
	if err == nil {
		err = s.disk.Rename(name, path)
	}
	if err == nil {
		err = s.disk.SyncDir(filepath.Dir(path))
	}
	return s.recovery.Aside, err
}

// proveBackup walks through a backup.
func proveBackup(backup string) error {
	fm, err := ReadFormat(backup)
	switch {
	case err != nil:
		return err
	case fm.Store == 0:
		if _, err := os.Stat(backup); err != nil {
			return err
		}
		return fmt.Errorf("%w: no format", ErrDamaged)
	case fm.Store > format:
		return fmt.Errorf("%w: its format is %d, this one knows %d", ErrNewer, fm.Store, format)
	}
	faults, err := checkFile(backup, func() error { return nil })
	if err != nil {
		return err
	}
	return damageIn(faults)
}
