package lifepay

import (
	"encoding/json"
	"math/big"
	"strconv"
)

// line is a checked position.
type line struct {
	name     string
	price    *big.Rat
	quantity *big.Rat
	net      Kopecks
	tax      string // "": the printer's default
	unit     string
	method   int // tag 1214; 0: not given
	subject  int // tag 1212; 0: not given

	agent        int // tag 1222
	supplierINN  string
	supplier     supplier
	marking      string
	markingState int // tag 2003
}

// supplier is tag 1224. The structure of supplier_data is not known; the
// emulator reads a text as the name, or an object.
type supplier struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// positions reads purchase (section 2.2).
func (c *checker) positions(required bool) {
	raw, ok := c.form.raw("purchase")
	if !ok {
		if required {
			c.form.required("purchase")
		}
		return
	}
	products, err := parseProducts(raw)
	limit := c.s.opt.PositionsMax
	switch {
	case err != nil:
		c.form.wrong("purchase")
	case len(products) == 0:
		c.form.required("purchase")
	case limit > 0 && len(products) > limit:
		c.errs.add("purchase", "Число позиций не должно превышать "+strconv.Itoa(limit)+".")
	}
	for i, p := range products {
		l := c.position(i, p)
		c.draft.lines = append(c.draft.lines, l)
		if c.draft.total += l.net; c.draft.total > amountMax {
			c.errs.add("purchase", positionText(i, "Сумма чека слишком велика."))
			return
		}
	}
}

func (c *checker) position(i int, in values) line {
	before := len(c.errs["purchase"])
	f := newForm(in, c.s.opt.EmptyIsValue, func(_, text string) { c.errs.add("purchase", positionText(i, text)) })
	o := c.s.opt
	var l line
	if f.need("name") {
		l.name = f.text("name", o.NameMax)
	}
	if f.need("price") {
		l.price = f.decimals("price", o.PriceDecimals)
	}
	if f.need("quantity") {
		l.quantity = f.decimals("quantity", o.QuantityDecimals)
	}
	if l.quantity != nil && l.quantity.Sign() == 0 {
		f.complain("quantity", "Значение «Quantity» должно быть больше 0.")
	}
	l.tax = f.oneOf("tax", "", o.Taxes...)
	l.unit = f.oneOf("unit", "piece", sortedKeys(units)...)
	l.method = f.integer("type", 1, 7)
	l.subject = c.subject(f)
	d := c.discount(f)
	if c.draft.ffd12 {
		modernPosition(f, &l)
	}
	if len(c.errs["purchase"]) == before {
		var ok bool
		if l.net, ok = o.Rounding.net(l.price, l.quantity, d); !ok {
			f.complain("discount", "Недопустимая сумма позиции.")
		}
	}
	c.unknown = append(c.unknown, f.unknown("purchase.products["+strconv.Itoa(i)+"].")...)
	return l
}

// subject reads item_type: 19 values, or 31 under FFD 1.2 (section 2.5).
func (c *checker) subject(f *form) int {
	n := f.integer("item_type", 1, 33)
	old, modern := n <= 19, n <= 27 || n >= 30
	if !old && !c.draft.ffd12 || !modern {
		f.wrong("item_type")
	}
	return n
}

func (c *checker) discount(f *form) discount {
	raw, ok := f.raw("discount")
	if !ok {
		return discount{}
	}
	in, err := parseValues(raw)
	if err != nil {
		f.wrong("discount")
		return discount{}
	}
	g := newForm(in, f.strict, f.complain)
	if !g.need("type") || !g.need("value") {
		return discount{}
	}
	d := discount{percent: g.oneOf("type", "amount", "amount", "percent") == "percent", value: g.number("value")}
	if d.percent && d.value != nil && d.value.Cmp(big.NewRat(100, 1)) > 0 {
		g.complain("value", "Значение «Value» не должно превышать 100.")
	}
	return d
}

// modernPosition reads what FFD 1.2 adds (sections 4.1, 4.2).
func modernPosition(f *form, l *line) {
	l.agent = f.integer("agent_item_type", 1, 127)
	l.supplierINN = f.text("supplier_inn", 12)
	raw, hasSupplier := f.raw("supplier_data")
	if hasSupplier && json.Unmarshal(raw, &l.supplier) != nil {
		l.supplier = supplier{Name: f.text("supplier_data", 256)}
	}
	if l.agent != 0 {
		f.need("supplier_inn")
		if !hasSupplier {
			f.required("supplier_data")
		}
	}
	l.marking = f.text("marking_code", 0)
	l.markingState = f.integer("marking_code_status", 1, 255)
	if s := l.markingState; s > 4 && s != 255 {
		f.wrong("marking_code_status")
	}
}
