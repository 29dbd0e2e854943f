package lifepay

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"kassad/fiscal"
)

var otherPaths = map[fiscal.Verb]string{
	fiscal.VerbShiftOpen: pathShiftOpen, fiscal.VerbShiftClose: pathShiftClose, fiscal.VerbXReport: pathXReport,
	fiscal.VerbCashIn: pathCashIn, fiscal.VerbCashOut: pathCashOut,
}

// other fills shifts, cash and the X report (reference 5).
func (f *form) other() {
	f.path += otherPaths[f.doc.Verb]
	switch f.doc.Verb.Class() {
	case fiscal.ClassFiscal:
		f.cashier()
	case fiscal.ClassRecord:
		f.cashier()
		f.req.Amount = f.doc.Amount
		f.only(f.o.TargetSerial == "", "target_serial", "cash needs the serial of a printer in the configuration")
		if f.doc.Amount <= 0 {
			f.fail(fiscal.CodeBadValue, "amount", "must be positive")
		}
	}
}

// text fills a non-fiscal receipt: a product a line, for nothing. A product
// needs a name, so empty lines are left out.
func (f *form) text() {
	f.path += pathText
	f.req.Purchase = &purchase{}
	for i, s := range f.doc.Text {
		if n := utf8.RuneCountInString(s); n > f.o.NameMax {
			f.fail(fiscal.CodeTooLong, "lines["+strconv.Itoa(i)+"]", "the service allows "+strconv.Itoa(f.o.NameMax)+" characters")
		}
		if strings.TrimSpace(s) != "" {
			f.req.Purchase.Products = append(f.req.Purchase.Products, product{Name: s, Quantity: fiscal.QuantityUnit})
		}
	}
	if len(f.req.Purchase.Products) == 0 {
		f.fail(fiscal.CodeEmpty, "lines", "nothing to print")
	}
}
