package spool

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"kassad/fiscal"
)

// receipt makes a finished command of any verb.
func receipt(t *testing.T, s *Spool, id string, verb fiscal.Verb, shift, fd uint32, change func(*fiscal.Record)) fiscal.Record {
	t.Helper()
	r := sale(id)
	r.Verb, r.Document.Verb, r.Document.Kind = verb, verb, verb.Kind()
	if change != nil {
		change(&r)
	}
	r = done(accept(t, s, r), fd)
	r.Receipt.Shift = shift
	update(t, s, func(tx *Tx) error { return tx.Put(r) })
	return r
}

func TestADoneRecordBringsItsDocument(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := receipt(t, s, "a", fiscal.VerbSale, 17, 1042, nil)
	view(t, s, func(tx *Tx) error {
		e, ok, err := tx.Document(storage, 1042)
		want, _ := EntryOf(&r)
		same(t, e, want)
		if !ok || err != nil || e.RecordID != "a" || e.Form != fiscal.FormReceipt || e.VAT[fiscal.VAT22] != (VATSum{9900, 1785}) {
			t.Errorf("%+v %v", e, err)
		}
		if fd, _ := tx.LastFD(storage); fd != 1042 {
			t.Errorf("last FD %d", fd)
		}
		if fd, _ := tx.LastFD("9999"); fd != 0 {
			t.Errorf("last FD of a part of the name: %d", fd)
		}
		return nil
	})
}

