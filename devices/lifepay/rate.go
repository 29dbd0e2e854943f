package lifepay

import (
	"time"

	"kassad/fiscal"
)

// Rate is how the service names a VAT rate, and the days on which goods are
// sold at it.
type Rate struct {
	ID          string
	From, Until time.Time // dates, inclusive; zero: open
}

// Taxation systems, tag 1055.
const (
	osn              fiscal.Taxation = 1
	usnIncome        fiscal.Taxation = 2
	usnIncomeExpense fiscal.Taxation = 4
	eshn             fiscal.Taxation = 16
	patent           fiscal.Taxation = 32
)

// Units that the service has beside the piece, tag 2108.
const (
	gram        fiscal.Unit = 10
	kilogram    fiscal.Unit = 11
	squareMetre fiscal.Unit = 32
	millilitre  fiscal.Unit = 40
	litre       fiscal.Unit = 41
)

// DefaultVAT are the identifiers of LIFE PAY reference 2.3. Those of 5, 7 and
// 22 % and of the computed rates are UNVERIFIED.
func DefaultVAT() map[fiscal.VAT]Rate {
	last20 := time.Date(2025, time.December, 31, 0, 0, 0, 0, time.UTC)
	first22 := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	firstUSN := time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)
	return map[fiscal.VAT]Rate{
		fiscal.VATNone: {ID: "none"}, fiscal.VAT0: {ID: "vat0"},
		fiscal.VAT10: {ID: "vat10"}, fiscal.VAT110: {ID: "vat110"},
		fiscal.VAT20: {ID: "vat20", Until: last20}, fiscal.VAT120: {ID: "vat120", Until: last20},
		fiscal.VAT22: {ID: "vat22", From: first22}, fiscal.VAT122: {ID: "vat122", From: first22},
		fiscal.VAT5: {ID: "vat5", From: firstUSN}, fiscal.VAT105: {ID: "vat105", From: firstUSN},
		fiscal.VAT7: {ID: "vat7", From: firstUSN}, fiscal.VAT107: {ID: "vat107", From: firstUSN},
	}
}

// defaultTaxations are the words of tax_system (reference 2.1).
func defaultTaxations() map[fiscal.Taxation]string {
	return map[fiscal.Taxation]string{osn: "osn", usnIncome: "usn6", usnIncomeExpense: "usn15", eshn: "eshn", patent: "patent"}
}

// defaultUnits are the words of unit (reference 2.2).
func defaultUnits() map[fiscal.Unit]string {
	return map[fiscal.Unit]string{
		fiscal.Piece: "piece", kilogram: "kg", gram: "g", litre: "l", millilitre: "ml", squareMetre: "m2",
	}
}

// holds tells whether r is a rate of the day of at, as the clock of the shop
// shows it.
func (r Rate) holds(at time.Time) bool {
	day := date(at)
	return (r.From.IsZero() || !day.Before(date(r.From))) && (r.Until.IsZero() || !day.After(date(r.Until)))
}

// date drops the time of day and the zone.
func date(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// vat is the identifier of a rate. Refunds and corrections carry the rate of
// the settlement that they undo, whatever the day (format reference 3.5).
func (f *form) vat(field string, v fiscal.VAT) string {
	r := f.o.VAT[v]
	switch {
	case r.ID == "":
		f.fail(fiscal.CodeUnsupported, field, "the service has no rate "+v.String())
	case (f.doc.Verb == fiscal.VerbSale || f.doc.Verb == fiscal.VerbBuy) && !r.holds(f.doc.At):
		f.fail(fiscal.CodeBadValue, field, v.String()+" is no rate of "+f.doc.At.Format(time.DateOnly))
	}
	return r.ID
}
