package daemon

import (
	"testing"

	"kassad/fiscal"
	"kassad/spool"
)

// A death in the middle of reading a storage back loses no document: what is known
// ends where the next start goes on.
func TestDeathWhileReadingBack(t *testing.T) {
	t.Parallel()
	const last = 9
	for name, known := range map[string]uint32{"never seen": 0, "of before": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var docs []fiscal.ArchivedDocument
			for fd := known + 1; fd <= last; fd++ {
				docs = append(docs, stored(fd, ""))
			}
			w := bareWorker(t, storedFN, docs...)
			if known > 0 {
				if _, err := w.journal.learn(storedFN, stored(known, "")); err != nil {
					t.Fatal(err)
				}
			}
			told := 0
			w.alerts = newAlertBook(func(Alert, bool) {
				if told++; told == 3 {
					panic("death")
				}
			})
			func() {
				defer func() {
					if recover() == nil {
						t.Error("it went through")
					}
				}()
				_ = w.catchUp(t.Context(), storedFN, last)
			}()
			w.alerts = newAlertBook(func(Alert, bool) {})
			if err := w.catchUp(t.Context(), storedFN, last); err != nil {
				t.Fatal(err)
			}
			err := w.journal.spool.View(func(tx *spool.Tx) error {
				for fd := known + 1; fd <= last; fd++ {
					if _, found, err := tx.Document(storedFN, fd); err != nil || !found {
						t.Errorf("document %d: %v, %v", fd, found, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
