package spool

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
)

func reportAt(at time.Time, backends ...string) fiscal.Report {
	r := fiscal.Report{At: at, Why: fiscal.ReportTime}
	for _, b := range backends {
		r.Parts = append(r.Parts, fiscal.ReportSection{Backend: b, Against: fiscal.AgainstDevice})
	}
	return r
}

// putReports stores reports and returns their ids.
func putReports(t *testing.T, s *Spool, reports ...fiscal.Report) (ids []string) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		ids = nil
		for _, r := range reports {
			stored, err := tx.PutReport(r)
			if err != nil {
				return err
			}
			ids = append(ids, stored.ID)
		}
		return nil
	})
	return ids
}

func TestReports(t *testing.T) {
	t.Parallel()
	s := start(t)
	ids := putReports(t, s, reportAt(wall, "front"), reportAt(wall, "front", "cloud"), reportAt(wall.Add(time.Hour), "front"))
	if !slices.IsSorted(ids) || ids[0] != "20261122T090428Z-1" {
		t.Errorf("ids %v", ids)
	}
	err := s.View(func(tx *Tx) error {
		newest, err := tx.Reports(2)
		if err != nil || len(newest) != 2 || newest[0].ID != ids[2] || newest[1].ID != ids[1] {
			t.Errorf("%v: %+v", err, newest)
		}
		for i, id := range []string{ids[0], ids[1], ids[2], ""} {
			want := ids[min(i, 2)]
			if r, found, err := tx.Report(id); err != nil || !found || r.ID != want || len(r.Parts) == 0 {
				t.Errorf("%q: %v, %v, %+v", id, err, found, r)
			}
		}
		for _, id := range []string{"x", "20261122T090428Z-9", "20261122T090428Z-01", "20269999T090428Z-1", "20261122T090428Z-1x"} {
			if r, found, err := tx.Report(id); err != nil || found {
				t.Errorf("%q: %v, %+v", id, err, r)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestReportsNeedATime(t *testing.T) {
	t.Parallel()
	s := start(t)
	err := s.Update(func(tx *Tx) error {
		_, err := tx.PutReport(fiscal.Report{})
		return err
	})
	if err == nil {
		t.Error("a report of no time is stored")
	}
	if err := s.View(func(tx *Tx) error {
		if r, found, err := tx.Report(""); found || err != nil {
			t.Errorf("%v, %+v", err, r)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestReportsAreKept400Days(t *testing.T) {
	t.Parallel()
	s := start(t)
	putReports(t, s, reportAt(wall), reportAt(wall.Add(time.Second)), reportAt(wall.Add(time.Hour)))
	now := wall.Add(Retention + time.Minute)
	for _, want := range []int{1, 1, 0} {
		if n, err := s.Prune(now, 1); err != nil || n != want {
			t.Fatalf("pruned %d, want %d: %v", n, want, err)
		}
	}
	if err := s.View(func(tx *Tx) error {
		if left, err := tx.Reports(10); err != nil || len(left) != 1 || !left[0].At.Equal(wall.Add(time.Hour)) {
			t.Errorf("%v: %+v", err, left)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// A file of the version before reports gets the bucket when it is opened, and
// is sound before as well.
func TestReportsInAnEarlierFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, path, func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketReports)) })
	sound(t, path)
	putReports(t, reopen(t, path, Options{}), reportAt(wall))
}

// What is wrong with a stored report is found by Check.
func TestCheckFindsSpoiltReports(t *testing.T) {
	t.Parallel()
	key := reportKey(wall, 1)
	for name, spoil := range map[string]func(b *bolt.Bucket) error{
		"a byte":  func(b *bolt.Bucket) error { return b.Put(key, slices.Concat(b.Get(key), []byte{1})) },
		"no JSON": func(b *bolt.Bucket) error { return b.Put(key, seal(bucketReports, key, []byte("{"))) },
		"other time": func(b *bolt.Bucket) error {
			return b.Put(key, seal(bucketReports, key, []byte(`{"at":"2026-11-22T00:00:00Z"}`)))
		},
		"not counted": func(b *bolt.Bucket) error { return b.SetSequence(0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "kassad.db")
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			putReports(t, s, reportAt(wall))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			raw(t, path, func(tx *bolt.Tx) error { return spoil(tx.Bucket([]byte(bucketReports))) })
			if faults, err := Check(path); err != nil || len(faults) != 1 || faults[0].Bucket != bucketReports {
				t.Errorf("%v: %v", err, faults)
			}
		})
	}
}

// raw changes a closed file behind the spool's back.
func raw(t *testing.T, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, fileMode, nil)
	if err == nil {
		err = db.Update(change)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecordsBefore(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		accept(t, s, sale(id))
	}
	for name, tt := range map[string]struct {
		before uint64
		limit  int
		want   []string
	}{
		"newest":       {0, 2, []string{"d", "c"}},
		"next page":    {3, 2, []string{"b", "a"}},
		"the last":     {2, 5, []string{"a"}},
		"nothing":      {1, 5, nil},
		"beyond":       {99, 1, []string{"d"}},
		"right behind": {5, 1, []string{"d"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ids []string
			err := s.View(func(tx *Tx) error {
				records, err := tx.RecordsBefore(tt.before, tt.limit)
				for _, r := range records {
					ids = append(ids, r.ID)
				}
				return err
			})
			if err != nil || !slices.Equal(ids, tt.want) {
				t.Errorf("%v: %v, want %v", err, ids, tt.want)
			}
		})
	}
}

func TestShiftDocuments(t *testing.T) {
	t.Parallel()
	s := start(t)
	const fn = "9999078900000001"
	update(t, s, func(tx *Tx) error {
		for fd, shift := range map[uint32]uint32{2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 8: 3} {
			e := Entry{FN: fn, FD: fd, Shift: shift, At: wall.Add(time.Duration(fd) * time.Hour), Foreign: true}
			if err := tx.PutDocument(e); err != nil {
				return err
			}
		}
		return tx.PutDocument(Entry{FN: fn, FD: 7, Foreign: true}) // of which nothing is known
	})
	for shift, want := range map[uint32]struct {
		docs []uint32
		next uint32
	}{1: {[]uint32{2, 3, 4}, 5}, 2: {[]uint32{5, 6}, 8}, 3: {[]uint32{8}, 0}, 4: {nil, 0}} {
		if err := s.View(func(tx *Tx) error {
			docs, next, err := tx.ShiftDocuments(fn, shift)
			var numbers []uint32
			for _, e := range docs {
				numbers = append(numbers, e.FD)
			}
			if !slices.Equal(numbers, want.docs) || next != want.next {
				t.Errorf("shift %d: %v, next %d", shift, numbers, next)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct {
		fn    string
		since time.Time
		limit int
		want  []uint32
	}{
		"all":         {fn, wall, 9, []uint32{1, 2, 3}},
		"since":       {fn, wall.Add(6 * time.Hour), 9, []uint32{2, 3}},
		"the newest":  {fn, wall, 2, []uint32{2, 3}},
		"later":       {fn, wall.Add(9 * time.Hour), 9, nil},
		"another one": {"1", wall, 9, nil},
	} {
		if err := s.View(func(tx *Tx) error {
			got, err := tx.ShiftsSince(tt.fn, tt.since, tt.limit)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s: %v", name, got)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}
