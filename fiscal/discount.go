package fiscal

import (
	"math/bits"
	"slices"
)

// share is an item, or a part of one, on its way to lines: what its quantity
// has to cost in the end.
type share struct {
	item     int
	price    Money
	quantity Quantity
	target   Money
}

// sum is what the share costs at its price.
func (s share) sum() Money { return s.price.Sum(s.quantity) }

// exact tells whether the share is a line as it stands.
func (s share) exact() bool { return s.sum() == s.target }

// whole tells whether the quantity is an integer.
func (s share) whole() bool { return s.quantity%QuantityUnit == 0 }

// shares applies all discounts (format reference 3.3). An item's own discount
// comes first, the receipt's is taken from what is left.
func (d Draft) shares(c *checker) []share {
	shares := make([]share, 0, len(d.Items))
	for i, it := range d.Items {
		s := share{item: i, price: it.Price, quantity: it.Quantity}
		if it.Discount.Percent > 0 {
			s.price = s.price.Less(it.Discount.Percent)
		}
		s.target = s.sum() - it.Discount.Amount
		field := func(name string) string { return itemField(i, name) }
		if s.sum() > MoneyMax {
			c.fail(CodeBadValue, field("quantity"), "the item costs more than "+MoneyMax.String())
		}
		if s.target < 0 {
			c.fail(CodeBadValue, field("discount.amount"), "exceeds the item's "+s.sum().String())
		}
		if it.Sum != nil && (*it.Sum-s.target > 1 || s.target-*it.Sum > 1) {
			c.fail(CodeBadValue, field("sum"), "price, quantity and discount come to "+s.target.String())
		}
		shares = append(shares, s)
	}
	switch {
	case c.err != nil:
		return nil
	case d.Discount.Percent > 0:
		return lessPercent(shares, d.Discount.Percent)
	case d.Discount.Amount > 0:
		return d.lessAmount(c, shares)
	}
	return shares
}

// lessPercent lowers every price, then the sums follow (rule 1).
func lessPercent(shares []share, p Percent) []share {
	out := make([]share, 0, len(shares))
	for _, s := range shares {
		for _, part := range s.split() {
			part.price = part.price.Less(p)
			part.target = part.sum()
			out = append(out, part)
		}
	}
	return out
}

// lessAmount spreads the receipt's discount over the items (rule 2).
func (d Draft) lessAmount(c *checker, shares []share) []share {
	targets := make([]Money, len(shares))
	var total Money
	for i, s := range shares {
		targets[i] = s.target
		total += s.target
	}
	if d.Discount.Amount > total {
		c.fail(CodeBadValue, "discount.amount", "exceeds the receipt's "+total.String())
		return nil
	}
	for i, cut := range distribute(d.Discount.Amount, targets) {
		shares[i].target -= cut
	}
	moveKopecks(shares)
	return shares
}

// distribute splits amount in proportion to sums, exactly: whole kopecks first,
// the remaining ones go to the largest fractional parts, of equal ones to the
// first. 0 ≤ amount ≤ Σ sums.
func distribute(amount Money, sums []Money) []Money {
	var total Money
	for _, s := range sums {
		total += s
	}
	cuts, rests, order := make([]Money, len(sums)), make([]uint64, len(sums)), make([]int, len(sums))
	left := amount
	for i, s := range sums {
		order[i] = i
		if total == 0 {
			continue
		}
		hi, lo := bits.Mul64(uint64(amount), uint64(s))
		quo, rem := bits.Div64(hi, lo, uint64(total)) // s ≤ total: the quotient fits
		cuts[i], rests[i] = Money(quo), rem
		left -= cuts[i]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case rests[a] > rests[b]:
			return -1
		case rests[a] < rests[b]:
			return 1
		default:
			return 0
		}
	})
	for _, i := range order[:left] {
		cuts[i]++
	}
	return cuts
}

// moveKopecks lets a fractional quantity that misses its target by a kopeck
// keep one line: the kopeck goes to a whole quantity that shares the discount
// (rule 4), never above that item's price.
func moveKopecks(shares []share) {
	for i, s := range shares {
		if s.whole() || s.exact() {
			continue
		}
		p := s.nearest()
		miss := s.target - p.Sum(s.quantity)
		if miss != 1 && miss != -1 {
			continue
		}
		j := slices.IndexFunc(shares, func(o share) bool {
			return o.whole() && o.target+miss >= 0 && o.target+miss <= o.sum()
		})
		if j >= 0 {
			shares[i].price, shares[i].target = p, p.Sum(s.quantity)
			shares[j].target += miss
		}
	}
}

// split brings price × quantity to the target exactly, in one or two parts.
func (s share) split() []share {
	if s.exact() {
		return []share{s}
	}
	if s.whole() {
		n := Money(s.quantity / QuantityUnit)
		return s.parts(s.target/n, s.target%n)
	}
	if p := s.nearest(); p.Sum(s.quantity) == s.target { // always so below one unit
		return s.parts(p, 0)
	}
	// Above one unit a fractional quantity hits its target at the price below,
	// at the price above, or with some whole units at the price above: the
	// prices are a kopeck apart, so at most ⌊quantity⌋ kopecks are missing.
	hi, lo := bits.Mul64(uint64(s.target), uint64(QuantityUnit))
	floor, _ := bits.Div64(hi, lo, uint64(s.quantity))
	p := Money(floor)
	if (p + 1).Sum(s.quantity) == s.target {
		return s.parts(p+1, 0)
	}
	return s.parts(p, s.target-p.Sum(s.quantity))
}

// nearest is the price that brings the share nearest to its target (rule 4).
func (s share) nearest() Money {
	return Money(mulDiv(int64(s.target), int64(QuantityUnit), int64(s.quantity)))
}

// parts makes rest units cost a kopeck more than the others (rule 3).
func (s share) parts(p, rest Money) []share {
	dear := Quantity(rest) * QuantityUnit
	cheap := share{item: s.item, price: p, quantity: s.quantity - dear}
	cheap.target = cheap.sum()
	if rest == 0 {
		return []share{cheap}
	}
	more := share{item: s.item, price: p + 1, quantity: dear}
	more.target = more.sum()
	return []share{cheap, more}
}

// lines makes the net lines of all shares, in the order of the items.
func (d Draft) lines(shares []share) []Line {
	out := make([]Line, 0, len(shares))
	for _, s := range shares {
		for _, part := range s.split() {
			out = append(out, d.Items[s.item].line(part))
		}
	}
	return out
}

func (it Item) line(s share) Line {
	l := Line{
		Name: clean(it.Name), Price: s.price, Quantity: s.quantity, Sum: s.sum(), Unit: it.Unit, VAT: it.VAT,
		Method: it.method(), Subject: it.subject(), Department: max(it.Department, 1),
		Agent: it.Agent, Additional: clean(it.Additional),
	}
	if l.Name == "" {
		l.Name = advanceName
	}
	l.Tax = l.VAT.Tax(l.Sum)
	return l
}
