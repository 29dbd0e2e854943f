package daemon

import (
	"context"
	"testing"
	"time"

	"kassad/fiscal"
)

// What is held for a device that did not answer is asked about from the first turn
// of a start on.
func TestHeldIsAskedAfterAStart(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	r := soldAt(w.journal, time.Now())
	r.State = fiscal.Held
	w.enter(t, r)
	if err := w.load(); err != nil {
		t.Fatal(err)
	}
	if it := w.next(time.Now()); it == nil || it.record.ID != "a" {
		t.Errorf("next is %+v", it)
	}
}

// What has ended, or is another backend's now, is in nobody's hands here.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	for seq, r := range []fiscal.Record{
		{Device: "front", State: fiscal.Accepted}, {Device: "second", State: fiscal.Accepted},
		{Device: "front", State: fiscal.Done}, {Device: "front", State: fiscal.Held},
	} {
		r.Seq = uint64(seq)
		w.queue = append(w.queue, &item{record: r, due: time.Now().Add(time.Hour)})
	}
	w.sweep()
	if len(w.queue) != 2 || w.queue[0].record.Seq != 0 || w.queue[1].record.Seq != 3 {
		t.Errorf("%d are left", len(w.queue))
	}
	if now := time.Now(); w.queue[0].due.After(now) || !w.queue[1].due.After(now) {
		t.Error("an end wakes what waits for a condition, and nothing else")
	}
}

// A record that was only noted upon while the device worked takes the device's
// answer all the same.
func TestAnswerOfANotedRecord(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	r := w.enter(t, soldAt(w.journal, time.Now()))
	r.State, r.Attempt, r.Baseline = fiscal.Working, 1, &fiscal.Baseline{Storage: storedFN, LastFD: 2}
	r, err := w.journal.save(r)
	if err != nil {
		t.Fatal(err)
	}
	it := &item{record: r, last: time.Now()}
	noted := r
	noted.Late = []fiscal.Receipt{{Kind: "sale", Device: "cloud", Ticket: "t", Total: 1000}}
	if _, err := w.journal.save(noted); err != nil {
		t.Fatal(err)
	}
	made := fiscal.Receipt{Kind: "sale", Storage: storedFN, FD: 3, Sign: 1, Total: 1000, Key: r.Document.Key}
	if err := w.drive(t.Context(), it, fiscal.Event{Kind: fiscal.EventSubmitted, Receipt: made}); err != nil {
		t.Fatal(err)
	}
	r, _, err = w.journal.byID("a")
	if err != nil || r.State != fiscal.Done || r.Receipt == nil || r.Receipt.FD != 3 || len(r.Late) != 1 {
		t.Errorf("%s, %+v, late %+v, %v", r.State, r.Receipt, r.Late, err)
	}
}

// Owed paper is owed until the device has printed a document, and what was told
// once stands until a shift is closed.
func TestAlertsThatAnEndTakesBack(t *testing.T) {
	t.Parallel()
	ended := func(verb fiscal.Verb, state fiscal.State, rc *fiscal.Receipt) fiscal.Record {
		return fiscal.Record{ID: "a", Verb: verb, State: state, Receipt: rc}
	}
	printed, owed := &fiscal.Receipt{Kind: "sale"}, &fiscal.Receipt{Kind: "sale", Unprinted: true}
	for name, c := range map[string]struct {
		r           fiscal.Record
		owed, notes bool
	}{
		"a printed receipt":   {ended(fiscal.VerbSale, fiscal.Done, printed), false, true},
		"one without paper":   {ended(fiscal.VerbSale, fiscal.Done, owed), true, true},
		"a refused receipt":   {ended(fiscal.VerbSale, fiscal.Rejected, nil), true, true},
		"a closed shift":      {ended(fiscal.VerbShiftClose, fiscal.Done, printed), false, false},
		"a shift not closed":  {ended(fiscal.VerbShiftClose, fiscal.Rejected, nil), true, true},
		"an opened shift":     {ended(fiscal.VerbShiftOpen, fiscal.Done, printed), false, true},
		"a close without one": {ended(fiscal.VerbShiftClose, fiscal.Done, owed), true, false},
	} {
		w := bareWorker(t, storedFN)
		w.alerts.raise("front", fiscal.CodePaperOwed, "before")
		w.alerts.raise("front", fiscal.CodeForeignDocument, "before")
		w.afterDocument(t.Context(), c.r)
		stands := map[fiscal.Code]bool{}
		for _, a := range w.alerts.list() {
			stands[a.Code] = true
		}
		if stands[fiscal.CodePaperOwed] != c.owed || stands[fiscal.CodeForeignDocument] != c.notes {
			t.Errorf("%s: %v", name, stands)
		}
	}
}

