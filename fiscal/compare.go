package fiscal

import "fmt"

// Compare holds the device's counters against the journal's own sums and names
// every figure on which both speak and disagree. Tax sums are left out: devices
// round tax per line or per turnover, both lawfully (format reference 3.2);
// the turnover at each rate is compared exactly, but for kinds of which the
// shift has corrections. A device that does not tell its corrections leaves
// them out of its own sums, or does not: then such a kind cannot be compared.
func Compare(device, journal Counters) *Agreement {
	c := comparison{found: []Difference{}}
	c.number("receipts", uint64(device.Receipts), uint64(journal.Receipts))
	for _, kind := range []Kind{Sale, Refund, Buy, BuyRefund} {
		corrections := journal.Corrections[kind]
		corrected := corrections != nil && corrections.Count > 0
		if !corrected || device.Corrections[kind] != nil {
			c.kind("by_kind."+kind.String(), device.ByKind[kind], journal.ByKind[kind], corrected)
		}
		c.tally("corrections."+kind.String(), device.Corrections[kind], journal.Corrections[kind])
	}
	c.tally("cash_in", device.CashIn, journal.CashIn)
	c.tally("cash_out", device.CashOut, journal.CashOut)
	return &Agreement{Agrees: len(c.found) == 0, Differences: c.found}
}

// comparison collects differences. A figure that one side does not have is not
// compared; a kind the journal has no document of counts as zero.
type comparison struct{ found []Difference }

func (c *comparison) text(figure, device, journal string) {
	if device != journal {
		c.found = append(c.found, Difference{Figure: figure, Device: device, Journal: journal})
	}
}

func (c *comparison) number(figure string, device, journal uint64) {
	c.text(figure, fmt.Sprint(device), fmt.Sprint(journal))
}

func (c *comparison) money(figure string, device, journal Money) {
	c.text(figure, device.String(), journal.String())
}

func (c *comparison) tally(figure string, device, journal *Tally) {
	if device == nil {
		return
	}
	if journal == nil {
		journal = &Tally{}
	}
	c.number(figure+".count", uint64(device.Count), uint64(journal.Count))
	c.money(figure+".total", device.Total, journal.Total)
}

func (c *comparison) kind(figure string, device, journal *KindCounters, corrected bool) {
	if device == nil {
		return
	}
	if journal == nil {
		journal = &KindCounters{Payments: &Payments{}}
	}
	c.number(figure+".count", uint64(device.Count), uint64(journal.Count))
	c.money(figure+".total", device.Total, journal.Total)
	if d, j := device.Payments, journal.Payments; d != nil && j != nil {
		c.money(figure+".payments.cash", d.Cash, j.Cash)
		c.money(figure+".payments.card", d.Card, j.Card)
		c.money(figure+".payments.prepayment", d.Prepayment, j.Prepayment)
		c.money(figure+".payments.credit", d.Credit, j.Credit)
		c.money(figure+".payments.other", d.Other, j.Other)
	}
	if corrected {
		return // registers of turnover by rate leave corrections out on some devices
	}
	for _, rate := range vatTokens {
		d := device.VAT[rate.value]
		if d == nil || d.Base == nil {
			continue
		}
		var base Money
		if j := journal.VAT[rate.value]; j != nil && j.Base != nil {
			base = *j.Base
		}
		c.money(figure+".vat."+rate.word+".base", *d.Base, base)
	}
}
