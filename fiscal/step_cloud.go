package fiscal

import (
	"slices"
	"time"
)

// retriesMax is how often a failed document is begun again without a person.
const retriesMax = 3

// inCloud tells whether r's attempt is with a cloud.
func (r Record) inCloud() bool { return r.Baseline != nil && r.Baseline.Cloud != nil }

// cloudKey is the key of r's attempt: the one that was sent, or would be.
func (r Record) cloudKey() string {
	if r.inCloud() {
		return r.Baseline.Cloud.Key
	}
	return r.Document.CloudKey()
}

// cloudDoubt enters Unknown for a document that a cloud may have. The same
// request goes out again by the service's schedule; after a restart, which has
// lost whatever answer there was, the first repeat goes at once.
func (r Record) cloudDoubt(ev Event) (Record, []Effect) {
	r.State, r.Waiting, r.Asked = Unknown, ev.Err, 0 // DoubtLeft runs since the request was prepared
	if ev.Kind == EventRestart {
		if r.DoubtLeft == 1 {
			return r.windowOver(ev)
		}
		return r.repeat(ev)
	}
	r.PauseLeft = nth(ev.Policy.Cloud.Repeat, 0)
	return r, []Effect{save, {Kind: EffectWake, After: r.PauseLeft}}
}

func (r Record) windowOver(ev Event) (Record, []Effect) {
	return r.hold(ev, Refuse(CodeNeedsPerson, "", "the service has not answered within idempotency_window"))
}

// repeat sends the same request once more. That it does is on disk first: no
// restart makes the repeats more frequent, or endless.
func (r Record) repeat(ev Event) (Record, []Effect) {
	r.Asked++
	r.PauseLeft = nth(ev.Policy.Cloud.Repeat, r.Asked)
	return r, []Effect{save, find}
}

// nth is a schedule's i-th pause; the last repeats.
func nth(schedule []time.Duration, i int) time.Duration {
	if len(schedule) == 0 {
		return 0
	}
	return schedule[min(i, len(schedule)-1)]
}

// cloudUnknown is Unknown with a cloud: the request is repeated under its key
// until the service answers, its key may be forgotten, or it says what only a
// person can read.
func (r Record) cloudUnknown(ev Event) (Record, []Effect) {
	switch ev.Kind {
	case EventBegin, EventRestart:
		switch {
		case r.DoubtLeft == 1:
			return r.windowOver(ev)
		case r.PauseLeft > 1:
			return r, []Effect{{Kind: EffectWake, After: r.PauseLeft}}
		}
		return r.repeat(ev)
	case EventVerdict:
		return r.heard(ev)
	case EventFindFail:
		return r.notHeard(ev)
	default:
		return r, nil
	}
}

// notHeard is a repeat without the answer that ends the doubt. A refusal of
// the repeat says nothing of the request before it.
func (r Record) notHeard(ev Event) (Record, []Effect) {
	before := r.Waiting
	again := before != nil && before.Code == ev.Err.Code
	switch {
	case ev.Err.Code == CodeCloudFault && again: // one repeat, then a person (LIFE PAY reference 1.3)
		return r.hold(ev, ev.Err)
	case ev.Err.Outcome == OutcomeRejected && ev.Err.Code.Info().Nature == Content:
		why := *ev.Err
		why.Code, why.Detail = CodeNeedsPerson, "the service refuses the repeat, and may have the first: "+ev.Err.Error()
		return r.hold(ev, &why)
	}
	r.Waiting = ev.Err
	pause := Effect{Kind: EffectWake, After: max(min(r.PauseLeft, r.DoubtLeft), 1)}
	if again {
		return r, []Effect{pause}
	}
	return r, []Effect{save, pause}
}

// heard takes what the service says of the attempt in hand.
func (r Record) heard(ev Event) (Record, []Effect) {
	v := ev.Verdict
	if v.Receipt.Ticket != "" {
		r.Ticket = v.Receipt.Ticket
	}
	switch v.Finding {
	case Made:
		if r.alien(v.Receipt) {
			return r.holdAlien(ev, v.Receipt)
		}
		v.Receipt.Ticket = r.Ticket
		return r.done(ev, r.complete(v.Receipt, r.Device, r.cloudKey()))
	case Failed:
		return r.failed(ev)
	case Pending:
		if r.State == Registered {
			return r.stillRegistered(ev)
		}
		return r.registered(ev, v.Err)
	default:
		return r.judged(ev)
	}
}

