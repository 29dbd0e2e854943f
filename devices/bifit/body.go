package bifit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"

	"kassad/fiscal"
)

// member is a field of a rendered object.
type member struct {
	name  string
	value any
}

// members is a JSON object that keeps its order, so that the same document is
// the same bytes. Some of its names are configuration.
type members []member

// MarshalJSON prints the members in their order.
func (m members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, f := range m {
		b.WriteByte("{,"[min(i, 1)])
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	if len(m) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// render makes the body of a registration (reference 4.2) of a document that
// Check has passed. Amounts are numbers in roubles, printed from kopecks.
func (d *Driver) render(doc fiscal.Document) ([]byte, error) {
	cashier := members{{"name", cmp.Or(doc.Cashier.Name, d.opt.Cashier)}}
	if doc.Cashier.INN != "" {
		cashier = append(cashier, member{"inn", doc.Cashier.INN})
	}
	items := make([]members, len(doc.Lines))
	for i, l := range doc.Lines {
		items[i] = d.item(l)
	}
	payments := members{}
	for _, p := range amounts(doc.Payments) {
		if p.amount != 0 {
			payments = append(payments, member{d.words["payment."+p.name], p.amount})
		}
	}
	body := members{
		{"type", d.words["type."+string(doc.Verb)]},
		{"taxSystem", d.words["taxation."+d.taxation(doc).String()]},
		{"cashier", cashier},
	}
	if doc.Customer != "" {
		body = append(body, member{"client", members{{"address", d.address(doc.Customer)}}})
	}
	body = append(body, member{"items", items}, member{"total", doc.Total}, member{"payments", payments})
	if d.opt.Place != "" && d.words[keyPlace] != "" {
		body = append(body, member{d.words[keyPlace], d.opt.Place})
	}
	return json.Marshal(body)
}

func (d *Driver) item(l fiscal.Line) members {
	m := members{
		{"calculationMethod", d.words["method."+l.Method.String()]},
		{"paymentSubject", d.words["subject."+l.Subject.String()]},
		{"name", l.Name},
		{"price", l.Price},
		{"quantity", l.Quantity},
		{"vat", d.words["vat."+l.VAT.String()]},
		{"total", l.Sum},
	}
	if name := d.words[keyUnit]; name != "" {
		m = append(m, member{name, uint8(l.Unit)})
	}
	return m
}

// address is the buyer's contact. Whether a phone needs its + is not known
// (reference 15, question 17).
func (d *Driver) address(contact string) string {
	if number, ok := strings.CutPrefix(contact, "+7"); ok {
		return d.words[keyPhone] + number
	}
	return contact
}
