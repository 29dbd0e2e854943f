package spool

import (
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
)

// mended spoils an open store, mends it, and says what Check still finds.
func mended(t *testing.T, s *Spool, spoil func(*Tx) error) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		if err := spoil(tx); err != nil {
			return err
		}
		m := mender{tx: tx}
		return m.all()
	})
	if faults, err := s.Check(); err != nil || len(faults) > 0 {
		t.Errorf("after the mending: %v, %v", faults, err)
	}
}

// Of two records of one id the younger is the command: an older one had less to
// tell.
func TestMendKeepsTheYounger(t *testing.T) {
	t.Parallel()
	s := start(t)
	old := accept(t, s, sale("a"))
	young := old
	mended(t, s, func(tx *Tx) error {
		young.Seq += 7
		young.State, young.Error = fiscal.Held, fiscal.Refuse(fiscal.CodeLate, "at", "")
		return tx.store(&young)
	})
	view(t, s, func(tx *Tx) error {
		r, ok, err := tx.ByID("a")
		if err != nil || !ok || r.Seq != young.Seq || r.State != fiscal.Held {
			t.Errorf("%d, %s, %v", r.Seq, r.State, err)
		}
		if _, ok, _ := tx.Record(old.Seq); ok {
			t.Error("the older one is there still")
		}
		return nil
	})
}

// Numbers that were given are not given again: terminals ask for answers behind them,
// brokers acknowledge by them.
func TestMendGivesNoNumberTwice(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := accept(t, s, sale("a"))
	finish(t, s, r, 1)
	finish(t, s, accept(t, s, sale("b")), 2)
	update(t, s, func(tx *Tx) error { return tx.Send(Message{Link: "local", Topic: "t"}) })
	given := map[string]uint64{}
	mended(t, s, func(tx *Tx) error {
		for _, bucket := range []string{bucketRecords, bucketFinals, bucketOutbox, bucketLinks} {
			given[bucket] = tx.bucket(bucket).Sequence()
			if err := tx.bucket(bucket).SetSequence(0); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *Tx) error {
		for bucket, n := range given {
			if got := tx.bucket(bucket).Sequence(); n == 0 || got != n {
				t.Errorf("%s goes on after %d, %d were given", bucket, got, n)
			}
		}
		return nil
	})
	third := accept(t, s, sale("c"))
	finish(t, s, third, 3)
	view(t, s, func(tx *Tx) error {
		if finals, err := tx.FinalsSince("till1", 2, 10); err != nil || len(finals) != 1 || finals[0].ID != "c" {
			t.Errorf("%+v, %v", finals, err)
		}
		return nil
	})
}

// Money that was moved is counted by its command, in and out, also if its entry is
// lost; and so is a document.
func TestMendDerivesWhatWasMade(t *testing.T) {
	t.Parallel()
	s := start(t)
	for id, verb := range map[string]fiscal.Verb{"in": fiscal.VerbCashIn, "out": fiscal.VerbCashOut} {
		receipt(t, s, id, verb, 17, 0, func(r *fiscal.Record) { r.Document.Amount = 500 })
	}
	receipt(t, s, "sold", fiscal.VerbSale, 17, 5, nil)
	mended(t, s, func(tx *Tx) error {
		m := mender{tx: tx}
		all := func(_, _ []byte) bool { return false }
		if err := m.keep(bucketCash, all); err != nil {
			return err
		}
		return m.keep(bucketDocuments, all)
	})
	view(t, s, func(tx *Tx) error {
		sums, err := tx.ShiftSums(storage, 17)
		one := fiscal.Tally{Count: 1, Total: 500}
		if err != nil || *sums.CashIn != one || *sums.CashOut != one || sums.Receipts != 1 {
			t.Errorf("%+v, in %+v, out %+v, %v", sums, sums.CashIn, sums.CashOut, err)
		}
		if e, ok, err := tx.DocumentByKey(fiscal.Key("root", "sold")); err != nil || !ok || e.FD != 5 {
			t.Errorf("by its key: %+v, %v", e, err)
		}
		return nil
	})
}

// What is put together of pieces is the younger of what the index and its copy tell.
func TestYoungerPieceWins(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := accept(t, s, sale("a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	finish(t, s, r, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(path + suffixLog + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path+suffixCopy, older, 0o600); err != nil { // without what proves it
		t.Fatal(err)
	}
	spoil(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyStanding), []byte("x")) })
	s = reopen(t, path, Options{})
	if got := s.Recovery(); got.From != "what could be read" || !got.Lost {
		t.Fatalf("%+v", got)
	}
	view(t, s, func(tx *Tx) error {
		if r, ok, err := tx.ByID("a"); err != nil || !ok || r.State != fiscal.Done || r.Receipt.FD != 3 {
			t.Errorf("%s, %+v, %v", r.State, r.Receipt, err)
		}
		return nil
	})
}
