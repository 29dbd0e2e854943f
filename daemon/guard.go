package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"kassad/devices"
	"kassad/fiscal"
)

// Limits of what the guard watches (design 5, Clocks).
const (
	clockAlert      = 2 * time.Minute
	shiftWarnBefore = time.Hour
	fnWarnDays      = 30
	ofdWarnAge      = 48 * time.Hour
)

// deviceView is what is known of a device now.
type deviceView struct {
	Link   bool
	Why    fiscal.Code // when Link is false
	Status fiscal.Status
	Info   *fiscal.Info
}

// guardCodes are the alerts that a status reading raises and clears.
var guardCodes = []fiscal.Code{
	fiscal.CodePaperOut, fiscal.CodeCoverOpen, fiscal.CodePrinterAway, fiscal.CodePrinterBusy, fiscal.CodePrinterFault,
	fiscal.CodeShiftExpired, fiscal.CodeClockWrong, fiscal.CodeFNFull, fiscal.CodeFNExpired, fiscal.CodeFNMissing,
	fiscal.CodeFNFault, fiscal.CodeOFDOverdue, fiscal.CodeFNNearlyFull, fiscal.CodeFNExpiresSoon, fiscal.CodeOFDBacklog,
	fiscal.CodeClockDrift, fiscal.CodeShiftExpiresSoon, fiscal.CodeForeignReceipt, fiscal.CodeShiftClosed, fiscal.CodeNoCash,
	fiscal.CodeCloudAway, fiscal.CodeCloudAccount, fiscal.CodeCloudFault, fiscal.CodeCloudFailed, fiscal.CodeCloudPending,
	fiscal.CodeCloudUnconfirmed,
}

// settleAlerts makes stand what the last status reading says, and what a
// command waits for: not every condition shows in a status.
func (w *worker) settleAlerts() {
	stands := maps.Clone(w.stands)
	if stands == nil {
		stands = map[fiscal.Code]string{}
	}
	for _, it := range w.queue {
		r := &it.record
		if r.Waiting == nil {
			continue
		}
		if _, known := stands[r.Waiting.Code]; !known {
			stands[r.Waiting.Code] = r.ID
		}
	}
	w.alerts.settle(w.cfg.Name, guardCodes, stands)
}

// clearNotices takes back what was told once and stands until the day is
// closed: nothing heals it, somebody has seen it.
func (w *worker) clearNotices() {
	w.alerts.clear(w.cfg.Name, fiscal.CodeForeignDocument)
	w.alerts.clear(w.cfg.Name, fiscal.CodeStoreRecovered)
	w.alerts.clear("", fiscal.CodeStoreRecovered)
	for name := range w.router.workers { // of every backend: a cloud has no shift to close
		w.alerts.clear(name, fiscal.CodeLateDocument)
	}
}

// poll reads the status when its time has come.
func (w *worker) poll(ctx context.Context) {
	if time.Since(w.polled) < w.pollEvery() {
		return
	}
	w.look(ctx)
}

// pollIll is how often the way to a cloud is looked at while it is away.
const pollIll = 5 * time.Second

func (w *worker) pollEvery() time.Duration {
	every := time.Duration(w.cfg.Poll)
	if ill, _ := w.fit.ill(time.Now()); w.cloud != nil && ill > 0 {
		every = min(every, pollIll)
	}
	return every
}

// look reads the status of the device, publishes it, and raises and clears
// what follows from it.
func (w *worker) look(ctx context.Context) {
	view := deviceView{Info: w.info}
	w.calls()
	st, err := w.backend.Status(ctx)
	w.pulse.within(turnMax)
	w.polled = time.Now()
	if err != nil {
		e := fiscal.AsError(err, w.away())
		view.Why = e.Code
		view.Status = w.view.Status
		why, known := w.stands[e.Code]
		if tells := telling(e); !known || tells > w.tells || tells == w.tells && tells > 0 { // the next refusal of the same line is no news
			w.tells = tells
			why = strings.TrimPrefix(e.Error(), string(e.Code)+": ")
		}
		w.stands = map[fiscal.Code]string{e.Code: why}
	} else {
		view.Link, view.Status = true, st
		w.introduce(ctx, &view, st)
		w.readOnce(ctx, st)
		w.stands = standing(st, time.Now())
	}
	w.feel(view)
	w.settleAlerts()
	healed := view.Link && (!w.view.Link || len(st.Conditions) < len(w.view.Status.Conditions))
	w.view = view
	w.onStatus(view)
	if healed {
		w.wakeWaiting()
	}
}

