package daemon

import (
	"fmt"
	"slices"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// journal is the store with what goes with every change of it: the answers to
// terminals and the events, committed in the same transaction.
type journal struct {
	spool  *spool.Spool
	topics mqtt.Topics
	links  []string            // every link takes part in events
	kick   func()              // the outbox has something new
	moved  func()              // a record has another state
	told   func(fiscal.Record) // a record has become final
	// ending adds what is to be done after the end of a record; nil: nothing.
	ending func(*spool.Tx, fiscal.Record) error
	// backends are those of a route.
	backends func(route string) []string
	// policies are the delays of each backend, for words that no worker asked for.
	policies map[string]fiscal.Policy
	info     func(device string) *fiscal.Info // nil while it is not known
	printers []string                         // devices whose storage can be read back
}

func (j *journal) key(id string) string { return fiscal.Key(j.topics.Root(), id) }

func (j *journal) stem(id string) string { return fiscal.Stem(j.topics.Root(), id) }

// accept stores a command with its first answer. What is not new is returned
// as it stands.
func (j *journal) accept(r fiscal.Record) (fiscal.Record, spool.Acceptance, error) {
	var stored fiscal.Record
	var how spool.Acceptance
	r.N, r.SavedAt = 1, time.Now()
	err := j.spool.Update(func(tx *spool.Tx) error {
		var err error
		if stored, how, err = tx.Accept(r); err != nil || how != spool.New && how != spool.Tombstoned {
			return err
		}
		if err := j.answer(tx, stored); err != nil {
			return err
		}
		return j.ended(tx, stored) // one that was cancelled before it came
	})
	if err != nil {
		return stored, how, err
	}
	if how == spool.New || how == spool.Tombstoned {
		j.left(stored)
	}
	return stored, how, nil
}

// save commits a record that the worker moved. If somebody else has moved it
// since the worker's copy, that one wins and errOvertaken is returned with it.
func (j *journal) save(r fiscal.Record) (fiscal.Record, error) {
	var stored fiscal.Record
	var overtaken bool
	err := j.spool.Update(func(tx *spool.Tx) error {
		overtaken = false
		current, found, err := tx.Record(r.Seq)
		if err != nil {
			return err
		}
		if !found || current.N != r.N {
			stored, overtaken = current, true
			return nil
		}
		next := r
		next.N, next.Links = r.N+1, current.Links
		stored, err = j.put(tx, next)
		return err
	})
	if err != nil {
		return r, err
	}
	if overtaken {
		return stored, errOvertaken
	}
	j.left(stored)
	return stored, nil
}

// put stores a record with everything that leaves because of it. The spool
// enters the document that it made into what the storage holds.
func (j *journal) put(tx *spool.Tx, r fiscal.Record) (fiscal.Record, error) {
	r.SavedAt = time.Now()
	if r.State.Final() && r.Timing.Total == 0 {
		r.Timing.Total = r.SavedAt.Sub(r.AcceptedAt)
	}
	if err := tx.Put(r); err != nil {
		return r, err
	}
	r, _, err := tx.Record(r.Seq) // with its number among the final answers
	if err != nil {
		return r, err
	}
	if err := j.answer(tx, r); err != nil || !r.State.Final() {
		return r, err
	}
	if err := j.ended(tx, r); err != nil {
		return r, err
	}
	if j.ending != nil {
		if err := j.ending(tx, r); err != nil {
			return r, err
		}
	}
	return r, j.tellLate(tx, r, 0)
}

// ended tells the office that a command has become final, whatever its end.
func (j *journal) ended(tx *spool.Tx, r fiscal.Record) error {
	class := eventClass(r.Verb)
	if class == "" || !r.State.Final() {
		return nil
	}
	return j.event(tx, class, func(seq uint64) []byte { return mqtt.EncodeRecordEvent(seq, class, r) })
}

// left follows the commit of a record's state.
func (j *journal) left(r fiscal.Record) {
	j.kick()
	j.moved()
	if r.State.Final() {
		j.told(r)
	}
}

// heard finds the record of an id that comes again, and notes the link that it
// came by: answers go there as well.
func (j *journal) heard(id, link string) (r fiscal.Record, found bool, err error) {
	if r, found, err = j.byID(id); err != nil || !found || slices.Contains(r.Links, link) {
		return r, found, err
	}
	err = j.spool.Update(func(tx *spool.Tx) error {
		if r, found, err = tx.ByID(id); err != nil || !found {
			return err
		}
		r.Links = append(slices.Clone(r.Links), link)
		return tx.Put(r)
	})
	return r, found, err
}

// answer sends the record's state to every link that its command came by.
func (j *journal) answer(tx *spool.Tx, r fiscal.Record) error {
	if r.Terminal == "" {
		return nil // an automatic document answers to nobody; its event tells
	}
	return send(tx, r.Links, j.topics.Result(r.Terminal, string(r.Verb)), mqtt.EncodeAnswer(r, false))
}

func send(tx *spool.Tx, links []string, topic string, payload []byte) error {
	for _, link := range links {
		if err := tx.Send(spool.Message{Link: link, Topic: topic, Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

// event appends to the gap-free stream, on every link.
func (j *journal) event(tx *spool.Tx, class string, encode func(seq uint64) []byte) error {
	seq, err := tx.NextEvent()
	if err != nil {
		return err
	}
	return send(tx, j.links, j.topics.Event(class), encode(seq))
}

// publishEvent appends an event that no record carries.
func (j *journal) publishEvent(class string, encode func(seq uint64) []byte) error {
	err := j.spool.Update(func(tx *spool.Tx) error {
		return j.event(tx, class, encode)
	})
	j.kick()
	return err
}

// eventClass is the stream that tells of a verb's end.
func eventClass(v fiscal.Verb) string {
	switch {
	case v.Receipt():
		return "receipt"
	case v == fiscal.VerbShiftOpen, v == fiscal.VerbShiftClose:
		return "shift"
	case v.Class() == fiscal.ClassRecord:
		return "cash"
	default:
		return ""
	}
}

// learn enters a document that was read back from the storage. foreign says
// that it is a receipt of another program: without any key of ours.
func (j *journal) learn(fn string, doc fiscal.ArchivedDocument) (foreign bool, err error) {
	receipt := doc.Form == fiscal.FormReceipt || doc.Form == fiscal.FormBSO ||
		doc.Form == fiscal.FormCorrection || doc.Form == fiscal.FormBSOCorrect
	err = j.spool.Update(func(tx *spool.Tx) error {
		if _, known, err := tx.Document(fn, doc.FD); err != nil || known {
			return err
		}
		return tx.PutDocument(spool.Entry{
			FN: fn, FD: doc.FD, Sign: doc.Sign, Form: doc.Form, Kind: doc.Kind,
			Correction: doc.Form == fiscal.FormCorrection || doc.Form == fiscal.FormBSOCorrect,
			Total:      doc.Total, Shift: doc.Shift, Receipt: doc.Number, At: doc.At, Key: doc.Key, Foreign: true,
		})
	})
	return receipt && doc.Key == "", err
}

// unsearched notes that the storage holds documents, up to now, that may be
// anybody's: a command settled before is not submitted without a person
// (design 5.9).
func (j *journal) unsearched(fn string, now time.Time) error {
	return j.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(metaUnsearched+fn, now) })
}

// unsearchedAt is the time of the last such note; zero if there is none.
func (j *journal) unsearchedAt(fn string) (at time.Time, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		_, err := tx.Meta(metaUnsearched+fn, &at)
		return err
	})
	return at, err
}

const metaUnsearched = "unsearched " // and a storage

// unclaimedReport finds a report of a shift that is no command's, made since; 0
// if there is none.
func (j *journal) unclaimedReport(fn string, form byte, since time.Time) (uint32, error) {
	return j.unclaimedBy(fn, since, func(e spool.Entry) bool { return e.Form == form })
}

// unclaimed finds a document without a key that nobody has claimed and that
// has doc's kind and total, made since; 0 if there is none.
func (j *journal) unclaimed(fn string, doc fiscal.Document, since time.Time) (uint32, error) {
	return j.unclaimedBy(fn, since, func(e spool.Entry) bool {
		return e.Key == "" && e.Kind == doc.Kind && e.Total == doc.Total && e.Correction == (doc.Correction != nil)
	})
}

func (j *journal) unclaimedBy(fn string, since time.Time, fits func(spool.Entry) bool) (fd uint32, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		to, err := tx.LastFD(fn)
		for ; err == nil && to > 0; to -= min(to, unclaimedPage) {
			var page []spool.Entry
			page, err = tx.Documents(fn, to-min(to, unclaimedPage)+1, to)
			for _, e := range slices.Backward(page) {
				if !e.At.IsZero() && e.At.Before(since) {
					return nil
				}
				if e.RecordID == "" && fits(e) {
					fd = e.FD
					return nil
				}
			}
		}
		return err
	})
	return fd, err
}

