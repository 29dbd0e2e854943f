package bifit

import (
	"crypto/sha256"
	"time"

	"kassad/devices/emul/fn"
)

// document is a registered receipt on its way.
type document struct {
	id       uint64
	key      string
	body     [sha256.Size]byte
	receipt  *receipt
	taxation byte // tag 1055, one bit; 0 for a word that is not in the table
	owner    *connector
	created  time.Time
	changed  time.Time
	status   Status
	nextAt   time.Time // of the state after this one, at the earliest
	on       *register // while registering
	cause    Cause
	made     []made // more than one: it was fiscalized twice
	reloads  int
	plan     documentPlan
}

// made is a fiscal document with what its register says of it.
type made struct {
	storage *fn.Storage
	doc     fn.Document
	serial  string
}

// documentPlan is what faults make of one document.
type documentPlan struct {
	stuck      bool
	backwards  int    // how often it returns to the queue
	wrongToken string // status told instead of the true one, to so many queries
	wrongFor   int
	late       int   // queries that see it done without attributes
	missing    int   // queries answered 404
	cause      Cause // of errors; CauseNone for none
	failures   int   // how often; negative is always, until repaired
	failMade   bool  // fails after it was fiscalized
	detects    bool  // and the service finds that out on reload
	moveClock  time.Duration
	swap       bool // the storage is replaced before this document
}

func (d *document) become(status Status, at time.Time) { d.status, d.changed = status, at }

// final is the fiscal document that the answer shows.
func (d *document) final() (made, bool) {
	if d.status != StatusDone || len(d.made) == 0 {
		return made{}, false
	}
	if d.plan.detects {
		return d.made[0], true
	}
	return d.made[len(d.made)-1], true
}

// forced is the error that a fault wants for this attempt.
func (d *document) forced() Cause {
	if d.plan.cause == CauseNone || d.plan.failures == 0 {
		return CauseNone
	}
	if d.plan.failures > 0 {
		d.plan.failures--
	}
	return d.plan.cause
}