// alien tells whether a document that carries our key is not of our total.
func (r Record) alien(got Receipt) bool {
	return r.Verb.Receipt() && got.Total != 0 && got.Total != r.Document.Total
}

func (r Record) holdAlien(ev Event, got Receipt) (Record, []Effect) {
	return r.hold(ev, Refuse(CodeClosedByOther, "", "a document of "+got.Total.String()+" is named as ours"))
}

// complete adds what a device leaves out of its word about our document.
func (r Record) complete(got Receipt, device, key string) Receipt {
	if got.Kind == "" {
		got.Kind = string(r.Verb)
	}
	if got.Device == "" {
		got.Device = device
	}
	if got.Key == "" {
		got.Key = key
	}
	if r.Verb.Receipt() && got.Total == 0 {
		got.Total, got.Change = r.Document.Total, r.Document.Change
	}
	return got
}

// registered enters the state in which the cloud has the document: nothing
// else may be tried, and the till may finish the sale.
func (r Record) registered(ev Event, waits *Error) (Record, []Effect) {
	cloud := ev.Policy.Cloud
	r.State, r.Waiting, r.Error, r.Asked = Registered, waits, nil, 0
	r.DoubtLeft, r.PauseLeft = cloud.Overdue, nth(cloud.Poll, 0)
	return r, []Effect{save, r.look()}
}

// Overdue tells whether a cloud has had r's document for too long without a
// word, and that has been told.
func (r Record) Overdue() bool { return r.State == Registered && r.DoubtLeft == 0 }

// look is when there is next something to do about a registered document.
func (r Record) look() Effect {
	after := r.PauseLeft
	if after == 0 || r.DoubtLeft > 0 && r.DoubtLeft < after {
		after = r.DoubtLeft
	}
	if after == 0 { // only the service's own word can bring news
		after = time.Hour
	}
	return Effect{Kind: EffectWake, After: max(after, 10*time.Millisecond)}
}

// stillRegistered notes what the service waits for, if that is news.
func (r Record) stillRegistered(ev Event) (Record, []Effect) {
	waits := ev.Verdict.Err
	if waits == nil || r.Overdue() || r.Waiting != nil && r.Waiting.Code == waits.Code && r.Waiting.Vendor == waits.Vendor {
		return r, []Effect{r.look()}
	}
	r.Waiting = waits
	return r, []Effect{save, r.look()}
}

func (r Record) inRegister(ev Event) (Record, []Effect) {
	switch ev.Kind {
	case EventBegin, EventRestart:
		switch {
		case r.ReloadDue && r.PauseLeft <= 1:
			return r, []Effect{reload}
		case r.DoubtLeft == 1: // told once; the service may still answer
			r.DoubtLeft = 0
			r.Waiting = Refuse(CodeCloudUnconfirmed, "", "the service has not said what became of the document")
			return r, []Effect{save, r.look()}
		case len(ev.Policy.Cloud.Poll) > 0 && r.PauseLeft <= 1 && !r.ReloadDue:
			r.Asked++
			r.PauseLeft = nth(ev.Policy.Cloud.Poll, r.Asked)
			return r, []Effect{find}
		}
		return r, []Effect{r.look()}
	case EventVerdict:
		return r.heard(ev)
	case EventFindFail:
		return r, []Effect{r.look()}
	case EventReloaded:
		return r.reloaded(ev)
	default:
		return r, nil
	}
}

// failed is the service's word that it has made no document. It is tried again
// without a person only for a cause that a second try may mend, or where the
// shop has said so.
func (r Record) failed(ev Event) (Record, []Effect) {
	why := ev.Verdict.Err
	if why == nil {
		why = Refuse(CodeCloudFailed, "", "")
	}
	switch {
	case len(r.Late) > 0: // an earlier attempt has made it: nothing is tried again
		return r.takeLate(ev)
	case ev.Verdict.Reload && r.Reloads < ev.Policy.Cloud.Reloads:
		waits := *why
		waits.Code = CodeCloudPending // nobody has to do anything yet
		r.State, r.Waiting, r.ReloadDue, r.DoubtLeft = Registered, &waits, true, ev.Policy.Cloud.Overdue
		r.PauseLeft = nth(ev.Policy.Cloud.ReloadAfter, r.Reloads) // what it failed of takes time to mend
		r.Reloads++
		if r.PauseLeft > 0 {
			return r, []Effect{save, r.look()}
		}
		return r, []Effect{save, reload}
	case ev.Policy.Cloud.RetryFailed && r.Document.Edition < retriesMax:
		r = r.anew(ev, why.Code)
		return r, []Effect{save, prepare}
	}
	return r.hold(ev, why)
}

