package sim

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kassad/devices/emul/fn"
)

// olderCopy is somebody who puts an older copy of the journal back, or of the
// whole folder, after one or two receipts that it does not know. The tills send again what they have sent
// since. Only where the storages of the printers can be searched: no cloud can
// be, and no document without a mark (docs/recovery.md).
func (f *fiend) olderCopy() {
	w := f.w
	if w.plan.mark == "none" || len(w.clouds) > 0 {
		return
	}
	c := &olderCopy{w: w, docs: 1 + f.rng.IntN(2), until: time.Now().Add(time.Hour), globs: []string{journalGlob}}
	if f.rng.IntN(2) == 0 {
		c.globs = append(c.globs, epochGlob)
	}
	off := between(f.rng, time.Second, 20*time.Second)
	f.say("journal", "copied", "for %d documents", c.docs)
	w.die(death{kind: "polite", off: off, then: c.take})
	w.keeper.group.Go(func() { c.watch(w.keeper.ctx, off) })
}

// olderCopy is a copy of the journal, and what stood in the storages then.
type olderCopy struct {
	w     *town
	docs  int // receipts that are to be lost
	globs []string
	until time.Time
	files map[string][]byte
	taken time.Time
	last  map[string]uint32 // by printer
	in    map[string]string // and the storage that was in it
	back  bool
}

// journalGlob are the files of a journal: index, log and copy. epochGlob is what
// tells that it is an older one, if it is not of the same age.
const journalGlob, epochGlob = "kassad.db*", "epoch"

func (c *olderCopy) names() (names []string) {
	for _, glob := range c.globs {
		all, err := filepath.Glob(filepath.Join(c.w.shop.Config.DataDir, glob))
		if err != nil {
			c.w.violation("the journal's files: %v", err)
		}
		for _, name := range all {
			if !strings.HasSuffix(name, ".lock") {
				names = append(names, name)
			}
		}
	}
	return names
}

// take copies the journal of a daemon that does not run.
func (c *olderCopy) take() {
	files := map[string][]byte{}
	for _, name := range c.names() {
		b, err := os.ReadFile(name)
		if err != nil {
			c.w.violation("copying the journal: %v", err)
			return
		}
		files[name] = b
	}
	last, in := map[string]uint32{}, map[string]string{}
	for _, name := range c.w.devices {
		in[name] = c.w.shop.Printers[name].Storage().Serial()
		last[name] = c.w.shop.Printers[name].Storage().Status(time.Now()).LastDocument
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.files, c.last, c.in, c.taken = files, last, in, time.Now()
}

// watch waits until there is something to lose.
func (c *olderCopy) watch(ctx context.Context, off time.Duration) {
	pause := off + 2*time.Second
	for time.Now().Before(c.until) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.w.hush:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
		pause = 3*time.Second + 57*time.Nanosecond
		c.w.mu.Lock()
		taken, back := c.files != nil, c.back
		c.w.mu.Unlock()
		if back || taken && c.swapped() {
			return // what is lost must be in a storage that is still there
		}
		if taken && c.made() >= c.docs {
			c.w.die(death{kind: "kill", off: c.w.now("off", 30*time.Second), then: c.putBack})
		}
	}
}

func (c *olderCopy) swapped() bool {
	for name, serial := range c.in {
		if c.w.shop.Printers[name].Storage().Serial() != serial {
			return true
		}
	}
	return false
}

// made counts the receipts since the copy.
func (c *olderCopy) made() (n int) {
	for name, last := range c.last {
		for _, e := range c.w.shop.Printers[name].Storage().LedgerSince(last) {
			if e.FD > last && isReceipt(e) && last > 1 { // a journal that knows nothing of a storage reads all of it
				n++
			}
		}
	}
	return n
}

// putBack puts the copy where the journal is, and tells the tills.
func (c *olderCopy) putBack() {
	w := c.w
	for _, name := range c.names() {
		if err := os.Remove(name); err != nil {
			w.violation("removing the journal: %v", err)
		}
	}
	for name, b := range c.files {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			w.violation("putting the journal back: %v", err)
		}
	}
	w.disk.Replaced()
	w.count("copy-back")
	w.trace.add("keeper", "-", "older-copy", "of %s, %d receipts since, %s", c.taken.Format(time.TimeOnly), c.made(), strings.Join(c.globs, " "))
	w.mu.Lock()
	c.back, w.acked = true, nil
	w.mu.Unlock()
	for name, last := range c.last {
		w.disownShifts(name, last)
	}
	for _, t := range w.tills {
		w.keeper.group.Go(func() {
			select {
			case t.asks <- func(context.Context) { t.sendAgain(c.taken) }:
			case <-w.keeper.ctx.Done():
			}
		})
	}
}

// bar notes that a till has taken a command back, if it was not made then.
func (w *town) bar(e *chore) {
	for _, name := range w.devices {
		for _, made := range w.shop.Printers[name].Storage().Ledger() {
			if isReceipt(made) && made.Total == int64(e.total) {
				return
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.barred[e.id] = true
}

// disownShifts marks the reports of shifts that nobody knows any more.
func (w *town) disownShifts(device string, after uint32) {
	storage := w.shop.Printers[device].Storage()
	w.shop.mu.Lock()
	defer w.shop.mu.Unlock()
	for _, e := range storage.LedgerSince(after) {
		if e.FD > after && (e.Form == fn.FormShiftOpen || e.Form == fn.FormShiftClose) {
			w.shop.foreign[docID(storage.Serial(), e.FD)] = true
		}
	}
}

// staleAnswers is how long answers of the life before may still come.
const staleAnswers = 10 * time.Minute

// sendAgain makes a till forget what it was told of commands that had not ended
// at a moment, and send them again.
func (t *worldTill) sendAgain(since time.Time) {
	t.w.mu.Lock()
	var mine []*chore
	for _, e := range t.w.order {
		if strings.HasPrefix(e.id, t.name+"-") && (!e.over || e.ended.After(since)) {
			mine = append(mine, e)
			t.w.lost[e.id] = true
		}
	}
	t.w.mu.Unlock()
	for _, e := range mine {
		if e.over {
			t.errands = append(t.errands, e)
		}
		t.w.mu.Lock()
		e.over, e.refused, e.denied, e.state, e.n, e.held = false, false, false, "", 0, ""
		t.w.mu.Unlock()
		e.lost, e.next = time.Now(), time.Now().Add(between(t.rng, time.Second, time.Minute))
		t.w.trace.add(t.name, e.id, "again", "the journal may have lost it")
		t.book.shop.mu.Lock()
		if told := t.book.shop.told[e.id]; told != nil {
			*told = Told{Terminal: told.Terminal, ID: told.ID, Verb: told.Verb}
		}
		t.book.shop.mu.Unlock()
	}
}
