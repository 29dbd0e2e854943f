package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kassad/fiscal"
)

// autoClose and autoOpen begin the ids of automatic documents, which anybody can
// tell beforehand: no terminal may use or bar one.
const (
	autoClose = "auto-close-"
	autoOpen  = "auto-open-"
)

// ofKassad tells whether an id is that of an automatic document.
func ofKassad(id string) bool {
	return strings.HasPrefix(id, autoClose) || strings.HasPrefix(id, autoOpen)
}

// healShift closes a shift that is over 24 hours and opens the next one, each
// as a record of its own, before the document's baseline is taken (design
// 5.8). A shift that an interrupted healing has left closed is opened. It tells
// whether the document may be prepared again.
func (w *worker) healShift(ctx context.Context, r fiscal.Record, refusal error) bool {
	if refusal == nil || !w.cfg.AutoShift || !r.Verb.Receipt() {
		return false
	}
	code := fiscal.AsError(refusal, "").Code
	if code != fiscal.CodeShiftExpired && code != fiscal.CodeShiftClosed {
		return false
	}
	st, err := w.backend.Status(ctx)
	if err != nil {
		return false
	}
	shift := st.Shift.Number
	closing, opening := fmt.Sprintf("%s%s-%d", autoClose, st.FN.Serial, shift), fmt.Sprintf("%s%s-%d", autoOpen, st.FN.Serial, shift+1)
	switch {
	case st.Shift.Open && !st.Shift.Expired:
		return true // somebody else was faster
	case st.Shift.Open:
		return w.automatic(ctx, fiscal.VerbShiftClose, closing, r) && w.automatic(ctx, fiscal.VerbShiftOpen, opening, r)
	default:
		return w.closedByUs(closing) && w.automatic(ctx, fiscal.VerbShiftOpen, opening, r)
	}
}

// closedByUs tells whether the last shift was closed under an automatic id. A
// shift that a person has closed is opened by a person.
func (w *worker) closedByUs(id string) bool {
	r, found, err := w.journal.byID(id)
	if err != nil {
		w.fail(err)
	}
	return found && r.State == fiscal.Done && r.Terminal == ""
}

// automatic makes a shift document under an id that cannot be made twice, in
// the name of the cashier whose receipt needs it. It reports success.
func (w *worker) automatic(ctx context.Context, verb fiscal.Verb, id string, r fiscal.Record) bool {
	now := time.Now()
	it, err := w.accept(fiscal.Record{
		ID: id, Verb: verb, Device: w.cfg.Name, Hash: "auto", AcceptedAt: now, State: fiscal.Accepted,
		Document: fiscal.Document{ID: id, Verb: verb, Key: w.journal.key(id), At: now, Cashier: r.Document.Cashier},
	})
	if err != nil {
		w.log.Error("automatic shift document", "id", id, "err", err)
		return false
	}
	if !it.record.State.Final() {
		if err := w.drive(ctx, it, fiscal.Event{Kind: fiscal.EventBegin}); err != nil {
			w.fail(err)
			return false
		}
	}
	return it.record.State == fiscal.Done
}
