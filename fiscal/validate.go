package fiscal

import (
	"errors"
	"strconv"
	"strings"

	"kassad/fiscal/ffd"
)

// checker keeps the first thing that is wrong with a draft.
type checker struct{ err *Error }

func (c *checker) fail(code Code, field, detail string) {
	if c.err == nil {
		c.err = Refuse(code, field, detail)
	}
}

func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func itemField(i int, name string) string { return indexed("items", i) + "." + name }

// clean is a text as it goes into the document: what CP866 lacks is replaced,
// spaces around it are dropped.
func clean(s string) string { return strings.TrimSpace(ffd.Plain(s)) }

// text checks s against the code pages of fiscal storages (CP866) and of print
// commands (CP1251), and its length after replacement (format reference 1.1).
func (c *checker) text(field, s string, maxChars int) string {
	s = clean(s)
	encoded, err := ffd.EncodeText(s)
	if err == nil {
		_, err = ffd.EncodeText1251(s)
	}
	var bad *ffd.EncodingError
	switch {
	case errors.As(err, &bad):
		c.fail(CodeNotEncodable, field, bad.Error())
	case err != nil:
		c.fail(CodeNotEncodable, field, err.Error())
	case len(encoded) > maxChars:
		c.fail(CodeTooLong, field, strconv.Itoa(len(encoded))+" characters, at most "+strconv.Itoa(maxChars))
	}
	return s
}

// lines checks the body of the verb text. Spaces keep their places: they are
// the layout.
func (c *checker) lines(text []string) []string {
	if len(text) == 0 {
		c.fail(CodeEmpty, "lines", "nothing to print")
	}
	if len(text) > TextLinesMax {
		c.fail(CodeTooLarge, "lines", "at most "+strconv.Itoa(TextLinesMax)+" lines")
		return nil
	}
	out := make([]string, len(text))
	for i, s := range text {
		out[i] = strings.TrimRight(ffd.Plain(s), " ")
		c.text(indexed("lines", i), out[i], TextLineMaxChars)
	}
	return out
}

func (c *checker) cashier(v Cashier) Cashier {
	v.Name = c.text("cashier.name", v.Name, CashierMaxChars)
	v.INN = strings.TrimSpace(v.INN)
	if v.INN != "" && (len(v.INN) != innPerson || !ValidINN(v.INN)) {
		c.fail(CodeBadValue, "cashier.inn", "not the INN of a person")
	}
	return v
}

// anyINN checks a company's or a person's INN; twelve zeros say that there is
// none (format reference 6.1).
func (c *checker) anyINN(field, inn string) string {
	inn = strings.TrimSpace(inn)
	if inn != "" && inn != noINN && !ValidINN(inn) {
		c.fail(CodeBadValue, field, "not a valid INN")
	}
	return inn
}

// taxation allows one system of those in force, or the device's own.
func (c *checker) taxation(t Taxation) Taxation {
	if t != 0 && taxationTokens.unknown(t) {
		c.fail(CodeBadValue, "taxation", "must be exactly one system")
	}
	return t
}

// contact checks the buyer's phone or e-mail, tag 1008.
func (c *checker) contact(field, s string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	normal, ok := NormalContact(s)
	switch {
	case len(s) > ContactMaxBytes && len(normal) > ContactMaxBytes:
		c.fail(CodeTooLong, field, "at most "+strconv.Itoa(ContactMaxBytes)+" characters")
	case !ok:
		c.fail(CodeBadValue, field, "neither a phone +7 and ten digits nor an e-mail address")
	}
	return normal
}

// checkItems checks every item by itself.
func (d Draft) checkItems(c *checker) {
	if len(d.Items) == 0 && d.Verb != VerbCorrection {
		c.fail(CodeEmpty, "items", "no items")
	}
	if len(d.Items) > ItemsMax {
		c.fail(CodeTooLarge, "items", "at most "+strconv.Itoa(ItemsMax)+" items")
		return
	}
	c.discount("discount", d.Discount)
	for i := range d.Items {
		c.item(i, &d.Items[i])
	}
}

func (c *checker) item(i int, it *Item) {
	prefix := indexed("items", i) + "."
	name := c.text(prefix+"name", it.Name, NameMaxChars)
	switch {
	case name == "" && it.method() != Advance:
		c.fail(CodeBadValue, prefix+"name", "required")
	case it.Price < 0 || it.Price > MoneyMax:
		c.fail(CodeBadValue, prefix+"price", "out of range")
	case it.Quantity < 1 || it.Quantity > QuantityMax:
		c.fail(CodeBadValue, prefix+"quantity", "must be positive")
	case it.VAT == 0:
		c.fail(CodeBadValue, prefix+"vat", "required")
	case vatTokens.unknown(it.VAT):
		c.fail(CodeBadValue, prefix+"vat", "unknown rate")
	case methodTokens.unknown(it.method()):
		c.fail(CodeBadValue, prefix+"method", "unknown method")
	case subjectTokens.unknown(it.subject()):
		c.fail(CodeBadValue, prefix+"subject", "unknown subject")
	case it.subject().Marked():
		c.fail(CodeMarkingUnsupported, prefix+"subject", "marked goods are not supported")
	case unitTokens.unknown(it.Unit):
		c.fail(CodeBadValue, prefix+"unit", "unknown unit")
	case it.Department > DepartmentMax:
		c.fail(CodeBadValue, prefix+"department", "must be 1 to "+strconv.Itoa(DepartmentMax))
	}
	c.text(prefix+"additional", it.Additional, ItemExtraMaxChars)
	c.discount(prefix+"discount", it.Discount)
	if it.Agent != nil {
		checked := c.agent(prefix+"agent", *it.Agent)
		it.Agent = &checked
	}
}

func (c *checker) discount(field string, v Discount) {
	switch {
	case v.Percent < 0 || v.Percent > PercentMax:
		c.fail(CodeBadValue, field+".percent", "must be 0 to 100")
	case v.Amount < 0 || v.Amount > MoneyMax:
		c.fail(CodeBadValue, field+".amount", "out of range")
	case v.Percent != 0 && v.Amount != 0:
		c.fail(CodeBadValue, field, "either percent or amount")
	}
}

func (it Item) method() Method {
	if it.Method == 0 {
		return FullPayment
	}
	return it.Method
}

func (it Item) subject() Subject {
	if it.Subject == 0 {
		return Goods
	}
	return it.Subject
}