// reloaded is the end of a second try's beginning: what comes of it is asked
// for as before.
func (r Record) reloaded(ev Event) (Record, []Effect) {
	if ev.Err != nil && ev.Err.Outcome == OutcomeRejected {
		r.ReloadDue = false
		return r.hold(ev, ev.Err)
	}
	if ev.Err == nil {
		r.ReloadDue, r.Asked, r.PauseLeft = false, 0, nth(ev.Policy.Cloud.Poll, 0)
		return r, []Effect{save, r.look()}
	}
	// It has not got through, or nobody knows: it does no harm twice.
	told := r.Overdue() || r.Waiting != nil && r.Waiting.Code == ev.Err.Code
	r.Asked++
	r.PauseLeft = nth(ev.Policy.Cloud.Poll, r.Asked)
	if told {
		return r, []Effect{r.look()}
	}
	r.Waiting = ev.Err
	return r, []Effect{save, r.look()}
}

// over closes the attempt in hand: what its device says of it later is late.
func (r Record) over(ev Event, why Code) Record {
	leg := Leg{Device: r.Device, Key: r.cloudKey(), Ticket: r.Ticket, Code: why, At: ev.Now}
	if !r.inCloud() {
		leg.Baseline = r.Baseline
	}
	same := func(l Leg) bool { return l.Device == leg.Device && l.Key == leg.Key }
	if i := slices.IndexFunc(r.Tried, same); i >= 0 {
		r.Tried = slices.Clone(r.Tried)
		if leg.Baseline == nil {
			leg.Baseline = r.Tried[i].Baseline
		}
		r.Tried[i] = leg
	} else {
		r.Tried = append(slices.Clip(r.Tried), leg)
	}
	return r
}

// anew goes back to the start under a new key. Only a person's word, or the
// service's that it has made nothing, leads here.
func (r Record) anew(ev Event, why Code) Record {
	if r = r.givenUp(ev, why); r.inCloud() {
		r.Document.Edition++
	}
	r.State, r.Baseline, r.Error, r.Waiting = Accepted, nil, nil, nil
	r.Ticket, r.Reloads, r.ReloadDue, r.Asked, r.PauseLeft = "", 0, false, 0, 0
	return r
}

// givenUp closes an attempt of which something may be left: a cloud that may
// still carry it out is asked after, a receipt that is open on a device is known
// again. A storage that has failed is left alone until a person has spoken.
func (r Record) givenUp(ev Event, why Code) Record {
	if !r.inCloud() && r.Baseline == nil {
		return r
	}
	return r.over(ev, why)
}

// move takes a command to the next backend of its route. Accepted is the only
// state in which nothing of it can be live: it is entered at acceptance, and
// from Working and Unknown only by a proof that nothing was made (P4), or by a
// person's retry, which waits until its device was asked. The device in the record
// is the fence: no other worker touches it.
func (r Record) move(ev Event) (Record, []Effect) {
	if !r.Cancellable() || ev.Device == "" || ev.Device == r.Device {
		return r, nil
	}
	if r.Attempt > 0 {
		code := CodeCondition
		if r.Waiting != nil {
			code = r.Waiting.Code
		}
		r = r.over(ev, code)
	}
	r.Device, r.DoubtLeft, r.Waiting = ev.Device, 0, nil // what it waited for was the other's
	return r, []Effect{save}
}

// told takes what a device says by itself of one of r's attempts: a callback,
// or a document of r's key that was read back where nobody looked for it.
func (r Record) told(ev Event) (Record, []Effect) {
	current := ev.Device == r.Device && ev.Key == r.cloudKey()
	made := ev.Verdict.Finding == Made
	switch {
	case r.contradicts(ev):
		return r.contradicted(ev)
	case made && !r.State.Final() && (current || r.unbegun()) && r.alien(ev.Verdict.Receipt):
		return r.holdAlien(ev, ev.Verdict.Receipt)
	case r.State == Accepted, made && r.unbegun():
		return r.adopt(ev)
	case r.State.Final() || !current:
		if made {
			return r.late(ev)
		}
		return r, nil
	case r.State == Held && !made && r.Error != nil && r.Error.Code != CodeNeedsPerson && r.Error.Code != CodeCloudFault:
		return r, nil // overtaken by what it was held for
	case r.inCloud():
		return r.heard(ev)
	case made:
		ev.Receipt = r.complete(ev.Verdict.Receipt, ev.Device, ev.Key)
		return r.recovered(ev)
	}
	return r, nil
}

