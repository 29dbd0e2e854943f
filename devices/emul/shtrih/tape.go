package shtrih

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kassad/devices/emul/fn"
)

// PrintedKind says what was printed.
type PrintedKind string

// Kinds of printed documents.
const (
	PrintedReceipt PrintedKind = "receipt" // receipts and corrections
	PrintedShift   PrintedKind = "shift"   // shift open, shift close, state report
	PrintedReport  PrintedKind = "report"  // X and the like
	PrintedCash    PrintedKind = "cash"
	PrintedCopy    PrintedKind = "copy"
)

// Printed is one finished document on paper.
type Printed struct {
	Kind  PrintedKind
	FD    uint32 // 0 if it is no fiscal document
	FP    uint32
	Lines []string
	QR    string // text of the code under a receipt; the caller draws it
}

// notFiscal stands above everything that comes out of this package.
const notFiscal = "ЭМУЛЯТОР - НЕ ФИСКАЛЬНЫЙ ДОКУМЕНТ"

// tape is the paper roll behind the printer.
type tape struct{ lines []string }

func (t *tape) add(limit int, lines ...string) {
	t.lines = append(t.lines, lines...)
	if extra := len(t.lines) - limit; extra > 0 {
		t.lines = slices.Delete(t.lines, 0, extra)
	}
}

// Tape is everything printed so far, the last TapeLines lines.
func (p *Printer) Tape() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tape.lines, "\n") + "\n"
}

// OnPrint subscribes to finished documents. f runs without the printer's lock,
// on the goroutine that executed the command.
func (p *Printer) OnPrint(f func(Printed)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onPrint = append(p.onPrint, f)
}

func (p *Printer) takePrinted() []Printed {
	out := p.printed
	p.printed = nil
	return out
}

func (p *Printer) publish(printed []Printed) {
	if len(printed) == 0 {
		return
	}
	p.mu.Lock()
	hooks := slices.Clone(p.onPrint)
	p.mu.Unlock()
	for _, d := range printed {
		for _, f := range hooks {
			f(d)
		}
	}
}

// print moves the mechanics by some lines, unless table 17 field 7 keeps
// documents off the paper.
func (p *Printer) print(lines ...string) {
	if p.tables.number(17, 1, 7) != 0 {
		return
	}
	p.paper.print(time.Now(), len(lines), p.cfg.Print.LineTime)
}

// finishDocument prints a fiscal document that the storage has committed.
func (p *Printer) finishDocument(d fn.Document, lines []string) {
	p.bumpDocument()
	kind, qr := PrintedShift, ""
	if d.Operation > 0 {
		kind, qr = PrintedReceipt, p.fn.QR(d)
	}
	p.emit(Printed{Kind: kind, FD: d.Number, FP: d.Sign, Lines: lines, QR: qr})
}

func (p *Printer) finishPrint(kind PrintedKind, lines []string) {
	p.emit(Printed{Kind: kind, Lines: lines})
}

func (p *Printer) emit(d Printed) {
	p.print(d.Lines...)
	if d.Kind != PrintedCopy {
		p.lastDocument = d.Lines
	}
	switch p.tables.number(17, 1, 7) {
	case 1:
		p.tables.set(17, 1, 7, 0) // "skip the next document" serves one document
		return
	case 2:
		return
	}
	p.tape.add(p.cfg.Print.TapeLines, append(d.Lines, "")...)
	p.printed = append(p.printed, d)
}

func (p *Printer) continueLocked() {
	rest := p.paper.unprinted
	p.paper.active, p.paper.unprinted = false, 0
	p.paper.print(time.Now(), rest, p.cfg.Print.LineTime)
}

// Layout.

func center(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))/2) + s
}

func (p *Printer) columns(left, right string) string {
	gap := p.cfg.Print.Width - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	return left + strings.Repeat(" ", max(gap, 1)) + right
}

func rubles(v int64) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	return fmt.Sprintf("%s%d.%02d", sign, v/100, v%100)
}

