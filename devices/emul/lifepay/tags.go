package lifepay

import (
	"math/big"
	"strings"

	"kassad/fiscal/ffd"
)

// text adds a string tag. What CP866 lacks becomes a question mark, what is too
// long is cut: what the real service does is not known.
func text(b []byte, t ffd.Tag, v string, limit int) []byte {
	if v == "" {
		return b
	}
	var out strings.Builder
	n := 0
	for _, r := range ffd.Plain(v) {
		if n++; n > limit {
			break
		}
		if _, err := ffd.EncodeText(string(r)); err != nil {
			r = '?'
		}
		out.WriteRune(r)
	}
	done, _ := ffd.AppendText(b, t, out.String())
	return done
}

// receiptTags is the data of a receipt or correction.
func (p *printer) receiptTags(d *document, tax byte) []byte {
	dr := &d.draft
	b := cashierTags(dr)
	b = text(b, ffd.TagSettlementAddress, p.cfg.Address, 256)
	place := dr.place
	or(&place, p.cfg.Place)
	b = text(b, ffd.TagSettlementPlace, place, 256)
	contact := dr.email
	if contact == "" && dr.phone != "" {
		contact = "+" + dr.phone
	}
	b = text(b, ffd.TagBuyerContact, contact, 64)
	b = p.buyerTags(b, dr)
	b = ffd.AppendByte(b, ffd.TagTaxation, tax)
	pay := d.Payments
	for _, v := range []struct {
		tag ffd.Tag
		sum Kopecks
	}{
		{ffd.TagCash, d.Total - pay.NonCash()}, {ffd.TagCard, pay.Card + pay.MC}, {ffd.TagPrepaid, pay.Prepayment},
		{ffd.TagCredit, pay.Credit}, {ffd.TagProvision, 0},
	} {
		b = ffd.AppendVLN(b, v.tag, uint64(v.sum))
	}
	if k := dr.correction; k != nil {
		b = ffd.AppendByte(b, ffd.TagCorrectionType, k.byOrder)
		basis := text(nil, 1177, k.description, 256)
		basis = ffd.AppendTime(basis, ffd.TagCorrectionDate, k.date)
		b = ffd.Append(b, ffd.TagCorrectionBasis, text(basis, ffd.TagCorrectionNumber, k.number, 32))
	}
	b = append(b, vatTags(p.taxes(d))...)
	for _, l := range dr.lines {
		b = ffd.Append(b, ffd.TagItem, p.itemTags(l))
	}
	return b
}

func (p *printer) modern() bool { return p.fn.FFD() >= ffd.Version12 }

func (p *printer) buyerTags(b []byte, d *draft) []byte {
	inner := text(nil, ffd.TagBuyerName, d.buyer, 256)
	inner = text(inner, ffd.TagBuyerINN, d.buyerINN, 12)
	switch {
	case len(inner) == 0:
		return b
	case p.modern():
		return ffd.Append(b, ffd.TagBuyerInfo, inner)
	default:
		return append(b, inner...)
	}
}

func (p *printer) vatOf(name string) vat {
	or(&name, p.cfg.DefaultTax)
	return vats[name]
}

// taxes is the tax by rate code, and the turnover of the rates without one.
func (p *printer) taxes(d *document) map[byte]Kopecks {
	out := map[byte]Kopecks{}
	add := func(name string, sum Kopecks) {
		v := p.vatOf(name)
		if v.code == vatZero || v.code == vatNone {
			out[v.code] += sum
			return
		}
		out[v.code] += v.of(sum)
	}
	if k := d.draft.correction; k != nil && len(d.draft.lines) == 0 {
		add(k.tax, d.Total)
	}
	for _, l := range d.draft.lines {
		add(l.tax, l.net)
	}
	return out
}

// oldVATTags are the rates with a tag of their own; the others go into 1115.
var oldVATTags = map[byte]ffd.Tag{
	1: ffd.TagVAT20, 2: ffd.TagVAT10, 3: ffd.TagVAT120, 4: ffd.TagVAT110, vatZero: ffd.TagTurnover0, vatNone: ffd.TagTurnoverNone,
}

func vatTags(sums map[byte]Kopecks) []byte {
	var b, inner []byte
	for code := byte(1); code <= 12; code++ {
		sum, there := sums[code]
		tag, old := oldVATTags[code]
		switch {
		case !there:
		case old:
			b = ffd.AppendVLN(b, tag, uint64(sum))
		default:
			one := ffd.AppendVLN(ffd.AppendByte(nil, ffd.TagVATRate, code), ffd.TagVATAmount, uint64(sum))
			inner = ffd.Append(inner, ffd.TagVATSum, one)
		}
	}
	if len(inner) > 0 {
		b = ffd.Append(b, ffd.TagVATSums, inner)
	}
	return b
}

// Tags of marking without a name in package ffd.
const (
	tagMarkingCode  ffd.Tag = 2000
	tagMarkingState ffd.Tag = 2003
)

// itemTags is the content of 1059. The price is the one after discounts, as the
// format wants it.
func (p *printer) itemTags(l line) []byte {
	or(&l.method, 4)
	or(&l.subject, 1)
	b := ffd.AppendByte(nil, ffd.TagMethod, byte(l.method))
	b = ffd.AppendByte(b, ffd.TagSubject, byte(l.subject))
	b = text(b, ffd.TagItemName, l.name, 128)
	price, _ := HalfUp.round(new(big.Rat).Quo(big.NewRat(int64(l.net), 100), l.quantity))
	b = ffd.AppendVLN(b, ffd.TagItemPrice, uint64(price))
	decimals, q := quantityOf(l.quantity)
	b = ffd.AppendFVLN(b, ffd.TagQuantity, decimals, q)
	v := p.vatOf(l.tax)
	b = ffd.AppendByte(b, ffd.TagVATRate, v.code)
	if v.code != vatNone {
		b = ffd.AppendVLN(b, ffd.TagItemVAT, uint64(v.of(l.net)))
	}
	b = ffd.AppendVLN(b, ffd.TagItemSum, uint64(l.net))
	u := units[l.unit]
	if p.modern() {
		b = ffd.AppendByte(b, ffd.TagUnit, u.code)
	} else {
		b = text(b, ffd.TagUnitText, u.text, 16)
	}
	return append(b, agentTags(l)...)
}

func agentTags(l line) []byte {
	var b []byte
	if l.agent != 0 {
		b = ffd.AppendByte(b, ffd.TagItemAgent, byte(l.agent))
		inner := text(nil, ffd.TagSupplierPhone, l.supplier.Phone, 19)
		if inner = text(inner, ffd.TagSupplierName, l.supplier.Name, 256); len(inner) > 0 {
			b = ffd.Append(b, ffd.TagSupplierData, inner)
		}
		b = text(b, ffd.TagSupplierINN, l.supplierINN, 12)
	}
	if l.marking != "" {
		b = ffd.Append(b, tagMarkingCode, []byte(l.marking)) // with its GS, so no text
	}
	if l.markingState != 0 {
		b = ffd.AppendByte(b, tagMarkingState, byte(l.markingState))
	}
	return b
}

// quantityOf is the shortest decimal form of q, whose decimals were checked.
func quantityOf(q *big.Rat) (decimals byte, value uint64) {
	v := new(big.Rat).Set(q)
	for !v.IsInt() && decimals < 8 {
		v.Mul(v, big.NewRat(10, 1))
		decimals++
	}
	if !v.Num().IsUint64() {
		return decimals, 0
	}
	return decimals, v.Num().Uint64()
}
