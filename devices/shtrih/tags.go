package shtrih

import (
	"errors"
	"fmt"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// ourAttribute is the name in tag 1085 beside which tag 1086 is our key.
const ourAttribute = "kassad"

// Sizes of requisites (format reference 1.3).
const (
	innBytes        = 12
	contactMax      = 64
	cashierMax      = 64
	additionalMax   = 16
	itemExtraMax    = 64
	buyerNameMax    = 256
	settlementMax   = 256
	correctionMax   = 32
	agentOpMax      = 24
	agentNameMax    = 64
	agentAddressMax = 256
	phoneMax        = 19
)

// tlvs collects requisites, each encoded by itself, and the first error.
type tlvs struct {
	list [][]byte
	err  error
}

func (t *tlvs) fail(field string, err error) {
	if t.err != nil || err == nil {
		return
	}
	var f *fiscal.Error
	if errors.As(err, &f) {
		t.err = err
		return
	}
	t.err = fiscal.Refuse(fiscal.CodeNotEncodable, field, err.Error())
}

// text adds a CP866 string of at most limit characters; an empty one is left
// out.
func (t *tlvs) text(field string, tag ffd.Tag, s string, limit int) {
	if s == "" {
		return
	}
	if n := len([]rune(ffd.Plain(s))); n > limit {
		t.fail(field, fiscal.Refuse(fiscal.CodeTooLong, field, fmt.Sprintf("tag %d: %d characters, %d allowed", tag, n, limit)))
		return
	}
	b, err := ffd.AppendText(nil, tag, s)
	t.fail(field, err)
	t.list = append(t.list, b)
}

// padded adds a fixed string, spaces on the right.
func (t *tlvs) padded(field string, tag ffd.Tag, s string, size int) {
	if s == "" {
		return
	}
	if len([]rune(s)) > size {
		t.fail(field, fiscal.Refuse(fiscal.CodeTooLong, field, fmt.Sprintf("tag %d: longer than %d", tag, size)))
		return
	}
	b, err := ffd.AppendPadded(nil, tag, s, size)
	t.fail(field, err)
	t.list = append(t.list, b)
}

func (t *tlvs) raw(b []byte) { t.list = append(t.list, b) }

// group adds a container, unless it is empty.
func (t *tlvs) group(tag ffd.Tag, inner tlvs) {
	t.fail("", inner.err)
	if value := inner.join(); len(value) > 0 {
		t.list = append(t.list, ffd.Append(nil, tag, value))
	}
}

func (t *tlvs) join() []byte {
	var out []byte
	for _, b := range t.list {
		out = append(out, b...)
	}
	return out
}

// commands packs the requisites into as few commands as hold them whole (2.1).
func (t *tlvs) commands(sub byte, password uint32, separate bool) ([][]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	var out [][]byte
	var block []byte
	flush := func() {
		if len(block) > 0 {
			out = append(out, encodeTags(sub, password, block))
			block = nil
		}
	}
	for _, b := range t.list {
		if len(b) > tagBytesMax {
			return nil, fiscal.Refuse(fiscal.CodeTooLong, "", fmt.Sprintf("tag %d: %d bytes, the device takes %d",
				uintAt(b, 0, 2), len(b), tagBytesMax))
		}
		if separate || len(block)+len(b) > tagBytesMax {
			flush()
		}
		block = append(block, b...)
	}
	flush()
	return out, nil
}

// cashierTags are 1021 and 1203.
func cashierTags(c fiscal.Cashier) tlvs {
	var t tlvs
	t.text("cashier.name", ffd.TagCashier, c.Name, cashierMax)
	t.padded("cashier.inn", ffd.TagCashierINN, c.INN, innBytes)
	return t
}

// receiptTags are the requisites of the whole receipt.
func receiptTags(doc fiscal.Document, version byte, mark string) tlvs {
	t := cashierTags(doc.Cashier)
	t.text("customer", ffd.TagBuyerContact, doc.Customer, contactMax)
	buyerTags(&t, doc.Buyer, version)
	if doc.Internet {
		t.raw(ffd.AppendByte(nil, ffd.TagInternet, 1))
		t.text("place", ffd.TagSettlementPlace, doc.Place, settlementMax)
	}
	extra := doc.Additional
	if c := doc.Correction; c != nil {
		correctionTags(&t, *c, version)
		if c.FP != "" {
			extra = c.FP
		}
	}
	if keyPlace(doc, extra, mark) == ffd.TagReceiptExtra {
		extra = doc.Key
	}
	t.text("additional", ffd.TagReceiptExtra, extra, additionalMax)
	return t
}

// buyerTags: a container since FFD 1.2, two requisites of the receipt before.
func buyerTags(t *tlvs, b fiscal.Buyer, version byte) {
	var inner tlvs
	inner.text("buyer.name", ffd.TagBuyerName, b.Name, buyerNameMax)
	inner.padded("buyer.inn", ffd.TagBuyerINN, b.INN, innBytes)
	if version >= ffd.Version12 {
		t.group(ffd.TagBuyerInfo, inner)
		return
	}
	t.fail("buyer", inner.err)
	t.list = append(t.list, inner.list...)
}

// correctionTags: the type is part of FF4A before FFD 1.2, a requisite since.
func correctionTags(t *tlvs, c fiscal.Correction, version byte) {
	if version >= ffd.Version12 {
		order := byte(0)
		if c.ByOrder {
			order = 1
		}
		t.raw(ffd.AppendByte(nil, ffd.TagCorrectionType, order))
	}
	var basis tlvs
	if !c.Date.IsZero() {
		basis.raw(ffd.AppendTime(nil, ffd.TagCorrectionDate, c.Date.Truncate(0)))
	}
	basis.text("correction.number", ffd.TagCorrectionNumber, c.Number, correctionMax)
	t.group(ffd.TagCorrectionBasis, basis)
}

// keyPlace is the tag that carries our key, 0 if none does. 1192 is free for it
// only if the document does not use it and is no correction, whose 1192 has a
// meaning of its own (design 5.3).
func keyPlace(doc fiscal.Document, extra, mark string) ffd.Tag {
	switch {
	case doc.Key == "" || mark == MarkNone:
		return 0
	case mark == Mark1192 && extra == "" && doc.Correction == nil:
		return ffd.TagReceiptExtra
	default:
		return ffd.TagUserAttribute
	}
}

// keyTags is our key in 1084 {1085, 1086}, if that is its place. It is sent by
// itself: a device that refuses the requisite must not lose the others.
func keyTags(doc fiscal.Document, mark string) tlvs {
	var t, inner tlvs
	extra := doc.Additional
	if doc.Correction != nil {
		extra += doc.Correction.FP
	}
	if keyPlace(doc, extra, mark) == ffd.TagUserAttribute {
		inner.text("", ffd.TagUserAttributeName, ourAttribute, contactMax)
		inner.text("", ffd.TagUserAttributeText, doc.Key, contactMax)
		t.group(ffd.TagUserAttribute, inner)
	}
	return t
}

// keyOf is our key in a document read back, or "".
func keyOf(fields []ffd.Field) string {
	if f, ok := ffd.Find(fields, ffd.TagUserAttribute); ok {
		name, _ := ffd.Find(f.Fields, ffd.TagUserAttributeName)
		if text, ok := ffd.Find(f.Fields, ffd.TagUserAttributeText); ok && name.Text() == ourAttribute {
			return text.Text()
		}
	}
	if f, ok := ffd.Find(fields, ffd.TagReceiptExtra); ok && looksLikeKey(f.Text()) {
		return f.Text()
	}
	return ""
}

// looksLikeKey: 16 characters of base32 (design 5.3).
func looksLikeKey(s string) bool {
	if len(s) != additionalMax {
		return false
	}
	for _, c := range s {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// itemTags are the requisites of one line that FF46 does not carry.
func itemTags(l fiscal.Line, version byte, field string) tlvs {
	var t tlvs
	if l.Unit != fiscal.Piece { // pieces are what the device writes by itself
		if version >= ffd.Version12 {
			t.raw(ffd.AppendByte(nil, ffd.TagUnit, byte(l.Unit)))
		} else {
			t.text(field+".unit", ffd.TagUnitText, unitText(l.Unit), additionalMax)
		}
	}
	t.text(field+".additional", ffd.TagItemExtra, l.Additional, itemExtraMax)
	if l.Agent != nil {
		agentTags(&t, *l.Agent, field+".agent")
	}
	return t
}

// agentTags: 1222 and 1226 must come together (2.1).
func agentTags(t *tlvs, a fiscal.Agent, field string) {
	t.raw(ffd.AppendByte(nil, ffd.TagItemAgent, byte(a.Type)))
	t.padded(field+".supplier.inn", ffd.TagSupplierINN, a.Supplier.INN, innBytes)
	var data tlvs
	tr := a.Transfer
	data.text(field+".transfer.address", ffd.TagTransferAddress, tr.Address, agentAddressMax)
	data.padded(field+".transfer.inn", ffd.TagTransferINN, tr.INN, innBytes)
	data.text(field+".transfer.name", ffd.TagTransferName, tr.Name, agentNameMax)
	data.text(field+".operation", ffd.TagAgentOperation, a.Operation, agentOpMax)
	for _, p := range a.Phones {
		data.text(field+".phones", ffd.TagAgentPhone, p, phoneMax)
	}
	for _, p := range a.Acceptor {
		data.text(field+".acceptor", ffd.TagAcceptorPhone, p, phoneMax)
	}
	for _, p := range tr.Phones {
		data.text(field+".transfer.phones", ffd.TagTransferPhone, p, phoneMax)
	}
	t.group(ffd.TagAgentData, data)
	var supplier tlvs
	for _, p := range a.Supplier.Phones {
		supplier.text(field+".supplier.phones", ffd.TagSupplierPhone, p, phoneMax)
	}
	supplier.text(field+".supplier.name", ffd.TagSupplierName, a.Supplier.Name, buyerNameMax)
	t.group(ffd.TagSupplierData, supplier)
}

// unitText is tag 1197 of FFD 1.05 and 1.1 for a unit code of 1.2.
func unitText(u fiscal.Unit) string {
	switch u {
	case 10:
		return "г"
	case 11:
		return "кг"
	case 12:
		return "т"
	case 20:
		return "см"
	case 21:
		return "дм"
	case 22:
		return "м"
	case 30:
		return "кв. см"
	case 31:
		return "кв. дм"
	case 32:
		return "кв. м"
	case 40:
		return "мл"
	case 41:
		return "л"
	case 42:
		return "куб. м"
	case 50:
		return "кВт ч"
	case 51:
		return "Гкал"
	case 70:
		return "сутки"
	case 71:
		return "час"
	case 72:
		return "мин"
	case 73:
		return "с"
	case 80:
		return "Кбайт"
	case 81:
		return "Мбайт"
	case 82:
		return "Гбайт"
	case 83:
		return "Тбайт"
	default:
		return "ед."
	}
}