// An automatic document that is in hand already is not taken into hand twice.
func TestAutomaticDocumentInHand(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	r := soldAt(w.journal, time.Now())
	r.Terminal = ""
	first, err := w.accept(r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.accept(r); err != nil || again != first || len(w.queue) != 1 {
		t.Errorf("%d in hand, %v", len(w.queue), err)
	}
}

// A terminal may give its command the id of an automatic document: that is neither
// taken into hand here, where it may be another device's, nor for a closed shift.
func TestIDOfAnAutomaticDocument(t *testing.T) {
	t.Parallel()
	const id = "auto-close-" + storedFN + "-2"
	w := bareWorker(t, storedFN)
	theirs := soldAt(w.journal, time.Now())
	theirs.ID, theirs.Document.ID, theirs.Document.Key, theirs.Device = id, id, w.journal.key(id), "second"
	theirs = w.enter(t, theirs)
	if w.automatic(t.Context(), fiscal.VerbShiftClose, id, soldAt(w.journal, time.Now())) || len(w.queue) > 0 {
		t.Errorf("%d in hand", len(w.queue))
	}
	theirs.State, theirs.FinalAt = fiscal.Done, time.Now()
	theirs.Receipt = &fiscal.Receipt{Kind: "sale", Storage: "9999078900000002", FD: 3, Total: 1000}
	if _, err := w.journal.save(theirs); err != nil {
		t.Fatal(err)
	}
	if w.automatic(t.Context(), fiscal.VerbShiftClose, id, soldAt(w.journal, time.Now())) || w.closedByUs(id) {
		t.Error("a sale is taken for the close of a shift")
	}
}

// Whatever is in doubt blocks the documents of its device: a movement of cash, or
// the report of a shift, like a receipt.
func TestEveryDoubtBlocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, verb := range []fiscal.Verb{fiscal.VerbSale, fiscal.VerbCashIn, fiscal.VerbCashOut, fiscal.VerbShiftOpen, fiscal.VerbShiftClose} {
		for _, first := range []bool{true, false} {
			w := bareWorker(t, storedFN)
			doubt := &item{record: fiscal.Record{Seq: 1, Device: "front", Verb: verb, State: fiscal.Unknown}, due: now.Add(time.Hour)}
			sale := &item{record: fiscal.Record{Seq: 2, Device: "front", Verb: fiscal.VerbSale, State: fiscal.Accepted}}
			if w.queue = []*item{doubt, sale}; !first {
				w.queue = []*item{sale, doubt}
			}
			if it := w.next(now); it != nil {
				t.Errorf("%s in doubt, before the sale: %v: %s goes", verb, first, it.record.Verb)
			}
			if doubt.due = now; w.next(now) != doubt {
				t.Errorf("%s in doubt is not asked about", verb)
			}
		}
	}
}

// A person's word ends a command, and is no sign that its service works.
func TestWhatHealsAService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    fiscal.Record
		well bool
	}{
		"it has called back": {fiscal.Record{Device: "cloud", State: fiscal.Done}, true},
		"it has taken one":   {fiscal.Record{Device: "cloud", State: fiscal.Registered}, true},
		"a person says done": {fiscal.Record{Device: "cloud", State: fiscal.Done, Resolved: &fiscal.Resolution{}}, false},
		"another's":          {fiscal.Record{Device: "front", State: fiscal.Done}, false},
		"it was given up":    {fiscal.Record{Device: "cloud", State: fiscal.Abandoned, Resolved: &fiscal.Resolution{}}, false},
		"taken back":         {fiscal.Record{Device: "cloud", State: fiscal.Cancelled}, false},
	} {
		w := &worker{cfg: DeviceConfig{Name: "cloud"}, cloud: picky{}}
		w.fit.failed(time.Now(), fiscal.CodeCloudAway, true, breakMax)
		w.hearsay(c.r)
		if ill, _ := w.fit.ill(time.Now()); (ill == 0) != c.well {
			t.Errorf("%s: ill for %v", name, ill)
		}
	}
}

