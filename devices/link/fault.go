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
)

// Fault happens to byte number At (from 0) of one direction.
type Fault struct {
	Direction Direction
	Kind      FaultKind
	At        int64
	Mask      byte
	Wait      time.Duration
}

// String is readable enough to reproduce the fault from a test log.
func (f Fault) String() string {
	return fmt.Sprintf("%s %c %d mask %02X wait %s", f.Kind, f.Direction, f.At, f.Mask, f.Wait)
}

// Faulty is a Link on which scripted faults happen, each once.
type Faulty struct {
	Link
	mu      sync.Mutex
	in, out faultQueue
	cut     bool
	pending []byte // doubled bytes that did not fit the reader's buffer
	closed  chan struct{}
	once    sync.Once
}

var _ Link = (*Faulty)(nil)

type faultQueue struct {
	faults []Fault
	seen   int64
}

// NewFaulty wraps l with a script.
func NewFaulty(l Link, faults ...Fault) *Faulty {
	f := &Faulty{Link: l, closed: make(chan struct{})}
	for _, x := range faults {
		if x.Direction == In {
			f.in.faults = append(f.in.faults, x)
		} else {
			f.out.faults = append(f.out.faults, x)
		}
	}
	for _, q := range []*faultQueue{&f.in, &f.out} {
		sort.SliceStable(q.faults, func(i, j int) bool { return q.faults[i].At < q.faults[j].At })
	}
	return f
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

// Seen tells how many bytes each direction has carried.
func (f *Faulty) Seen() (in, out int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.in.seen, f.out.seen
}

// mangled is what became of a run of bytes.
type mangled struct {
	data  []byte
	cut   bool
	waits time.Duration
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
		for range times {
			m.data = append(m.data, keep)
		}
	}
	return m
}

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

func (f *Faulty) Write(p []byte) (int, error) {
	f.mu.Lock()
	if f.cut {
		f.mu.Unlock()
		return 0, ErrInjected
	}
	before := f.out.seen
	m := f.out.apply(p)
	passed := int(f.out.seen - before)
	f.cut = f.cut || m.cut
	f.mu.Unlock()
	f.wait(m.waits)
	if len(m.data) > 0 {
		if n, err := f.Link.Write(m.data); err != nil {
			return min(n, passed), err
		}
	}
	if m.cut {
		f.Link.Close()
		return passed, ErrInjected
	}
	return len(p), nil
}

func (f *Faulty) Read(p []byte) (int, error) {
	for {
		f.mu.Lock()
		if len(f.pending) > 0 {
			n := copy(p, f.pending)
			f.pending = f.pending[n:]
			f.mu.Unlock()
			return n, nil
		}
		if f.cut {
			f.mu.Unlock()
			return 0, ErrInjected
		}
		f.mu.Unlock()
		n, err := f.Link.Read(p)
		if n == 0 {
			return 0, err
		}
		f.mu.Lock()
		m := f.in.apply(p[:n])
		f.cut = f.cut || m.cut
		f.pending = append(f.pending, m.data...)
		f.mu.Unlock()
		f.wait(m.waits)
		if m.cut {
			f.Link.Close()
		}
	}
}