const unclaimedPage = 50

func (j *journal) queue(device string) (records []fiscal.Record, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		records, err = tx.Queue(device)
		return err
	})
	return records, err
}

// printsWaiting counts the prints of a terminal that a device has to make.
func (j *journal) printsWaiting(device, terminal string) (n int, err error) {
	records, err := j.queue(device)
	for _, r := range records {
		if r.Terminal == terminal && r.Verb.Class() == fiscal.ClassPrint {
			n++
		}
	}
	return n, err
}

func (j *journal) documentByKey(key string) (e spool.Entry, found bool, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		e, found, err = tx.DocumentByKey(key)
		return err
	})
	return e, found, err
}

// ownerOfDocument is the id of the command that a document belongs to; "" if the
// journal knows of none.
func (j *journal) ownerOfDocument(fn string, fd uint32) (id string, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		e, _, err := tx.Document(fn, fd)
		id = e.RecordID
		return err
	})
	return id, err
}

// lastFD is the last document that the journal knows of a storage; 0 if it has
// never seen the storage.
func (j *journal) lastFD(fn string) (fd uint32, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		fd, err = tx.LastFD(fn)
		return err
	})
	return fd, err
}

func (j *journal) shiftSums(fn string, shift uint32) (c fiscal.Counters, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		c, err = tx.ShiftSums(fn, shift)
		return err
	})
	return c, err
}

