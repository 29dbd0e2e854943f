package daemon

import (
	"errors"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// bareJournal is a journal without a daemon, of a shop with one storage.
func bareJournal(t *testing.T, fn string) *journal {
	t.Helper()
	topics, err := mqtt.NewTopics("org", "shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	s, err := spool.Open(storePath(t.TempDir()), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &journal{
		spool: s, topics: topics, backends: func(string) []string { return nil }, kick: func() {}, moved: func() {}, told: func(fiscal.Record) {},
		info: func(string) *fiscal.Info {
			return &fiscal.Info{Storage: fn, Registration: "0000000001012345", FFD: "1.05"}
		},
	}
}

// A document of a command is read back for another one's sake, and then
// somebody decides about the command without knowing of it: the document is the
// answer.
func TestDecidedAfterReadBack(t *testing.T) {
	t.Parallel()
	const fn = "9999078900000001"
	held := func(r fiscal.Record) fiscal.Record {
		r.State, r.Error = fiscal.Held, fiscal.Refuse(fiscal.CodeLate, "at", "settled before late_after")
		return r
	}
	give := func(action fiscal.Action) func(*journal) (fiscal.Record, error) {
		return func(j *journal) (fiscal.Record, error) {
			return j.resolve("a", fiscal.Resolution{Action: action, By: "ivanov", FD: 3, At: time.Now()})
		}
	}
	for name, c := range map[string]struct {
		stands  func(fiscal.Record) fiscal.Record
		total   fiscal.Money
		decide  func(*journal) (fiscal.Record, error)
		ends    fiscal.State
		refused fiscal.Code
	}{
		"given up":           {held, 1000, give(fiscal.ResolveGiveUp), fiscal.Done, ""},
		"retried":            {held, 1000, give(fiscal.ResolveRetry), fiscal.Done, ""},
		"done elsewhere":     {held, 1000, give(fiscal.ResolveDoneElsewhere), fiscal.Done, ""},
		"another total":      {held, 2000, give(fiscal.ResolveGiveUp), fiscal.Abandoned, ""},
		"taken back":         {nil, 1000, func(j *journal) (fiscal.Record, error) { return j.cancel("a", "till1", time.Now()) }, fiscal.Done, fiscal.CodeNotBegunOnly},
		"taken back, not it": {nil, 2000, func(j *journal) (fiscal.Record, error) { return j.cancel("a", "till1", time.Now()) }, fiscal.Cancelled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := bareJournal(t, fn)
			doc := fiscal.Document{ID: "a", Verb: fiscal.VerbSale, Kind: fiscal.Sale, Key: j.key("a"), At: time.Now(), Total: 1000}
			r, _, err := j.accept(fiscal.Record{
				ID: "a", Terminal: "till1", Verb: fiscal.VerbSale, Device: "front", Hash: "h", AcceptedAt: time.Now(), State: fiscal.Accepted, Document: doc,
			})
			if err == nil && c.stands != nil {
				_, err = j.save(c.stands(r))
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.learn(fn, fiscal.ArchivedDocument{FD: 3, Form: fiscal.FormReceipt, Kind: fiscal.Sale, Total: c.total, Key: doc.Key, At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			_, err = c.decide(j)
			var refusal *fiscal.Error
			if errors.As(err, &refusal) && refusal.Code != c.refused || err == nil && c.refused != "" {
				t.Errorf("decided: %v, want %q", err, c.refused)
			}
			r, _, err = j.byID("a")
			if err != nil || r.State != c.ends {
				t.Fatalf("%s, %v; want %s", r.State, err, c.ends)
			}
			if c.total != doc.Total {
				return
			}
			if got := r.Receipt; got == nil || got.FD != 3 || got.Registration == "" || !r.Recovered {
				t.Errorf("the answer: %+v", got)
			}
			if e, _, err := j.documentByKey(doc.Key); err != nil || e.RecordID != "a" {
				t.Errorf("the document belongs to %q, %v", e.RecordID, err)
			}
		})
	}
}

// A command that is older than the loss of a journal may be made: a terminal cannot
// take it back before the storage was read, and cash never.
func TestCancelOfALostJournal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lost     time.Duration // after the command
		verb     fiscal.Verb
		searched bool
		refused  bool
	}{
		"cash, lost since":              {time.Hour, fiscal.VerbCashIn, false, true},
		"cash, lost since and searched": {time.Hour, fiscal.VerbCashIn, true, true},
		"cash, lost before":             {-time.Hour, fiscal.VerbCashIn, false, false},
		"receipt, lost since":           {time.Hour, fiscal.VerbSale, false, true},
		"receipt, searched since":       {time.Hour, fiscal.VerbSale, true, false},
		"receipt, lost before":          {-time.Hour, fiscal.VerbSale, false, false},
		"report, lost since":            {time.Hour, fiscal.VerbShiftClose, false, true},
		"a print is no document":        {time.Hour, fiscal.VerbText, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := bareJournal(t, "9999078900000001")
			now := time.Now()
			_, _, err := j.accept(fiscal.Record{
				ID: "a", Terminal: "till1", Verb: c.verb, Device: "front", Hash: "h", AcceptedAt: now, State: fiscal.Accepted,
				Document: fiscal.Document{ID: "a", Verb: c.verb, Key: j.key("a"), At: now, Total: 1000},
			})
			if err == nil {
				err = j.rebuilt(now.Add(c.lost))
			}
			if err == nil && c.searched {
				err = j.searched("9999078900000001", now.Add(c.lost).Add(time.Minute))
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := j.cancel("a", "till1", now.Add(2*time.Hour))
			var refusal *fiscal.Error
			if c.refused != (errors.As(err, &refusal) && refusal.Code == fiscal.CodeNotBegunOnly) || c.refused == (r.State == fiscal.Cancelled) {
				t.Errorf("%s, %v", r.State, err)
			}
		})
	}
}

// A terminal takes back what this journal has never seen. Where the one before may
// have known it, that is no word about what was made.
func TestCancelUnseen(t *testing.T) {
	t.Parallel()
	const fn = "9999078900000001"
	now := time.Now()
	for name, c := range map[string]struct {
		before  func(*journal) error
		refused bool
	}{
		"of a journal that is whole": {func(*journal) error { return nil }, false},
		"its document was read back": {func(j *journal) error { _, err := j.learn(fn, stored(3, j.key("a"))); return err }, true},
		"another's was":              {func(j *journal) error { _, err := j.learn(fn, stored(3, j.key("b"))); return err }, false},
		"rebuilt an hour ago":        {func(j *journal) error { return j.rebuilt(now.Add(-time.Hour)) }, true},
		"lost documents since":       {func(j *journal) error { return j.lost(now.Add(-time.Hour)) }, true},
		"rebuilt the day before":     {func(j *journal) error { return j.rebuilt(now.Add(-25 * time.Hour)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := bareJournal(t, fn)
			if err := c.before(j); err != nil {
				t.Fatal(err)
			}
			err := j.tombstone("a", now, lossInMind)
			var refusal *fiscal.Error
			if c.refused != (errors.As(err, &refusal) && refusal.Code == fiscal.CodeNotBegunOnly) || !c.refused && err != nil {
				t.Errorf("%v", err)
			}
			r, how, err := j.accept(soldAt(j, now))
			if err != nil || (how == spool.New) != c.refused || (r.State == fiscal.Cancelled) == c.refused {
				t.Errorf("then it comes: %v, %s, %v", how, r.State, err)
			}
		})
	}
}
