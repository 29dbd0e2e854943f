package daemon

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// A command that comes again by another link is answered there from then on.
func TestRepeatByAnotherLink(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	r := soldAt(j, time.Now())
	r.Links = []string{"shop"}
	if _, _, err := j.accept(r); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, found, err := j.heard("a", "second"); err != nil || !found || !slices.Equal(r.Links, []string{"shop", "second"}) {
			t.Fatalf("%v, %v, %v", r.Links, found, err)
		}
	}
	r, err := j.cancel("a", "till1", time.Now())
	if err != nil || !slices.Equal(r.Links, []string{"shop", "second"}) {
		t.Fatalf("%v, %v", r.Links, err)
	}
	for link, want := range map[string]int{"shop": 2, "second": 1} { // accepted, and the end
		var out []spool.Message
		err := j.spool.View(func(tx *spool.Tx) (err error) { out, err = tx.Outbox(link, 0, 10); return err })
		if err != nil || len(out) != want {
			t.Errorf("%d messages by %s, want %d, %v", len(out), link, want, err)
		}
	}
}

// Each end of a document has its stream; prints have none.
func TestEventClasses(t *testing.T) {
	t.Parallel()
	for verb, want := range map[fiscal.Verb]string{
		fiscal.VerbSale: "receipt", fiscal.VerbRefund: "receipt", fiscal.VerbBuy: "receipt", fiscal.VerbBuyRefund: "receipt",
		fiscal.VerbCorrection: "receipt", fiscal.VerbShiftOpen: "shift", fiscal.VerbShiftClose: "shift",
		fiscal.VerbCashIn: "cash", fiscal.VerbCashOut: "cash", fiscal.VerbXReport: "", fiscal.VerbText: "", fiscal.VerbDrawer: "", fiscal.VerbCopy: "",
	} {
		if got := eventClass(verb); got != want {
			t.Errorf("%s: %q", verb, got)
		}
	}
}

