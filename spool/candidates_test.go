package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// BenchmarkCandidates compares ways to keep 512-byte records durable, on this
// disk and with 5 ms added to each flush: the table of docs/store.md.
//
//	go test -run '^$' -bench Candidates -benchtime 1x ./spool
func BenchmarkCandidates(b *testing.B) {
	const each = 400 * time.Millisecond
	for _, added := range []time.Duration{0, 5 * time.Millisecond} {
		for _, writers := range []int{1, 8, 64} {
			for _, c := range []struct {
				name string
				make func(testing.TB, time.Duration) func(group [][]byte) error
				max  int // records of one group
			}{
				{"raw append", rawCandidate, 1},
				{"raw group commit", rawCandidate, groupMax},
				{"bbolt alone", boltCandidate, groupMax},
				{"bbolt, log beside", besideCandidate, groupMax},
				{"log first", firstCandidate, groupMax},
			} {
				b.Run(fmt.Sprintf("%s/%v/%d", c.name, added, writers), func(b *testing.B) {
					rate, p50, p99 := measure(c.make(b, added), writers, c.max, each)
					b.ReportMetric(rate, "records/s")
					b.ReportMetric(micros(p50), "p50-µs")
					b.ReportMetric(micros(p99), "p99-µs")
				})
			}
			b.Run(fmt.Sprintf("the store itself/%v/%d", added, writers), func(b *testing.B) {
				rate, p50, p99 := measureStore(b, added, writers, each)
				b.ReportMetric(rate, "records/s")
				b.ReportMetric(micros(p50), "p50-µs")
				b.ReportMetric(micros(p99), "p99-µs")
			})
		}
	}
}

// measure runs writers against one goroutine that commits what has queued.
func measure(commit func([][]byte) error, writers, groupMax int, d time.Duration) (rate float64, p50, p99 time.Duration) {
	type request struct {
		record []byte
		done   chan error
	}
	requests := make(chan request, writers)
	stop := make(chan struct{})
	go func() {
		for {
			var group []request
			select {
			case r := <-requests:
				group = append(group, r)
			case <-stop:
				return
			}
			for len(group) < groupMax && len(requests) > 0 {
				group = append(group, <-requests)
			}
			var records [][]byte
			for _, r := range group {
				records = append(records, r.record)
			}
			err := commit(records)
			for _, r := range group {
				r.done <- err
			}
		}
	}()
	defer close(stop)
	return load(writers, d, func(record []byte) error {
		r := request{record, make(chan error, 1)}
		requests <- r
		return <-r.done
	})
}

// load has writers store records for a while.
func load(writers int, d time.Duration, store func([]byte) error) (rate float64, p50, p99 time.Duration) {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	began := time.Now()
	for w := range writers {
		wg.Go(func() {
			var own []time.Duration
			for n := 0; time.Since(began) < d; n++ {
				record := make([]byte, 512)
				copy(record, fmt.Sprintf("%03d-%09d", w, n))
				start := time.Now()
				if err := store(record); err != nil {
					return
				}
				own = append(own, time.Since(start))
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return float64(len(all)) / time.Since(began).Seconds(), quantile(all, 50), quantile(all, 99)
}

func pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

func rawCandidate(b testing.TB, added time.Duration) func([][]byte) error {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return func(group [][]byte) error {
		_, err := f.Write(slices.Concat(group...))
		pause(added)
		return errors.Join(err, syncData(f))
	}
}

func openCandidate(b testing.TB) *bolt.DB {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "db"), fileMode, &bolt.Options{FreelistType: bolt.FreelistArrayType, InitialMmapSize: mapLarge})
	if err == nil {
		err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err })
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func put(db *bolt.DB, group [][]byte) error {
	return db.Update(func(tx *bolt.Tx) error {
		for _, r := range group {
			if err := tx.Bucket([]byte("b")).Put(r[:13], r); err != nil {
				return err
			}
		}
		return nil
	})
}

func boltCandidate(b testing.TB, added time.Duration) func([][]byte) error {
	db := openCandidate(b)
	return func(group [][]byte) error {
		pause(2 * added) // it flushes twice
		return put(db, group)
	}
}

func besideCandidate(b testing.TB, added time.Duration) func([][]byte) error {
	raw, db := rawCandidate(b, added), boltCandidate(b, added)
	return func(group [][]byte) error {
		logged := make(chan error, 1)
		go func() { logged <- raw(group) }()
		return errors.Join(db(group), <-logged)
	}
}

func firstCandidate(b testing.TB, added time.Duration) func([][]byte) error {
	raw, db := rawCandidate(b, added), openCandidate(b)
	db.NoSync = true
	return func(group [][]byte) error {
		if err := raw(group); err != nil {
			return err
		}
		return put(db, group)
	}
}

// slowDisk adds to each flush.
type slowDisk struct {
	ownDisk
	added time.Duration
}

func (d slowDisk) Open(name string, flag int) (File, error) {
	f, err := d.ownDisk.Open(name, flag)
	return slowFile{f, d.added}, err
}

func (d slowDisk) SyncIndex(index string, sync func() error) error {
	pause(d.added)
	return sync()
}

type slowFile struct {
	File
	added time.Duration
}

func (f slowFile) Sync() error {
	pause(f.added)
	return f.File.Sync()
}

func measureStore(b testing.TB, added time.Duration, writers int, d time.Duration) (rate float64, p50, p99 time.Duration) {
	s, err := Open(filepath.Join(b.TempDir(), "kassad.db"), Options{Disk: slowDisk{added: added}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return load(writers, d, func(record []byte) error {
		return s.Update(func(tx *Tx) error { return tx.put(bucketValues, record[:13], seal(bucketValues, record[:13], record)) })
	})
}
