package fiscal

import (
	"slices"
	"testing"
	"time"
)

// toldRow is what a callback does to a record: the state after it, and the
// number of late documents.
type toldRow struct {
	name   string
	before Record
	event  Event
	state  State
	late   int
	news   bool // something is saved
}

// The second attempt of a document is in hand; callbacks tell of it, of the
// first one, and of another device.
func TestStepTold(t *testing.T) {
	t.Parallel()
	receipt := func(r *Record) {
		r.Receipt = &Receipt{Kind: "sale", Device: "cloud", Storage: "fn", FD: 9, Ticket: "t2", Key: secondKey}
	}
	accepted, working := cloudRecord(Accepted, second), cloudRecord(Working, second)
	registered, unknown := cloudRecord(Registered, second), cloudRecord(Unknown, second)
	doubt := cloudRecord(Held, second, heldFor(CodeNeedsPerson))
	failed := cloudRecord(Held, second, heldFor(CodeCloudFailed))
	alien := cloudRecord(Held, second, heldFor(CodeClosedByOther))
	done := cloudRecord(Done, second, receipt)
	current := func(f Finding) Event { return tells("cloud", secondKey, f) }
	earlier := func(f Finding) Event { return tells("cloud", firstKey, f) }
	another := func(f Finding) Event { return tells("other", secondKey, f) }
	for _, row := range []toldRow{
		{"nothing is begun: made is taken over", accepted, earlier(Made), Done, 0, true},
		{"nothing is begun: pending is taken over", accepted, earlier(Pending), Registered, 0, true},
		{"nothing is begun: failed is known", accepted, earlier(Failed), Accepted, 0, false},
		{"nothing is begun: another device's is taken over", accepted, another(Made), Done, 0, true},

		{"made before the answer", working, current(Made), Done, 0, true},
		{"taken before the answer", working, current(Pending), Registered, 0, true},
		{"failed before the answer", working, current(Failed), Held, 0, true},
		{"earlier made while working", working, earlier(Made), Working, 1, true},
		{"earlier pending while working", working, earlier(Pending), Working, 0, false},
		{"earlier failed while working", working, earlier(Failed), Working, 0, false},
		{"another's made while working", working, another(Made), Working, 1, true},

		{"made in doubt", unknown, current(Made), Done, 0, true},
		{"taken in doubt", unknown, current(Pending), Registered, 0, true},
		{"failed in doubt", unknown, current(Failed), Held, 0, true},
		{"earlier made in doubt", unknown, earlier(Made), Unknown, 1, true},
		{"earlier failed in doubt", unknown, earlier(Failed), Unknown, 0, false},
		{"another's pending in doubt", unknown, another(Pending), Unknown, 0, false},

		{"made", registered, current(Made), Done, 0, true},
		{"still pending", registered, current(Pending), Registered, 0, false},
		{"failed", registered, current(Failed), Held, 0, true},
		{"earlier made while registered", registered, earlier(Made), Registered, 1, true},
		{"earlier failed while registered", registered, earlier(Failed), Registered, 0, false},
		{"another's failed while registered", registered, another(Failed), Registered, 0, false},

		{"held for a doubt: made", doubt, current(Made), Done, 0, true},
		{"held for a doubt: taken", doubt, current(Pending), Registered, 0, true},
		{"held for a doubt: failed", doubt, current(Failed), Held, 0, true},
		{"held for a doubt: earlier made", doubt, earlier(Made), Held, 1, true},
		{"failed, and made after all", failed, current(Made), Done, 0, true},
		{"failed, and an older pending", failed, current(Pending), Held, 0, false},
		{"failed, told again", failed, current(Failed), Held, 0, false},
		{"another total, and an older pending", alien, current(Pending), Held, 0, false},
		{"another total, and ours after all", alien, current(Made), Done, 0, true},

		{"done, and another document of ours", done, current(Made), Done, 1, true},
		{"done, and an earlier one", done, earlier(Made), Done, 1, true},
		{"done, and another device's", done, another(Made), Done, 1, true},
		{"done, pending comes late", done, current(Pending), Done, 0, false},
		{"done, failed comes late", done, current(Failed), Done, 0, false},
		{"rejected, and made", cloudRecord(Rejected, second), earlier(Made), Rejected, 1, true},
		{"cancelled, and made", cloudRecord(Cancelled, second), earlier(Made), Cancelled, 1, true},
		{"abandoned, and made", cloudRecord(Abandoned, second), current(Made), Abandoned, 1, true},
		{"abandoned, and failed", cloudRecord(Abandoned, second), current(Failed), Abandoned, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.check(t)
		})
	}
}

