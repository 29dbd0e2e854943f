package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// asidesKept is how many damaged files are kept for who wants to look.
const asidesKept = 3

// damage leaves a mark for the next start, which mends the store. Once.
func (s *Spool) damage(why error) {
	s.hurt.Do(func() {
		if err := s.mark(why.Error()); err != nil {
			why = errors.Join(why, err)
		}
		if s.opt.OnDamage != nil {
			s.opt.OnDamage(why)
		}
	})
}

func (s *Spool) mark(why string) error {
	f, err := s.disk.Open(s.path+suffixHeal, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt([]byte(why), 0); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.disk.SyncDir(filepath.Dir(s.path))
}

// setAside renames a file that is damaged, and forgets the oldest of such.
func (s *Spool) setAside(name string) error {
	aside := name + suffixAside + time.Now().UTC().Format("20060102T150405.000")
	if err := s.disk.Rename(name, aside); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if name == s.path {
		s.recovery.Aside = aside
	}
	old := asides(name)
	for _, n := range old[:max(0, len(old)-asidesKept)] {
		if err := s.disk.Remove(n); err != nil {
			return err
		}
	}
	return s.disk.SyncDir(filepath.Dir(name))
}

// fetchBack takes back what a mend had set aside, and could not put anything in
// its place.
func (s *Spool) fetchBack() (any bool, err error) {
	old := asides(s.path)
	if len(old) == 0 {
		return false, nil
	}
	if err := s.disk.Rename(old[len(old)-1], s.path); err != nil {
		return false, err
	}
	return true, s.disk.SyncDir(filepath.Dir(s.path))
}

// asides lists what was set aside under a name, the oldest first.
func asides(name string) []string {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries { // sorted
		if strings.HasPrefix(e.Name(), filepath.Base(name)+suffixAside) {
			out = append(out, filepath.Join(filepath.Dir(name), e.Name()))
		}
	}
	return out
}