// If the storage failed in the middle of a document, what is open then is that one,
// also when a person is asked about it: nothing else waits for a stranger.
func TestWhoseReceiptAfterAFault(t *testing.T) {
	t.Parallel()
	for _, state := range []fiscal.State{fiscal.Unknown, fiscal.Held} {
		w := bareWorker(t, storedFN)
		w.queue = []*item{{record: fiscal.Record{
			ID: "a", State: state, Baseline: &fiscal.Baseline{}, Error: fiscal.Refuse(fiscal.CodeFNFault, "", ""),
		}}}
		if err := w.whose(fiscal.Refuse(fiscal.CodeForeignReceipt, "", "")); fiscal.AsError(err, "").Code != fiscal.CodeFNFault {
			t.Errorf("%s: %v", state, err)
		}
	}
}

// Two commands claim one document: the second is held, and has none.
func TestTwoClaimsOfOneDocument(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	made := fiscal.Receipt{Kind: "sale", Storage: storedFN, FD: 3, Sign: 7, Total: 1000}
	first := w.enter(t, soldAt(w.journal, time.Now()))
	first.State, first.FinalAt, first.Receipt = fiscal.Done, time.Now(), &made
	if _, err := w.journal.save(first); err != nil {
		t.Fatal(err)
	}
	second := soldAt(w.journal, time.Now())
	second.ID, second.Document.ID, second.Document.Key = "b", "b", w.journal.key("b")
	second = w.enter(t, second)
	second.State, second.Baseline = fiscal.Working, &fiscal.Baseline{Storage: storedFN, LastFD: 2}
	second, err := w.journal.save(second)
	if err != nil {
		t.Fatal(err)
	}
	it := &item{record: second, last: time.Now()}
	if err := w.drive(t.Context(), it, fiscal.Event{Kind: fiscal.EventSubmitted, Receipt: made}); err != nil {
		t.Fatal(err)
	}
	r, _, err := w.journal.byID("b")
	if err != nil || r.State != fiscal.Held || r.Receipt != nil || r.Error == nil || r.Error.Code != fiscal.CodeClosedByOther || !r.FinalAt.IsZero() {
		t.Errorf("%s, %+v, %v, %v", r.State, r.Receipt, r.Error, err)
	}
}

// shiftAt is a printer that says how its shift stands.
type shiftAt struct {
	archive
	shift fiscal.ShiftStatus
}

func (p shiftAt) Status(context.Context) (fiscal.Status, error) {
	return fiscal.Status{FN: fiscal.FNStatus{Serial: storedFN, LastFD: 3}, Shift: p.shift}, nil
}

// A shift that somebody has closed and opened since a receipt was refused is not
// closed again.
func TestShiftThatIsHealed(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	w.cfg.AutoShift = true
	w.backend = shiftAt{w.backend.(archive), fiscal.ShiftStatus{Open: true, Number: 2}}
	r := soldAt(w.journal, time.Now())
	if !w.healShift(t.Context(), r, fiscal.Refuse(fiscal.CodeShiftExpired, "", "")) {
		t.Error("the receipt is not tried again")
	}
	if _, found, err := w.journal.byID("auto-close-" + storedFN + "-2"); found || err != nil || len(w.queue) > 0 {
		t.Errorf("a shift of today is closed: %v, %v", found, err)
	}
}

func (p shiftAt) Prepare(context.Context, fiscal.Document) (fiscal.Baseline, error) {
	return fiscal.Baseline{}, fiscal.Refuse(fiscal.CodePaperOut, "", "")
}

func (p shiftAt) Counters(context.Context) (fiscal.Counters, error) {
	return fiscal.Counters{Shift: 2, Receipts: 7, Documents: 8}, nil
}

