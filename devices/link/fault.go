package link

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"time"
)

// ErrInjected is the error of a link that a Fault has cut.
var ErrInjected = errors.New("injected cut")

// FaultKind is what happens to a byte.
type FaultKind string

// Kinds of faults.
const (
	Cut    FaultKind = "cut"    // the link dies before this byte
	Drop   FaultKind = "drop"   // the byte disappears
	Double FaultKind = "double" // the byte comes twice
	Flip   FaultKind = "flip"   // the byte is xored with Mask (0xFF if zero)
	Delay  FaultKind = "delay"  // Wait passes before the byte
	Call   FaultKind = "call"   // Do is called before the byte, after what went before has arrived
)

// Fault happens to byte number At (from 0) of one direction.
type Fault struct {
	Direction Direction
	Kind      FaultKind
	At        int64
	Mask      byte
	Wait      time.Duration
	Do        func() // of Call
}

// String is readable enough to reproduce the fault from a test log.
func (f Fault) String() string {
	return fmt.Sprintf("%s %c %d mask %02X wait %s", f.Kind, f.Direction, f.At, f.Mask, f.Wait)
}

// Script is what happens on a line, each fault once. Connections that share it
// count their bytes together, one after the other.
type Script struct {
	mu      sync.Mutex
	in, out faultQueue
}

type faultQueue struct {
	faults []Fault
	seen   int64
}

// NewScript orders faults by their place.
func NewScript(faults ...Fault) *Script {
	s := &Script{}
	for _, x := range faults {
		q := s.queue(x.Direction)
		q.faults = append(q.faults, x)
	}
	for _, q := range []*faultQueue{&s.in, &s.out} {
		sort.SliceStable(q.faults, func(i, j int) bool { return q.faults[i].At < q.faults[j].At })
	}
	return s
}

func (s *Script) queue(d Direction) *faultQueue {
	if d == In {
		return &s.in
	}
	return &s.out
}

// Seen tells how many bytes each direction has carried.
func (s *Script) Seen() (in, out int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in.seen, s.out.seen
}

func (s *Script) apply(d Direction, b []byte) mangled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue(d).apply(b)
}

// Faulty is a Link on which a script happens.
type Faulty struct {
	Link
	script  *Script
	mu      sync.Mutex
	cut     bool
	pending []byte // doubled bytes that did not fit the reader's buffer
	closed  chan struct{}
	once    sync.Once
}

var _ Link = (*Faulty)(nil)

// NewFaulty wraps l with a script of its own.
func NewFaulty(l Link, faults ...Fault) *Faulty { return NewScript(faults...).On(l) }

// On wraps l with the script.
func (s *Script) On(l Link) *Faulty {
	return &Faulty{Link: l, script: s, closed: make(chan struct{})}
}

// Follow changes the script: it happens to every byte from now on, those that a
// read already waits for among them.
func (f *Faulty) Follow(s *Script) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script = s
}

func (f *Faulty) apply(d Direction, b []byte) mangled {
	f.mu.Lock()
	s := f.script
	f.mu.Unlock()
	return s.apply(d, b)
}

// RandomFaults makes n faults within the first bytes of each direction; the
// same seed makes the same faults.
func RandomFaults(seed uint64, n int, bytes int64) []Fault {
	r := rand.New(rand.NewPCG(seed, 0x6B61737361)) //nolint:gosec // reproducible on purpose
	kinds := []FaultKind{Cut, Drop, Double, Flip, Delay}
	out := make([]Fault, 0, n)
	for range n {
		f := Fault{Direction: Out, Kind: kinds[r.IntN(len(kinds))], At: r.Int64N(bytes)}
		if r.IntN(2) == 0 {
			f.Direction = In
		}
		f.Mask = byte(1 + r.IntN(255))
		f.Wait = time.Duration(r.IntN(3000)) * time.Millisecond
		out = append(out, f)
	}
	return out
}

// Seen tells how many bytes each direction of the script has carried.
func (f *Faulty) Seen() (in, out int64) {
	f.mu.Lock()
	s := f.script
	f.mu.Unlock()
	return s.Seen()
}

// mangled is what became of a run of bytes, up to the first call.
type mangled struct {
	data  []byte
	used  int // bytes of the run
	cut   bool
	waits time.Duration
	call  func()
}

// apply runs b through the queue. Delays add up before the run as a whole:
// a driver cannot tell where in a burst the pause was.
func (q *faultQueue) apply(b []byte) mangled {
	m := mangled{data: make([]byte, 0, len(b))}
	for _, c := range b {
		keep, times := c, 1
		for len(q.faults) > 0 && q.faults[0].At <= q.seen {
			x := q.faults[0]
			q.faults = q.faults[1:]
			switch x.Kind {
			case Cut:
				m.cut = true
				return m
			case Call:
				m.call = x.Do
				return m
			case Drop:
				times = 0
			case Double:
				times = 2
			case Flip:
				mask := x.Mask
				if mask == 0 {
					mask = 0xFF
				}
				keep ^= mask
			case Delay:
				m.waits += x.Wait
			}
		}
		q.seen++
		m.used++
		for range times {
			m.data = append(m.data, keep)
		}
	}
	return m
}

// callPause lets what was sent before a call arrive.
const callPause = time.Millisecond

// wait is a pause on the line, which Close ends.
func (f *Faulty) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-f.closed:
	}
}

// Close closes the link under it.
func (f *Faulty) Close() error {
	f.once.Do(func() { close(f.closed) })
	return f.Link.Close()
}

func (f *Faulty) isCut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut
}

func (f *Faulty) sever() error {
	f.mu.Lock()
	f.cut = true
	f.mu.Unlock()
	f.Link.Close()
	return ErrInjected
}

func (f *Faulty) Write(p []byte) (int, error) {
	passed := 0
	for more := true; more; {
		if f.isCut() {
			return passed, ErrInjected
		}
		m := f.apply(Out, p[passed:])
		f.wait(m.waits)
		if len(m.data) > 0 {
			if n, err := f.Link.Write(m.data); err != nil {
				return passed + min(n, m.used), err
			}
		}
		passed += m.used
		if m.cut {
			return passed, f.sever()
		}
		if more = m.call != nil; more {
			f.wait(callPause)
			m.call()
		}
	}
	return passed, nil
}

func (f *Faulty) Read(p []byte) (int, error) {
	for {
		if n := f.leftover(p); n > 0 {
			return n, nil
		}
		if f.isCut() {
			return 0, ErrInjected
		}
		n, err := f.Link.Read(p)
		if n == 0 {
			return 0, err
		}
		for rest := p[:n]; ; {
			m := f.apply(In, rest)
			f.mu.Lock()
			f.pending = append(f.pending, m.data...)
			f.mu.Unlock()
			f.wait(m.waits)
			if m.cut {
				_ = f.sever()
			}
			if m.call == nil {
				break
			}
			m.call()
			rest = rest[m.used:]
		}
	}
}

// leftover takes what an earlier read has left.
func (f *Faulty) leftover(p []byte) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n
}
