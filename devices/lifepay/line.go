package lifepay

import (
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"kassad/fiscal"
)

// subjectLast105 is the last subject that FFD 1.05 has (reference 2.5).
const subjectLast105 fiscal.Subject = 19

// lines fills the positions with net lines, so no discount of the service and
// no rounding of it reaches the receipt.
func (f *form) lines() {
	switch {
	case len(f.doc.Lines) == 0:
		f.fail(fiscal.CodeEmpty, "items", "no items")
	case f.o.ItemsMax > 0 && len(f.doc.Lines) > f.o.ItemsMax:
		f.fail(fiscal.CodeTooLarge, "items", strconv.Itoa(len(f.doc.Lines))+" lines, the service allows "+strconv.Itoa(f.o.ItemsMax))
	}
	var total fiscal.Money
	f.req.Purchase = &purchase{Products: make([]product, len(f.doc.Lines))}
	for i, l := range f.doc.Lines {
		f.req.Purchase.Products[i] = f.line("items["+strconv.Itoa(i)+"].", l)
		total += l.Sum
	}
	if total != f.doc.Total {
		f.fail(fiscal.CodeBadValue, "total", "the lines come to "+total.String())
	}
}

// line fills one position; field is the path of its parts in the command.
func (f *form) line(field string, l fiscal.Line) product {
	f.carries(field, l)
	p := product{
		Name: l.Name, Price: l.Price, Quantity: l.Quantity, Unit: f.o.Units[l.Unit], Tax: f.vat(field+"vat", l.VAT),
		Method: int(l.Method), Subject: int(l.Subject),
	}
	if l.Agent != nil {
		f.agent(field+"agent", *l.Agent, &p)
	}
	if !exact(l) {
		switch f.o.Rounding {
		case RoundAsOne:
			f.asOne(l, &p)
		case RoundRefuse:
			f.fail(fiscal.CodeUnsupported, field+"quantity", "price × quantity is no whole kopecks, and how the service rounds is not known")
		}
	}
	return p
}

// carries refuses what a position has no field or no room for.
func (f *form) carries(field string, l fiscal.Line) {
	if n := utf8.RuneCountInString(l.Name); n == 0 {
		f.fail(fiscal.CodeBadValue, field+"name", "required")
	} else if n > f.o.NameMax {
		f.fail(fiscal.CodeTooLong, field+"name", strconv.Itoa(n)+" characters, the service allows "+strconv.Itoa(f.o.NameMax))
	}
	if l.Subject.Marked() {
		f.fail(fiscal.CodeMarkingUnsupported, field+"subject", "marked goods are not supported")
	}
	f.only(f.o.FFD == fiscal.FFD105 && l.Subject > subjectLast105, field+"subject", l.Subject.String()+" needs FFD 1.2")
	f.only(f.o.Units[l.Unit] == "", field+"unit", "the service has no unit "+l.Unit.String())
	f.only(l.Quantity%f.step() != 0, field+"quantity", l.Quantity.String()+": the service has "+strconv.Itoa(f.o.QuantityDecimals)+" decimals")
	f.only(l.Additional != "", field+"additional", "the service has no field for tag 1191")
	f.only(l.Department > 1 && !f.o.AnyDepartment, field+"department", "the service has no departments")
}

// step is the least quantity that the service has a decimal for.
func (f *form) step() fiscal.Quantity {
	step := fiscal.QuantityUnit
	for range f.o.QuantityDecimals {
		step /= 10
	}
	return max(step, 1)
}

// exact tells whether price × quantity is the line's sum without rounding.
func exact(l fiscal.Line) bool {
	if l.Price < 0 || l.Quantity < 0 {
		return false
	}
	hi, lo := bits.Mul64(uint64(l.Price), uint64(l.Quantity))
	if hi >= uint64(fiscal.QuantityUnit) {
		return false
	}
	kopecks, rest := bits.Div64(hi, lo, uint64(fiscal.QuantityUnit))
	return rest == 0 && kopecks == uint64(l.Sum)
}

// measures are the units as a buyer reads them.
var measures = map[fiscal.Unit]string{
	fiscal.Piece: "шт", kilogram: "кг", gram: "г", litre: "л", millilitre: "мл", squareMetre: "м2",
}

// asOne makes one piece at the line's sum of p, and lets the name tell the
// quantity and the price (reference 3.3, client rule).
func (f *form) asOne(l fiscal.Line, p *product) {
	unit, ok := measures[l.Unit]
	if !ok {
		unit = l.Unit.String()
	}
	tail := " (" + l.Quantity.String() + " " + unit + " x " + l.Price.String() + ")"
	p.Name = strings.TrimRight(cut(l.Name, f.o.NameMax-utf8.RuneCountInString(tail)), " ") + tail
	p.Price, p.Quantity, p.Unit = l.Sum, fiscal.QuantityUnit, f.o.Units[fiscal.Piece]
}

// cut keeps the first n characters.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// agent fills an item sold for somebody else. The receipt's own old fields
// (agent_phone, supplier_…) have no place for the sign itself, and are not used.
func (f *form) agent(field string, a fiscal.Agent, p *product) {
	f.only(f.o.Agents != AgentPosition, field, "how the service takes agents is not known for certain")
	f.only(a.Operation != "", field+".operation", "the service has no field for tag 1044")
	f.only(len(a.Phones) > 0, field+".phones", "the service has no field for tag 1073 of an item")
	f.only(len(a.Acceptor) > 0, field+".acceptor", "the service has no field for tag 1074")
	t := a.Transfer
	f.only(t.Name != "" || t.INN != "" || t.Address != "" || len(t.Phones) > 0, field+".transfer", "the service has no field for the transfer operator")
	p.AgentType, p.INN = int(a.Type), a.Supplier.INN
	p.Supplier = &supplier{Name: a.Supplier.Name, Phones: a.Supplier.Phones}
}
