package spool

import (
	"bytes"
	"fmt"
	"time"

	"kassad/fiscal"
)

// CashEntry is money that was put into a drawer or taken out, outside receipts.
type CashEntry struct {
	FN       string
	Shift    uint32
	Out      bool
	Amount   fiscal.Money
	At       time.Time
	RecordID string
}

func codeCash(c *coder, e *CashEntry) {
	str(c, &e.FN)
	num(c, &e.Shift)
	c.bool(&e.Out)
	num(c, &e.Amount)
	c.time(&e.At)
	str(c, &e.RecordID)
}

// cashOf is the cash entry of a done cash-in or cash-out.
func cashOf(r *fiscal.Record) (CashEntry, bool) {
	if r.State != fiscal.Done || r.Verb.Class() != fiscal.ClassRecord || settled(r) || r.Receipt == nil || r.Receipt.Storage == "" {
		return CashEntry{}, false
	}
	return CashEntry{
		FN: r.Receipt.Storage, Shift: r.Receipt.Shift, Out: r.Verb == fiscal.VerbCashOut,
		Amount: r.Document.Amount, At: r.Receipt.At, RecordID: r.ID,
	}, true
}

func cashKey(e *CashEntry) []byte {
	return append(namedNumber32(e.FN, e.Shift), e.RecordID...)
}

// PutCash stores a cash entry; the same RecordID again replaces it.
func (tx *Tx) PutCash(e CashEntry) error {
	if e.FN == "" || !validName(e.FN) || e.RecordID == "" {
		return fmt.Errorf("put cash: %w: %+v", ErrInvalid, e)
	}
	key := cashKey(&e)
	return tx.put(bucketCash, key, seal(bucketCash, key, encode(&e, codeCash)))
}

// Cash lists the cash entries of a shift.
func (tx *Tx) Cash(fn string, shift uint32) ([]CashEntry, error) {
	var out []CashEntry
	prefix := namedNumber32(fn, shift)
	c := tx.bucket(bucketCash).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		e, err := readCash(k, v)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func readCash(key, framed []byte) (CashEntry, error) {
	body, version, err := open(bucketCash, key, framed)
	if err != nil {
		return CashEntry{}, err
	}
	e, err := decode(body, version, codeCash)
	if err != nil {
		return CashEntry{}, fmt.Errorf("read cash %q: %w", key, err)
	}
	if !bytes.Equal(cashKey(&e), key) {
		return CashEntry{}, fmt.Errorf("read cash %q: %w: it is %+v", key, ErrDamaged, e)
	}
	return e, nil
}

// ShiftSums are the journal's own figures of a shift, for comparison with the
// device's: every document that is known, ours or not, and the cash entries.
// What the journal cannot know (the drawer, grand totals) is absent. The base
// of a VAT rate is its turnover.
func (tx *Tx) ShiftSums(fn string, shift uint32) (fiscal.Counters, error) {
	sums := fiscal.Counters{
		Shift: shift, ByKind: map[fiscal.Kind]*fiscal.KindCounters{}, Corrections: map[fiscal.Kind]*fiscal.Tally{},
		CashIn: &fiscal.Tally{}, CashOut: &fiscal.Tally{},
	}
	first, err := tx.firstOfShift(fn, shift)
	if err != nil {
		return fiscal.Counters{}, err
	}
	err = tx.eachDocument(fn, first, func(e Entry) bool {
		if e.Shift == shift {
			addEntry(&sums, &e)
		}
		return e.Shift <= shift
	})
	if err != nil {
		return fiscal.Counters{}, err
	}
	cash, err := tx.Cash(fn, shift)
	for _, c := range cash {
		tally := sums.CashIn
		if c.Out {
			tally = sums.CashOut
		}
		tally.Count++
		tally.Total += c.Amount
	}
	return sums, err
}

// firstOfShift finds the first document of a shift by bisection: shifts grow
// with FD. An entry without a shift (little is known of it) counts as the one
// after it.
func (tx *Tx) firstOfShift(fn string, shift uint32) (uint32, error) {
	last, err := tx.LastFD(fn)
	lo, hi := uint32(1), last
	for err == nil && lo < hi {
		mid := lo + (hi-lo)/2
		at := uint32(0)
		err = tx.eachDocument(fn, mid, func(e Entry) bool {
			at = e.Shift
			return at == 0
		})
		if at == 0 || at >= shift {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, err
}

func addEntry(sums *fiscal.Counters, e *Entry) {
	if sums.FirstFD == 0 {
		sums.FirstFD = e.FD
	}
	sums.LastFD = e.FD
	sums.Documents++
	switch e.Form {
	case fiscal.FormShiftOpen:
		sums.OpenedAt = e.At
	case fiscal.FormShiftClose:
		sums.ClosedAt = e.At
	}
	if e.Kind == 0 {
		return
	}
	sums.Receipts++
	k := sums.ByKind[e.Kind]
	if k == nil {
		k = &fiscal.KindCounters{Payments: &fiscal.Payments{}, VAT: map[fiscal.VAT]*fiscal.VATTally{}}
		sums.ByKind[e.Kind] = k
	}
	k.Count++
	k.Total += e.Total
	k.Payments.Cash += e.Payments.Cash
	k.Payments.Card += e.Payments.Card
	k.Payments.Prepayment += e.Payments.Prepayment
	k.Payments.Credit += e.Payments.Credit
	k.Payments.Other += e.Payments.Other
	for rate, sum := range e.VAT {
		addVAT(k, rate, sum)
	}
	if e.Correction {
		addCorrection(sums, e)
	}
}

func addVAT(k *fiscal.KindCounters, rate fiscal.VAT, sum VATSum) {
	t := k.VAT[rate]
	if t == nil {
		t = &fiscal.VATTally{Base: new(fiscal.Money), Tax: new(fiscal.Money)}
		k.VAT[rate] = t
	}
	*t.Base += sum.Base
	*t.Tax += sum.Tax
}

func addCorrection(sums *fiscal.Counters, e *Entry) {
	t := sums.Corrections[e.Kind]
	if t == nil {
		t = &fiscal.Tally{}
		sums.Corrections[e.Kind] = t
	}
	t.Count++
	t.Total += e.Total
}
