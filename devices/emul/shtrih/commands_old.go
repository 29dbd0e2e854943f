package shtrih

import (
	"slices"

	"kassad/fiscal/ffd"
)

// oldReceiptCommands are section 3.7 and the discount forms of 3.9. They cannot
// carry 1212 and 1214: the defaults are goods and full payment.
func oldReceiptCommands() []command {
	registration := func(c uint16, name string, t byte) command {
		return command{code: c, name: name, min: 20, max: 60 + itemNameMax, access: operator, modes: workingOrOpen, prints: true, withOp: true, run: register(t)}
	}
	return []command{
		registration(0x80, "sale", 0),
		registration(0x81, "buy", 1),
		registration(0x82, "sale return", 2),
		registration(0x83, "buy return", 3),
		{code: 0x84, name: "storno", min: 20, max: 60 + itemNameMax, access: operator, modes: inReceipt, prints: true, withOp: true, run: (*Printer).storno},
		{code: 0x86, name: "discount", min: 14, max: 54 + itemNameMax, access: operator, modes: inReceipt, prints: true, withOp: true, run: adjust(-1)},
		{code: 0x87, name: "charge", min: 14, max: 54 + itemNameMax, access: operator, modes: inReceipt, prints: true, withOp: true, run: adjust(1)},
		{code: 0x85, name: "close receipt", min: 31, max: 71 + 64, access: operator, modes: inReceipt, prints: true, withOp: true, run: closeOld(4)},
		{code: 0x8E, name: "close receipt extended", min: 91, max: 131 + 64, access: operator, modes: inReceipt, prints: true, withOp: true, run: closeOld(16)},
		{code: 0xFF0D, name: "operation with discounts", min: 34, max: 254, access: operator, modes: workingOrOpen, prints: true, run: discounted(false)},
		{code: 0xFF44, name: "operation with discounts and tax", min: 39, max: 254, access: operator, modes: workingOrOpen, prints: true, run: discounted(true)},
		{code: 0xFF4B, name: "receipt discount", min: 17, max: 145, access: operator, modes: inReceipt, prints: true, run: (*Printer).receiptDiscount},
	}
}

const thousandth = 1000 // old quantities are in thousandths

// oldItem reads quantity, price, department, four tax groups and a name.
func (p *Printer) oldItem(c *call) (item, code) {
	i := item{Quantity: c.money() * thousandth, Price: c.money(), Department: c.u8(), Method: 4, Subject: 1}
	vat, known := vatOfGroup(c.take(4))
	i.Name = ffd.DecodeText1251(c.rest())
	if !known || i.Department > departmentsMax {
		return i, errParameters
	}
	i.VAT = p.replaced(vat)
	return i, p.price(&i, letDeviceCount, letDeviceCount)
}

func register(t byte) func(*Printer, *call) ([]byte, code) {
	return func(p *Printer, c *call) ([]byte, code) {
		i, e := p.oldItem(c)
		if e != ok {
			return nil, e
		}
		return nil, p.addItem(c, t, i)
	}
}

// storno takes back part of an earlier line; a document has no negative lines.
func (p *Printer) storno(c *call) ([]byte, code) {
	i, e := p.oldItem(c)
	if e != ok {
		return nil, e
	}
	r := p.st.Receipt
	at := slices.IndexFunc(r.Items, func(x item) bool {
		return x.Price == i.Price && x.Department == i.Department && x.VAT == i.VAT && x.Quantity >= i.Quantity
	})
	if at < 0 {
		return nil, errStornoShort
	}
	left := &r.Items[at]
	left.Quantity -= i.Quantity
	if left.Quantity == 0 {
		r.Items = slices.Delete(r.Items, at, at+1)
	} else if e := p.price(left, letDeviceCount, letDeviceCount); e != ok {
		return nil, e
	}
	p.recount(r)
	return nil, ok
}