func quantityText(q int64) string {
	s := fmt.Sprintf("%d.%06d", q/quantityScale, q%quantityScale)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func (p *Printer) headerLines() []string {
	w := p.cfg.Print.Width
	lines := []string{center(notFiscal, w)}
	for row := 1; row <= 14; row++ {
		if s := p.tables.text(4, row, 1); s != "" {
			lines = append(lines, center(s, w))
		}
	}
	r := p.fn.Registration()
	return append(lines, center(r.UserName, w), center(r.Address, w), p.columns("ИНН "+r.INN, "РН ККТ "+r.RNM))
}

// plainTape is a document that has no fiscal part.
func (p *Printer) plainTape(title string, body ...string) []string {
	lines := append(p.headerLines(), center(title, p.cfg.Print.Width))
	lines = append(lines, body...)
	return append(lines, p.columns("ДОК. "+itoa(int(p.st.Operational[operDocument])), p.clock().Format("02.01.06 15:04")))
}

func (p *Printer) reportTape(title string) []string { return p.plainTape(title, p.totalsLines()...) }

// documentTape is a fiscal report.
func (p *Printer) documentTape(d fn.Document, title string, body ...string) []string {
	lines := append(p.headerLines(), center(title, p.cfg.Print.Width))
	return append(append(lines, body...), p.fiscalLines(d)...)
}

func (p *Printer) fiscalLines(d fn.Document) []string {
	return []string{
		p.columns("ФН "+p.fn.Serial(), d.Time.Format("02.01.06 15:04")),
		p.columns(fmt.Sprintf("ФД %d", d.Number), fmt.Sprintf("ФП %010d", d.Sign)),
		center(notFiscal, p.cfg.Print.Width),
	}
}

func operationName(op byte) string {
	return [5]string{"", "ПРИХОД", "ВОЗВРАТ ПРИХОДА", "РАСХОД", "ВОЗВРАТ РАСХОДА"}[op]
}

func vatName(c byte) string {
	for _, r := range rates() {
		if r.code == c {
			return r.name
		}
	}
	return "?"
}

func (p *Printer) itemLines(i item) []string {
	lines := []string{i.Name}
	lines = append(lines, p.columns("  "+quantityText(i.Quantity)+" x "+rubles(i.Price), "="+rubles(i.Sum)))
	return append(lines, p.columns("  "+vatName(i.VAT), rubles(i.VATSum)))
}

func (p *Printer) receiptTape(r *receipt, s settlement, d fn.Document) []string {
	title := "КАССОВЫЙ ЧЕК"
	if r.Correction {
		title = "КАССОВЫЙ ЧЕК КОРРЕКЦИИ"
	}
	lines := append(p.headerLines(), center(title, p.cfg.Print.Width), center(operationName(d.Operation), p.cfg.Print.Width),
		p.columns(fmt.Sprintf("СМЕНА %d", d.Shift), fmt.Sprintf("ЧЕК %d", d.Receipt)))
	for _, i := range r.Items {
		lines = append(lines, p.itemLines(i)...)
	}
	lines = append(lines, r.Lines...)
	lines = append(lines, p.columns("ИТОГ", "="+rubles(s.total)))
	for i, v := range s.payments {
		if v > 0 {
			lines = append(lines, p.columns(p.tables.text(5, i+1, 1), "="+rubles(v)))
		}
	}
	if s.change > 0 {
		lines = append(lines, p.columns("СДАЧА", "="+rubles(s.change)))
	}
	sums := p.receiptVAT(r, &s)
	for c := byte(1); c <= 12; c++ {
		if v, there := sums[c]; there {
			lines = append(lines, p.columns("СУММА "+vatName(c), "="+rubles(v)))
		}
	}
	if s.text != "" {
		lines = append(lines, s.text)
	}
	return append(lines, p.fiscalLines(d)...)
}

// totalsLines are the figures of X and Z.
func (p *Printer) totalsLines() []string {
	var lines []string
	counters := p.fn.ShiftCounters()
	for op := byte(1); op <= 4; op++ {
		o := counters.Operations[op]
		lines = append(lines, p.columns(fmt.Sprintf("%s %d", operationName(op), o.Count), rubles(o.Sum)))
		if o.Count > 0 {
			lines = append(lines, p.columns("  наличными", rubles(o.Cash)), p.columns("  безналичными", rubles(o.Card)))
		}
	}
	return append(lines, p.columns("КОРРЕКЦИЙ", itoa(int(counters.CorrectionCount()))),
		p.columns("ВНЕСЕНО", rubles(p.st.Money[regCashIn])), p.columns("ВЫПЛАЧЕНО", rubles(p.st.Money[regCashOut])),
		p.columns("НАЛИЧНОСТЬ В КАССЕ", rubles(p.st.Money[regDrawer])))
}
