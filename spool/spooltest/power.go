package spooltest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
)

// sector is what a disk writes as a whole, if it is lucky.
const sector = 512

// PowerLoss is Kill, and then what was not flushed is lost in part: of each
// sector that differs from what is durable, the new one, the old one or
// something torn between them is left, in no order. Of the names that were
// changed since the last SyncDir, the first few are kept.
//
// The store must have been closed, or be about to be, and must not be read any
// more. An error means that the folder cannot be trusted any more; the test
// fails by it.
func (d *Disk) PowerLoss(rng *rand.Rand) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill()
	var errs []error
	keep := 0
	if len(d.names) > 0 {
		keep = rng.IntN(len(d.names) + 1)
	}
	for _, op := range slices.Backward(d.names[keep:]) {
		errs = append(errs, op.undo())
	}
	d.names = nil
	paths := make([]string, 0, len(d.files))
	for path := range d.files {
		paths = append(paths, path)
	}
	slices.Sort(paths) // one seed, one loss
	for _, path := range paths {
		t := d.files[path]
		now, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		left := mix(rng, t.durable, now)
		if !bytes.Equal(left, now) {
			errs = append(errs, overwrite(path, left))
		}
		t.durable = left
	}
	return errors.Join(errs...)
}

// mix is what a file may hold after a loss of power.
func mix(rng *rand.Rand, durable, now []byte) []byte {
	length := len(now)
	if len(durable) != len(now) {
		lo, hi := min(len(durable), len(now)), max(len(durable), len(now))
		length = []int{len(durable), len(now), lo + rng.IntN(hi-lo+1)}[rng.IntN(3)]
	}
	out := make([]byte, length)
	copy(out, durable)
	// Most losses keep most or lose most: both ends are likelier than the middle.
	kept := [...]int{0, 5, 50, 95, 100}[rng.IntN(5)]
	for at := 0; at < min(length, len(now)); at += sector {
		end := min(at+sector, length, len(now))
		if bytes.Equal(out[at:end], now[at:end]) {
			continue
		}
		switch draw := rng.IntN(100); {
		case draw >= 97: // torn
			cut := at + rng.IntN(end-at)
			copy(out[at:cut], now[at:cut])
		case draw < kept:
			copy(out[at:end], now[at:end])
		}
	}
	return out
}

// overwrite changes a file that may still be mapped.
func overwrite(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	return errors.Join(err, f.Truncate(int64(len(content))), f.Close())
}
