package daemon

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // zones, wherever the test runs

	"kassad/daemon/book"
	"kassad/fiscal"
)

func TestReconcileConfig(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[reconcile]\nat = \"\"": "", "[reconcile]\nat = \"00:05\"": "", "[reconcile]\nimport_columns = {fd = \"Номер\"}": "",
		"[reconcile]\nat = \"25:00\"":                     "reconcile.at",
		"[reconcile]\nat = \"noon\"":                      "reconcile.at",
		"[reconcile]\nimport_columns = {sum = \"Сумма\"}": `no field "sum"`,
	} {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var found []string
		for _, e := range c.Reconcile.validate() {
			found = append(found, e.Error())
		}
		if all := strings.Join(found, "\n"); (want == "") != (all == "") || !strings.Contains(all, want) {
			t.Errorf("%q: %q, want %q", text, all, want)
		}
		if !c.Reconcile.OnShiftClose {
			t.Errorf("%q turns the close off", text)
		}
	}
	if c := DefaultConfig().Reconcile; c.At != "23:30" || len(c.validate()) > 0 {
		t.Errorf("%+v", c)
	}
}

// The set hour comes once a day, also where clocks change.
func TestReconcileHour(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ at, now, want string }{
		"later today":   {"23:30", "2026-11-22T10:00:00", "2026-11-22T23:30:00"},
		"at the minute": {"23:30", "2026-11-22T23:30:00", "2026-11-23T23:30:00"},
		"month":         {"00:05", "2026-11-30T23:00:00", "2026-12-01T00:05:00"},
		"no such hour":  {"02:30", "2026-03-29T00:00:00", "2026-03-29T03:30:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const layout = "2006-01-02T15:04:05"
			now, err := time.ParseInLocation(layout, tt.now, berlin)
			if err != nil {
				t.Fatal(err)
			}
			if got := (ReconcileConfig{At: tt.at}).next(now).Format(layout); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if never := (ReconcileConfig{}).next(time.Now()); !never.After(time.Now()) {
		t.Error("an hour that there is not has come")
	}
}

func TestReconcileEdges(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"": {}, "2026-11-22": day.AddDate(0, 0, 1), "2026-11-22T10:00:00+03:00": time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC),
	} {
		if got, err := parseEdge("until", text, 1); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, err, got)
		}
	}
	for _, text := range []string{"22.11.2026", "2026-11-22T10:00:00", "today"} {
		if _, err := parseEdge("until", text, 1); err == nil || fiscal.AsError(err, "").Field != "until" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The book of another period or of other registers is no difference, and is
// counted.
func TestRowsOfStrangers(t *testing.T) {
	t.Parallel()
	g := &gathering{order: reconcileOrder{book: &importedBook{book.Book{Entries: []fiscal.BookEntry{
		{FN: "1", FD: 1}, {FN: "2", FD: 1}, {FN: "3", FD: 1}, {FN: "3", FD: 2}, {FD: 9},
	}}}}}
	storages := map[string]string{"1": "front", "2": "back"}
	rows, strangers := g.rows(storages)
	if len(rows) != 3 || len(strangers) != 1 || strangers["3"] != 2 {
		t.Errorf("%+v, %v", rows, strangers)
	}
	if note := strangersNote(strangers); note != "2 documents of 1 storages that this journal does not know were left out, of FN 3 for one" {
		t.Error(note)
	}
	g.order.device = "back"
	if rows, strangers = g.rows(storages); len(rows) != 2 || len(strangers) != 1 {
		t.Errorf("%+v, %v", rows, strangers)
	}
}

// A book that ends today is about today to its end: what a register with a clock
// ahead of ours has written, or this very second, is inside.
func TestImportPeriod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(489 * time.Millisecond) // no whole second
		now := time.Now()
		for ahead, days := range map[time.Duration]int{0: 1, 3 * time.Minute: 1, -24 * time.Hour: 0, 400 * 24 * time.Hour: 1} {
			g := reporting(t, bareJournal(t, storedFN))
			g.order.book = &importedBook{book.Book{Entries: []fiscal.BookEntry{
				{FD: 3, At: wallClock(now.AddDate(0, 0, -5))}, {FD: 9, At: wallClock(now.Add(ahead))},
				{FN: "another", FD: 1, At: wallClock(now.AddDate(0, 0, -50))},
			}}}
			if err := g.importPeriod(); err != nil {
				t.Fatal(err)
			}
			midnight := dayOf(wallClock(now))
			if since := midnight.AddDate(0, 0, -5); !g.order.since.Equal(since) || !g.order.until.Equal(midnight.AddDate(0, 0, days)) {
				t.Errorf("%v: %v to %v", ahead, g.order.since, g.order.until)
			}
		}
	})
}
