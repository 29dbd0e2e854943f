package spool_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kassad/spool"
	"kassad/spool/spooltest"
)

// spoils are what a mend is needed for; without its copy a store is made again
// from its log or from what the index still has.
var spoils = map[string]func(dir string, rng *rand.Rand) error{
	"zeroed": func(dir string, _ *rand.Rand) error {
		return wipe(filepath.Join(dir, "kassad.db"), 0, 1<<40)
	},
	"a page": func(dir string, rng *rand.Rand) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "kassad.db.heal"), []byte("found"), 0o600),
			wipe(filepath.Join(dir, "kassad.db"), int64(2+rng.IntN(12))*pageBytes, pageBytes))
	},
	"marked": func(dir string, _ *rand.Rand) error {
		return os.WriteFile(filepath.Join(dir, "kassad.db.heal"), []byte("found"), 0o600)
	},
	"missing": func(dir string, _ *rand.Rand) error { return os.Remove(filepath.Join(dir, "kassad.db")) },
	"marked, without the copy": func(dir string, _ *rand.Rand) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "kassad.db.heal"), []byte("found"), 0o600),
			os.Remove(filepath.Join(dir, "kassad.db.copy")))
	},
}

// wipe writes zeros over a part of a file.
func wipe(path string, at, length int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && at < info.Size() {
		_, err = f.WriteAt(make([]byte, min(length, info.Size()-at)), at)
	}
	return errors.Join(err, f.Close())
}

// TestPowerLossWhileMending: the power goes at any write of a mend, and once
// more at any write of the next. Nothing that was answered is lost by that.
func TestPowerLossWhileMending(t *testing.T) {
	t.Parallel()
	w := wear(t, true)
	for name, spoil := range spoils {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			if *powerSeed != 0 {
				seed = *powerSeed
			}
			rng := rand.New(rand.NewPCG(seed, 4))
			step := 6
			if strings.Contains(name, "without") { // the index is all there is
				step = 1
			}
			for at, mended := 1+rng.IntN(step), false; !mended; at += 1 + rng.IntN(step) {
				var err error
				if mended, err = w.mendedAt(t.TempDir(), spoil, at, rng); err != nil {
					t.Fatalf("write %d: %v\nagain: go test ./spool -run '%s' -power-seed %d", at, err, t.Name(), seed)
				}
			}
		})
	}
}

// mendedAt loses power at a write of a mend; true if the mend ended before.
func (w *worn) mendedAt(dir string, spoil func(string, *rand.Rand) error, at int, rng *rand.Rand) (mended bool, err error) {
	path := filepath.Join(dir, "kassad.db")
	for suffix, b := range w.files {
		err = errors.Join(err, os.WriteFile(path+suffix, b, 0o600))
	}
	if err := errors.Join(err, spoil(dir, rng)); err != nil {
		return false, err
	}
	disk := spooltest.NewDisk(dir)
	for range 2 {
		opt := disk.Options()
		opt.SegmentBytes, opt.CopyBytes = 32<<10, 1<<40
		disk.KillAt(at, nil)
		s, err := spool.Open(path, opt)
		if mended = err == nil; mended {
			disk.KillAt(0, nil)
			err = w.missing(s)
			disk.Kill()
			_ = s.Close() // it was killed
		} else if errors.Is(err, spooltest.ErrKilled) {
			err = nil
		}
		if err := errors.Join(err, disk.PowerLoss(rng)); err != nil {
			return false, err
		}
		at = 1 + rng.IntN(at)
	}
	opt := disk.Options()
	opt.SegmentBytes, opt.CopyBytes = 32<<10, 1<<40
	s, err := spool.Open(path, opt)
	if err != nil {
		return false, err
	}
	err = w.missing(s)
	if r := s.Recovery(); r.Lost {
		err = errors.Join(err, fmt.Errorf("lost: %+v", r))
	}
	faults, cerr := s.Check()
	if len(faults) > 0 {
		err = errors.Join(err, fmt.Errorf("faults: %v", faults))
	}
	return mended, errors.Join(err, cerr, s.Close())
}

// TestMendOnAFullDisk: a damaged store on a disk that is so full that nothing
// can be made is not mended, and not made worse either. With room it is.
func TestMendOnAFullDisk(t *testing.T) {
	t.Parallel()
	w := wear(t, true)
	for name, spoil := range spoils {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := lay(t, dir, w.files)
			if err := spoil(dir, rand.New(rand.NewPCG(1, 5))); err != nil {
				t.Fatal(err)
			}
			disk := spooltest.NewDisk(dir)
			disk.SetFull(true)
			for range 3 { // a restart loop
				s, err := spool.Open(path, disk.Options())
				if err == nil { // in the room that it had
					err = errors.Join(w.missing(s), s.Close())
				} else if errors.Is(err, spool.ErrFull) {
					err = nil
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			disk.SetFull(false)
			s, err := spool.Open(path, disk.Options())
			if err != nil {
				t.Fatal(err)
			}
			if r := s.Recovery(); r.Lost {
				t.Errorf("recovery: %+v", r)
			}
			if err := errors.Join(w.missing(s), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}