// A form of strict accountability is a receipt like any other, and its correction a
// correction.
func TestFormsThatAreReadBack(t *testing.T) {
	t.Parallel()
	for form, want := range map[byte]struct{ foreign, correction bool }{
		fiscal.FormReceipt: {true, false}, fiscal.FormBSO: {true, false},
		fiscal.FormCorrection: {true, true}, fiscal.FormBSOCorrect: {true, true},
		fiscal.FormShiftOpen: {}, fiscal.FormShiftClose: {}, fiscal.FormRegistration: {},
	} {
		j := bareJournal(t, storedFN)
		doc := stored(4, "")
		doc.Form = form
		foreign, err := j.learn(storedFN, doc)
		if err != nil || foreign != want.foreign {
			t.Errorf("form %d is foreign: %v, %v", form, foreign, err)
		}
		err = j.spool.View(func(tx *spool.Tx) error {
			if e, found, err := tx.Document(storedFN, 4); err != nil || !found || e.Correction != want.correction {
				t.Errorf("form %d: %+v, %v", form, e, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A document with the key of another command, be it one that the journal has lost,
// is not what a command without a document has made.
func TestKeyedIsNotUnclaimed(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	if _, err := j.learn(storedFN, stored(4, j.key("lost"))); err != nil {
		t.Fatal(err)
	}
	r := soldAt(j, time.Now().Add(-time.Hour))
	if fd, err := j.unclaimed(storedFN, r.Document, time.Time{}); fd != 0 || err != nil {
		t.Errorf("document %d, %v", fd, err)
	}
}

// Nobody takes back what another terminal has sent.
func TestCancelOfAnothersCommand(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	if _, _, err := j.accept(soldAt(j, time.Now())); err != nil {
		t.Fatal(err)
	}
	if _, err := j.cancel("a", "till2", time.Now()); fiscal.AsError(err, "").Code != fiscal.CodeNoRight {
		t.Errorf("%v", err)
	}
	if r, _, err := j.byID("a"); err != nil || r.State != fiscal.Accepted {
		t.Errorf("%s, %v", r.State, err)
	}
}

// Who has been told of a late document decides beside it: it is no news that would
// change his word.
func TestDecisionBesideALateDocument(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	r, _, err := j.accept(soldAt(j, time.Now()))
	if err == nil {
		r.State, r.Error = fiscal.Held, fiscal.Refuse(fiscal.CodeCloudFailed, "", "")
		r.Device, r.Baseline = "cloud", &fiscal.Baseline{Device: "cloud", Cloud: &fiscal.CloudCall{Key: "k"}}
		r.Late = []fiscal.Receipt{{Kind: "sale", Device: "front", Storage: storedFN, FD: 3, Sign: 7, Total: 1000, Key: r.Document.Key}}
		_, err = j.save(r)
	}
	if err == nil {
		_, err = j.learn(storedFN, stored(3, r.Document.Key))
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err = j.resolve("a", fiscal.Resolution{Action: fiscal.ResolveGiveUp, By: "ivanov", At: time.Now()})
	if err != nil || r.State != fiscal.Abandoned || !r.Doubled() {
		t.Errorf("%s, %v", r.State, err)
	}
}

// What a service says by itself is weighed with that service's own schedule.
func TestScheduleOfWhoTells(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	j.policies = map[string]fiscal.Policy{
		"cloud": {Cloud: fiscal.CloudPolicy{Overdue: time.Hour}}, "front": {Cloud: fiscal.CloudPolicy{Overdue: time.Minute}},
	}
	r, _, err := j.accept(soldAt(j, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	r, err = j.hear("a", "cloud", "k", fiscal.Verdict{Finding: fiscal.Pending, Receipt: fiscal.Receipt{Ticket: "t"}})
	if err != nil || r.State != fiscal.Registered || r.Device != "cloud" || r.DoubtLeft != time.Hour {
		t.Errorf("%s at %s, overdue in %v, %v", r.State, r.Device, r.DoubtLeft, err)
	}
}

// A new journal knows what was made once every printer was read, not one of them.
func TestEachPrinterIsRead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	j := bareJournal(t, storedFN)
	j.printers = []string{"front", "second"}
	j.info = func(device string) *fiscal.Info {
		return map[string]*fiscal.Info{"front": {Storage: "1"}, "second": {Storage: "2"}}[device]
	}
	if err := j.mark(metaBegun, now.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ read, left string }{{"", "front"}, {"1", "second"}, {"2", ""}} {
		if step.read != "" {
			if err := j.searched(step.read, now); err != nil {
				t.Fatal(err)
			}
		}
		if left, err := j.unread(now.Add(-time.Hour)); err != nil || left != step.left {
			t.Errorf("after %q: %q is not read, want %q, %v", step.read, left, step.left, err)
		}
	}
}

// A late document is that of the backend that has made it.
func TestWhoseLateDocument(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	d := silent(j)
	d.told(fiscal.Record{
		ID: "a", Terminal: "till1", Verb: fiscal.VerbSale, Device: "cloud", State: fiscal.Done, FinalAt: time.Now(),
		Receipt: &fiscal.Receipt{Kind: "sale", Device: "cloud", Ticket: "t"}, Late: []fiscal.Receipt{{Kind: "sale", Device: "front", Storage: storedFN, FD: 3}},
	})
	if list := d.alerts.list(); len(list) != 1 || list[0].Device != "front" || list[0].Code != fiscal.CodeLateDocument {
		t.Errorf("%+v", list)
	}
}

// A rival that goes offline is none any more.
func TestRivalLeaves(t *testing.T) {
	t.Parallel()
	r := newRivals("own", newAlertBook(func(Alert, bool) {}))
	r.observe("other", true, "shop")
	if _, stopped := r.paused(); !stopped {
		t.Error("it is not seen")
	}
	r.observe("other", false, "shop")
	if _, stopped := r.paused(); stopped {
		t.Error("it has left, and documents do not begin")
	}
}

// A shift without a number is none: nothing is compared, and nobody is alarmed.
func TestFiguresOfNoShift(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	doc := stored(4, "")
	doc.Shift = 0
	if _, err := w.journal.learn(storedFN, doc); err != nil {
		t.Fatal(err)
	}
	c := fiscal.Counters{Documents: 7, CashIn: &fiscal.Tally{Count: 1, Total: 5}}
	if w.compare(storedFN, &c); c.Journal != nil || len(w.alerts.list()) > 0 {
		t.Errorf("%+v, %v", c.Journal, w.alerts.list())
	}
}

// One alert names every link that is down, and goes with the last that comes back.
func TestLinksThatAreAway(t *testing.T) {
	t.Parallel()
	d := silent(bareJournal(t, storedFN))
	for i, c := range []struct {
		name   string
		away   bool
		detail string
	}{{"shop", true, "shop"}, {"office", true, "office, shop"}, {"shop", false, "office"}, {"shop", false, "office"}, {"office", false, ""}, {"shop", true, "shop"}} {
		d.linkAway(c.name, c.away)
		detail := ""
		for _, a := range d.alerts.list() {
			detail = a.Detail
		}
		if detail != c.detail {
			t.Errorf("step %d: %q, want %q", i, detail, c.detail)
		}
	}
}

// A decision that a document elsewhere settles a command names the document.
func TestDecisionNamesItsDocument(t *testing.T) {
	t.Parallel()
	for action, needs := range map[fiscal.Action]bool{
		fiscal.ResolveDoneElsewhere: true, fiscal.ResolveAsCorrection: true, fiscal.ResolveGiveUp: false, fiscal.ResolveRetry: false,
	} {
		d := silent(bareJournal(t, storedFN))
		_, err := d.resolve("ivanov", fmt.Appendf(nil, `{"id":"a","action":%q}`, action))
		if refusal := fiscal.AsError(err, ""); (refusal.Field == "fd") != needs || !needs && refusal.Code != fiscal.CodeNotFound {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// The topic of an alert is new once, however often the alert comes.
func TestTopicOfAnAlertIsNewOnce(t *testing.T) {
	t.Parallel()
	o := oldAlerts{topics: map[string]bool{}}
	for i, want := range []bool{true, false, false, false} {
		if got := o.enter("topic"); got != want {
			t.Errorf("time %d: %v", i, got)
		}
	}
	if o.leave("topic"); !o.enter("topic") {
		t.Error("it was not stored, and is not tried again")
	}
}