// unbegun tells that no attempt of r stands now. It may be held all the same, for
// what is not known of the time before a journal was lost.
func (r Record) unbegun() bool { return r.State == Accepted || r.State == Held && r.Baseline == nil }

// contradicts tells whether a word about an attempt names another document in
// the same breath: by the service's name of it, or by another key.
func (r Record) contradicts(ev Event) bool {
	got := ev.Verdict.Receipt
	if got.Key != "" && got.Key != ev.Key {
		return true
	}
	current := r.State != Accepted && ev.Device == r.Device && ev.Key == r.cloudKey()
	return current && got.Ticket != "" && r.Ticket != "" && got.Ticket != r.Ticket
}

// contradicted changes nothing but what a person sees.
func (r Record) contradicted(ev Event) (Record, []Effect) {
	why := Refuse(CodeCloudPending, "", "the service names another document under this one's address: "+ev.Verdict.Receipt.Ticket)
	if r.State != Registered || r.Overdue() || r.Waiting != nil && r.Waiting.Code == why.Code {
		return r, nil
	}
	r.Waiting = why
	return r, []Effect{save}
}

// adopt takes over an attempt that was thought to have come to nothing, before
// another one begins.
func (r Record) adopt(ev Event) (Record, []Effect) {
	switch ev.Verdict.Finding {
	case Made:
		r.Device, r.Recovered = ev.Device, true
		return r.done(ev, r.complete(ev.Verdict.Receipt, ev.Device, ev.Key))
	case Pending:
		r.Device, r.Ticket = ev.Device, ev.Verdict.Receipt.Ticket
		r.Baseline = &Baseline{Device: ev.Device, Cloud: &CloudCall{Key: ev.Key}}
		return r.registered(ev, ev.Verdict.Err)
	default:
		return r, nil
	}
}

// late notes a document that an attempt made after it was over.
func (r Record) late(ev Event) (Record, []Effect) {
	got := r.complete(ev.Verdict.Receipt, ev.Device, ev.Key)
	got.Device = ev.Device // the backend's name, as in Leg
	if r.knows(got) {
		return r, nil
	}
	r.Late = append(slices.Clip(r.Late), got)
	return r, []Effect{save}
}

// settleLate ends a command whose earlier attempt has made the document after
// all, where nothing of it is live any more: it is about to be begun again, or
// to end without a document.
func (r Record) settleLate(before Record, ev Event, effects []Effect) (Record, []Effect) {
	if len(r.Late) == 0 || before.State.Final() {
		return r, effects
	}
	switch r.State {
	case Accepted, Rejected, Cancelled:
		return r.takeLate(ev)
	default:
		return r, effects
	}
}

func (r Record) takeLate(ev Event) (Record, []Effect) {
	r.Device, r.Recovered = r.Late[0].Device, true
	return r.done(ev, r.Late[0])
}

// Doubled tells whether an attempt has made a document beside the one that r
// ended in, or although r ended without one.
func (r Record) Doubled() bool {
	return r.State.Final() && slices.ContainsFunc(r.Late, func(late Receipt) bool { return !r.endedIn(late) })
}

// knows tells whether a document is the one that r ended in, or a late one that
// was told of before.
func (r Record) knows(got Receipt) bool {
	return r.endedIn(got) || slices.ContainsFunc(r.Late, func(known Receipt) bool { return sameDocument(known, got) })
}

// endedIn tells whether a document is the one that r ended in, by the device's
// word or by a person's.
func (r Record) endedIn(got Receipt) bool {
	if r.Receipt != nil && sameDocument(*r.Receipt, got) {
		return true
	}
	return r.Resolved != nil && r.Resolved.FD != 0 && r.Resolved.FD == got.FD &&
		(got.Device == r.Device || r.Baseline != nil && r.Baseline.Storage == got.Storage)
}

// sameDocument compares by number where both sides have it. A cloud may tell
// no more than its ticket, and that not always; its key is that of one attempt.
func sameDocument(a, b Receipt) bool {
	switch {
	case a.FD != 0 && b.FD != 0:
		return a.FD == b.FD && a.Storage == b.Storage
	case a.Ticket != "" && b.Ticket != "":
		return a.Ticket == b.Ticket
	}
	return a.Key != "" && a.Key == b.Key && a.Device == b.Device
}
