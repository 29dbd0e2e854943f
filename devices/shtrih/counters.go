package shtrih

import (
	"context"

	"kassad/fiscal"
)

// Registers of the shift, section 3.2. t is the receipt type index of 4.4.
const (
	countReceipts = 144 // + t, operational: receipts per type
	// Corrections of the shift.
	countSaleCorrections = 202
	countBuyCorrections  = 203

	moneyPayment      = 193  // + t + 4(p-1), p = 1..4
	moneyPayment5     = 4144 // + t + 4(p-5), p = 5..16
	storageOperations = 4292
	storageKinds      = 4293 // 13 values for each kind, in the order of tag 1054
	storageKindStep   = 13
	storageCorrected  = 4345 // count of all, then count and sum for each kind
	registerKinds     = 4
)

// Places inside the 13 values of a kind in the storage's block.
const (
	storageCount = iota
	storageTotal
	storageCash
	storageCard
	storagePrepayment
	storageCredit
	storageOther
)

// rateRegister is where turnover and tax of a rate are summed; + t.
type rateRegister struct {
	vat  fiscal.VAT
	base uint16
	tax  uint16 // 0: none
}

// rateRegisters of the shift (3.2). Registers for 22 % are UNVERIFIED and so
// not read: figures not known are absent.
func rateRegisters() []rateRegister {
	return []rateRegister{
		{fiscal.VAT20, 209, 225}, {fiscal.VAT10, 213, 229}, {fiscal.VAT0, 217, 0}, {fiscal.VATNone, 221, 0},
		{fiscal.VAT120, 4208, 4216}, {fiscal.VAT110, 4212, 4220},
		{fiscal.VAT5, 4459, 4475}, {fiscal.VAT7, 4463, 4479}, {fiscal.VAT105, 4467, 4483}, {fiscal.VAT107, 4471, 4487},
	}
}

func allKinds() []fiscal.Kind {
	return []fiscal.Kind{fiscal.Sale, fiscal.Refund, fiscal.Buy, fiscal.BuyRefund}
}

// Counters reads the figures of the current shift; nothing is printed.
func (d *Driver) Counters(ctx context.Context) (fiscal.Counters, error) {
	c, err := d.counters(ctx)
	if err != nil {
		return fiscal.Counters{}, toFiscal(err)
	}
	return c, nil
}

func (d *Driver) counters(ctx context.Context) (fiscal.Counters, error) {
	if err := d.connect(ctx); err != nil {
		return fiscal.Counters{}, err
	}
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return fiscal.Counters{}, err
	}
	shift, err := d.shiftState(ctx)
	if err != nil {
		return fiscal.Counters{}, err
	}
	return d.readCounters(ctx, fn, shift)
}

func (d *Driver) readCounters(ctx context.Context, fn fnStatus, shift shiftState) (fiscal.Counters, error) {
	c := fiscal.Counters{Shift: shift.number, Receipts: shift.receipt, LastFD: fn.lastFD, ByKind: map[fiscal.Kind]*fiscal.KindCounters{}}
	if shift.open {
		at, err := d.openedAt(ctx, fn, shift)
		if err != nil {
			return fiscal.Counters{}, err
		}
		if !at.IsZero() {
			c.OpenedAt, c.FirstFD = at, d.opened.fd
			c.Documents = fn.lastFD - d.opened.fd + 1
		}
	}
	storage, err := d.hasStorageBlock(ctx)
	if err != nil {
		return fiscal.Counters{}, err
	}
	for _, kind := range allKinds() {
		k, err := d.kindCounters(ctx, kind, storage)
		if err != nil {
			return fiscal.Counters{}, err
		}
		c.ByKind[kind] = k
	}
	if storage {
		if c.Corrections, err = d.corrections(ctx); err != nil {
			return fiscal.Counters{}, err
		}
	}
	if err := d.drawerCounters(ctx, &c); err != nil {
		return fiscal.Counters{}, err
	}
	c.GrandTotals, err = d.grandTotals(ctx)
	return c, err
}

// hasStorageBlock tells whether the device shows the storage's own shift
// totals. They are preferred: the storage counts what it has made.
func (d *Driver) hasStorageBlock(ctx context.Context) (bool, error) {
	_, ok, err := d.registerIfAny(ctx, storageOperations)
	return ok, err
}

// registerIfAny reads a money register that a device may lack.
func (d *Driver) registerIfAny(ctx context.Context, n uint16) (fiscal.Money, bool, error) {
	m, err := d.moneyRegister(ctx, n)
	if optional(err) {
		return 0, false, nil
	}
	return m, err == nil, err
}

// kindCounters reads one kind. A kind without receipts is all zeros, which
// needs no more reading.
func (d *Driver) kindCounters(ctx context.Context, kind fiscal.Kind, storage bool) (*fiscal.KindCounters, error) {
	k := &fiscal.KindCounters{Payments: &fiscal.Payments{}}
	var err error
	if storage {
		err = d.storageKind(ctx, kind, k)
	} else {
		err = d.deviceKind(ctx, kind, k)
	}
	if err != nil || k.Count == 0 {
		return k, err
	}
	k.VAT, err = d.rates(ctx, kind)
	return k, err
}

