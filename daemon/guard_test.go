package daemon

import (
	"context"
	"slices"
	"testing"
	"time"

	"kassad/fiscal"
)

// seen is a printer that says what the test has put there.
type seen struct {
	archive
	status *fiscal.Status
	asked  *int
}

func (p seen) Status(context.Context) (fiscal.Status, error) { return *p.status, nil }

func (p seen) Info(context.Context) (fiscal.Info, error) {
	*p.asked++
	return fiscal.Info{Storage: p.status.FN.Serial}, nil
}

// watching is a worker whose printer is seen to be well.
func watching(t *testing.T, docs ...fiscal.ArchivedDocument) (*worker, *fiscal.Status, *int) {
	t.Helper()
	w := bareWorker(t, storedFN, docs...)
	st, asked := &fiscal.Status{FN: fiscal.FNStatus{Serial: storedFN}}, new(int)
	w.backend, w.onStatus = seen{w.backend.(archive), st, asked}, func(deviceView) {}
	return w, st, asked
}

func (w *worker) standingCodes() (codes []fiscal.Code) {
	for _, a := range w.alerts.list() {
		codes = append(codes, a.Code)
	}
	slices.Sort(codes)
	return codes
}

// Whatever a status says raises its alert, and the next status takes it back.
func TestEachConditionHasItsAlert(t *testing.T) {
	t.Parallel()
	clock := wallClock(time.Now())
	for code, change := range map[fiscal.Code]func(*fiscal.Status){
		fiscal.CodePaperOut:      condition(fiscal.CodePaperOut),
		fiscal.CodeCoverOpen:     condition(fiscal.CodeCoverOpen),
		fiscal.CodePrinterFault:  condition(fiscal.CodePrinterFault),
		fiscal.CodePrinterBusy:   condition(fiscal.CodePrinterBusy),
		fiscal.CodeShiftExpired:  condition(fiscal.CodeShiftExpired),
		fiscal.CodeClockWrong:    condition(fiscal.CodeClockWrong),
		fiscal.CodeFNFull:        condition(fiscal.CodeFNFull),
		fiscal.CodeFNExpired:     condition(fiscal.CodeFNExpired),
		fiscal.CodeFNMissing:     condition(fiscal.CodeFNMissing),
		fiscal.CodeFNFault:       condition(fiscal.CodeFNFault),
		fiscal.CodeFNNearlyFull:  func(st *fiscal.Status) { st.Warnings = []fiscal.Code{fiscal.CodeFNNearlyFull} },
		fiscal.CodeOFDOverdue:    func(st *fiscal.Status) { st.Warnings = []fiscal.Code{fiscal.CodeOFDOverdue} },
		fiscal.CodeFNExpiresSoon: func(st *fiscal.Status) { st.FN.DaysLeft = fnWarnDays - 1 },
		fiscal.CodeOFDBacklog:    func(st *fiscal.Status) { st.OFD.Unsent, st.OFD.Oldest = 1, clock.Add(-ofdWarnAge-time.Hour) },
		fiscal.CodeClockDrift:    func(st *fiscal.Status) { st.Clock = clock.Add(-clockAlert - time.Minute) },
		fiscal.CodeShiftExpiresSoon: func(st *fiscal.Status) {
			st.Clock, st.Shift = clock, fiscal.ShiftStatus{Open: true, ExpiresAt: clock.Add(30 * time.Minute)}
		},
		fiscal.CodeShiftClosed: nil,                                                                                         // the usual state of a closed shop
		"":                     func(st *fiscal.Status) { st.Clock, st.Shift.ExpiresAt = clock, clock.Add(30*time.Minute) }, // of a shift that is over
	} {
		w, st, _ := watching(t)
		var want []fiscal.Code
		if change == nil {
			condition(code)(st)
		} else if change(st); code != "" {
			want = []fiscal.Code{code}
		}
		if w.look(t.Context()); !slices.Equal(w.standingCodes(), want) {
			t.Errorf("%q: %v", code, w.standingCodes())
		}
		*st = fiscal.Status{FN: fiscal.FNStatus{Serial: storedFN}}
		if w.look(t.Context()); len(w.alerts.list()) > 0 {
			t.Errorf("%q stays: %v", code, w.standingCodes())
		}
	}
}

func condition(code fiscal.Code) func(*fiscal.Status) {
	return func(st *fiscal.Status) { st.Conditions = []fiscal.Code{code} }
}

// What any command waits for stands as an alert, wherever it is in the queue.
func TestAlertOfWhatWaits(t *testing.T) {
	t.Parallel()
	w, _, _ := watching(t)
	w.queue = []*item{
		{record: fiscal.Record{ID: "a", State: fiscal.Accepted}},
		{record: fiscal.Record{ID: "b", State: fiscal.Accepted, Waiting: fiscal.Refuse(fiscal.CodeNoCash, "", "")}},
	}
	if w.settleAlerts(); !slices.Equal(w.standingCodes(), []fiscal.Code{fiscal.CodeNoCash}) {
		t.Errorf("%v", w.standingCodes())
	}
}

// A storage that is put in while the daemon runs is introduced, and read back.
func TestExchangedStorageIsSeen(t *testing.T) {
	t.Parallel()
	const next = "9999078900000002"
	w, st, asked := watching(t, stored(1, ""), stored(2, ""))
	for _, fn := range []string{storedFN, storedFN, next} {
		st.FN = fiscal.FNStatus{Serial: fn, LastFD: 2}
		w.look(t.Context())
		if last, err := w.journal.lastFD(fn); err != nil || last != 2 || w.info == nil || w.info.Storage != fn {
			t.Errorf("%s: read to %d, it is %+v, %v", fn, last, w.info, err)
		}
	}
	if *asked != 2 {
		t.Errorf("asked %d times who it is", *asked)
	}
}

// An alert whose detail changes stands since it came, not since it changed.
func TestSinceWhenAnAlertStands(t *testing.T) {
	t.Parallel()
	var told []Alert
	b := newAlertBook(func(a Alert, _ bool) { told = append(told, a) })
	b.raise("front", fiscal.CodePaperOut, "a")
	b.raise("front", fiscal.CodePaperOut, "b")
	if len(told) != 2 || told[0].Since.IsZero() || !told[1].Since.Equal(told[0].Since) {
		t.Errorf("%+v", told)
	}
	b.clear("front", fiscal.CodePaperOut)
	if b.raise("front", fiscal.CodePaperOut, "a"); len(told) != 4 || told[3].Since.Equal(told[0].Since) {
		t.Errorf("%+v", told)
	}
}
