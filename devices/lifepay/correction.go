package lifepay

import (
	"time"

	"kassad/fiscal"
)

// Words of tag 1054 for corrections (reference 4.1). That FFD 1.05 has
// buy_correction is UNVERIFIED (5.1).
var correctionTypes = map[fiscal.Kind]string{
	fiscal.Sale: "sell_correction", fiscal.Refund: "sell_return_correction",
	fiscal.Buy: "buy_correction", fiscal.BuyRefund: "buy_return_correction",
}

// noNumber stands in for the number of a correction that nobody ordered: the
// service requires doc_number (format reference 1.3, tag 1179).
const noNumber = "0"

// correction fills one of the two forms.
func (f *form) correction() {
	base := f.doc.Correction
	if base == nil {
		f.fail(fiscal.CodeBadValue, "correction", "missing")
		return
	}
	if f.o.FFD == fiscal.FFD12 {
		f.fullCorrection(*base)
	} else {
		f.plainCorrection(*base)
	}
	f.req.Type = correctionTypes[f.doc.Kind]
}

func (f *form) initiator(base fiscal.Correction) string {
	if base.ByOrder {
		return f.o.InitiatorOrder
	}
	return f.o.InitiatorSelf
}

// fullCorrection is a receipt of a correction's type (reference 4.1).
func (f *form) fullCorrection(base fiscal.Correction) {
	f.receipt()
	f.req.CorrectionDate = base.Date.Format(time.DateOnly)
	f.req.CorrectionInitiator = f.initiator(base)
	f.named(base.Number != "", f.o.Names.CorrectionNumber, "correction.number", base.Number)
	f.named(base.FP != "", f.o.Names.Additional, "correction.fp", base.FP)
}

// plainCorrection is a correction of sums (reference 5.1). What it calls the
// amounts, the tax system and the rate is taken over from receipts: UNVERIFIED.
// The form has no items; those of the document tell the rate only.
func (f *form) plainCorrection(base fiscal.Correction) {
	f.path += pathCorrection
	f.only(f.doc.Kind != fiscal.Sale && f.doc.Kind != fiscal.Buy, "correction.kind", "a correction of FFD 1.05 is a sale or a buy")
	f.only(base.FP != "", "correction.fp", "a correction of FFD 1.05 has no field for it")
	f.only(f.doc.Additional != "", "additional", "a correction has no field for tag 1192")
	f.only(f.doc.Customer != "", "customer", "a correction of FFD 1.05 has no field for it")
	f.only(f.doc.Buyer != (fiscal.Buyer{}), "buyer", "a correction of FFD 1.05 has no field for it")
	f.only(f.doc.Place != "", "place", "a correction of FFD 1.05 has no field for it")
	f.only(f.doc.Internet, "internet", "a correction of FFD 1.05 has no field for it")
	for _, l := range f.doc.Lines {
		f.only(l.Agent != nil, "items", "a correction of FFD 1.05 has no field for an agent")
	}
	f.cashier()
	f.taxation()
	f.payments()
	f.req.Initiator, f.req.Description = f.initiator(base), f.o.CorrectionReason
	f.req.DocDate, f.req.DocNumber = base.Date.Format(time.DateOnly), or(base.Number, noNumber)
	f.correctionRate()
}

// correctionRate puts the one rate of the whole total into the field of
// positions. No source shows fields for several sums of VAT.
func (f *form) correctionRate() {
	sums := f.doc.TaxByRate()
	if len(sums) != 1 {
		f.fail(fiscal.CodeUnsupported, "vat", "a correction of FFD 1.05 has one rate")
		return
	}
	for rate, sum := range sums {
		f.req.Tax = f.vat("vat", rate)
		want := rate.Tax(f.doc.Total)
		if rate == fiscal.VAT0 || rate == fiscal.VATNone {
			want = f.doc.Total
		}
		// Tax by line and tax of the total differ by half a kopeck a line.
		slack := fiscal.Money(1 + len(f.doc.Lines)/2)
		f.only(sum-want > slack || want-sum > slack, "vat", sum.String()+" is not the tax of the whole total, and the service has no field for a part")
	}
}