func (d *Driver) storageKind(ctx context.Context, kind fiscal.Kind, k *fiscal.KindCounters) error {
	first := uint16(storageKinds + storageKindStep*(int(kind)-1))
	count, err := d.moneyRegister(ctx, first+storageCount)
	if err != nil || count == 0 {
		return err
	}
	k.Count = uint32(count)
	for at, to := range map[uint16]*fiscal.Money{
		storageTotal: &k.Total, storageCash: &k.Payments.Cash, storageCard: &k.Payments.Card,
		storagePrepayment: &k.Payments.Prepayment, storageCredit: &k.Payments.Credit, storageOther: &k.Payments.Other,
	} {
		if *to, err = d.moneyRegister(ctx, first+at); err != nil {
			return err
		}
	}
	return nil
}

// deviceKind reads the device's own registers. The total is the sum of the
// payments (format reference 5.4): the sum by departments would lack discounts.
func (d *Driver) deviceKind(ctx context.Context, kind fiscal.Kind, k *fiscal.KindCounters) error {
	t := uint16(receiptType(kind))
	var err error
	if k.Count, err = d.operationRegister(ctx, countReceipts+byte(t)); err != nil || k.Count == 0 {
		return err
	}
	for slot := range uint16(paymentSlots) {
		n := moneyPayment + t + registerKinds*slot
		if slot >= registerKinds {
			n = moneyPayment5 + t + registerKinds*(slot-registerKinds)
		}
		m, ok, err := d.registerIfAny(ctx, n)
		if err != nil {
			return err
		}
		if !ok {
			break // an old device with four kinds of payment
		}
		switch slot {
		case slotCash:
			k.Payments.Cash = m
		case slotPrepayment:
			k.Payments.Prepayment = m
		case slotCredit:
			k.Payments.Credit = m
		case slotOther:
			k.Payments.Other = m
		default:
			k.Payments.Card += m
		}
	}
	k.Total = k.Payments.Total()
	return nil
}

// rates reads turnover and tax at each rate; rates without turnover are left
// out.
func (d *Driver) rates(ctx context.Context, kind fiscal.Kind) (map[fiscal.VAT]*fiscal.VATTally, error) {
	out := map[fiscal.VAT]*fiscal.VATTally{}
	t := uint16(receiptType(kind))
	for _, r := range rateRegisters() {
		base, ok, err := d.registerIfAny(ctx, r.base+t)
		if err != nil {
			return nil, err
		}
		if !ok || base == 0 {
			continue
		}
		tally := &fiscal.VATTally{Base: &base}
		if r.tax != 0 {
			tax, ok, err := d.registerIfAny(ctx, r.tax+t)
			if err != nil {
				return nil, err
			}
			if ok {
				tally.Tax = &tax
			}
		}
		out[r.vat] = tally
	}
	return out, nil
}

// corrections reads the storage's corrections of the shift.
func (d *Driver) corrections(ctx context.Context) (map[fiscal.Kind]*fiscal.Tally, error) {
	out := map[fiscal.Kind]*fiscal.Tally{}
	all, ok, err := d.registerIfAny(ctx, storageCorrected)
	if err != nil || !ok {
		return nil, err
	}
	for i, kind := range allKinds() {
		out[kind] = &fiscal.Tally{}
		if all == 0 {
			continue
		}
		n := uint16(storageCorrected + 1 + 2*i)
		count, err := d.moneyRegister(ctx, n)
		if err != nil {
			return nil, err
		}
		total, err := d.moneyRegister(ctx, n+1)
		if err != nil {
			return nil, err
		}
		*out[kind] = fiscal.Tally{Count: uint32(count), Total: total}
	}
	return out, nil
}

func (d *Driver) drawerCounters(ctx context.Context, c *fiscal.Counters) error {
	in, err := d.tally(ctx, countCashIn, moneyCashIn)
	if err != nil {
		return err
	}
	out, err := d.tally(ctx, countCashOut, moneyCashOut)
	if err != nil {
		return err
	}
	drawer, err := d.moneyRegister(ctx, moneyDrawer)
	if err != nil {
		return err
	}
	c.CashIn, c.CashOut, c.Drawer = &in, &out, &drawer
	return nil
}

// grandTotals reads the storage's lifetime totals, nil where the device does
// not show them.
func (d *Driver) grandTotals(ctx context.Context) (map[fiscal.Kind]fiscal.Money, error) {
	out := map[fiscal.Kind]fiscal.Money{}
	for i, kind := range allKinds() {
		m, ok, err := d.registerIfAny(ctx, uint16(moneyGrandSale+grandStep*i))
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, nil
		}
		out[kind] = m
	}
	return out, nil
}
