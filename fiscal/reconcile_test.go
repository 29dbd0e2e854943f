package fiscal

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
)

const bookFN = "9999078900000001"

func roubles(n int64) *Money { return new(Money(n * 100)) }

// soldAt is a receipt of a book.
func soldAt(fd uint32, total int64, change ...func(*BookEntry)) BookEntry {
	e := BookEntry{
		FN: bookFN, FD: fd, Form: FormReceipt, Kind: Sale, Total: roubles(total), ID: "c" + string(rune('0'+fd)),
		At: time.Date(2026, 11, 22, 12, int(fd), 0, 0, time.UTC), Payments: PaymentFigures{Cash: roubles(total), Card: roubles(0)},
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

// elsewhere is what another book has of the same document.
func elsewhere(e BookEntry) BookEntry { e.ID = ""; return e }

func TestBooksDiffer(t *testing.T) {
	t.Parallel()
	anonymous := func(e *BookEntry) { e.FN, e.FD = "", 0 }
	for name, tt := range map[string]struct {
		journal, other []BookEntry
		codes          []MismatchCode
		named          uint32 // document of the first difference
		guessed        int
		note           bool
	}{
		"equal":       {journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{elsewhere(soldAt(3, 10))}},
		"both empty":  {},
		"only ours":   {journal: []BookEntry{soldAt(3, 10), soldAt(4, 20)}, other: []BookEntry{soldAt(3, 10)}, codes: []MismatchCode{MismatchMissing}, named: 4},
		"only theirs": {journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{soldAt(3, 10), soldAt(4, 20)}, codes: []MismatchCode{MismatchForeign}, named: 4},
		"total": {
			journal: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Payments = PaymentFigures{} })},
			other:   []BookEntry{soldAt(3, 11)}, codes: []MismatchCode{MismatchTotal}, named: 3,
		},
		"kind": {
			journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Kind = Refund })},
			codes: []MismatchCode{MismatchKind}, named: 3,
		},
		"form": {
			journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{{FN: bookFN, FD: 3, Form: FormShiftClose}},
			codes: []MismatchCode{MismatchKind}, named: 3,
		},
		"payments": {
			journal: []BookEntry{soldAt(3, 10)},
			other:   []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Payments = PaymentFigures{Cash: roubles(0), Card: roubles(10)} })},
			codes:   []MismatchCode{MismatchPayments, MismatchPayments}, named: 3,
		},
		"a payment is not told": {
			journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Payments = PaymentFigures{} })},
		},
		"tax within a kopeck a line": {
			journal: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.VAT, e.TaxSlack = map[VAT]VATTally{VAT22: {Tax: new(Money(180))}}, 2 })},
			other:   []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.VAT = map[VAT]VATTally{VAT22: {Tax: new(Money(178))}} })},
		},
		"tax": {
			journal: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.VAT, e.TaxSlack = map[VAT]VATTally{VAT22: {Tax: new(Money(180))}}, 2 })},
			other:   []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.VAT = map[VAT]VATTally{VAT22: {Tax: new(Money(177))}} })},
			codes:   []MismatchCode{MismatchVAT}, named: 3,
		},
		"a rate that the journal has not": {
			journal: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.VAT = map[VAT]VATTally{VATNone: {Base: roubles(10)}} })},
			other:   []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.VAT = map[VAT]VATTally{VAT10: {Tax: roubles(1)}} })},
			codes:   []MismatchCode{MismatchVAT}, named: 3,
		},
		"sign": {
			journal: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Sign = 7 })},
			other:   []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Sign = 8 })}, codes: []MismatchCode{MismatchSign}, named: 3,
		},
		"two commands": {
			journal: []BookEntry{soldAt(3, 10), soldAt(3, 10, func(e *BookEntry) { e.ID = "other" })},
			other:   []BookEntry{soldAt(3, 10)}, codes: []MismatchCode{MismatchTwoCommands}, named: 3,
		},
		"twice in the other book": {
			journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{soldAt(3, 10), soldAt(3, 10)},
			codes: []MismatchCode{MismatchTwoDocuments}, named: 3,
		},
		"by sign": {
			journal: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Sign = 7 })},
			other:   []BookEntry{soldAt(3, 10, anonymous, func(e *BookEntry) { e.Sign = 7 })},
		},
		"by sign, but another document": {
			journal: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Sign = 7 })},
			other:   []BookEntry{soldAt(4, 10, func(e *BookEntry) { e.Sign = 7 })},
			codes:   []MismatchCode{MismatchMissing, MismatchForeign}, named: 3,
		},
		"by ticket": {
			journal: []BookEntry{soldAt(3, 10, anonymous, func(e *BookEntry) { e.Ticket = "t" })},
			other:   []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.Ticket = "t" })},
		},
		"by number alone": {
			journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.FN, e.At = "", time.Time{} })}, note: true,
		},
		"a number that two have": {
			journal: []BookEntry{soldAt(3, 10), soldAt(3, 10, func(e *BookEntry) { e.FN = "2" })},
			other:   []BookEntry{soldAt(3, 10, func(e *BookEntry) { e.FN, e.At = "", time.Time{} })},
			codes:   []MismatchCode{MismatchForeign, MismatchMissing, MismatchMissing}, named: 3,
		},
		"by a guess": {
			journal: []BookEntry{soldAt(3, 10), soldAt(4, 10)},
			other:   []BookEntry{soldAt(4, 10, anonymous), soldAt(3, 10, anonymous)}, guessed: 2,
		},
		"a guess without the kind": {
			journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{soldAt(3, 10, anonymous, func(e *BookEntry) { e.Kind = 0 })}, guessed: 1,
		},
		"at the edge of a guess": {
			journal: []BookEntry{soldAt(3, 10)},
			other:   []BookEntry{soldAt(3, 10, anonymous, func(e *BookEntry) { e.At = e.At.Add(GuessWindow) })}, guessed: 1,
		},
		"another number is no guess": {
			journal: []BookEntry{soldAt(3, 10)}, other: []BookEntry{soldAt(4, 10, func(e *BookEntry) { e.FN = "" })},
			codes: []MismatchCode{MismatchForeign, MismatchMissing}, named: 4,
		},
		"too far apart for a guess": {
			journal: []BookEntry{soldAt(3, 10)},
			other:   []BookEntry{soldAt(3, 10, anonymous, func(e *BookEntry) { e.At = e.At.Add(GuessWindow + time.Second) })},
			codes:   []MismatchCode{MismatchForeign, MismatchMissing},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := MatchBooks(tt.journal, tt.other)
			found := m.Differences("the import")
			var codes []MismatchCode
			for _, d := range found {
				if codes = append(codes, d.Code); d.Text == "" {
					t.Errorf("no words for %+v", d)
				}
			}
			if !slices.Equal(codes, tt.codes) || m.Guessed != tt.guessed {
				t.Fatalf("%v and %d guesses, want %v and %d: %+v", codes, m.Guessed, tt.codes, tt.guessed, found)
			}
			if len(found) > 0 && found[0].FD != tt.named {
				t.Errorf("names %d, want %d", found[0].FD, tt.named)
			}
			if (m.Guessed > 0 || tt.note) != (len(m.Notes()) > 0) {
				t.Errorf("notes %v", m.Notes())
			}
		})
	}
}

