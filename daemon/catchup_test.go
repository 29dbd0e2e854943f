package daemon

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// archive is a device of which only the documents of its storage are asked.
type archive struct {
	fiscal.Backend
	docs map[uint32]fiscal.ArchivedDocument
}

func (a archive) ReadDocument(_ context.Context, fd uint32) (fiscal.ArchivedDocument, error) {
	doc, ok := a.docs[fd]
	if !ok {
		return doc, fiscal.Refuse(fiscal.CodeNotFound, "", "")
	}
	return doc, nil
}

// bareWorker is a worker of "front" over a journal, without a daemon.
func bareWorker(t *testing.T, fn string, docs ...fiscal.ArchivedDocument) *worker {
	t.Helper()
	a := archive{docs: map[uint32]fiscal.ArchivedDocument{}}
	for _, doc := range docs {
		a.docs[doc.FD] = doc
	}
	w := &worker{
		cfg: DeviceConfig{Name: "front"}, backend: a, journal: bareJournal(t, fn), log: slog.New(slog.DiscardHandler),
		alerts: newAlertBook(func(Alert, bool) {}), arrivals: newMailbox(), fail: func(err error) { t.Error(err) },
	}
	w.router = &router{workers: map[string]*worker{"front": w}}
	w.pulse = new(pulses).join("worker front")
	return w
}

