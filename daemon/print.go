package daemon

import (
	"context"

	"kassad/fiscal"
)

// print executes a print verb: at most once, and never repeated after a doubt.
func (w *worker) print(ctx context.Context, r fiscal.Record) fiscal.Event {
	err := w.printVerb(ctx, r)
	if w.clearLeft(ctx, err) { // nothing was printed: an open receipt is seen before
		err = w.printVerb(ctx, r)
	}
	if err != nil {
		return fiscal.Event{Kind: fiscal.EventSubmitFail, Err: fiscal.AsError(err, fiscal.CodePrinterAway)}
	}
	return fiscal.Event{Kind: fiscal.EventSubmitted}
}

func (w *worker) printVerb(ctx context.Context, r fiscal.Record) error {
	switch r.Verb {
	case fiscal.VerbXReport:
		return w.backend.(fiscal.XReporter).PrintXReport(ctx)
	case fiscal.VerbCopy:
		return w.backend.(fiscal.Copier).PrintCopy(ctx)
	case fiscal.VerbText:
		return w.backend.(fiscal.TextPrinter).PrintText(ctx, r.Document.Text, r.Document.Cut)
	case fiscal.VerbDrawer:
		return w.backend.(fiscal.DrawerOpener).OpenDrawer(ctx)
	default:
		return fiscal.Refuse(fiscal.CodeUnsupported, "", "no print verb")
	}
}

// prepareX reads an X report's figures: they are on disk before the paper, so
// that neither a lost answer nor a death loses one.
func (w *worker) prepareX(ctx context.Context) fiscal.Event {
	counters, err := w.counters(ctx)
	if err != nil {
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodePrinterAway)}
	}
	return fiscal.Event{Kind: fiscal.EventPrepared, Counters: counters}
}

// counters reads the figures of the shift and compares them with the journal's.
func (w *worker) counters(ctx context.Context) (*fiscal.Counters, error) {
	c, err := w.backend.(fiscal.CounterReader).Counters(ctx)
	if err != nil {
		return nil, err
	}
	w.compare(w.view.Status.FN.Serial, &c)
	return &c, nil
}

// capabilities are the verbs that backend can do beyond those of Backend.
func capabilities(backend fiscal.Backend) map[fiscal.Verb]bool {
	can := map[fiscal.Verb]bool{fiscal.VerbStatus: true}
	if cloud, ok := backend.(fiscal.Cloud); ok {
		for _, v := range cloud.Verbs() {
			can[v] = true
		}
		return can
	}
	for v := range map[fiscal.Verb]struct{}{
		fiscal.VerbSale: {}, fiscal.VerbRefund: {}, fiscal.VerbBuy: {}, fiscal.VerbBuyRefund: {}, fiscal.VerbCorrection: {},
		fiscal.VerbShiftOpen: {}, fiscal.VerbShiftClose: {}, fiscal.VerbCashIn: {}, fiscal.VerbCashOut: {},
	} {
		can[v] = true
	}
	_, can[fiscal.VerbCounters] = backend.(fiscal.CounterReader)
	_, x := backend.(fiscal.XReporter)
	can[fiscal.VerbXReport] = x && can[fiscal.VerbCounters]
	_, can[fiscal.VerbCopy] = backend.(fiscal.Copier)
	_, can[fiscal.VerbText] = backend.(fiscal.TextPrinter)
	_, can[fiscal.VerbDrawer] = backend.(fiscal.DrawerOpener)
	_, can[fiscal.VerbDocument] = backend.(fiscal.DocumentReader)
	return can
}