// The nearest in time is the guess, whatever the order of the books.
func TestGuessIsTheNearest(t *testing.T) {
	t.Parallel()
	anonymous := func(e *BookEntry) { e.FN, e.FD = "", 0 }
	m := MatchBooks([]BookEntry{soldAt(5, 10), soldAt(3, 10)}, []BookEntry{soldAt(3, 10, anonymous), soldAt(5, 10, anonymous)})
	if len(m.Pairs) != 2 {
		t.Fatalf("%+v", m)
	}
	for _, p := range m.Pairs {
		if !p.Journal.At.Equal(p.Other.At) || !p.Guessed {
			t.Errorf("%v with %v", p.Journal.At, p.Other.At)
		}
	}
}

func TestMissingNumbers(t *testing.T) {
	t.Parallel()
	gaps, found := MissingNumbers([]BookEntry{soldAt(3, 1), soldAt(7, 1)}, []BookEntry{soldAt(4, 1), {FN: "2", FD: 1}, {FN: "2", FD: 3}, {ID: "x"}})
	want := []Gap{{"2", 2, 2}, {bookFN, 5, 6}}
	if !slices.Equal(gaps, want) || len(found) != 2 || found[1].Text != "no book has FD 5 to 6 of FN "+bookFN || found[0].Code != MismatchGap {
		t.Errorf("%v, %+v", gaps, found)
	}
}