func (j *journal) byID(id string) (r fiscal.Record, found bool, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		r, found, err = tx.ByID(id)
		return err
	})
	return r, found, err
}

// resolve carries out a person's decision in one transaction with its answer. A
// document of the command that has been read back since is the answer, whatever
// was decided without knowing of it.
func (j *journal) resolve(id string, decision fiscal.Resolution) (fiscal.Record, error) {
	return j.decide(id, fiscal.Event{Kind: fiscal.EventResolve, Now: decision.At, Resolution: decision},
		func(r fiscal.Record) *fiscal.Error {
			switch {
			case !r.Decidable():
				return fiscal.Refuse(fiscal.CodeNotHeld, "id", "the command is "+string(r.State))
			case decision.Action == fiscal.ResolveReload && r.Ticket == "":
				return fiscal.Refuse(fiscal.CodeUnsupported, "id", "no cloud has a document of this command that failed")
			}
			return nil
		})
}

// cancel wins only if its transaction finds the command not begun, and no
// document of it. What a lost journal may have known as made is not taken back
// before the storage was read; a movement of cash cannot be looked for at all (see
// unprovedCash).
func (j *journal) cancel(id, terminal string, now time.Time) (fiscal.Record, error) {
	lost, err := j.lossAt()
	if err != nil {
		return fiscal.Record{}, err
	}
	r, err := j.decide(id, fiscal.Event{Kind: fiscal.EventCancel, Now: now}, func(r fiscal.Record) *fiscal.Error {
		switch {
		case r.Terminal != terminal:
			return fiscal.Refuse(fiscal.CodeNoRight, "body.id", "the command is another terminal's")
		case !r.Cancellable():
			return fiscal.Refuse(fiscal.CodeNotBegunOnly, "body.id", "the command is "+string(r.State))
		case r.Verb.Document() && r.Document.At.Before(lost) && (r.Verb.Class() == fiscal.ClassRecord || !j.readSince(r, lost)):
			return fiscal.Refuse(fiscal.CodeNotBegunOnly, "body.id", "the journal of that time was lost: it may be made")
		}
		return nil
	})
	if err == nil && r.State == fiscal.Done {
		err = fiscal.Refuse(fiscal.CodeNotBegunOnly, "body.id", "the command is "+string(r.State))
	}
	return r, err
}