func (row toldRow) check(t *testing.T) {
	row.event.Policy, row.event.Now = cloudPolicy(), time.Unix(1_800_000_000, 0)
	after, effects := Step(row.before, row.event)
	if after.State != row.state || len(after.Late) != row.late || slices.Contains(effects, save) != row.news {
		t.Errorf("%s, late %v, %v; want %s, %d, saved %v", after.State, after.Late, effects, row.state, row.late, row.news)
	}
	if after.Doubled() != (row.late > 0 && row.state.Final()) {
		t.Errorf("doubled is %v", after.Doubled())
	}
	again, effects := Step(after, row.event)
	if again.State != after.State || len(again.Late) != len(after.Late) || slices.Contains(effects, save) {
		t.Errorf("told again: %s, late %v, %v", again.State, again.Late, effects)
	}
}

// A word that names another document under this one's address is nobody's: not
// even "made" is taken from it.
func TestStepToldOfAnother(t *testing.T) {
	t.Parallel()
	for name, names := range map[string]func(*Receipt){
		"by the service's name": func(r *Receipt) { r.Ticket = "another" },
		"by its key":            func(r *Receipt) { r.Key = secondKey },
	} {
		for _, f := range []Finding{Made, Pending, Failed} {
			t.Run(f.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				ev := tells("cloud", firstKey, f)
				names(&ev.Verdict.Receipt)
				toldRow{before: cloudRecord(Registered), event: ev, state: Registered, news: true}.check(t)
				told, _ := Step(cloudRecord(Registered), ev)
				if told.Waiting == nil || told.Waiting.Code != CodeCloudPending || told.Receipt != nil {
					t.Errorf("waiting %v, receipt %+v", told.Waiting, told.Receipt)
				}
			})
		}
	}
}

// A printer is about to begin what a service has after all: from then on it is
// the service's. A document of another total is nobody's, also of an attempt that
// is over.
func TestStepToldWhileAPrinterIsNext(t *testing.T) {
	t.Parallel()
	r := cloudRecord(Accepted, second, func(r *Record) { r.Device = "printer" })
	ev := tells("cloud", firstKey, Pending)
	ev.Policy = cloudPolicy()
	if got, _ := Step(r, ev); got.State != Registered || got.Device != "cloud" || got.Ticket != "t1" || got.Baseline == nil || got.Baseline.Device != "cloud" {
		t.Errorf("pending: %s on %s, ticket %q, %+v", got.State, got.Device, got.Ticket, got.Baseline)
	}
	ev = tells("cloud", firstKey, Made)
	ev.Verdict.Receipt.Total = 5
	if got, _ := Step(r, ev); got.State != Held || got.Error.Code != CodeClosedByOther {
		t.Errorf("another total: %s, %v", got.State, got.Error)
	}
}

// What the record ended in is told again in other words, and is no second
// document.
func TestStepToldInOtherWords(t *testing.T) {
	t.Parallel()
	whole := Receipt{Storage: "fn", FD: 5, Ticket: "t1"}
	words := map[string]Receipt{"whole": whole, "ticket": {Ticket: "t1"}, "number": {Storage: "fn", FD: 5}, "nothing": {}}
	for first, a := range words {
		for then, b := range words {
			t.Run(first+" then "+then, func(t *testing.T) {
				t.Parallel()
				r := cloudRecord(Registered)
				for _, said := range []Receipt{a, b, b} {
					ev := tells("cloud", firstKey, Made)
					ev.Verdict.Receipt, ev.Policy = said, cloudPolicy()
					r, _ = Step(r, ev)
				}
				if r.State != Done || len(r.Late) > 0 || r.Doubled() {
					t.Errorf("%s, late %+v", r.State, r.Late)
				}
			})
		}
	}
}
