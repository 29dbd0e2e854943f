package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kassad/fiscal"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

var wall = time.Date(2026, 11, 22, 12, 4, 28, 0, time.FixedZone("", 3*3600))

// start opens a spool in a temporary folder. At the end of the test it is
// closed and everything in it is checked.
func start(t testing.TB) *Spool {
	t.Helper()
	s := reopen(t, filepath.Join(t.TempDir(), "kassad.db"), Options{})
	return s
}

func reopen(t testing.TB, path string, opt Options) *Spool {
	t.Helper()
	s, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		sound(t, path)
	})
	return s
}

// sound checks a closed store.
func sound(t testing.TB, path string) {
	t.Helper()
	faults, err := Check(path)
	if err != nil {
		t.Errorf("check %s: %v", path, err)
	}
	for _, f := range faults {
		t.Errorf("check %s: %v", path, f)
	}
}

func update(t testing.TB, s *Spool, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *Spool, fn func(*Tx) error) {
	t.Helper()
	if err := s.View(fn); err != nil {
		t.Fatal(err)
	}
}

// sale is a command as it arrives.
func sale(id string) fiscal.Record {
	return fiscal.Record{
		ID: id, Terminal: "till1", Links: []string{"local"}, Verb: fiscal.VerbSale, Device: "front", Hash: "h-" + id,
		AcceptedAt: wall,
		Document: fiscal.Document{
			ID: id, Verb: fiscal.VerbSale, Key: fiscal.Key("root", id), At: wall, Kind: fiscal.Sale, Total: 9900,
			Lines: []fiscal.Line{{
				Name: "Ананас", Price: 9900, Quantity: fiscal.QuantityUnit, Sum: 9900, Tax: 1785, VAT: fiscal.VAT22,
				Method: fiscal.FullPayment, Subject: fiscal.Goods, Department: 1,
			}},
			Payments: fiscal.Payments{Cash: 9900},
		},
	}
}

const storage = "9999078900012345"

// done is r with its receipt.
func done(r fiscal.Record, fd uint32) fiscal.Record {
	r.State, r.FinalAt = fiscal.Done, r.AcceptedAt.Add(time.Second)
	r.Receipt = &fiscal.Receipt{
		Kind: string(r.Verb), Device: "0001", Storage: storage, FD: fd, Sign: fd * 7919, Shift: 17, Number: fd, At: wall, Total: r.Document.Total,
		Key: r.Document.Key,
	}
	return r
}

// accept stores a new command.
func accept(t testing.TB, s *Spool, r fiscal.Record) fiscal.Record {
	t.Helper()
	var out fiscal.Record
	update(t, s, func(tx *Tx) error {
		got, how, err := tx.Accept(r)
		if err == nil && how != New {
			err = fmt.Errorf("accept %s: %v", r.ID, how)
		}
		out = got
		return err
	})
	return out
}

// finish makes the command done under a document number.
func finish(t testing.TB, s *Spool, r fiscal.Record, fd uint32) fiscal.Record {
	t.Helper()
	r = done(r, fd)
	update(t, s, func(tx *Tx) error { return tx.Put(r) })
	return r
}

func TestOpenTwiceIsLocked(t *testing.T) {
	t.Parallel()
	s := start(t)
	if _, err := Open(s.db.Path(), Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v, want ErrLocked", err)
	}
}

func TestWayOfASale(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := accept(t, s, sale("a"))
	if r.Seq != 1 || r.State != fiscal.Accepted {
		t.Fatalf("accepted %+v", r)
	}
	finish(t, s, r, 1042)
	view(t, s, func(tx *Tx) error {
		got, ok, err := tx.ByID("a")
		if err != nil || !ok || got.State != fiscal.Done || got.Receipt.FD != 1042 || got.FinalSeq != 1 {
			t.Errorf("by id: %+v %v %v", got, ok, err)
		}
		if q, _ := tx.Queue("front"); len(q) != 0 {
			t.Errorf("queue %+v", q)
		}
		e, ok, err := tx.DocumentByKey(r.Document.Key)
		if err != nil || !ok || e.FD != 1042 || e.RecordID != "a" {
			t.Errorf("by key: %+v %v %v", e, ok, err)
		}
		return nil
	})
}