// enter puts a command into the journal as it stands.
func (w *worker) enter(t *testing.T, r fiscal.Record) fiscal.Record {
	t.Helper()
	stands := r
	r.State = fiscal.Accepted
	r, _, err := w.journal.accept(r)
	if err == nil && stands.State != fiscal.Accepted {
		r.State, r.Tried, r.FinalAt = stands.State, stands.Tried, r.AcceptedAt
		r, err = w.journal.save(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func soldAt(j *journal, at time.Time) fiscal.Record {
	return fiscal.Record{
		ID: "a", Terminal: "till1", Verb: fiscal.VerbSale, Device: "front", Hash: "h", AcceptedAt: at, State: fiscal.Accepted,
		Document: fiscal.Document{ID: "a", Verb: fiscal.VerbSale, Kind: fiscal.Sale, Key: j.key("a"), At: at, Total: 1000},
	}
}

const storedFN = "9999078900000001"

// stored is a sale of 10 roubles in a storage; with a key it is that of "a".
func stored(fd uint32, key string) fiscal.ArchivedDocument {
	return fiscal.ArchivedDocument{FD: fd, Form: fiscal.FormReceipt, Kind: fiscal.Sale, Total: 1000, Key: key, At: time.Now(), Full: true}
}

// A storage that says less than the journal knows is not the one that it was:
// nothing is begun on it (design 5.9).
func TestStorageBehindTheJournal(t *testing.T) {
	t.Parallel()
	for last, code := range map[uint32]fiscal.Code{3: fiscal.CodeFNFault, 4: "", 0: fiscal.CodeFNFault} {
		w := bareWorker(t, storedFN)
		if _, err := w.journal.learn(storedFN, stored(4, "")); err != nil {
			t.Fatal(err)
		}
		ev := w.checked(t.Context(), soldAt(w.journal, time.Now()), fiscal.Baseline{Storage: storedFN, LastFD: last})
		switch {
		case code == "" && ev.Kind != fiscal.EventPrepared:
			t.Errorf("at %d: %v, %v", last, ev.Kind, ev.Err)
		case code != "" && (ev.Kind != fiscal.EventPrepareFail || ev.Err.Code != code):
			t.Errorf("at %d: %v, %v; want %s", last, ev.Kind, ev.Err, code)
		}
	}
}

// A document with the command's key is its answer, however often the command was
// begun before.
func TestKeyInTheStorageIsTheAnswer(t *testing.T) {
	t.Parallel()
	for attempt := range 3 {
		w := bareWorker(t, storedFN)
		r := soldAt(w.journal, time.Now())
		r.Attempt = attempt
		if _, err := w.journal.learn(storedFN, stored(4, r.Document.Key)); err != nil {
			t.Fatal(err)
		}
		ev := w.checked(t.Context(), r, fiscal.Baseline{Storage: storedFN, LastFD: 4})
		if ev.Kind != fiscal.EventRecovered || ev.Receipt.FD != 4 {
			t.Errorf("after %d attempts: %v, %+v", attempt, ev.Kind, ev.Receipt)
		}
	}
}

// A report of a shift that only a lost journal knew has no key: sent again, it is
// for a person where one stands that it may be.
func TestReportOfALostJournal(t *testing.T) {
	t.Parallel()
	settled := time.Now().Add(-time.Hour)
	report := func(fd uint32, form byte, at time.Time) fiscal.ArchivedDocument {
		return fiscal.ArchivedDocument{FD: fd, Form: form, At: wallClock(at), Full: true}
	}
	for name, c := range map[string]struct {
		verb    fiscal.Verb
		lost    time.Duration // after the command
		report  fiscal.ArchivedDocument
		already bool
		held    bool
	}{
		"closed since":              {fiscal.VerbShiftClose, time.Minute, report(4, fiscal.FormShiftClose, settled.Add(time.Second)), false, true},
		"opened since":              {fiscal.VerbShiftOpen, time.Minute, report(4, fiscal.FormShiftOpen, settled.Add(time.Second)), false, true},
		"closed, and not opened":    {fiscal.VerbShiftClose, time.Minute, report(4, fiscal.FormShiftClose, settled.Add(time.Second)), true, false},
		"closed before":             {fiscal.VerbShiftClose, time.Minute, report(4, fiscal.FormShiftClose, settled.Add(-time.Hour)), false, false},
		"the other report":          {fiscal.VerbShiftClose, time.Minute, report(4, fiscal.FormShiftOpen, settled.Add(time.Second)), false, false},
		"of after the loss":         {fiscal.VerbShiftClose, -time.Minute, report(4, fiscal.FormShiftClose, settled.Add(time.Second)), false, false},
		"a minute fast is no other": {fiscal.VerbShiftClose, time.Minute, report(4, fiscal.FormShiftClose, settled.Add(-time.Minute)), false, true},
		"none":                      {fiscal.VerbShiftClose, time.Minute, fiscal.ArchivedDocument{}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := bareWorker(t, storedFN, c.report)
			w.began = time.Now()
			if err := w.journal.rebuilt(settled.Add(c.lost)); err != nil {
				t.Fatal(err)
			}
			base := fiscal.Baseline{Storage: storedFN, LastFD: c.report.FD}
			if c.already {
				base.Already = &fiscal.Receipt{Kind: string(c.verb)}
			}
			r := fiscal.Record{ID: "a", Verb: c.verb, Device: "front", Document: fiscal.Document{Verb: c.verb, Key: w.journal.key("a"), At: settled}}
			ev := w.checked(t.Context(), r, base)
			if held := ev.Kind == fiscal.EventHeld && ev.Err.Code == fiscal.CodeClosedByOther; held != c.held || !held && ev.Kind != fiscal.EventPrepared {
				t.Errorf("%v, %v", ev.Kind, ev.Err)
			}
			r.Approved = true
			if ev := w.checked(t.Context(), r, base); ev.Kind != fiscal.EventPrepared {
				t.Errorf("a person says so: %v, %v", ev.Kind, ev.Err)
			}
		})
	}
}

// An attempt on a printer was given up, and its document turns up when the
// storage is read back: it is late, and told of.
func TestLateDocumentOfAPrinter(t *testing.T) {
	t.Parallel()
	made := stored(5, "")
	w := bareWorker(t, storedFN, made)
	r := soldAt(w.journal, time.Now())
	r.State = fiscal.Abandoned
	r.Tried = []fiscal.Leg{{Device: "front", Key: r.Document.Key, Code: fiscal.CodeNeedsPerson, At: time.Now(), Baseline: &fiscal.Baseline{Storage: storedFN, LastFD: 4}}}
	w.enter(t, r)
	made.Key = r.Document.Key
	w.backend.(archive).docs[5] = made
	if _, err := w.journal.learn(storedFN, stored(4, "")); err != nil {
		t.Fatal(err)
	}
	// The worker was at the device when the person spoke: its copy does not know.
	stale := r
	stale.State, stale.Baseline = fiscal.Held, r.Tried[0].Baseline
	w.queue = []*item{{record: stale}}
	if err := w.catchUp(t.Context(), storedFN, 5); err != nil {
		t.Fatal(err)
	}
	r, _, err := w.journal.byID("a")
	if err != nil || r.State != fiscal.Abandoned || len(r.Late) != 1 || r.Late[0].FD != 5 || !r.Doubled() {
		t.Errorf("%s, late %+v, %v", r.State, r.Late, err)
	}
}

// reopened is a printer whose shift is closed again, and that tells of the report
// it is asked for.
type reopened struct {
	archive
	verdict fiscal.Verdict
}

func (p reopened) Prepare(context.Context, fiscal.Document) (fiscal.Baseline, error) {
	return fiscal.Baseline{Device: "1", Storage: storedFN, LastFD: 6}, nil
}

func (p reopened) Find(context.Context, fiscal.Ref) (fiscal.Verdict, error) { return p.verdict, nil }

// The answer to a shift-open was lost, a person retries it, and the shift has been
// closed since: the report that it has made is its answer, not a second one.
func TestRetriedShiftReportIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	made := fiscal.Receipt{Kind: "shift-open", Storage: storedFN, FD: 5}
	other := made
	other.By = "other"
	for name, c := range map[string]struct {
		verdict fiscal.Verdict
		owner   string
		want    fiscal.EventKind
	}{
		"made":                   {fiscal.Verdict{Finding: fiscal.Made, Receipt: made}, "", fiscal.EventRecovered},
		"made by somebody else":  {fiscal.Verdict{Finding: fiscal.Made, Receipt: other}, "", fiscal.EventPrepared},
		"that of another":        {fiscal.Verdict{Finding: fiscal.Made, Receipt: made}, "b", fiscal.EventPrepared},
		"not made":               {fiscal.Verdict{Finding: fiscal.Absent}, "", fiscal.EventPrepared},
		"another storage is now": {fiscal.Verdict{Finding: fiscal.OtherStorage}, "", fiscal.EventPrepared},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := bareWorker(t, storedFN)
			w.backend = reopened{w.backend.(archive), c.verdict}
			w.paused = func() (fiscal.Code, bool) { return "", false }
			err := w.journal.spool.Update(func(tx *spool.Tx) error {
				return tx.PutDocument(spool.Entry{FN: storedFN, FD: 5, Form: fiscal.FormShiftOpen, RecordID: c.owner})
			})
			if err == nil {
				_, err = w.journal.learn(storedFN, fiscal.ArchivedDocument{FD: 6, Form: fiscal.FormShiftClose})
			}
			if err != nil {
				t.Fatal(err)
			}
			r := fiscal.Record{ID: "a", Verb: fiscal.VerbShiftOpen, Device: "front", State: fiscal.Accepted, Approved: true}
			r.Document = fiscal.Document{ID: "a", Verb: r.Verb, At: time.Now()}
			r.Tried = []fiscal.Leg{{Device: "front", At: time.Now(), Baseline: &fiscal.Baseline{Storage: storedFN, LastFD: 4}}}
			if ev := w.prepare(t.Context(), r); ev.Kind != c.want {
				t.Errorf("%v, %v; want %v", ev.Kind, ev.Err, c.want)
			}
		})
	}
}
