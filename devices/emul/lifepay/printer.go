package lifepay

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// PrinterState is what ails a printer.
type PrinterState string

// States of a printer.
const (
	PrinterOK       PrinterState = "ok"
	PrinterOffline  PrinterState = "offline"   // documents wait for retry
	PrinterNoPaper  PrinterState = "no-paper"  // likewise
	PrinterFNFull   PrinterState = "fn-full"   // documents fail
	PrinterWrongTax PrinterState = "wrong-tax" // receipts fail with 3975
)

func (p PrinterState) valid() bool {
	return slices.Contains([]PrinterState{PrinterOK, PrinterOffline, PrinterNoPaper, PrinterFNFull, PrinterWrongTax}, p)
}

// printer executes documents one after the other.
type printer struct {
	cfg    Printer
	state  PrinterState
	fn     *fn.Storage
	drawer Kopecks
	queue  []*document
	wake   chan struct{} // one token: the queue or the state has changed
}

func (p *printer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// next is the document that is due first, and for how long it still waits.
func (p *printer) next() (*document, time.Duration) {
	var first *document
	for _, d := range p.queue {
		if !d.stuck && (first == nil || d.due.Before(first.due)) {
			first = d
		}
	}
	if first == nil {
		return nil, 0
	}
	return first, time.Until(first.due)
}

// work is the life of a printer.
func (s *Service) work(p *printer) {
	for {
		s.mu.Lock()
		d, wait := p.next()
		ready := d != nil && wait <= 0
		if ready {
			s.move(d, StatePrinting)
		}
		s.mu.Unlock()
		if ready {
			if !s.pause(s.cfg.Delays.Print) {
				return
			}
			s.mu.Lock()
			s.execute(p, d)
			s.mu.Unlock()
			continue
		}
		var timer <-chan time.Time
		if d != nil {
			timer = time.After(wait)
		}
		select {
		case <-timer:
		case <-p.wake:
		case <-s.ctx.Done():
			return
		}
	}
}

// trouble is why a document was not made.
type trouble struct {
	code  int
	text  string
	later bool // try again
}

func generic(text string) *trouble { return &trouble{code: CodeGeneric, text: text} }

// execute makes the document, or says why not. The caller holds s.mu.
func (s *Service) execute(p *printer, d *document) {
	d.tries++
	t := s.try(p, d)
	if t != nil && t.later && d.tries < s.cfg.Delays.Tries {
		d.ErrorCode, d.ErrorText = t.code, t.text
		d.due = time.Now().Add(s.cfg.Delays.Retry)
		s.move(d, StateWaiting)
		return
	}
	p.queue = slices.DeleteFunc(p.queue, func(o *document) bool { return o == d })
	if t != nil {
		d.ErrorCode, d.ErrorText = t.code, t.text
		s.move(d, StateError)
		return
	}
	d.ErrorCode, d.ErrorText = 0, ""
	d.sendToBuyer()
	s.move(d, StateProcessed)
}

func (s *Service) try(p *printer, d *document) *trouble {
	switch {
	case d.failCode != 0:
		return &trouble{code: d.failCode, text: d.failText}
	case p.state == PrinterOffline:
		return &trouble{code: CodeGeneric, text: "Принтер не на связи.", later: true}
	case p.state == PrinterNoPaper:
		return &trouble{code: CodeGeneric, text: "Закончилась бумага.", later: true}
	}
	now := s.cfg.Now()
	switch d.Kind {
	case KindX, KindNonFiscal:
		return nil
	case KindCashIn:
		p.drawer += d.Total
		return nil
	case KindCashOut:
		if p.drawer < d.Total {
			return generic("Недостаточно наличных в ящике.")
		}
		p.drawer -= d.Total
		return nil
	case KindOpen:
		return s.shift(p, d, fn.KindShiftOpen, now)
	case KindZ:
		return s.shift(p, d, fn.KindShiftClose, now)
	default:
		return s.receipt(p, d, now)
	}
}

func (s *Service) shift(p *printer, d *document, k fn.Kind, now time.Time) *trouble {
	if p.fn.Shift().Open == (k == fn.KindShiftOpen) {
		if s.opt.ShiftAsIs {
			return nil
		}
		return generic("Смена уже открыта или уже закрыта.")
	}
	return p.commit(d, k, fn.Closing{At: now, Data: cashierTags(&d.draft)})
}

func (s *Service) receipt(p *printer, d *document, now time.Time) *trouble {
	tax := d.draft.taxSystem
	allowed := p.fn.Registration().Taxations
	if tax == 0 {
		tax = allowed & -allowed
	}
	switch {
	case p.state == PrinterFNFull:
		return generic("Ресурс фискального накопителя исчерпан.")
	case p.state == PrinterWrongTax, tax&allowed == 0:
		return &trouble{code: CodeStorage, text: codeTexts[CodeStorage]}
	case d.Payments.NonCash() > d.Total:
		return &trouble{code: CodeNonCash, text: codeTexts[CodeNonCash]}
	}
	if t := s.ready(p, now); t != nil {
		return t
	}
	kind := fn.KindReceipt
	if d.draft.correction != nil {
		kind = fn.KindCorrection
	}
	t := p.commit(d, kind, fn.Closing{At: now, Operation: d.draft.operation(), Total: int64(d.Total), Data: p.receiptTags(d, tax)})
	if t == nil && kind == fn.KindReceipt {
		p.count(d)
	}
	return t
}

// count moves the cash of a receipt. Refunds and purchases pay out.
func (p *printer) count(d *document) {
	cash := d.Total - d.Payments.NonCash()
	if op := d.draft.operation(); op == 2 || op == 3 {
		cash = -cash
	}
	p.drawer += cash
}

// ready opens the shift, which the first receipt does by itself (section 5).
func (s *Service) ready(p *printer, now time.Time) *trouble {
	if p.fn.Over24(now) {
		switch s.opt.ExpiredShift {
		case ExpiredWaits:
			return &trouble{code: CodeGeneric, text: "Смена превысила 24 часа.", later: true}
		case ExpiredFails:
			return generic("Смена превысила 24 часа.")
		}
		if t := p.commit(nil, fn.KindShiftClose, fn.Closing{At: now}); t != nil {
			return t
		}
	}
	if p.fn.Shift().Open {
		return nil
	}
	return p.commit(nil, fn.KindShiftOpen, fn.Closing{At: now})
}

// commit makes a document in the storage and notes its figures in d, which is
// nil for what the printer does by itself.
func (p *printer) commit(d *document, k fn.Kind, c fn.Closing) *trouble {
	err := p.fn.Begin(k, c.At)
	var made fn.Document
	if err == nil {
		if made, err = p.fn.Commit(c); err != nil {
			_ = p.fn.Cancel() // cannot fail: it was begun above
		}
	}
	if err != nil {
		return storageTrouble(err)
	}
	if d != nil {
		d.FN, d.FD, d.FP, d.Shift, d.Receipt, d.At = p.fn.Serial(), made.Number, made.Sign, made.Shift, made.Receipt, made.Time
	}
	return nil
}

// storageTrouble puts parameter refusals into the one number that the reference
// has for them.
func storageTrouble(err error) *trouble {
	var e fn.Error
	if errors.As(err, &e) && (e == fn.ErrParameter || e == fn.ErrMissing || e == fn.ErrMissingTags) {
		return &trouble{code: CodeStorage, text: codeTexts[CodeStorage]}
	}
	return generic(err.Error())
}

func number(v uint32) string { return strconv.FormatUint(uint64(v), 10) }

func cashierTags(d *draft) []byte {
	b := text(nil, ffd.TagCashier, d.cashier, 64)
	return text(b, ffd.TagCashierINN, d.cashierINN, 12)
}
