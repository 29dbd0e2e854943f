package shtrih

import (
	"context"
	"fmt"

	"kassad/fiscal"
)

// Registers of the drawer, section 3.2.
const (
	moneyDrawer    = 241
	moneyCashIn    = 242
	moneyCashOut   = 243
	countCashIn    = 153
	countCashOut   = 154
	moneyGrandSale = 4231
	grandStep      = 13
)

// cashReadings bounds how often the counters are read for two that agree.
const cashReadings = 4

// cashCounters reads the drawer, by which a lost cash-in or cash-out is proved.
// It has no storage of the documents beside it that could be asked: two readings
// that agree make sure that none of them is an answer whose damage the LRC of one
// byte has let pass.
func (d *Driver) cashCounters(ctx context.Context, base *fiscal.Baseline) error {
	var last fiscal.Baseline
	for i := range cashReadings {
		now := *base
		if err := d.readCash(ctx, &now); err != nil {
			return err
		}
		if i > 0 && now.CashIn == last.CashIn && now.CashOut == last.CashOut && now.Drawer == last.Drawer {
			*base = now
			return nil
		}
		last = now
	}
	return fiscal.Refuse(fiscal.CodePrinterBusy, "", "the counters of the drawer do not stand still")
}

func (d *Driver) readCash(ctx context.Context, base *fiscal.Baseline) error {
	var err error
	if base.CashIn, err = d.tally(ctx, countCashIn, moneyCashIn); err != nil {
		return err
	}
	if base.CashOut, err = d.tally(ctx, countCashOut, moneyCashOut); err != nil {
		return err
	}
	base.Drawer, err = d.moneyRegister(ctx, moneyDrawer)
	return err
}

func (d *Driver) tally(ctx context.Context, count byte, total uint16) (fiscal.Tally, error) {
	n, err := d.operationRegister(ctx, count)
	if err != nil {
		return fiscal.Tally{}, err
	}
	sum, err := d.moneyRegister(ctx, total)
	return fiscal.Tally{Count: n, Total: sum}, err
}

func (d *Driver) moneyRegister(ctx context.Context, n uint16) (fiscal.Money, error) {
	data, err := d.read(ctx, encodeMoneyRegister(d.opt.Password, n))
	if err != nil {
		return 0, err
	}
	return decodeMoneyRegister(data)
}

func (d *Driver) operationRegister(ctx context.Context, n byte) (uint32, error) {
	data, err := d.read(ctx, encodeOperationRegister(d.opt.Password, n))
	if err != nil {
		return 0, err
	}
	return decodeOperationRegister(data)
}

// submitCash is one command. It makes no document of the fiscal storage.
func (d *Driver) submitCash(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	code := byte(cmdCashIn)
	if doc.Verb == fiscal.VerbCashOut {
		code = cmdCashOut
	}
	still := func() bool { return d.cashStands(ctx, base) }
	if _, err := d.performWhile(ctx, encodeCash(code, d.opt.Password, doc.Amount), still); err != nil {
		return fiscal.Receipt{}, d.unmoved(ctx, d.refine(ctx, err), base)
	}
	r := d.cashReceipt(ctx, doc, base)
	drawer, err := d.moneyRegister(ctx, moneyDrawer)
	if err != nil {
		return r, nil // made; what the drawer has is another question
	}
	if want := drawerAfter(doc, base); drawer != want {
		return fiscal.Receipt{}, fiscal.Fail(fiscal.OutcomeUnknown, fiscal.CodePrinterFault,
			fmt.Errorf("the drawer has %s after command %02Xh, want %s", drawer, code, want))
	}
	r.Drawer = &drawer
	return r, nil
}

// unmoved lets a refusal stand if the counters are those of before: an LRC of
// one byte may let a damaged answer pass that reads as a refusal. Else it is in
// doubt, and Find tells.
func (d *Driver) unmoved(ctx context.Context, cause error, base fiscal.Baseline) error {
	e := *toFiscal(cause)
	if e.Outcome != fiscal.OutcomeRejected {
		return cause
	}
	if !d.cashStands(ctx, base) {
		d.log.Warn("a refusal is not believed", "because", cause)
		e.Outcome = fiscal.OutcomeUnknown
	}
	return &e
}

// cashStands tells whether the counters of the drawer are those of base.
func (d *Driver) cashStands(ctx context.Context, base fiscal.Baseline) bool {
	var now fiscal.Baseline
	err := d.cashCounters(ctx, &now)
	d.log.Debug("counters of the drawer", "in", now.CashIn, "out", now.CashOut, "err", err)
	return err == nil && now.CashIn == base.CashIn && now.CashOut == base.CashOut
}

// drawerAfter is what the drawer has when the movement was made as ordered.
func drawerAfter(doc fiscal.Document, base fiscal.Baseline) fiscal.Money {
	if doc.Verb == fiscal.VerbCashOut {
		return base.Drawer - doc.Amount
	}
	return base.Drawer + doc.Amount
}

// cashReceipt describes a cash movement that has happened.
func (d *Driver) cashReceipt(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) fiscal.Receipt {
	r := d.receiptBase(doc, base)
	r.Total, r.At = doc.Amount, base.Clock
	r.Unprinted = d.unprinted(ctx)
	return r
}