func TestADocumentHasOneRecord(t *testing.T) {
	t.Parallel()
	s := start(t)
	receipt(t, s, "a", fiscal.VerbSale, 17, 5, nil)
	thief := done(accept(t, s, sale("b")), 5)
	for name, put := range map[string]func(*Tx) error{
		"another record": func(tx *Tx) error { return tx.Put(thief) },
		"another sign":   func(tx *Tx) error { return tx.PutDocument(Entry{FN: storage, FD: 5, Sign: 1}) },
		"now foreign":    func(tx *Tx) error { return tx.PutDocument(Entry{FN: storage, FD: 5, Foreign: true}) },
	} {
		if err := s.Update(put); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, e := range map[string]Entry{
		"no storage": {FD: 1}, "no number": {FN: storage}, "foreign and ours": {FN: storage, FD: 9, Foreign: true, RecordID: "a"},
	} {
		if err := s.Update(func(tx *Tx) error { return tx.PutDocument(e) }); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAForeignDocumentMayTurnOutOurs(t *testing.T) {
	t.Parallel()
	s := start(t)
	key := fiscal.Key("root", "a")
	update(t, s, func(tx *Tx) error {
		return tx.PutDocument(Entry{FN: storage, FD: 7, Sign: 7 * 7919, Key: key, Foreign: true})
	})
	view(t, s, func(tx *Tx) error {
		if e, ok, err := tx.DocumentByKey(key); !ok || err != nil || e.FD != 7 || !e.Foreign {
			t.Errorf("by key %+v %v %v", e, ok, err)
		}
		return nil
	})
	receipt(t, s, "a", fiscal.VerbSale, 17, 7, nil)
	view(t, s, func(tx *Tx) error {
		if e, _, err := tx.Document(storage, 7); err != nil || e.Foreign || e.RecordID != "a" || e.Key != key || e.Shift != 17 {
			t.Errorf("%+v %v", e, err)
		}
		return nil
	})
}

// Who tells of a document again, and knows less, takes nothing away: it is found by
// its key, and its sign tells it from another one.
func TestWhatIsKnownOfADocumentStays(t *testing.T) {
	t.Parallel()
	s := start(t)
	key := fiscal.Key("root", "a")
	update(t, s, func(tx *Tx) error {
		return tx.PutDocument(Entry{FN: storage, FD: 7, Sign: 7919, Key: key, Foreign: true})
	})
	r := done(accept(t, s, sale("a")), 7)
	r.Receipt.Sign, r.Receipt.Key = 0, ""
	update(t, s, func(tx *Tx) error { return tx.Put(r) })
	view(t, s, func(tx *Tx) error {
		if e, ok, err := tx.DocumentByKey(key); !ok || err != nil || e.RecordID != "a" || e.Sign != 7919 || e.Key != key || e.Foreign {
			t.Errorf("%+v %v %v", e, ok, err)
		}
		return nil
	})
	if err := s.Update(func(tx *Tx) error { return tx.PutDocument(Entry{FN: storage, FD: 7, Sign: 1, RecordID: "a"}) }); !errors.Is(err, ErrTaken) {
		t.Errorf("another sign: %v", err)
	}
}

func TestWhoMadeNothingHasNoDocument(t *testing.T) {
	t.Parallel()
	s := start(t)
	other := accept(t, s, sale("a"))
	other.Verb = fiscal.VerbSale
	other = done(other, 5)
	other.Receipt.By = "other"
	elsewhere := done(accept(t, s, sale("b")), 6)
	elsewhere.Resolved = &fiscal.Resolution{Action: fiscal.ResolveDoneElsewhere, FD: 6}
	retried := done(accept(t, s, sale("c")), 7)
	retried.Resolved = &fiscal.Resolution{Action: fiscal.ResolveRetry}
	update(t, s, func(tx *Tx) error { return errors.Join(tx.Put(other), tx.Put(elsewhere), tx.Put(retried)) })
	view(t, s, func(tx *Tx) error {
		docs, err := tx.Documents(storage, 0, 100)
		if err != nil || len(docs) != 1 || docs[0].RecordID != "c" {
			t.Errorf("%+v %v", docs, err)
		}
		return nil
	})
}

func TestDocumentsInRange(t *testing.T) {
	t.Parallel()
	s := start(t)
	update(t, s, func(tx *Tx) error {
		var errs []error
		for _, fn := range []string{"1", "11", "2"} {
			for fd := uint32(250); fd < 260; fd++ {
				errs = append(errs, tx.PutDocument(Entry{FN: fn, FD: fd, Foreign: true}))
			}
		}
		return errors.Join(errs...)
	})
	view(t, s, func(tx *Tx) error {
		docs, err := tx.Documents("11", 255, 257)
		if err != nil || len(docs) != 3 || docs[0].FD != 255 || docs[2].FN != "11" {
			t.Errorf("%+v %v", docs, err)
		}
		if names := tx.Storages(); !slices.Equal(names, []string{"1", "11", "2"}) {
			t.Errorf("storages %v", names)
		}
		return nil
	})
}

// TestShiftSums runs a small day over three shifts and checks the middle one.
func TestShiftSums(t *testing.T) {
	t.Parallel()
	s := start(t)
	fd := uint32(0)
	make1 := func(verb fiscal.Verb, shift uint32, change func(*fiscal.Record)) {
		fd++
		receipt(t, s, fmt.Sprint(fd), verb, shift, fd, change)
	}
	for shift := uint32(16); shift <= 18; shift++ {
		make1(fiscal.VerbShiftOpen, shift, nil)
		make1(fiscal.VerbSale, shift, nil)
		make1(fiscal.VerbSale, shift, nil)
		make1(fiscal.VerbRefund, shift, nil)
		fd++
		update(t, s, func(tx *Tx) error { // of another program; its shift is not known
			return tx.PutDocument(Entry{FN: storage, FD: fd, Foreign: true})
		})
		make1(fiscal.VerbCorrection, shift, func(r *fiscal.Record) { r.Document.Kind, r.Document.Correction = fiscal.Sale, &fiscal.Correction{} })
		make1(fiscal.VerbCashIn, shift, func(r *fiscal.Record) { r.Document.Amount = 100000 })
		make1(fiscal.VerbCashOut, shift, func(r *fiscal.Record) { r.Document.Amount = 30000 })
		make1(fiscal.VerbShiftClose, shift, nil)
	}
	view(t, s, func(tx *Tx) error {
		got, err := tx.ShiftSums(storage, 17)
		if err != nil {
			return err
		}
		sold := got.ByKind[fiscal.Sale]
		switch {
		case got.FirstFD != 10 || got.LastFD != 18 || got.Documents != 6 || got.Receipts != 4:
			t.Errorf("%+v", got)
		case sold.Count != 3 || sold.Total != 29700 || sold.Payments.Cash != 29700 || *sold.VAT[fiscal.VAT22].Base != 29700 || *sold.VAT[fiscal.VAT22].Tax != 5355:
			t.Errorf("sales %+v", sold)
		case got.ByKind[fiscal.Refund].Count != 1 || got.Corrections[fiscal.Sale].Count != 1:
			t.Errorf("%+v %+v", got.ByKind, got.Corrections)
		case *got.CashIn != fiscal.Tally{Count: 1, Total: 100000} || *got.CashOut != fiscal.Tally{Count: 1, Total: 30000}:
			t.Errorf("cash %+v %+v", got.CashIn, got.CashOut)
		case got.OpenedAt.IsZero() || got.ClosedAt.IsZero() || got.Drawer != nil:
			t.Errorf("%+v", got)
		}
		if none, err := tx.ShiftSums(storage, 19); err != nil || none.Documents != 0 {
			t.Errorf("a shift to come: %+v %v", none, err)
		}
		return nil
	})
}

// A shift is found before documents of which nobody has told the shift, however many
// they are.
func TestShiftBeforeOnesWithoutAShift(t *testing.T) {
	t.Parallel()
	for _, unknown := range []uint32{0, 1, 9, 40} {
		s := start(t)
		receipt(t, s, "a", fiscal.VerbSale, 16, 1, nil)
		receipt(t, s, "b", fiscal.VerbSale, 17, 2, nil)
		receipt(t, s, "c", fiscal.VerbSale, 17, 3, nil)
		update(t, s, func(tx *Tx) error {
			for fd := uint32(4); fd < 4+unknown; fd++ {
				if err := tx.PutDocument(Entry{FN: storage, FD: fd, Foreign: true}); err != nil {
					return err
				}
			}
			return nil
		})
		view(t, s, func(tx *Tx) error {
			for shift, want := range map[uint32]uint32{16: 1, 17: 2, 18: 0} {
				sums, err := tx.ShiftSums(storage, shift)
				docs, _, derr := tx.ShiftDocuments(storage, shift)
				if err != nil || derr != nil || sums.Receipts != want || len(docs) != int(want) {
					t.Errorf("%d of no shift, shift %d: %d receipts, %d documents, %v", unknown, shift, sums.Receipts, len(docs), errors.Join(err, derr))
				}
			}
			return nil
		})
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	s := start(t)
	now := wall.Add(Retention)
	age := func(r *fiscal.Record, days int) { r.AcceptedAt = now.Add(-time.Duration(days) * 24 * time.Hour) }
	for i, days := range []int{500, 450, 410, 399, 1} {
		r := sale(fmt.Sprint(i))
		age(&r, days)
		r = done(accept(t, s, r), uint32(i+1))
		r.Receipt.At = r.FinalAt
		if i == 1 {
			r.State, r.FinalAt, r.Receipt = fiscal.Held, time.Time{}, nil // a person still has to decide
		}
		update(t, s, func(tx *Tx) error { return tx.Put(r) })
	}
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.Tombstone("old", now.Add(-Retention-time.Hour)), tx.Tombstone("young", now))
	})
	total := 0
	for {
		n, err := s.Prune(now, 1)
		if err != nil || n > 4 {
			t.Fatalf("%d %v", n, err)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total != 5 { // two records, two documents, a tombstone
		t.Errorf("pruned %d", total)
	}
	view(t, s, func(tx *Tx) error {
		for id, want := range map[string]bool{"0": false, "1": true, "2": false, "3": true, "4": true} {
			if _, ok, err := tx.ByID(id); ok != want || err != nil {
				t.Errorf("record %s: %v %v", id, ok, err)
			}
		}
		if tx.Tombstoned("old") || !tx.Tombstoned("young") {
			t.Error("tombstones")
		}
		docs, err := tx.Documents(storage, 0, 100)
		if len(docs) != 2 || docs[0].FD != 4 {
			t.Errorf("documents %+v", docs)
		}
		return err
	})
	if _, how := acceptAs(t, s, sale("0")); how != New {
		t.Errorf("a forgotten id is %v", how)
	}
}

func TestPruneKeepsTheLastDocument(t *testing.T) {
	t.Parallel()
	s := start(t)
	update(t, s, func(tx *Tx) error {
		return errors.Join(
			tx.PutDocument(Entry{FN: "1", FD: 1, At: wall, Foreign: true, Key: "k1"}),
			tx.PutDocument(Entry{FN: "1", FD: 2, At: wall, Foreign: true, Key: "k2"}),
			tx.PutCash(CashEntry{FN: "1", Shift: 1, Amount: 5, At: wall, RecordID: "a"}),
			tx.PutCash(CashEntry{FN: "1", Shift: 2, Amount: 5, At: wall.Add(2 * Retention), RecordID: "b"}),
			tx.PutCash(CashEntry{FN: "2", Shift: 1, Amount: 5, At: wall, RecordID: "c"}))
	})
	if n, err := s.Prune(wall.Add(2*Retention), 100); n != 3 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	view(t, s, func(tx *Tx) error {
		fd, err := tx.LastFD("1")
		if cash, _ := tx.Cash("1", 2); fd != 2 || len(cash) != 1 {
			t.Errorf("last FD %d, cash %+v", fd, cash)
		}
		return err
	})
}
