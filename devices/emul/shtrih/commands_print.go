package shtrih

import "kassad/fiscal/ffd"

// printCommands are section 3.5: paper that is no document.
func printCommands() []command {
	row := func(code uint16, name string, low, high int, run func(*Printer, *call) ([]byte, code)) command {
		return command{code: code, name: name, min: low, max: high, access: operator, modes: workingOrOpen, prints: true, withOp: true, run: run}
	}
	loose := func(c command) command {
		c.loose = true
		return c
	}
	quiet := func(c command) command {
		c.prints = false
		return c
	}
	noOp := func(c command) command {
		c.withOp = false
		return c
	}
	continuing := quiet(row(0xB0, "continue printing", 5, 5, (*Printer).continuePrint))
	continuing.modes = everyMode
	return []command{
		loose(row(0x12, "print bold", 6, 6+lineMax, textLine(0))),
		loose(row(0x17, "print line", 6, 6+lineMax, textLine(0))),
		row(0x2F, "print line in font", 7, 7+lineMax, textLine(1)),
		row(0x18, "document header", 37, 37, (*Printer).title),
		row(0x29, "feed", 7, 7, (*Printer).feed),
		row(0x25, "cut", 6, 6, (*Printer).cut),
		noOp(quiet(row(0x26, "font", 6, 6, (*Printer).font))),
		row(0x52, "print header", 5, 10, blank),
		row(0x53, "end of document", 5, 10, blank),
		row(0x54, "print advert", 5, 10, blank),
		quiet(row(0xC0, "load graphics", 46, 46, nothing)),
		row(0xC1, "print graphics", 7, 7, blank),
		quiet(row(0xC4, "load graphics extended", 47, messageMax, nothing)),
		row(0xC3, "print graphics extended", 9, 10, blank),
		row(0xC5, "print line of dots", 7, messageMax, blank),
		row(0xC2, "print EAN-13", 10, 10, blank),
		row(0xCB, "print barcode", 11, messageMax, blank),
		quiet(row(0xDD, "load barcode data", 71, 71, nothing)),
		row(0xDE, "print 2D barcode", 15, 15, blank),
		row(0xE2, "open non-fiscal document", 5, 5, (*Printer).openNonFiscal),
		row(0xE3, "close non-fiscal document", 5, 5, (*Printer).closeNonFiscal),
		row(0x8C, "repeat document", 5, 5, (*Printer).repeat),
		continuing,
	}
}

// lineMax is the longest line of an M-01F (section 3.5).
const lineMax = 72

func blank(*Printer, *call) ([]byte, code) { return nil, ok }

const printFlags = 1<<0 | 1<<1 // journal and receipt

// textLine prints a line; skip is the number of bytes between flags and text.
func textLine(skip int) func(*Printer, *call) ([]byte, code) {
	return func(p *Printer, c *call) ([]byte, code) {
		flags := c.u8()
		c.take(skip)
		if flags&printFlags == 0 {
			return nil, errParameters
		}
		p.line(ffd.DecodeText1251(c.rest()))
		return nil, ok
	}
}

// line prints at once and, in a receipt, is kept for the tape of the document.
func (p *Printer) line(s string) {
	if r := p.st.Receipt; r != nil {
		r.Lines = append(r.Lines, s)
	} else {
		p.tape.add(p.cfg.Print.TapeLines, s)
	}
	p.print(s)
}

func (p *Printer) title(c *call) ([]byte, code) {
	p.bumpDocument()
	p.line(ffd.DecodeText1251(c.take(30)))
	return put(nil, 2, int64(p.st.Operational[operDocument])), ok
}

func (p *Printer) feed(c *call) ([]byte, code) {
	flags, lines := c.u8(), c.u8()
	if flags&printFlags == 0 {
		return nil, errParameters
	}
	p.print(make([]string, lines)...)
	return nil, ok
}

func (p *Printer) cut(c *call) ([]byte, code) {
	if c.u8() > 1 {
		return nil, errParameters
	}
	if p.st.Receipt != nil {
		return nil, errReceiptOpen
	}
	return nil, ok
}

const (
	fonts     = 7
	dotsWide  = 576
	dotsHigh  = 24
	charWidth = 12
)

func (p *Printer) font(c *call) ([]byte, code) {
	if n := c.u8(); n == 0 || n > fonts {
		return nil, errParameters
	}
	return append(put(nil, 2, dotsWide), charWidth, dotsHigh, fonts), ok
}

func (p *Printer) openNonFiscal(*call) ([]byte, code) {
	if p.st.Receipt != nil || p.st.NonFiscal {
		return nil, errReceiptOpen
	}
	p.st.NonFiscal = true
	return nil, ok
}

func (p *Printer) closeNonFiscal(*call) ([]byte, code) {
	if !p.st.NonFiscal {
		return nil, errReceiptClosed
	}
	p.st.NonFiscal = false
	p.bumpDocument()
	return nil, ok
}

// repeat is 8Ch: a copy on paper, nothing fiscal.
func (p *Printer) repeat(*call) ([]byte, code) {
	if len(p.lastDocument) == 0 {
		return nil, errNothingRepeat
	}
	p.finishPrint(PrintedCopy, append([]string{center("КОПИЯ ДОКУМЕНТА", p.cfg.Print.Width)}, p.lastDocument...))
	return nil, ok
}

// continuePrint is B0: it prints the rest and creates no document.
func (p *Printer) continuePrint(*call) ([]byte, code) {
	if e := p.paperRefusal(); e != ok && e != errContinue {
		return nil, e
	}
	p.continueLocked()
	return nil, ok
}
