package fiscal

// resolvePayments turns tendered amounts into exact ones: only cash may exceed,
// and what exceeds is the change (format reference 3.4).
func (d Draft) resolvePayments(c *checker, doc *Document) {
	p := d.Payments
	for _, one := range p.named() {
		if *one.amount < 0 || *one.amount > MoneyMax {
			c.fail(CodeBadValue, "payments."+one.name, "out of range")
			return
		}
	}
	if p.NonCash() > doc.Total {
		c.fail(CodeNoncashOverTotal, "payments", p.NonCash().String()+" without cash, the total is "+doc.Total.String())
		return
	}
	if d.Rest != NoTender {
		if rest := p.tender(d.Rest); rest != nil {
			*rest += max(doc.Total-p.Total(), 0)
		}
	}
	if p.Total() < doc.Total {
		c.fail(CodePaymentsShort, "payments", p.Total().String()+" paid, the total is "+doc.Total.String())
		return
	}
	doc.Change = p.Total() - doc.Total
	if doc.Change > 0 && doc.Verb == VerbCorrection {
		c.fail(CodeBadValue, "payments.cash", "a correction gives no change")
	}
	p.Cash -= doc.Change
	doc.Payments = p
	d.checkCredit(c, doc)
}

// checkCredit sees that items handed over on credit are covered by credit
// (format reference 2.1, method 6).
func (d Draft) checkCredit(c *checker, doc *Document) {
	var onCredit Money
	for _, l := range doc.Lines {
		if l.Method == Credit {
			onCredit += l.Sum
		}
	}
	if onCredit > doc.Payments.Credit {
		c.fail(CodeBadValue, "payments.credit", "items on credit come to "+onCredit.String())
	}
}

type namedAmount struct {
	name   string
	amount *Money
}

// named lists the kinds in the order of Tender.
func (p *Payments) named() [5]namedAmount {
	return [5]namedAmount{{"cash", &p.Cash}, {"card", &p.Card}, {"prepayment", &p.Prepayment}, {"credit", &p.Credit}, {"other", &p.Other}}
}

func (p *Payments) tender(t Tender) *Money {
	if t < TenderCash || t > TenderOther {
		return nil
	}
	return p.named()[t-TenderCash].amount
}
