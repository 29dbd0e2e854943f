package fiscal

import (
	"fmt"
	"time"
)

// shop is one command on a route, the disk, a printer and two clouds with their
// ledgers, the worker of each, and the people around them. It executes the
// effects of Step as daemon does, one at a time, and lets everything else
// happen in between: a callback, a cancel, a person, a kill, another worker
// with a stale copy. choose picks one of n ways; way 0 is always the one
// without a fault. The first broken promise ends the run.
type shop struct {
	step   stepper
	choose func(what string, n int) int
	set    setup

	now   time.Time     // true, and monotonic
	skew  time.Duration // of the wall clock
	disk  Record
	hands []*hand // in the order of the route
	calm  bool    // no more faults

	broken    error
	tells     bool // a story is wanted
	trace     []string
	seen      map[string]bool // what has happened at least once
	decidable time.Time       // a person may end it since

	open    map[attempt]bool      // sent, and nothing was proved
	refuted map[attempt]bool      // the service has told that it failed
	sentAt  map[attempt]time.Time // of the first request
	repeats map[attempt]repeated
	told    []paper // documents of which the services have told
	guessed bool    // a person has decided without looking
}

// setup is what does not change in one run.
type setup struct {
	retryFailed bool // failed documents are begun again without a person
	bare        bool // callbacks carry the ticket and no fiscal data
	jumps       bool // the wall clock is set now and then
	sour        bool // most orders fail at first, and most calls
	careless    bool // there is a person who does not look
	wait        time.Duration
	first       int // the backend that intake chose
}

// attempt is what a service or a printer knows a document by.
type attempt struct{ device, key string }

// repeated is when a request was last repeated, and how often before.
type repeated struct {
	at    time.Time
	count int
}

// paper is a fiscal document.
type paper struct {
	device, storage string
	fd              uint32
	ticket, key     string
}

func (p paper) receipt(bare bool) Receipt {
	if bare {
		return Receipt{Ticket: p.ticket}
	}
	return Receipt{Storage: p.storage, FD: p.fd, Ticket: p.ticket}
}

// is tells whether a receipt names this document.
func (p paper) is(r Receipt) bool {
	if r.FD != 0 {
		return r.FD == p.fd && r.Storage == p.storage
	}
	return r.Ticket != "" && r.Ticket == p.ticket
}

// office is where documents are made.
type office interface {
	prepare(r Record) Event
	submit(r Record) Event
	find(r Record) Event
	reload(r Record) Event
	// goOn lets time work: one thing of what is on its way happens.
	goOn() bool
	// settle waits until nothing is on a wire any more.
	settle()
	// live tells whether a document may still come of the attempts other than
	// one; nothing may be begun meanwhile.
	live(but attempt) bool
	papers() []paper
	// lied counts the documents that were made although the service had told
	// that there are none.
	lied() int
}

var routePolicy = func() Policy {
	p := DefaultPolicy()
	p.Cloud = CloudPolicy{
		Repeat:  []time.Duration{time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute},
		Window:  2 * time.Hour,
		Overdue: 15 * time.Minute,
	}
	return p
}()

// keyLife is how long a service knows a key: no longer than the window says,
// but for what a request takes on its way.
var keyLife = routePolicy.Cloud.Window + time.Minute

// policy are the delays of a backend: one service calls back, the other one is
// asked and can try again.
func (s *shop) policy(device string) Policy {
	p := routePolicy
	switch device {
	case "calls":
		p.Cloud.RetryFailed = s.set.retryFailed
	case "asked":
		p.Cloud.Poll, p.Cloud.Reloads = []time.Duration{3 * time.Second, 30 * time.Second, time.Minute}, 2
	}
	return p
}

func newShop(step stepper, choose func(string, int) int, set setup) *shop {
	s := &shop{
		step: step, choose: choose, set: set, now: time.Unix(1_800_000_000, 0),
		seen: map[string]bool{}, open: map[attempt]bool{}, refuted: map[attempt]bool{}, sentAt: map[attempt]time.Time{}, repeats: map[attempt]repeated{},
	}
	s.hands = []*hand{
		{name: "printer", office: &register{shop: s}},
		{name: "calls", office: &service{shop: s, name: "calls", tells: true, next: 1000}},
		{name: "asked", office: &service{shop: s, name: "asked", next: 2000}},
	}
	s.disk = Record{
		Seq: 1, ID: "a", Hash: "h", Route: "default", State: Accepted, Verb: VerbSale, N: 1,
		Device: s.hands[set.first].name, WaitLeft: set.wait, AcceptedAt: s.now, SavedAt: s.now,
		Document: Document{ID: "a", Verb: VerbSale, Stem: "S", Total: 10000},
	}
	s.boot()
	return s
}

func (s *shop) fail(format string, args ...any) {
	if s.broken == nil {
		s.broken = fmt.Errorf(format, args...)
	}
}

// note adds a line to the story, if somebody wants to read it.
func (s *shop) note(format string, args ...any) {
	if !s.tells {
		return
	}
	s.trace = append(s.trace, fmt.Sprintf("%9.1fs ", s.now.Sub(s.disk.AcceptedAt).Seconds())+fmt.Sprintf(format, args...))
}

func (s *shop) wall() time.Time         { return s.now.Add(s.skew) }
func (s *shop) pass(d time.Duration)    { s.now = s.now.Add(d) }
func (s *shop) chance(what string) bool { return !s.calm && s.choose(what, 2) == 1 }
func (s *shop) fault(what string, n int) int {
	if s.calm {
		return 0
	}
	if s.set.sour && s.choose("sour", 2) > 0 {
		return 1 + s.choose(what, n-1)
	}
	return s.choose(what, n)
}

// away is the time since the record was saved, as far as the wall clock can
// tell.
func (s *shop) away() time.Duration {
	d := s.wall().Sub(s.disk.SavedAt)
	if d < 0 || d > 30*24*time.Hour {
		return 0
	}
	return d
}

// put commits a record.
func (s *shop) put(r Record) {
	r.N, r.SavedAt = s.disk.N+1, s.wall()
	s.disk = r
}

// papers are the documents of all ledgers.
func (s *shop) papers() (all []paper) {
	for _, h := range s.hands {
		all = append(all, h.office.papers()...)
	}
	return all
}

func (s *shop) lies() (n int) {
	for _, h := range s.hands {
		n += h.office.lied()
	}
	return n
}

func (s *shop) live(but attempt) bool {
	for _, h := range s.hands {
		if h.office.live(but) {
			return true
		}
	}
	return false
}