func TestBookFigures(t *testing.T) {
	t.Parallel()
	refund := soldAt(5, 4, func(e *BookEntry) { e.Kind, e.Correction, e.Payments = Refund, true, PaymentFigures{} })
	taxed := soldAt(3, 10, func(e *BookEntry) { e.VAT = map[VAT]VATTally{VAT22: {Base: roubles(10), Tax: new(Money(180))}} })
	again := soldAt(4, 20, func(e *BookEntry) {
		e.Payments.Card, e.VAT = nil, map[VAT]VATTally{VAT22: {Tax: new(Money(20))}}
	})
	f := BookFigures([]BookEntry{taxed, again, refund, {FN: bookFN, FD: 6, Form: FormShiftClose}, {Total: roubles(1)}})
	want := &ReportFigures{
		Receipts: 4, Documents: 5, Corrections: map[Kind]*Tally{Refund: {1, 400}},
		ByKind: map[Kind]*KindFigures{
			Sale: {Count: 2, Total: 3000, Payments: &PaymentFigures{Cash: roubles(30)}, VAT: map[VAT]*VATTally{
				VAT22: {Base: roubles(10), Tax: roubles(2)},
			}},
			Refund: {Count: 1, Total: 400},
		},
	}
	if !reflect.DeepEqual(f, want) {
		got, _ := json.Marshal(f)
		t.Errorf("%s", got)
	}
	if *taxed.VAT[VAT22].Tax != 180 || *taxed.Payments.Cash != 1000 {
		t.Error("summing changes the book")
	}
}

// The counters of a device that agree with the books leave no difference, and
// one more receipt is told by every figure that it changes.
func TestFigureDifferences(t *testing.T) {
	t.Parallel()
	journal := BookFigures([]BookEntry{soldAt(3, 10)})
	journal.CashIn, journal.CashOut = &Tally{1, 500}, &Tally{}
	device := func(count uint32, total Money) *Counters {
		return &Counters{
			Receipts: count, CashIn: &Tally{1, 500},
			ByKind: map[Kind]*KindCounters{Sale: {Count: count, Total: total, Payments: &Payments{Cash: total}}, Refund: nil},
		}
	}
	if found := FigureDifferences(journal, device(1, 1000)); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	found := FigureDifferences(journal, device(2, 1500))
	var figures []string
	for _, d := range found {
		figures = append(figures, d.Figure)
	}
	if want := []string{"receipts", "by_kind.sale.count", "by_kind.sale.total", "by_kind.sale.payments.cash"}; !slices.Equal(figures, want) {
		t.Errorf("%v", figures)
	}
	if f := FiguresOf(device(2, 1500)); *f.ByKind[Sale].Payments.Cash != 1500 || f.ByKind[Refund] != nil || f.CashOut != nil {
		t.Errorf("%+v", f)
	}
	if FiguresOf(nil) != nil {
		t.Error("figures of nothing")
	}
}

