package daemon

import (
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// elsewhere tells why a receipt that was settled before a journal was lost, or
// had begun, may be with another backend of its route: no cloud can be searched,
// and a printer only while it is there (design 5.9).
func (w *worker) elsewhere(r fiscal.Record) (*fiscal.Error, error) {
	strange, err := w.journal.strangeAt()
	if err != nil || !r.Verb.Receipt() || !r.Document.At.Before(strange) {
		return nil, err
	}
	lost, err := w.journal.lossAt()
	if err != nil {
		return nil, err
	}
	var busy *fiscal.Error
	for _, other := range w.router.beside(r.Route, w.cfg.Name) {
		ill, _ := other.fit.ill(time.Now())
		switch {
		case other.cloud != nil && !r.Document.At.Before(lost): // asked under the same key, if it comes to that
		case other.cloud != nil:
			return fiscal.Refuse(fiscal.CodeNeedsPerson, "at", "the journal of that time was lost, and a cloud of the route may have this sale"), nil
		case w.journal.searchedSince(other.cfg.Name, strange):
		case ill > 0:
			return fiscal.Refuse(fiscal.CodeNeedsPerson, "at", "the journal does not know of that time, and "+other.cfg.Name+", which may have this sale, is away"), nil
		default:
			busy = fiscal.Refuse(fiscal.CodePrinterBusy, "", "the journal does not know of that time: "+other.cfg.Name+", which may have this sale, is read first")
		}
	}
	return busy, nil
}

// metaSearched and a storage: when it was last read back by a start.
const metaSearched = "searched "

// exchanged tells why a receipt that was settled before a journal was lost may
// be in another storage: the one that the device had then was taken out before it
// was read back (design 5.9).
func (w *worker) exchanged(r fiscal.Record, base fiscal.Baseline) (*fiscal.Error, error) {
	lost, err := w.journal.lossAt()
	if err != nil || !r.Verb.Receipt() || !r.Document.At.Before(lost) {
		return nil, err
	}
	before, searched, err := w.journal.storageOf(w.cfg.Name, lost)
	if err != nil || before == "" || before == base.Storage || searched.After(lost) {
		return nil, err
	}
	return fiscal.Refuse(fiscal.CodeNeedsPerson, "at", "the journal of that time was lost, and storage "+before+" of that time was exchanged before it was read"), nil
}

// noteSearched remembers when a storage was read back, once a start: that the
// journal has lost something may show on another device, and later.
func (w *worker) noteSearched(fn string) error {
	if w.searchedFN == fn {
		return nil
	}
	lost, err := w.journal.lossAt()
	if err == nil {
		err = w.journal.searched(fn, time.Now())
	}
	if lost.IsZero() && spool.NoRoom(err) {
		err = nil // nothing is in question yet, and a full disk is no reason to stop
	}
	if err == nil {
		w.searchedFN = fn
	}
	return err
}

func (j *journal) searched(fn string, now time.Time) error {
	return j.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(metaSearched+fn, now) })
}

// readSince tells whether everything that may have made r was read back after a
// moment.
func (j *journal) readSince(r fiscal.Record, moment time.Time) bool {
	for _, name := range append(j.backends(r.Route), r.Device) {
		if !j.searchedSince(name, moment) {
			return false
		}
	}
	return true
}

// searchedSince tells whether the storage that a device has now was read back after
// a moment; a cloud cannot be.
func (j *journal) searchedSince(device string, moment time.Time) bool {
	info := j.info(device)
	if info == nil {
		return false
	}
	var at time.Time
	err := j.spool.View(func(tx *spool.Tx) error {
		_, err := tx.Meta(metaSearched+info.Storage, &at)
		return err
	})
	return err == nil && at.After(moment)
}

// unread is a printer that was not read back yet by a journal that has begun
// after a moment: what the printer has made by the word of another journal is not
// known here. "" if there is none.
func (j *journal) unread(moment time.Time) (printer string, err error) {
	var begun time.Time
	err = j.spool.View(func(tx *spool.Tx) error {
		begun, err = latest(tx, metaBegun)
		return err
	})
	if err != nil || begun.Before(moment) {
		return "", err
	}
	for _, name := range j.printers {
		if !j.searchedSince(name, begun) {
			return name, nil
		}
	}
	return "", nil
}

// storageOf is the storage of the last document that a device has made before, and
// when that storage was read back after a loss.
func (j *journal) storageOf(device string, before time.Time) (fn string, searched time.Time, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		fn = ""
		err := newestFirst(tx, ownersMax, func(r fiscal.Record) bool {
			if r.Device == device && r.Receipt != nil && r.Receipt.Storage != "" && r.FinalAt.Before(before) {
				fn = r.Receipt.Storage
			}
			return fn == ""
		})
		if err == nil && fn != "" {
			_, err = tx.Meta(metaSearched+fn, &searched)
		}
		return err
	})
	return fn, searched, err
}
