package bifit

import "time"

// Stick leaves the document in the queue for ever, or until Finish or Repair.
type Stick struct{}

// Backwards lets the document fall back from REGISTERING to QUEUED, so many
// times; 0 is once.
type Backwards struct{ Times int }

// WrongStatus tells a status of its own, known to nobody, to so many queries; 0
// is one, negative is all.
type WrongStatus struct {
	Token   string // default "SUSPENDED"
	Queries int
}

// LateAttributes leaves the attributes out of so many answers that say done; 0
// is one, negative is all.
type LateAttributes struct{ Queries int }

// NotFound answers 404 to so many queries of the fresh id; 0 is one, negative
// is all.
type NotFound struct{ Queries int }

// FailDocument ends the document in an error of this cause, so many times; 0 is
// once, negative is always. Repair ends it.
type FailDocument struct {
	Cause Cause
	Times int
}

// FailAfterMade fiscalizes the document and then reports a fault of the
// register: its answer was lost (section 10, "Related risk"). A reload makes a
// second fiscal document, unless the service Detects the first.
type FailAfterMade struct{ Detects bool }

// MoveClock moves the clock of the register that gets the document, from then
// on.
type MoveClock struct{ By time.Duration }

// SwapFN replaces the storage of the register before the document.
type SwapFN struct{}

func (Stick) action() string          { return "stick" }
func (Backwards) action() string      { return "backwards" }
func (WrongStatus) action() string    { return "wrong-status" }
func (LateAttributes) action() string { return "late-attributes" }
func (NotFound) action() string       { return "not-found" }
func (FailDocument) action() string   { return "fail-document" }
func (FailAfterMade) action() string  { return "fail-after-made" }
func (MoveClock) action() string      { return "move-clock" }
func (SwapFN) action() string         { return "swap-fn" }

const wrongTokenDefault = "SUSPENDED"

func once(n int) int {
	or(&n, 1)
	return n
}

func (Stick) document(p *documentPlan)            { p.stuck = true }
func (a Backwards) document(p *documentPlan)      { p.backwards += max(once(a.Times), 0) }
func (a LateAttributes) document(p *documentPlan) { p.late = once(a.Queries) }
func (a NotFound) document(p *documentPlan)       { p.missing = once(a.Queries) }
func (a FailDocument) document(p *documentPlan)   { p.cause, p.failures = a.Cause, once(a.Times) }
func (a FailAfterMade) document(p *documentPlan)  { p.failMade, p.detects = true, a.Detects }
func (a MoveClock) document(p *documentPlan)      { p.moveClock += a.By }
func (SwapFN) document(p *documentPlan)           { p.swap = true }

func (a WrongStatus) document(p *documentPlan) {
	p.wrongToken, p.wrongFor = a.Token, once(a.Queries)
	or(&p.wrongToken, wrongTokenDefault)
}

// take uses one of n up; negative n never ends.
func take(n *int) bool {
	if *n == 0 {
		return false
	}
	if *n > 0 {
		*n--
	}
	return true
}