// telling ranks why a printer is away: that it is not there, or that another
// one is, says more than a line that broke. The last search says what is there
// now.
func telling(err error) int {
	switch {
	case errors.Is(err, devices.ErrOtherPrinter):
		return 2
	case errors.Is(err, devices.ErrNoPrinter):
		return 1
	default:
		return 0
	}
}

// feel learns from a status whether documents can be made here. A closed shift
// is the usual state of a closed shop; only a receipt tells that it is in the
// way. A cloud's status is that of the line alone: it heals documents only when
// the line comes up.
func (w *worker) feel(view deviceView) {
	now := time.Now()
	why := view.Why
	for _, c := range view.Status.Conditions {
		if view.Link && c != fiscal.CodeShiftClosed {
			why = c
		}
	}
	if why == "" && (w.cloud == nil || !w.view.Link) {
		w.fit.heal()
	} else {
		w.fit.stands(now, why)
	}
	if ill, _ := w.fit.ill(now); ill == 0 {
		w.alerts.clear(w.cfg.Name, fiscal.CodeRouteFallback)
	}
}

// introduce asks who the device is, at first sight and when its storage has
// changed.
func (w *worker) introduce(ctx context.Context, view *deviceView, st fiscal.Status) {
	informer, ok := w.backend.(fiscal.Informer)
	if !ok || w.info != nil && w.info.Storage == st.FN.Serial {
		return
	}
	w.calls()
	defer w.pulse.within(turnMax)
	info, err := informer.Info(ctx)
	if err != nil {
		w.log.Warn("device information", "device", w.cfg.Name, "err", err)
		return
	}
	w.info, view.Info = &info, &info
}

// readOnce reads the storage back as soon as the device is there: after the loss
// of a journal the other backends of its routes wait for that.
func (w *worker) readOnce(ctx context.Context, st fiscal.Status) {
	if w.cloud != nil || w.searchedFN == st.FN.Serial {
		return
	}
	w.calls()
	defer w.pulse.within(turnMax)
	if err := w.catchUp(ctx, st.FN.Serial, st.FN.LastFD); err != nil {
		w.log.Debug("catching up", "device", w.cfg.Name, "err", err) // the next document tells, too
	}
}

// standing lists what a status says of alerts.
func standing(st fiscal.Status, now time.Time) map[fiscal.Code]string {
	out := map[fiscal.Code]string{}
	for _, c := range st.Conditions {
		if c != fiscal.CodeShiftClosed { // the usual state of a closed shop
			out[c] = ""
		}
	}
	for _, c := range st.Warnings {
		out[c] = ""
	}
	drift := st.Clock.Sub(wallClock(now)).Abs()
	if !st.Clock.IsZero() && drift > clockAlert {
		// Whole minutes: a detail that changes with each reading is an event each time.
		out[fiscal.CodeClockDrift] = fmt.Sprintf("%+d min", int(st.Clock.Sub(wallClock(now)).Round(time.Minute).Minutes()))
	}
	if st.FN.DaysLeft > 0 && st.FN.DaysLeft < fnWarnDays {
		out[fiscal.CodeFNExpiresSoon] = fmt.Sprintf("%d days", st.FN.DaysLeft)
	}
	if st.OFD.Unsent > 0 && !st.OFD.Oldest.IsZero() && wallAge(st.OFD.Oldest) > ofdWarnAge {
		out[fiscal.CodeOFDBacklog] = fmt.Sprintf("%d documents since %s", st.OFD.Unsent, st.OFD.Oldest.Format(time.DateOnly))
	}
	left := st.Shift.ExpiresAt.Sub(st.Clock)
	if st.Shift.Open && !st.Shift.Expired && !st.Shift.ExpiresAt.IsZero() && left < shiftWarnBefore {
		out[fiscal.CodeShiftExpiresSoon] = st.Shift.ExpiresAt.Format(time.DateTime)
	}
	return out
}
