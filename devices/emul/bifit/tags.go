package bifit

import (
	"errors"
	"strings"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// errData is why a receipt cannot become a document.
var errData = errors.New("the receipt cannot be a fiscal document")

// rate is the tax inside a sum: sum·tax/base.
type rate struct{ tax, base int64 }

// rates are by tag 1199; codes without one bear no tax (format reference 3.1).
func rates() map[int]rate {
	return map[int]rate{
		1: {20, 120}, 2: {10, 110}, 3: {20, 120}, 4: {10, 110}, 7: {5, 105}, 8: {7, 107},
		9: {5, 105}, 10: {7, 107}, 11: {22, 122}, 12: {22, 122},
	}
}

// taxOf is the tax inside sum in kopecks, half up. sum lies within
// fiscal.MoneyMax.
func taxOf(code int, sum fiscal.Money) fiscal.Money {
	r, ok := rates()[code]
	if !ok {
		return 0
	}
	return fiscal.Money((2*int64(sum)*r.tax + r.base) / (2 * r.base))
}

const vatNone = 6 // tag 1199: not subject to VAT

// tags are what the register gives to its storage. Whatever the checks of
// the registration let pass is refused here at the latest.
func (r *receipt) tags(t *Table, reg *Register) ([]byte, error) {
	taxSystem, ok := t.TaxSystems.Value(r.taxSystem)
	if !ok || r.total < 0 {
		return nil, errData
	}
	w := writer{}
	w.text(ffd.TagCashier, r.cashier)
	w.padded(ffd.TagCashierINN, r.inn, innDigits)
	w.text(ffd.TagBuyerContact, r.contact)
	w.text(ffd.TagSettlementAddress, reg.Address)
	place := r.place
	or(&place, reg.Place)
	w.text(ffd.TagSettlementPlace, place)
	w.b = ffd.AppendByte(w.b, ffd.TagTaxation, byte(taxSystem))
	r.payTags(&w, t)
	vat := map[int]fiscal.Money{}
	var items []byte
	for _, i := range r.items {
		one, code, err := i.tags(t, reg.FFD)
		if err != nil {
			return nil, err
		}
		if vat[code] += taxOf(code, i.total); rates()[code].base == 0 {
			vat[code] += i.total // turnover, for codes without tax
		}
		items = ffd.Append(items, ffd.TagItem, one)
	}
	w.b = append(append(w.b, vatTags(vat)...), items...)
	return w.b, w.err
}

func (r *receipt) payTags(w *writer, t *Table) {
	paid := map[int]fiscal.Money{}
	for _, p := range r.payments {
		tag, ok := t.Payments.Value(p.token)
		if !ok || p.amount < 0 {
			w.err = errData
		}
		paid[tag] += p.amount
	}
	for _, tag := range []ffd.Tag{ffd.TagCash, ffd.TagCard, ffd.TagPrepaid, ffd.TagCredit, ffd.TagProvision} {
		w.b = ffd.AppendVLN(w.b, tag, uint64(paid[int(tag)]))
	}
}

// vatTags encodes sums by tag 1199: six rates have tags of their own, the newer
// ones go into 1115 (format reference 2.1).
func vatTags(sums map[int]fiscal.Money) []byte {
	own := map[int]ffd.Tag{
		1: ffd.TagVAT20, 2: ffd.TagVAT10, 3: ffd.TagVAT120, 4: ffd.TagVAT110, 5: ffd.TagTurnover0, 6: ffd.TagTurnoverNone,
	}
	var b, inner []byte
	for code := 1; code <= 12; code++ {
		sum, there := sums[code]
		switch tag, old := own[code]; {
		case !there:
		case old:
			b = ffd.AppendVLN(b, tag, uint64(sum))
		default:
			one := ffd.AppendVLN(ffd.AppendByte(nil, ffd.TagVATRate, byte(code)), ffd.TagVATAmount, uint64(sum))
			inner = ffd.Append(inner, ffd.TagVATSum, one)
		}
	}
	if len(inner) > 0 {
		b = ffd.Append(b, ffd.TagVATSums, inner)
	}
	return b
}

// tags is the content of tag 1059; code is tag 1199.
func (i item) tags(t *Table, version byte) (b []byte, code int, err error) {
	method, okMethod := t.Methods.Value(i.method)
	subject, okSubject := t.Subjects.Value(i.subject)
	code, okVAT := t.VAT.Value(i.vat)
	if !okMethod || !okSubject || !okVAT || i.price < 0 || i.quantity <= 0 || i.total < 0 || blank(i.name) {
		return nil, 0, errData
	}
	w := writer{}
	w.b = ffd.AppendByte(w.b, ffd.TagMethod, byte(method))
	w.b = ffd.AppendByte(w.b, ffd.TagSubject, byte(subject))
	w.text(ffd.TagItemName, i.name)
	w.b = ffd.AppendVLN(w.b, ffd.TagItemPrice, uint64(i.price))
	decimals, q := byte(6), uint64(i.quantity)
	for decimals > 0 && q%10 == 0 {
		decimals, q = decimals-1, q/10
	}
	w.b = ffd.AppendFVLN(w.b, ffd.TagQuantity, decimals, q)
	w.b = ffd.AppendByte(w.b, ffd.TagVATRate, byte(code))
	if code != vatNone {
		w.b = ffd.AppendVLN(w.b, ffd.TagItemVAT, uint64(taxOf(code, i.total)))
	}
	w.b = ffd.AppendVLN(w.b, ffd.TagItemSum, uint64(i.total))
	i.extra.tags(&w, version)
	return w.b, code, w.err
}

// Tags that only extensions use (section 6).
const (
	tagProductCode ffd.Tag = 1163 // FFD 1.2, container
	tagGS1Marked   ffd.Tag = 1305 // of marked goods, in 1163
	tagFraction    ffd.Tag = 1291
	tagNumerator   ffd.Tag = 1293
	tagDenominator ffd.Tag = 1294
)

func (e extensions) tags(w *writer, version byte) {
	if e.hasMeasure || version >= ffd.Version12 {
		w.b = ffd.AppendByte(w.b, ffd.TagUnit, byte(e.measure))
	}
	if e.code != "" {
		w.b = append(w.b, e.productCode(version)...)
	}
	if e.denominator > 0 {
		b := ffd.AppendVLN(nil, tagNumerator, e.numerator)
		w.b = ffd.Append(w.b, tagFraction, ffd.AppendVLN(b, tagDenominator, e.denominator))
	}
	if e.agent > 0 {
		w.b = ffd.AppendByte(w.b, ffd.TagItemAgent, byte(e.agent))
	}
	if e.agentPhone != "" {
		inner := writer{}
		inner.text(ffd.TagAgentPhone, e.agentPhone)
		w.nest(ffd.TagAgentData, inner)
	}
	w.padded(ffd.TagSupplierINN, e.supplier.inn, innDigits)
	if e.supplier.name != "" || e.supplier.phone != "" {
		inner := writer{}
		inner.text(ffd.TagSupplierPhone, e.supplier.phone)
		inner.text(ffd.TagSupplierName, e.supplier.name)
		w.nest(ffd.TagSupplierData, inner)
	}
}

// gs1Max is the length of tag 1305.
const gs1Max = 38

// productCode is the marking code as a receipt has it: whole in FFD 1.05; in
// 1.2 the part before the first separator (GS, 1Dh), which is no text of CP866.
func (e extensions) productCode(version byte) []byte {
	if version < ffd.Version12 {
		return ffd.Append(nil, ffd.TagItemCode, []byte(e.code))
	}
	code, _, _ := strings.Cut(e.code, "\x1d")
	return ffd.Append(nil, tagProductCode, ffd.Append(nil, tagGS1Marked, []byte(code[:min(len(code), gs1Max)])))
}

// writer collects tags and the first error.
type writer struct {
	b   []byte
	err error
}

func (w *writer) text(tag ffd.Tag, s string) {
	if s != "" {
		w.keep(ffd.AppendText(w.b, tag, s))
	}
}

func (w *writer) padded(tag ffd.Tag, s string, size int) {
	if s != "" {
		w.keep(ffd.AppendPadded(w.b, tag, s, size))
	}
}

func (w *writer) nest(tag ffd.Tag, inner writer) { w.keep(ffd.Append(w.b, tag, inner.b), inner.err) }

func (w *writer) keep(b []byte, err error) {
	w.b = b
	if w.err == nil {
		w.err = err
	}
}
