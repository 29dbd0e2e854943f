package daemon

import (
	"context"
	"slices"
	"time"

	"kassad/fiscal"
)

// away is the code of a backend that does not answer.
func (w *worker) away() fiscal.Code {
	if w.cloud != nil {
		return fiscal.CodeCloudAway
	}
	return fiscal.CodePrinterAway
}

// prepareCloud renders the request. A command that may have been carried out
// on a printer by a journal that was lost since is for a person: no printer is
// searched on this way (design 5.9).
func (w *worker) prepareCloud(ctx context.Context, r fiscal.Record) fiscal.Event {
	lost, err := w.journal.lossAt()
	if err != nil {
		w.fail(err)
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodeStoreFault)}
	}
	if r.Document.At.Before(lost) && !r.Approved {
		return fiscal.Event{Kind: fiscal.EventHeld, Err: fiscal.Refuse(fiscal.CodeNeedsPerson, "at", "the journal of that time was lost")}
	}
	if ev, known := w.byKey(r, ""); known { // a printer of the route has made it
		return ev
	}
	doubt, err := w.elsewhere(r)
	if err != nil {
		w.fail(err)
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodeStoreFault)}
	}
	if ev, doubtful := doubted(r, doubt); doubtful {
		return ev
	}
	base, err := w.backend.Prepare(ctx, r.Document)
	if err != nil {
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodeUnsupported)}
	}
	return fiscal.Event{Kind: fiscal.EventPrepared, Baseline: base}
}

// reload tells the service to try a failed document once more.
func (w *worker) reload(ctx context.Context, r fiscal.Record) fiscal.Event {
	reloader, ok := w.backend.(fiscal.Reloader)
	if !ok {
		return fiscal.Event{Kind: fiscal.EventReloaded, Err: fiscal.Refuse(fiscal.CodeUnsupported, "", w.cfg.Name+" has no reload")}
	}
	err := reloader.Reload(ctx, fiscal.Ref{Document: r.Document, Baseline: *r.Baseline, Ticket: r.Ticket})
	if err != nil {
		return fiscal.Event{Kind: fiscal.EventReloaded, Err: fiscal.AsError(err, fiscal.CodeCloudAway)}
	}
	w.log.Info("the service was told to try again", "device", w.cfg.Name, "id", r.ID, "ticket", r.Ticket)
	return fiscal.Event{Kind: fiscal.EventReloaded}
}

// hearsay learns from what others have done with a record of this cloud: a
// callback shows that the service works, and a person wants no pause.
func (w *worker) hearsay(r fiscal.Record) {
	switch {
	case w.cloud == nil || r.Device != w.cfg.Name:
	case r.State == fiscal.Registered, r.State == fiscal.Done && r.Resolved == nil:
		w.fit.worked()
	case r.Approved && r.State == fiscal.Accepted:
		w.fit.retry()
	}
}

// tellResting lets who waits for the breaker's pause know what it waits for.
func (w *worker) tellResting(ctx context.Context) error {
	if w.cloud == nil || w.fit.rest(time.Now()) == 0 {
		return nil
	}
	why := fiscal.Refuse(fiscal.CodeCloudAway, "", "the service is left alone for a while after a failure")
	for _, it := range slices.Clone(w.queue) {
		if r := &it.record; r.State != fiscal.Accepted || r.Waiting != nil {
			continue
		}
		if err := w.drive(ctx, it, fiscal.Event{Kind: fiscal.EventPrepareFail, Err: why}); err != nil {
			return err
		}
	}
	return nil
}

// judge learns from an answer whether documents can be made here.
func (w *worker) judge(ev fiscal.Event) {
	now := time.Now()
	switch ev.Kind {
	case fiscal.EventPrepared:
		switch { // a condition may show no sooner than at the close, and a cloud has not been asked
		case ev.Baseline.Already != nil:
			w.fit.worked()
		case w.cloud == nil:
			w.fit.prepared()
		}
	case fiscal.EventSubmitted, fiscal.EventRecovered:
		w.fit.worked()
	case fiscal.EventVerdict:
		if f := ev.Verdict.Finding; f == fiscal.Made || f == fiscal.Pending || f == fiscal.Failed {
			w.fit.worked()
		}
	case fiscal.EventPrepareFail, fiscal.EventSubmitFail, fiscal.EventFindFail, fiscal.EventReloaded:
		begun := ev.Kind != fiscal.EventPrepareFail
		switch {
		case ev.Err == nil:
			w.fit.worked()
		case ev.Err.Outcome == fiscal.OutcomeRejected && ev.Err.Code.Info().Nature == fiscal.Content:
			// The command is wrong, the backend is well.
		case w.cloud != nil && ev.Err.Code == fiscal.CodePrinterBusy:
			// A printer of the route is read first (elsewhere).
		case w.cloud != nil:
			w.fit.failed(now, ev.Err.Code, begun, breakMax)
		default:
			w.fit.failed(now, ev.Err.Code, begun, breakFirst)
		}
	}
}
