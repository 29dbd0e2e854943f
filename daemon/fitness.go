package daemon

import (
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
	begun    bool      // the document failed after it was prepared: preparing another proves nothing
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
// pause doubles with each, up to pauseMax. begun says that it had been prepared.
func (f *fitness) failed(now time.Time, why fiscal.Code, begun bool, pauseMax time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.document.note(now, why)
	f.begun = begun
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
	f.status = illness{}
	f.recover()
}

func (f *fitness) recover() { f.document, f.begun, f.fails, f.until = illness{}, false, 0, time.Time{} }

// prepared notes a document that the device is ready for.
func (f *fitness) prepared() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = illness{}
	if !f.begun {
		f.recover()
	}
}

// retry ends the breaker's pause: a person wants a document tried now.
func (f *fitness) retry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = time.Time{}
}

// shown tells whether the last status stands in the way.
func (f *fitness) shown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.status.since.IsZero()
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
// or the breaker's pause is over. What a status shows is not tried with
// documents: the next reading tells when it is over.
func (f *fitness) may(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status.since.IsZero() && f.doubting.since.IsZero() && !now.Before(f.until)
}

// heal notes a status in which nothing stands against documents. It ends what
// came of the line, and what an earlier status has shown; what only a document
// finds out stays until one works.
func (f *fitness) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := f.document.why == fiscal.CodePrinterAway || f.document.why == fiscal.CodeCloudAway
	if line || f.document.why == f.status.why {
		f.recover()
	}
	f.status = illness{}
}

// rest is how long the breaker stays open.
func (f *fitness) rest(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(f.until.Sub(now), 0)
}
