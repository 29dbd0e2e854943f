package bifit

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// On is a set of request kinds. Zero is all of them.
type On int

// Kinds of requests.
const (
	OnToken    On = 1 << iota // a token for the connector token
	OnRefresh                 // a token for a refresh token
	OnRegister                // registration of a receipt
	OnDocument                // document by id
	OnReload

	OnProtected = OnRegister | OnDocument | OnReload
)

// kindNames are the words of the bits, from the lowest.
func kindNames() []string { return []string{"token", "refresh", "register", "document", "reload"} }

func (o On) String() string {
	var names []string
	for i, name := range kindNames() {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// Fault spoils requests, or the documents that come of them. It fires Times
// times among the requests that match, after it let Skip of them pass. Faults
// on the same request add up; the first that answers for itself wins.
type Fault struct {
	On    On
	Key   string // only of this Idempotency-Key, or of its document; "" is any
	Skip  int
	Times int // 0 is once, or without end where PerMille is set; negative is without end
	// PerMille is the chance to fire, drawn from the seed; 0 is certainty.
	PerMille int
	// Do is what happens. Actions on documents fire when the document is
	// created, and need no On.
	Do Action
}

// Action is what a fault does.
type Action interface{ action() string }

// requestAction changes one exchange, documentAction one document's life.
type (
	requestAction interface {
		Action
		exchange(*plan)
	}
	documentAction interface {
		Action
		document(*documentPlan)
	}
)

type armed struct {
	Fault
	seen, fired int
}

// Fail arms a fault.
func (s *Service) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.faults = append(s.st.faults, &armed{Fault: f})
}

// ClearFaults disarms everything. Documents keep what they have been given.
func (s *Service) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.faults = nil
}

// plan is what faults make of one exchange.
type plan struct {
	names   []string
	instead *answer // in the place of the service
	after   *answer // the service acts, and this is told
	garble  []func(*answer)
	before  *delay
	slow    *delay // between acting and answering
	cut     bool   // the connection ends without an answer
	early   bool   // and without acting
}

type delay struct{ by time.Duration } // 0: until released

// planFor takes the faults that fire on a request.
func (s *Service) planFor(kind On, key string) plan {
	var p plan
	s.fire(func(a Action) bool { _, ok := a.(requestAction); return ok }, kind, key, func(a Action) {
		p.names = append(p.names, a.action())
		a.(requestAction).exchange(&p)
	})
	return p
}

// planOf takes the faults that fire on a new document.
func (s *Service) planOf(key string) (documentPlan, []string) {
	var p documentPlan
	var names []string
	s.fire(func(a Action) bool { _, ok := a.(documentAction); return ok }, OnRegister, key, func(a Action) {
		names = append(names, a.action())
		a.(documentAction).document(&p)
	})
	return p, names
}

func (s *Service) fire(wanted func(Action) bool, kind On, key string, hit func(Action)) {
	s.st.faults = slices.DeleteFunc(s.st.faults, func(a *armed) bool {
		_, life := a.Do.(documentAction)
		if !wanted(a.Do) || a.Key != "" && a.Key != key || a.On != 0 && a.On&kind == 0 && !life {
			return false
		}
		if a.seen++; a.seen <= a.Skip {
			return false
		}
		if a.PerMille > 0 && s.st.random.IntN(1000) >= a.PerMille {
			return false
		}
		hit(a.Do)
		a.fired++
		endless := a.Times < 0 || a.Times == 0 && a.PerMille > 0
		return !endless && a.fired >= max(a.Times, 1)
	})
}

// Unauthorized answers 401 with invalid_token, as to a token that ran out
// between two calls.
type Unauthorized struct{}

// RefuseGrant answers 400 with invalid_grant to a token request.
type RefuseGrant struct{}

// Respond answers a status of its own with a JSON error, or with a page of HTML
// as a proxy does.
type Respond struct {
	Status     int           // 200 to 599; 0 is 500
	RetryAfter time.Duration // header Retry-After, in whole seconds, rounded up; 0 for none
	HTML       bool
	After      bool // the service has acted all the same
}

// Cut closes the connection: after the service acted, so that only the answer
// is lost, or Early, before it. It needs a real server: a handler that is called
// directly panics with http.ErrAbortHandler, and so it does with Truncate.
type Cut struct{ Early bool }

// Slow acts and then holds the answer back for By, or until Release if By is
// zero. A host that leaves, and Close, end it too. Early holds the request back
// before the service acts.
type Slow struct {
	By    time.Duration
	Early bool
}

// Truncate breaks the body off after so many bytes; 0 is half of it. The length
// in the header stays that of the whole, unless Clean: then only the JSON is
// broken. A cut number would be another number, so a Clean cut of one leaves
// nothing.
type Truncate struct {
	Bytes int
	Clean bool
}

// Quote puts the body, a number, into quotes.
type Quote struct{}

// Newline ends the body with one.
type Newline struct{}

func (Unauthorized) action() string { return "unauthorized" }
func (RefuseGrant) action() string  { return "refuse-grant" }
func (a Respond) action() string    { return "respond-" + strconv.Itoa(a.Status) }
func (Cut) action() string          { return "cut" }
func (Slow) action() string         { return "slow" }
func (Truncate) action() string     { return "truncate" }
func (Quote) action() string        { return "quote" }
func (Newline) action() string      { return "newline" }

func (p *plan) answer(a *answer, after bool) {
	switch {
	case after && p.after == nil:
		p.after = a
	case !after && p.instead == nil:
		p.instead = a
	}
}

func (Unauthorized) exchange(p *plan) {
	a := refuse(http.StatusUnauthorized, RefusalToken, "the access token has expired")
	p.answer(&a, false)
}

func (RefuseGrant) exchange(p *plan) {
	a := refuse(http.StatusBadRequest, RefusalGrant, "refused")
	p.answer(&a, false)
}

func (r Respond) exchange(p *plan) {
	or(&r.Status, http.StatusInternalServerError)
	a := answer{status: r.Status, header: http.Header{}}
	a.json(map[string]any{"error": "internal_error", "message": http.StatusText(r.Status)})
	if r.HTML {
		a.header.Set("Content-Type", "text/html; charset=utf-8")
		a.body = []byte("<html><head><title>" + strconv.Itoa(r.Status) + "</title></head><body><h1>emulated gateway</h1></body></html>\n")
	}
	if r.RetryAfter > 0 {
		a.header.Set("Retry-After", strconv.Itoa(int((r.RetryAfter+time.Second-1)/time.Second)))
	}
	p.answer(&a, r.After)
}

func (c Cut) exchange(p *plan) { p.cut, p.early = true, p.early || c.Early }

func (v Slow) exchange(p *plan) {
	if v.Early {
		p.before = &delay{v.By}
	} else {
		p.slow = &delay{v.By}
	}
}

func (t Truncate) exchange(p *plan) {
	p.garble = append(p.garble, func(a *answer) {
		n := t.Bytes
		if n <= 0 {
			n = len(a.body) / 2
		}
		n = min(n, len(a.body))
		if t.Clean && isNumber(a.body) {
			n = 0
		}
		if !t.Clean {
			a.declared = len(a.body)
		}
		a.body = a.body[:n]
	})
}

func isNumber(b []byte) bool { return len(b) > 0 && b[0] >= '0' && b[0] <= '9' }

func (Quote) exchange(p *plan) {
	p.garble = append(p.garble, func(a *answer) { a.body = []byte(`"` + string(a.body) + `"`) })
}

func (Newline) exchange(p *plan) {
	p.garble = append(p.garble, func(a *answer) { a.body = append(slices.Clone(a.body), '\n') })
}