func doneRecord(change ...func(*Record)) Record {
	r := Record{
		ID: "a", Verb: VerbSale, State: Done, Document: Document{
			Kind: Sale, Total: 1000, Payments: Payments{Cash: 1000},
			Lines: []Line{{Sum: 600, VAT: VATNone}, {Sum: 400, VAT: VAT10, Tax: 36}},
		},
		Receipt: &Receipt{Kind: "sale", Storage: bookFN, FD: 3, Sign: 9, Shift: 1, Total: 1000, Ticket: "t"},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func TestEntriesOfRecords(t *testing.T) {
	t.Parallel()
	r := doneRecord()
	e, ok := CommandEntry(&r)
	if !ok || e.FD != 3 || e.Kind != Sale || *e.Total != 1000 || *e.Payments.Cash != 1000 || *e.VAT[VATNone].Base != 600 ||
		*e.VAT[VAT10].Tax != 36 || *e.VAT[VAT10].Base != 400 || e.TaxSlack != 2 || e.Ticket != "t" {
		t.Errorf("%+v", e)
	}
	c, ok := ConfirmedEntry(&r)
	if m := MatchBooks([]BookEntry{e}, []BookEntry{c}); !ok || c.Payments.told() || len(m.Differences("the service")) != 0 {
		t.Errorf("%+v: %+v", c, m.Differences("the service"))
	}
	for name, tt := range map[string]struct {
		change  func(*Record)
		command bool
		told    bool // confirmed
	}{
		"refused":        {func(r *Record) { r.State = Rejected }, false, false},
		"in doubt":       {func(r *Record) { r.State = Unknown }, false, false},
		"by another":     {func(r *Record) { r.Receipt.By = "other" }, false, false},
		"done elsewhere": {func(r *Record) { r.Receipt, r.Resolved = nil, &Resolution{Action: ResolveDoneElsewhere, FD: 8} }, true, false},
		"retried":        {func(r *Record) { r.Resolved = &Resolution{Action: ResolveRetry} }, true, true},
		"cash":           {func(r *Record) { r.Verb = VerbCashIn }, false, true},
		"no numbers":     {func(r *Record) { r.Receipt = &Receipt{Kind: "sale", Ticket: "t", Total: 1000} }, true, true},
		"shift":          {func(r *Record) { r.Verb = VerbShiftClose }, true, true},
		"correction":     {func(r *Record) { r.Verb = VerbCorrection }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := doneRecord(tt.change)
			e, command := CommandEntry(&r)
			if _, told := ConfirmedEntry(&r); command != tt.command || told != tt.told {
				t.Errorf("command %v, confirmed %v", command, told)
			}
			if command && e.receipt() != r.Verb.Receipt() {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestArchivedEntry(t *testing.T) {
	t.Parallel()
	d := ArchivedDocument{FD: 3, Form: FormReceipt, Kind: Sale, Total: 1000, Full: true, Tags: []Tag{{Tag: 1031, Value: "7.50"}, {Tag: 1081, Value: "bad"}, {Tag: 1020, Value: "10.00"}}}
	e := ArchivedEntry(bookFN, d)
	if *e.Payments.Cash != 750 || e.Payments.Card != nil || *e.Total != 1000 {
		t.Errorf("%+v", e)
	}
	d.Full = false
	if e := ArchivedEntry(bookFN, d); e.Payments.told() {
		t.Errorf("half a document tells %+v", e.Payments)
	}
	if e := ArchivedEntry(bookFN, ArchivedDocument{FD: 4, Form: FormShiftOpen}); e.receipt() {
		t.Errorf("%+v", e)
	}
}

func TestUnconfirmedAndSettled(t *testing.T) {
	t.Parallel()
	for _, s := range []State{Accepted, Working, Registered, Unknown, Held, Done, Rejected, Cancelled, Abandoned} {
		r := doneRecord(func(r *Record) { r.State = s })
		u, ok := UnconfirmedOf(&r)
		if want := slices.Contains([]State{Working, Registered, Unknown, Held}, s); ok != want || ok && (*u.Total != 1000 || u.State != s) {
			t.Errorf("%s: %v, %+v", s, ok, u)
		}
	}
	for action, want := range map[Action]bool{ResolveRetry: false, ResolveAsCorrection: true, ResolveDoneElsewhere: true, ResolveGiveUp: true} {
		r := doneRecord(func(r *Record) { r.Resolved = &Resolution{Action: action, By: "ivanov", FD: 8} })
		if s, ok := SettledOf(&r); ok != want || ok && (s.By != "ivanov" || s.FD != 8 || *s.Total != 1000) {
			t.Errorf("%s: %v, %+v", action, ok, s)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	differs := ReportSection{Backend: "front", Differences: []Mismatch{{Code: MismatchGap}}}
	for name, tt := range map[string]struct {
		report   Report
		agrees   bool
		backends []string
		front    int  // differences of front
		frontOK  bool // front agrees
	}{
		"nothing":     {Report{}, true, nil, 0, true},
		"agrees":      {Report{Parts: []ReportSection{{Backend: "front"}}}, true, []string{"front"}, 0, true},
		"differs":     {Report{Parts: []ReportSection{{Backend: "front"}, differs, {Backend: "back"}, differs}}, false, []string{"front", "back"}, 2, false},
		"another":     {Report{Parts: []ReportSection{{Backend: "front"}, {Differences: differs.Differences}}}, false, []string{"front"}, 0, true},
		"unread":      {Report{Parts: []ReportSection{{Backend: "front", Incomplete: true}}}, false, []string{"front"}, 0, false},
		"unconfirmed": {Report{Parts: []ReportSection{{Backend: "front", Unconfirmed: []Unconfirmed{{ID: "a"}}}}}, true, []string{"front"}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tt.report
			r.Judge()
			n, agrees, first := r.Of("front")
			if r.Agrees != tt.agrees || !slices.Equal(r.Backends(), tt.backends) || n != tt.front || agrees != tt.frontOK || (first.Code != "") != (n > 0) {
				t.Errorf("%+v: %d, %v, %+v", r, n, agrees, first)
			}
		})
	}
}

// What a report says of a late document names it.
func TestLateDifferences(t *testing.T) {
	t.Parallel()
	r := doneRecord()
	late := LateOf(&r, "cloud", Receipt{Storage: "7", FD: 12, Total: 1000, Ticket: "x"}, true)
	found := LateDifferences([]LateFound{late})
	if len(found) != 1 || found[0].FD != 12 || found[0].ID != "a" || found[0].Document() != "FD 12" || late.Device != "cloud" {
		t.Errorf("%+v", found)
	}
	for want, m := range map[string]Mismatch{"FP 5": {Sign: 5}, "t": {Ticket: "t"}, "id": {ID: "id"}} {
		if m.Document() != want {
			t.Errorf("%q, want %q", m.Document(), want)
		}
	}
}

// A report is stored as JSON and read again.
func TestReportSurvivesJSON(t *testing.T) {
	t.Parallel()
	r := Report{ID: "1", At: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Why: ReportTime, Parts: []ReportSection{{
		Backend: "front", Against: AgainstDevice, Journal: BookFigures([]BookEntry{soldAt(3, 10)}), Differences: []Mismatch{{Code: MismatchTotal, FD: 3}},
		Gaps: []Gap{{"1", 2, 3}}, Notes: []string{"n"},
	}}}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(r, back) {
		t.Errorf("%v: %s became %+v", err, text, back)
	}
}

// A matching of all backends is parted into those of each, and what is outside
// the period is nobody's difference.
func TestMatchingIsParted(t *testing.T) {
	t.Parallel()
	other := func(e *BookEntry) { e.FN = "2" }
	m := MatchBooks(
		[]BookEntry{soldAt(3, 10), soldAt(4, 10), soldAt(4, 10, other), soldAt(5, 10), soldAt(5, 10)},
		[]BookEntry{soldAt(3, 10), soldAt(4, 11, other), soldAt(6, 10, other), soldAt(9, 10, other), soldAt(6, 10, other)},
	)
	at := func(minute int) time.Time { return time.Date(2026, 11, 22, 12, minute, 0, 0, time.UTC) }
	m.Within(at(3), at(9))
	parts := m.Split(func(e *BookEntry) string { return e.FN })
	for fn, want := range map[string][]MismatchCode{
		bookFN: {MismatchMissing, MismatchTwoCommands, MismatchMissing},
		"2":    {MismatchTotal, MismatchPayments, MismatchTwoDocuments, MismatchForeign},
	} {
		var codes []MismatchCode
		for _, d := range parts[fn].Differences("the import") {
			codes = append(codes, d.Code)
		}
		if !slices.Equal(codes, want) {
			t.Errorf("%s: %v, want %v", fn, codes, want)
		}
	}
	if journal, other := parts["2"].Books(); len(parts) != 2 || len(journal) != 1 || len(other) != 2 {
		t.Errorf("%d parts, %v, %v", len(parts), journal, other)
	}
}
