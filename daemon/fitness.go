package daemon

import (
	"slices"
	"sync"
	"time"

	"kassad/fiscal"
)

// Pauses of the circuit breaker.
const (
	breakFirst = 30 * time.Second
	breakMax   = 10 * time.Minute
)

// fitness is whether a backend can make documents now, and since when it can
// not. Three things say so: the status of a device, which heals with the next
// reading; a document in doubt, which blocks its device; and a document that
// could not be begun or was not answered. After
// such a failure the breaker is open for a pause, then one document may try,
// and an answer closes it. The worker writes, every intake reads.
type fitness struct {
	mu       sync.Mutex
	status   illness
	document illness
	doubting illness
	fails    int       // documents in a row
	until    time.Time // the breaker is open
}

// illness is a reason why no document can be made; since is zero for none.
type illness struct {
	since time.Time
	why   fiscal.Code
}

func (i *illness) note(now time.Time, why fiscal.Code) {
	if i.since.IsZero() {
		i.since = now
	}
	i.why = why
}

// stands takes what a status says; "" is nothing.
func (f *fitness) stands(now time.Time, why fiscal.Code) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if why == "" {
		f.status = illness{}
		return
	}
	f.status.note(now, why)
}

// failed notes a document that could not be begun or was not answered. The
// pause doubles with each, up to pauseMax.
func (f *fitness) failed(now time.Time, why fiscal.Code, pauseMax time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.document.note(now, why)
	pause := breakFirst
	for i := 0; i < f.fails && pause < pauseMax; i++ {
		pause *= 2
	}
	f.fails++
	f.until = now.Add(min(pause, pauseMax))
}

// worked notes an answer about a document. It is later than any status.
func (f *fitness) worked() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.document, f.status, f.fails, f.until = illness{}, illness{}, 0, time.Time{}
}

// doubt notes whether a document's fate is being found out, which blocks its
// device.
func (f *fitness) doubt(now time.Time, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !on {
		f.doubting = illness{}
		return
	}
	f.doubting.note(now, fiscal.CodeUnknownPending)
}

// ill is for how long no document could be made, and why; 0 if one can.
func (f *fitness) ill(now time.Time) (time.Duration, fiscal.Code) {
	f.mu.Lock()
	defer f.mu.Unlock()
	worst := f.status
	for _, other := range []illness{f.document, f.doubting} {
		if worst.since.IsZero() || !other.since.IsZero() && other.since.Before(worst.since) {
			worst = other
		}
	}
	if worst.since.IsZero() {
		return 0, ""
	}
	return max(now.Sub(worst.since), 1), worst.why
}

// may tells whether a document may be tried here: nothing stands against it,
// or the breaker's pause is over. A dead line is not tried with documents: a
// reading of the status tells when it is back.
func (f *fitness) may(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	dead := f.document.why == fiscal.CodeCloudAway || f.document.why == fiscal.CodePrinterAway
	return f.status.since.IsZero() && f.doubting.since.IsZero() && !dead && !now.Before(f.until)
}

// heal notes a status in which nothing stands against documents. It ends what
// a status would show; what only a document finds out stays until one works.
func (f *fitness) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = illness{}
	if slices.Contains(shownByStatus, f.document.why) {
		f.document, f.fails, f.until = illness{}, 0, time.Time{}
	}
}

// shownByStatus are the reasons that stand in a status while they last.
var shownByStatus = []fiscal.Code{
	fiscal.CodePrinterAway, fiscal.CodeCloudAway, fiscal.CodePaperOut, fiscal.CodeCoverOpen, fiscal.CodePrinterBusy,
	fiscal.CodePrinterFault, fiscal.CodeShiftExpired, fiscal.CodeFNFull, fiscal.CodeFNExpired, fiscal.CodeFNMissing,
	fiscal.CodeFNFault, fiscal.CodeOFDOverdue,
}

// rest is how long the breaker stays open.
func (f *fitness) rest(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(f.until.Sub(now), 0)
}