// decide is move for what a person or a terminal says about a command. It may
// not know what the journal does: catching up with the storage, for another
// command, has entered the document of this one.
func (j *journal) decide(id string, ev fiscal.Event, allow func(fiscal.Record) *fiscal.Error) (fiscal.Record, error) {
	return j.move(id, func(tx *spool.Tx, r fiscal.Record) (fiscal.Event, error) {
		if refusal := allow(r); refusal != nil {
			return ev, refusal
		}
		entry, found, err := tx.DocumentByKey(r.Document.Key)
		if err == nil && found && ours(entry, r) && len(r.Late) == 0 {
			return fiscal.Event{Kind: fiscal.EventRecovered, Now: ev.Now, Receipt: receiptOf(entry, r, "", j.info(r.Device))}, nil
		}
		return ev, err
	})
}

// move applies the event that choose picks for a stored record, if it finds
// nothing against it. A worker that holds a copy finds out when it saves (see
// save).
func (j *journal) move(id string, choose func(*spool.Tx, fiscal.Record) (fiscal.Event, error)) (fiscal.Record, error) {
	var moved fiscal.Record
	err := j.spool.Update(func(tx *spool.Tx) error {
		r, found, err := tx.ByID(id)
		if err != nil {
			return err
		}
		if !found {
			return fiscal.Refuse(fiscal.CodeNotFound, "id", id)
		}
		ev, err := choose(tx, r)
		if err != nil {
			moved = r
			return err
		}
		ev.Elapsed, ev.Policy = timeAway(r, ev.Now), j.policies[r.Device]
		next, _ := fiscal.Step(r, ev)
		next.N++
		moved, err = j.put(tx, next)
		return err
	})
	if err != nil {
		return moved, err
	}
	j.left(moved)
	return moved, nil
}

// tombstone bars an id that was never seen: its command is cancelled when it
// comes. A journal that was lost less than recent ago may have known it: who
// takes back what may be made is told so, and finds out by sending it again.
func (j *journal) tombstone(id string, at time.Time, recent time.Duration) error {
	if unread, err := j.unread(at.Add(-recent)); err != nil {
		return err
	} else if unread != "" {
		return fiscal.Refuse(fiscal.CodeNotBegunOnly, "body.id", "the journal is new, and "+unread+" was not read yet: send the command itself")
	}
	return j.spool.Update(func(tx *spool.Tx) error {
		entry, found, err := tx.DocumentByKey(j.key(id))
		if err != nil {
			return err
		}
		if found {
			return fiscal.Refuse(fiscal.CodeNotBegunOnly, "body.id", fmt.Sprintf("document %d of %s is the command's", entry.FD, entry.FN))
		}
		lost, err := lossAt(tx)
		if err != nil {
			return err
		}
		if at.Sub(lost) < recent {
			return fiscal.Refuse(fiscal.CodeNotBegunOnly, "body.id", "the journal of that time was lost: send the command itself")
		}
		return tx.Tombstone(id, at)
	})
}