// A shift that is over is closed for every kind of receipt, and for nothing else.
func TestWhatHealsAShift(t *testing.T) {
	t.Parallel()
	for verb, heals := range map[fiscal.Verb]bool{
		fiscal.VerbSale: true, fiscal.VerbRefund: true, fiscal.VerbBuy: true, fiscal.VerbBuyRefund: true, fiscal.VerbCorrection: true,
		fiscal.VerbCashIn: false, fiscal.VerbShiftOpen: false,
	} {
		w := bareWorker(t, storedFN)
		w.cfg.AutoShift, w.policy = true, fiscal.DefaultPolicy()
		w.paused = func() (fiscal.Code, bool) { return "", false }
		w.backend = shiftAt{w.backend.(archive), fiscal.ShiftStatus{Open: true, Expired: true, Number: 2}}
		r := soldAt(w.journal, time.Now())
		r.Verb = verb
		if w.healShift(t.Context(), r, fiscal.Refuse(fiscal.CodeShiftExpired, "", "")) {
			t.Errorf("%s: it is healed without paper", verb)
		}
		r, found, err := w.journal.byID("auto-close-" + storedFN + "-2")
		if err != nil || found != heals || found && (r.Verb != fiscal.VerbShiftClose || r.State != fiscal.Accepted) {
			t.Errorf("%s: %+v, %v", verb, r, err)
		}
	}
}

// The figures of an X report are compared with the journal's, and it is told where
// they differ.
func TestFiguresOfAnXReport(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	w.backend = shiftAt{w.backend.(archive), fiscal.ShiftStatus{}}
	w.view.Status.FN.Serial = storedFN
	c, err := w.counters(t.Context())
	if err != nil || c.Journal == nil || c.Journal.Agrees || len(w.alerts.list()) != 1 || w.alerts.list()[0].Code != fiscal.CodeCountersDiffer {
		t.Errorf("%+v, %v, %v", c, w.alerts.list(), err)
	}
}

// A command is sent on to a backend that can make it now, past one that cannot.
func TestSentOnPastTheSick(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sells := map[fiscal.Verb]bool{fiscal.VerbSale: true}
	r := &router{workers: map[string]*worker{}, alerts: newAlertBook(func(Alert, bool) {}), info: func(string) *fiscal.Info { return nil }}
	for _, name := range []string{"front", "back", "third"} {
		r.workers[name] = &worker{cfg: DeviceConfig{Name: name}, can: sells}
	}
	r.routes = map[string]RouteConfig{DefaultRoute: {Name: DefaultRoute, Backends: []string{"front", "back", "third"}}}
	r.workers["back"].fit.stands(now, fiscal.CodePaperOut)
	rec := fiscal.Record{Route: DefaultRoute, Device: "front", Verb: fiscal.VerbSale}
	if to, refusal := r.next(rec, time.Hour, now); to != "third" || refusal != nil {
		t.Errorf("to %q, %v", to, refusal)
	}
	r.workers["third"].fit.failed(now, fiscal.CodePrinterFault, true, breakFirst)
	if to, refusal := r.next(rec, time.Hour, now); to != "" || refusal != nil {
		t.Errorf("all are ill: to %q, %v", to, refusal)
	}
}

// Terminals use the links of the shop: what comes by the head office's is refused,
// whoever it says to be.
func TestWhoMaySell(t *testing.T) {
	t.Parallel()
	some := map[string]TerminalConfig{"till1": {Rights: []string{"sale"}}}
	for _, c := range []struct {
		terminals map[string]TerminalConfig
		role      string
		open      bool
		terminal  string
		verb      fiscal.Verb
		code      fiscal.Code
	}{
		{nil, RoleShop, true, "till1", fiscal.VerbSale, ""}, {nil, RoleShop, false, "till1", fiscal.VerbSale, fiscal.CodeUnknownTerminal},
		{nil, RoleOffice, true, "till1", fiscal.VerbSale, fiscal.CodeNoRight}, {some, RoleOffice, false, "till1", fiscal.VerbSale, fiscal.CodeNoRight},
		{some, RoleShop, true, "till1", fiscal.VerbSale, ""}, {some, RoleShop, true, "till1", fiscal.VerbRefund, fiscal.CodeNoRight},
		{some, RoleShop, true, "till1", fiscal.VerbQuery, ""}, {some, RoleShop, true, "till2", fiscal.VerbQuery, fiscal.CodeUnknownTerminal},
		{some, RoleShop, true, "till1", "frobnicate", fiscal.CodeUnknownVerb},
	} {
		k := &desk{d: &Daemon{cfg: Config{Terminals: c.terminals}}, s: &station{open: c.open}}
		k.s.role = c.role
		code := fiscal.Code("")
		if refusal := k.mayUse(c.terminal, string(c.verb)); refusal != nil {
			code = refusal.Code
		}
		if code != c.code {
			t.Errorf("%+v: %q", c, code)
		}
	}
}
