package fiscal

import "strconv"

// CheckDevice tells whether the device can carry d unchanged. The error is an
// *Error; on a route the next device may still be able to. What the device
// does not tell about itself is not checked.
func (d Document) CheckDevice(info Info) error {
	c := &checker{}
	if d.Verb.Receipt() {
		d.checkRegistration(c, info)
		d.checkFormat(c, info.FFD)
		d.checkLimits(c, info.Limits)
		d.checkContact(c, info.Limits)
	}
	if c.err != nil {
		return c.err
	}
	return nil
}

// checkRegistration sees that the taxation is one the device is registered for
// (format reference 2.1).
func (d Document) checkRegistration(c *checker, info Info) {
	if d.Taxation != 0 && info.Taxations != 0 && uint8(d.Taxation)&info.Taxations == 0 {
		c.fail(CodeBadValue, "taxation", "the device is not registered for "+d.Taxation.String())
	}
}

// checkFormat knows what the versions of the format differ in (format
// reference 1.5 and 4.6).
func (d Document) checkFormat(c *checker, version string) {
	if version == "" {
		return
	}
	if d.Verb == VerbCorrection && version == FFD105 && d.Kind != Sale && d.Kind != Buy {
		c.fail(CodeUnsupported, "correction.kind", "a correction of FFD 1.05 is a sale or a buy")
	}
	if d.Verb == VerbCorrection && version != FFD105 && len(d.Lines) == 0 {
		c.fail(CodeEmpty, "items", "a correction of FFD "+version+" needs items")
	}
	for _, l := range d.Lines {
		if l.Subject == subjectFirstFFD12Only && version != FFD12 {
			c.fail(CodeUnsupported, "items", "subject "+l.Subject.String()+" needs FFD 1.2")
		}
	}
}

// checkContact: a receipt without paper has to reach the buyer (design 6). A
// correction is the seller's own.
func (d Document) checkContact(c *checker, limits Limits) {
	if limits.Contact && d.Verb != VerbCorrection && d.Customer == "" {
		c.fail(CodeContactRequired, "customer", "neither a phone nor an e-mail")
	}
}

func (d Document) checkLimits(c *checker, limits Limits) {
	if limits.ItemsMax > 0 && len(d.Lines) > limits.ItemsMax {
		c.fail(CodeTooLarge, "items", strconv.Itoa(len(d.Lines))+" lines, the device allows "+strconv.Itoa(limits.ItemsMax))
	}
	step := Quantity(1)
	for i := limits.QuantityDecimals; i < quantityDecimals && limits.QuantityDecimals > 0; i++ {
		step *= 10
	}
	for _, l := range d.Lines {
		if n := len([]rune(l.Name)); limits.NameMax > 0 && n > limits.NameMax {
			c.fail(CodeTooLong, "items", l.Name+": the device allows "+strconv.Itoa(limits.NameMax)+" characters")
		}
		if l.Quantity%step != 0 {
			c.fail(CodeUnsupported, "items", l.Name+": the device has "+strconv.Itoa(limits.QuantityDecimals)+" decimals of quantity")
		}
	}
}