// adjust is 86h and 87h: a discount or a charge on the last line.
func adjust(sign int64) func(*Printer, *call) ([]byte, code) {
	return func(p *Printer, c *call) ([]byte, code) {
		r := p.st.Receipt
		sum := c.money()
		if len(r.Items) == 0 {
			return nil, errOperation
		}
		last := &r.Items[len(r.Items)-1]
		if sign < 0 && sum > last.Sum {
			return nil, errDiscount
		}
		if sign > 0 && r.total()+sum > moneyMax {
			return nil, errTotalOverflow
		}
		last.reprice(last.Sum + sign*sum)
		p.recount(r)
		return nil, ok
	}
}

// reprice gives a line a new sum; the price follows, as the format knows no
// discounts (format reference 3.3).
func (i *item) reprice(sum int64) {
	i.Sum = sum
	i.Price = mulDiv(sum, quantityScale, i.Quantity)
	i.VATSum = vatOf(i.VAT, sum)
}

// spread lowers (or raises) the receipt by delta, in proportion to the lines;
// the kopecks that remain go to the lines from the first on.
func (p *Printer) spread(r *receipt, delta int64) code {
	total := r.total()
	if delta < 0 && -delta > total || total == 0 {
		return errDiscount
	}
	sign, size := int64(1), delta
	if delta < 0 {
		sign, size = -1, -delta
	}
	left := size
	shares := make([]int64, len(r.Items))
	for i, x := range r.Items {
		shares[i] = min(mulDiv(size, x.Sum, total), left, x.Sum)
		left -= shares[i]
	}
	for i := range r.Items {
		shares[i] += left
		left = 0
		if sign < 0 && shares[i] > r.Items[i].Sum {
			left = shares[i] - r.Items[i].Sum
			shares[i] = r.Items[i].Sum
		}
		r.Items[i].reprice(r.Items[i].Sum + sign*shares[i])
	}
	p.recount(r)
	return ok
}

// closeOld is 85h with 4 payments and 8Eh with 16.
func closeOld(payments int) func(*Printer, *call) ([]byte, code) {
	return func(p *Printer, c *call) ([]byte, code) {
		var s settlement
		for i := range payments {
			s.payments[i] = c.money()
		}
		percent := int64(int16(c.u16()))
		c.take(4)
		s.text = ffd.DecodeText1251(c.rest())
		if percent < -9999 || percent > 9999 {
			return nil, errParameters
		}
		r := p.st.Receipt
		backup := slices.Clone(r.Items)
		if percent != 0 {
			if e := p.spread(r, percentOf(r.total(), percent)); e != ok {
				return nil, e
			}
		}
		_, change, e := p.closeReceipt(c, s)
		if e != ok {
			r.Items = backup // a refusal changes nothing
			p.recount(r)
			return nil, e
		}
		return put(nil, 5, change), ok
	}
}

// percentOf is the change of a total by a discount in hundredths of a per cent;
// a negative discount is a charge.
func percentOf(total, discount int64) int64 {
	if discount < 0 {
		return mulDiv(total, -discount, 10_000)
	}
	return -mulDiv(total, discount, 10_000)
}

// discounted is FF0D and FF44.
func discounted(withTax bool) func(*Printer, *call) ([]byte, code) {
	return func(p *Printer, c *call) ([]byte, code) {
		op := c.u8()
		i := item{Quantity: c.money() * thousandth, Price: c.money(), Method: 4, Subject: 1}
		discount, charge := c.money(), c.money()
		if withTax {
			c.money()
		}
		i.Department = c.u8()
		vat, known := vatOfByte(c.u8())
		c.take(5) // bar code, printed only
		i.Name = ffd.DecodeText1251(c.rest())
		if op < 1 || op > 4 || !known || i.Department > departmentsMax {
			return nil, errParameters
		}
		i.VAT = p.replaced(vat)
		if e := p.price(&i, letDeviceCount, letDeviceCount); e != ok {
			return nil, e
		}
		if sum := i.Sum - discount + charge; sum < 0 {
			return nil, errDiscount
		} else if discount != charge {
			i.reprice(sum)
		}
		return nil, p.addItem(c, typeOfOperation(op), i)
	}
}

func (p *Printer) receiptDiscount(c *call) ([]byte, code) {
	return nil, p.spread(p.st.Receipt, c.money()*-1+c.money())
}
