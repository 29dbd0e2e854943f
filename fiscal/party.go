package fiscal

import "strings"

// Lengths of an INN and the one that says "none" (format reference 6.1).
const (
	innCompany = 10
	innPerson  = 12
	noINN      = "000000000000"
)

// ValidINN checks length, region and check digits of an INN.
func ValidINN(inn string) bool {
	if !allDigits(inn) || strings.HasPrefix(inn, "00") {
		return false
	}
	switch len(inn) {
	case innCompany:
		return innDigit(inn, 2, 4, 10, 3, 5, 9, 4, 6, 8)
	case innPerson:
		return innDigit(inn, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) && innDigit(inn, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
	default:
		return false
	}
}

// innDigit tells whether the digit after the weighted ones is their check
// digit. A remainder of 10 counts as 0.
func innDigit(inn string, weights ...int) bool {
	sum := 0
	for i, w := range weights {
		sum += w * int(inn[i]-'0')
	}
	return sum%11%10 == int(inn[len(weights)]-'0')
}

// NormalContact brings a buyer's phone to +7 and ten digits, and leaves an
// e-mail address as it is (format reference 6.3). It reports whether s is one
// of the two.
func NormalContact(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "@") {
		return s, validEmail(s)
	}
	digits := strings.TrimPrefix(phoneDigits(s), "+")
	if !allDigits(digits) {
		return s, false
	}
	switch {
	case len(digits) == 11 && (digits[0] == '7' || digits[0] == '8' && !strings.HasPrefix(s, "+")):
		return "+7" + digits[1:], true
	case len(digits) == 10 && digits[0] == '9' && !strings.HasPrefix(s, "+"): // a mobile number without the country
		return "+7" + digits, true
	default:
		return s, false
	}
}

// phoneDigits drops what people put between the digits of a phone.
func phoneDigits(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "\u00a0", "").Replace(strings.TrimSpace(s))
}

func validEmail(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	if local == "" || strings.Contains(domain, "@") || len(s) > ContactMaxBytes {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r >= 0x7F || strings.ContainsRune(`,;<>"()[]\`, r) {
			return false
		}
	}
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") &&
		!strings.HasSuffix(domain, ".") && !strings.Contains(domain, "..")
}

// agent checks the agent of an item: the supplier and its INN are needed for
// every sign (format reference 2.1). The sets of further requisites per sign
// are not certain, so only their form is checked.
func (c *checker) agent(field string, a Agent) Agent {
	if agentTokens.unknown(a.Type) {
		c.fail(CodeBadValue, field+".type", "required, exactly one sign")
	}
	a.Supplier = c.supplier(field+".supplier", a.Supplier)
	a.Operation = c.text(field+".operation", a.Operation, OperationMaxChars)
	a.Phones = c.phones(field+".phones", a.Phones)
	a.Acceptor = c.phones(field+".acceptor", a.Acceptor)
	t := field + ".transfer"
	a.Transfer = Transfer{
		Name:    c.text(t+".name", a.Transfer.Name, TransferNameMaxChars),
		INN:     c.anyINN(t+".inn", a.Transfer.INN),
		Address: c.text(t+".address", a.Transfer.Address, AddressMaxChars),
		Phones:  c.phones(t+".phones", a.Transfer.Phones),
	}
	return a
}

func (c *checker) supplier(field string, s Supplier) Supplier {
	if s.INN == "" {
		c.fail(CodeBadValue, field+".inn", "an agent's item needs the supplier's INN")
	}
	if s.Name == "" && len(s.Phones) == 0 {
		c.fail(CodeBadValue, field+".name", "an agent's item needs the supplier's name or phones")
	}
	return Supplier{
		Name:   c.text(field+".name", s.Name, SupplierMaxChars),
		INN:    c.anyINN(field+".inn", s.INN),
		Phones: c.phones(field+".phones", s.Phones),
	}
}

// phones checks the phones of companies: + and 9 to 15 digits.
func (c *checker) phones(field string, list []string) []string {
	if len(list) > PhonesMax {
		c.fail(CodeTooLarge, field, "too many phones")
		return nil
	}
	var out []string
	for i, s := range list {
		s = phoneDigits(s)
		digits, plus := strings.CutPrefix(s, "+")
		if !plus || len(digits) < 9 || len(digits) > 15 || !allDigits(digits) {
			c.fail(CodeBadValue, indexed(field, i), "a phone is + and 9 to 15 digits")
		}
		out = append(out, s)
	}
	return out
}
