package shtrih

import "time"

// outageKind says what an outage leaves behind.
type outageKind struct {
	silent      bool
	interrupted bool // the print was cut: submode 3 after power-on
	loseReceipt bool
	keepReceipt bool
}

// PowerOff switches the device off: connections die, the answer in the link
// layer and the document in progress are gone, finished documents stay (section
// 5.8, facts 1 and 6).
func (p *Printer) PowerOff() { p.powerOff(outageKind{}) }

// PowerOffSilently is PowerOff on a serial line: the connection stays and
// nothing answers.
func (p *Printer) PowerOffSilently() { p.powerOff(outageKind{silent: true}) }

// PowerOn switches the device on; the link starts in BOOT.
func (p *Printer) PowerOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.powered, p.silent = true, false
}

// PowerCycle is PowerOff and, after off, PowerOn.
func (p *Printer) PowerCycle(off time.Duration) { p.powerCycle(outageKind{}, off) }

func (p *Printer) powerCycle(k outageKind, off time.Duration) {
	p.powerOff(k)
	if off <= 0 {
		p.PowerOn()
		return
	}
	time.AfterFunc(off, p.PowerOn)
}

func (p *Printer) powerOff(k outageKind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.powered {
		return
	}
	p.powered, p.silent = false, k.silent
	close(p.outage)
	p.outage = make(chan struct{})
	for _, o := range p.allPorts() {
		o.reset()
		if o.session == nil {
			continue
		}
		o.session.partial, o.session.queued = nil, nil
		o.session.timer.Stop()
		if !k.silent {
			o.session.close(ErrPowerOff)
		}
	}
	p.forgetVolatile(k)
}

// forgetVolatile is what the outage does to the device's memory.
func (p *Printer) forgetVolatile(k outageKind) {
	p.fn.PowerLoss()
	p.reading = nil
	p.buffer = dataBuffer{}
	p.st.NonFiscal = false
	now := time.Now()
	p.paper.stop(now, p.cfg.Print.LineTime)
	if k.interrupted {
		p.paper.active, p.paper.unprinted = true, max(p.paper.unprinted, 1)
	}
	lose := p.cfg.AutoCancelOnPower || k.loseReceipt
	if p.st.Receipt != nil && lose && !k.keepReceipt {
		p.dropReceipt()
	}
}

func (p *Printer) allPorts() []*port {
	var all []*port
	for _, o := range p.ports {
		all = append(all, o)
	}
	for o := range p.shared {
		all = append(all, o)
	}
	return all
}

// jam stops the print of the last document as if the roll had ended in it.
func (p *Printer) jam() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paper.stop(time.Now(), p.cfg.Print.LineTime)
	p.paper.out, p.paper.active = true, true
	p.paper.unprinted = max(p.paper.unprinted, 1)
	p.paper.busyUntil = time.Time{}
}

// PullCable makes both directions silent; the device lives on.
func (p *Printer) PullCable() { p.setPulled(true) }

// PlugCable ends PullCable.
func (p *Printer) PlugCable() { p.setPulled(false) }

func (p *Printer) setPulled(v bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled = v
}

// Disconnect closes every connection; the device lives on.
func (p *Printer) Disconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.allPorts() {
		if o.session != nil {
			o.session.close(nil)
		}
	}
}
