package shtrih

import "time"

// Submodes of section 4.2.
const (
	subIdle     = 0
	subPassive  = 1
	subActive   = 2
	subContinue = 3
	subPrinting = 5
)

// paper is the mechanics: what is being printed and whether there is paper.
// Nothing ticks: the submode follows from the clock when someone asks.
type paper struct {
	out       bool // no paper
	cover     bool // cover open
	active    bool // it stopped in the middle of a print
	left      int  // lines until the roll ends, -1 endless
	busyUntil time.Time
	unprinted int // lines that B0 has still to print
}

func (m *paper) submode(now time.Time) byte {
	switch {
	case m.active && (m.out || m.cover):
		return subActive
	case m.active:
		return subContinue
	case now.Before(m.busyUntil):
		return subPrinting
	case m.out || m.cover:
		return subPassive
	default:
		return subIdle
	}
}

// print starts printing lines, or stops where the roll ends.
func (m *paper) print(now time.Time, lines int, lineTime time.Duration) {
	if m.left >= 0 && lines > m.left {
		m.out, m.active, m.unprinted, m.left = true, true, lines-m.left, 0
		return
	}
	if m.left >= 0 {
		m.left -= lines
	}
	if m.busyUntil.Before(now) {
		m.busyUntil = now
	}
	m.busyUntil = m.busyUntil.Add(time.Duration(lines) * lineTime)
}

// stop interrupts what is being printed; the rest waits for B0.
func (m *paper) stop(now time.Time, lineTime time.Duration) {
	if !now.Before(m.busyUntil) || lineTime == 0 {
		return
	}
	m.unprinted = int(m.busyUntil.Sub(now)/lineTime) + 1
	m.busyUntil = now
	m.active = true
}

// PaperOut takes the paper away. If something is being printed it stops
// (submode 2), else the printer only knows (submode 1).
func (p *Printer) PaperOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paper.stop(time.Now(), p.cfg.Print.LineTime)
	p.paper.out = true
}

// PaperIn loads an endless roll. After submode 2 the device waits for B0.
func (p *Printer) PaperIn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paper.out = false
	p.paper.left = -1
}

// PaperLeft loads a roll that ends after the given number of lines.
func (p *Printer) PaperLeft(lines int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paper.out = false
	p.paper.left = lines
}

// SetCover opens or closes the cover; open, it acts like missing paper.
func (p *Printer) SetCover(open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if open {
		p.paper.stop(time.Now(), p.cfg.Print.LineTime)
	}
	p.paper.cover = open
}

// paperRefusal is the answer to a printing command in this submode.
func (p *Printer) paperRefusal() code {
	switch p.paper.submode(time.Now()) {
	case subPassive, subActive:
		return p.cfg.PaperOutError
	case subContinue:
		return errContinue
	case subPrinting:
		return errPrinting
	default:
		return ok
	}
}
