package shtrih

import (
	"context"
	"fmt"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// plan is a receipt made ready: every command, so that nothing can turn out to
// be impossible while a receipt is open.
type plan struct {
	open  []byte
	key   [][]byte // our key, where it is a requisite of its own
	steps [][]byte // after the opening, in order
	close closing
	total fiscal.Money
}

// planReceipt makes the commands of a receipt (5.4) or of a correction of FFD
// 1.2 (5.5).
func (d *Driver) planReceipt(ctx context.Context, doc fiscal.Document) (plan, error) {
	if len(doc.Lines) == 0 {
		return plan{}, fiscal.Refuse(fiscal.CodeEmpty, "items", "no lines")
	}
	if len(doc.Lines) > itemsMax {
		return plan{}, fiscal.Refuse(fiscal.CodeTooLarge, "items", fmt.Sprintf("%d lines, %d allowed", len(doc.Lines), itemsMax))
	}
	p := plan{open: encodeOpenReceipt(d.opt.Password, doc.Kind, doc.Correction != nil), total: doc.Total}
	tags := receiptTags(doc, d.id.ffd, d.mark())
	var err error
	if p.steps, err = tags.commands(fnSendTags, d.opt.Password, d.separateTags()); err != nil {
		return plan{}, err
	}
	key := keyTags(doc, d.mark())
	if p.key, err = key.commands(fnSendTags, d.opt.Password, false); err != nil {
		return plan{}, err
	}
	for i, l := range doc.Lines {
		if err := d.planLine(ctx, &p, doc.Kind, l, fmt.Sprintf("items[%d]", i)); err != nil {
			return plan{}, err
		}
	}
	p.close = closing{taxation: d.taxation(doc)}
	p.close.payments[slotCash] = doc.Payments.Cash + doc.Change // what was tendered; the device gives the change
	p.close.payments[slotCard] = doc.Payments.Card
	p.close.payments[slotPrepayment] = doc.Payments.Prepayment
	p.close.payments[slotCredit] = doc.Payments.Credit
	p.close.payments[slotOther] = doc.Payments.Other
	if d.id.hostTax {
		if p.close.taxes, err = taxSums(doc); err != nil {
			return plan{}, err
		}
	}
	return p, nil
}

// planLine adds the commands of one line.
func (d *Driver) planLine(ctx context.Context, p *plan, kind fiscal.Kind, l fiscal.Line, field string) error {
	if l.Subject.Marked() {
		return fiscal.Refuse(fiscal.CodeMarkingUnsupported, field+".subject", "marking codes are not sent")
	}
	rate, err := d.taxByte(ctx, l.VAT)
	if err != nil {
		return err
	}
	name, err := ffd.EncodeText1251(l.Name)
	if err != nil {
		return fiscal.Refuse(fiscal.CodeNotEncodable, field+".name", err.Error())
	}
	if len(name) > nameBytesMax {
		return fiscal.Refuse(fiscal.CodeTooLong, field+".name", fmt.Sprintf("%d characters, %d allowed", len(name), nameBytesMax))
	}
	it := item{
		kind: kind, quantity: l.Quantity, price: l.Price, sum: l.Sum, tax: moneyNotGiven, rate: rate, dept: l.Department,
		method: l.Method, subject: l.Subject, name: name,
	}
	if d.id.hostTax && l.VAT != fiscal.VAT0 && l.VAT != fiscal.VATNone {
		it.tax = uint64(l.Tax)
	}
	tags := itemTags(l, d.id.ffd, field)
	extra, err := tags.commands(fnSendItemTags, d.opt.Password, d.separateTags())
	if err != nil {
		return err
	}
	register := encodeItem(d.opt.Password, it)
	if d.itemTagsFirst() {
		p.steps = append(append(p.steps, extra...), register)
	} else {
		p.steps = append(append(p.steps, register), extra...)
	}
	return nil
}

func (d *Driver) taxation(doc fiscal.Document) fiscal.Taxation {
	if doc.Taxation != 0 {
		return doc.Taxation
	}
	return fiscal.Taxation(d.opt.Taxation)
}

// taxSums are the sums of a close in the order of table 6. Sums for 22 % have
// no place in any close command known (3.9, UNVERIFIED), so a device that
// wants sums from the host cannot take such a receipt.
func taxSums(doc fiscal.Document) ([taxSumsOfClose3]fiscal.Money, error) {
	var out [taxSumsOfClose3]fiscal.Money
	for v, sum := range doc.TaxByRate() {
		r, ok := rateRowOf(v)
		if !ok || int(r.row) > len(out) {
			return out, fiscal.Refuse(fiscal.CodeUnsupported, "vat", "no place for the tax sum of "+v.String())
		}
		out[r.row-1] = sum
	}
	return out, nil
}
