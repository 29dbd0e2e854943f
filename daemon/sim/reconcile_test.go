package sim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt"
)

// reconciledShop is a shop with an open shift and two sales, 100.00 in cash and
// 50.00 by card, and one who hears everything.
func reconciledShop(t *testing.T) (*Shop, *Till, *watcher) {
	t.Helper()
	s := openShop(t, Options{Policy: impatient(), Config: managers("ivanov")})
	till, w := openTill(t, s, "till1"), watch(t, s)
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	must(t, till, fiscal.VerbCashIn, obj{"amount": 500})
	must(t, till, fiscal.VerbSale, receipt(obj{"cash": "#"}, item("Чайник", "100.00", "1", "vat22", nil)))
	must(t, till, fiscal.VerbSale, tea())
	return s, till, w
}

// reported waits for the report of a shift.
func (w *watcher) reported(topic string, shift uint32) mqtt.Reconciliation {
	w.t.Helper()
	payload := w.until("report", topic, func(p string) bool {
		var r mqtt.Reconciliation
		return json.Unmarshal([]byte(p), &r) == nil && r.Shift == shift
	})
	return strict[mqtt.Reconciliation](w.t, payload)
}

// codesOf lists the differences of a part with their documents.
func codesOf(p mqtt.ReconciledPart) (list []string) {
	for _, d := range p.Differences {
		if d.Code != fiscal.MismatchFigure {
			list = append(list, fmt.Sprintf("%s %d", d.Code, d.FD))
		}
	}
	return list
}

// onePart is the only part of a report.
func onePart(t *testing.T, r mqtt.Reconciliation) mqtt.ReconciledPart {
	t.Helper()
	if len(r.Parts) != 1 {
		t.Fatalf("%d parts in %s", len(r.Parts), mustJSON(r))
	}
	return r.Parts[0]
}

// A closed shift agrees in every figure and document, and the report is
// retained, also after a restart.
func TestShiftCloseIsReconciled(t *testing.T) {
	t.Parallel()
	s, till, w := reconciledShop(t)
	must(t, till, fiscal.VerbRefund, receipt(obj{"cash": "#"}, item("Чайник", "100.00", "1", "vat22", nil)))
	must(t, till, fiscal.VerbCashOut, obj{"amount": 200})
	must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
	r := w.reported("node/reconcile", 1)
	p := onePart(t, r)
	if !r.Agrees || !p.Agrees || r.Why != fiscal.ReportShiftClose || p.Against != fiscal.AgainstDevice || p.Backend != "front" {
		t.Errorf("%s", mustJSON(r))
	}
	for side, f := range map[string]*mqtt.ReconciledFigures{"journal": p.Journal, "device": p.Other} {
		if f == nil || f.Receipts != 3 || f.ByKind["sale"].Total != 15000 || f.ByKind["refund"].Count != 1 || *f.CashIn != (fiscal.Tally{Count: 1, Total: 50000}) {
			t.Errorf("%s: %s", side, mustJSON(f))
			continue
		}
		if paid := f.ByKind["sale"].Payments; paid == nil || *paid.Cash != 10000 || *paid.Card != 5000 {
			t.Errorf("%s: %s", side, mustJSON(f))
		}
	}
	if own := w.reported("dev/front/reconcile", 1); own.ID != r.ID {
		t.Errorf("%s beside %s", own.ID, r.ID)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := watch(t, s)
	for _, topic := range []string{"node/reconcile", "dev/front/reconcile"} {
		if again := after.reported(topic, 1); again.ID != r.ID {
			t.Errorf("%s: %s after the restart", topic, again.ID)
		}
	}
}

// A document of another program is named, the alert stands until a shift
// agrees.
func TestForeignDocumentIsNamed(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"between", "last"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			s, till, w := reconciledShop(t)
			fd, err := s.ForeignSale("front", 7700)
			if err != nil {
				t.Fatal(err)
			}
			if when == "between" {
				must(t, till, fiscal.VerbSale, tea())
			}
			must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
			p := onePart(t, w.reported("dev/front/reconcile", 1))
			if got := codesOf(p); p.Agrees || !slices.Equal(got, []string{fmt.Sprintf("foreign %d", fd)}) {
				t.Errorf("%v in %s", got, mustJSON(p))
			}
			if !slices.ContainsFunc(p.Differences, func(d mqtt.ReconciledDifference) bool {
				return d.Figure == "by_kind.sale.total" && d.Other != d.Journal
			}) {
				t.Errorf("the sum does not differ: %s", mustJSON(p.Differences))
			}
			if detail := w.stands("dev/front/alert/reconcile-differs"); !strings.Contains(detail, "differences in") {
				t.Errorf("alert %s", detail)
			}
			must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
			must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
			if r := w.reported("dev/front/reconcile", 2); !r.Agrees {
				t.Errorf("%s", mustJSON(r))
			}
			w.cleared("dev/front/alert/reconcile-differs")
		})
	}
}

// A number that the storage does not give and the journal does not have is a
// gap; one that the journal has is missing.
func TestMissingDocumentIsNamed(t *testing.T) {
	t.Parallel()
	for _, whose := range []string{"foreign", "ours"} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			s, till, w := reconciledShop(t)
			lost, want := uint32(3), "missing 3"
			if whose == "foreign" {
				fd, err := s.ForeignSale("front", 7700)
				if err != nil {
					t.Fatal(err)
				}
				lost, want = fd, fmt.Sprintf("gap %d", fd)
			}
			s.Printers["front"].Inject(printer.Fault{When: asksFor(lost), Times: -1, Do: printer.RefuseWith{Code: 0x08}})
			// A document that cannot be read may be that of any earlier command.
			id := NewID()
			closed, err := till.CallRaw(t.Context(), fiscal.VerbShiftClose, id, RequestAt(id, time.Now().Add(time.Minute), obj{"cashier": cashier}), nil)
			if err != nil || closed.State != fiscal.Done {
				t.Fatalf("%v: %s", err, closed.Raw)
			}
			p := onePart(t, w.reported("dev/front/reconcile", 1))
			if got := codesOf(p); !slices.Equal(got, []string{want}) {
				t.Errorf("%v in %s", got, mustJSON(p))
			}
			if gaps := len(p.Gaps); (gaps == 1) != (whose == "foreign") {
				t.Errorf("%d gaps", gaps)
			}
		})
	}
}

// asksFor fits the question about a document of the storage: FF0A, password,
// number.
func asksFor(fd uint32) printer.Trigger {
	return func(msg []byte) bool {
		return printer.CodeOf(msg) == 0xFF0A && len(msg) >= 10 && binary.LittleEndian.Uint32(msg[6:]) == fd
	}
}

// Over MQTT a person asks for the shift that is open, for a period, for the list
// and for a report of the list.
func TestReconcileOnCommand(t *testing.T) {
	t.Parallel()
	_, till, w := reconciledShop(t)
	r := managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{"device": "front", "shift": 1})
	if p := onePart(t, r); !r.Agrees || r.By != "ivanov" || r.Why != fiscal.ReportCommand || p.Other.Receipts != 2 {
		t.Errorf("%s", mustJSON(r))
	}
	must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
	w.reported("node/reconcile", 1)
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	day := managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{"since": time.Now().Add(-time.Hour).Format(time.RFC3339)})
	if !day.Agrees || len(day.Parts) != 2 || day.Parts[0].Shift != 1 || day.Parts[1].Shift != 2 {
		t.Errorf("%s", mustJSON(day))
	}
	list := managed[struct {
		Reports []mqtt.ReconciliationItem `json:"reports"`
	}](t, w.ear, "reconcile", obj{"list": true}).Reports
	if len(list) != 3 || list[0].ID != day.ID || list[2].ID != r.ID || list[1].Why != fiscal.ReportShiftClose {
		t.Errorf("%s", mustJSON(list))
	}
	if again := managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{"id": r.ID}); string(mustJSON(again)) != string(mustJSON(r)) {
		t.Errorf("%s became %s", mustJSON(r), mustJSON(again))
	}
	later := managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{"since": "2020-01-01", "until": "2020-01-02", "device": "front"})
	if !later.Agrees || len(later.Parts) != 0 {
		t.Errorf("%s", mustJSON(later))
	}
	for body, code := range map[string]fiscal.Code{
		`{"shift":1,"since":"2026-01-01"}`: fiscal.CodeBadRequest, `{"since":"yesterday"}`: fiscal.CodeBadRequest, `{"device":"back"}`: fiscal.CodeUnknownDevice,
		`{"since":"2026-01-02","until":"2026-01-01"}`: fiscal.CodeBadRequest, `{"id":"x"}`: fiscal.CodeNotFound, `{"what":1}`: fiscal.CodeBadRequest,
	} {
		a := w.manage(t, "reconcile", "ivanov", json.RawMessage(body))
		if a.Error == nil || a.Error.Code != string(code) {
			t.Errorf("%s: %s", body, mustJSON(a))
		}
	}
	if a := w.manage(t, "reconcile-import", "ivanov", obj{}); a.Error == nil || a.Error.Code != string(fiscal.CodeUnknownVerb) {
		t.Errorf("an import over MQTT: %s", mustJSON(a))
	}
}

// A device that is away makes a report that says so, and agrees with nothing.
func TestReconcileWithoutTheDevice(t *testing.T) {
	t.Parallel()
	s, _, w := reconciledShop(t)
	s.Printers["front"].PowerOff()
	r := managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{"device": "front", "since": "2020-01-01"})
	if p := onePart(t, r); r.Agrees || !p.Incomplete || len(p.Differences) != 0 || len(p.Notes) == 0 || p.Other != nil || p.Journal.Receipts != 2 {
		t.Errorf("%s", mustJSON(r))
	}
	s.Printers["front"].PowerOn()
}

// exported is a book of the shop's receipts as a cabinet would give it.
func exported(t *testing.T, s *Shop, change func(row []string) []string) string {
	t.Helper()
	records, err := s.Daemon().Records()
	if err != nil {
		t.Fatal(err)
	}
	text := "ФН;ФД;ФПД;Дата;Признак расчета;Сумма;Наличными;Безналичными\n"
	for _, r := range records {
		if !r.Verb.Receipt() || r.Receipt == nil {
			continue
		}
		d, rc := r.Document, r.Receipt
		row := []string{
			rc.Storage, fmt.Sprint(rc.FD), fmt.Sprint(rc.Sign), rc.At.Format("02.01.2006 15:04:05"), "Приход",
			comma(d.Total), comma(d.Payments.Cash), comma(d.Payments.Card),
		}
		if row = change(row); row != nil {
			text += strings.Join(row, ";") + "\n"
		}
	}
	return text
}

func comma(m fiscal.Money) string { return strings.ReplaceAll(m.String(), ".", ",") }

// An import names the document whose sum was changed, the one that is missing,
// and the one that nobody here made.
func TestImportNamesTheDocument(t *testing.T) {
	t.Parallel()
	s, till, w := reconciledShop(t)
	must(t, till, fiscal.VerbSale, tea())
	serial := s.Printers["front"].Storage().Serial()
	ledger := s.Printers["front"].Storage().Ledger()
	last := ledger[len(ledger)-1].Time.Format("02.01.2006 15:04:05") // inside the books, whatever the clock says now
	for name, tt := range map[string]struct {
		change func(row []string) []string
		more   string
		want   []string
		note   string
	}{
		"agrees": {change: func(row []string) []string { return row }},
		"sum": {change: func(row []string) []string {
			if row[1] == "4" {
				row[5], row[7] = "50,01", "50,01"
			}
			return row
		}, want: []string{"total 4", "payments 4"}},
		"missing": {change: func(row []string) []string {
			if row[1] == "3" {
				return nil
			}
			return row
		}, want: []string{"missing 3"}},
		"foreign": {
			change: func(row []string) []string { return row }, more: serial + ";9;12;" + last + ";Приход;1;1;0\n",
			want: []string{"gap 6", "foreign 9"},
		},
		"another register": {
			change: func(row []string) []string { return row }, more: "9999000000000001;9;12;" + last + ";Приход;1;1;0\n",
			note: "1 documents of 1 storages",
		},
		"without numbers": {
			change: func(row []string) []string { return append([]string{"", "", ""}, row[3:]...) }, note: "3 documents were matched by kind, total and time only",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := exported(t, s, tt.change) + tt.more
			raw, err := daemon.Control(t.Context(), s.Config, "reconcile-import", "ivanov", obj{"file": "/tmp/november.csv", "text": []byte(text)})
			if err != nil {
				t.Fatal(err)
			}
			r := strict[mqtt.Reconciliation](t, string(raw))
			p := onePart(t, r)
			if got := codesOf(p); !slices.Equal(got, tt.want) || r.Agrees != (tt.want == nil) {
				t.Errorf("%v in %s", got, mustJSON(p))
			}
			if p.Against != fiscal.AgainstImport || p.Source != "november.csv" || !strings.Contains(strings.Join(p.Notes, "\n"), tt.note) {
				t.Errorf("%s", mustJSON(p))
			}
			if last := w.until("report", "node/reconcile", func(p string) bool { return strings.Contains(p, r.ID) }); !strings.Contains(last, "november.csv") {
				t.Errorf("retained: %s", last)
			}
		})
	}
	var refusal *fiscal.Error
	_, err := daemon.Control(t.Context(), s.Config, "reconcile-import", "ivanov", obj{"file": "f", "text": []byte("fd;total\n1;x\n")})
	if !errors.As(err, &refusal) || refusal.Code != fiscal.CodeBadRequest || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}

// A cloud is held against what it confirmed. What it has not confirmed is named
// and is no difference; an attempt that was given up and made after all is found
// by asking, and is one.
func TestCloudIsReconciled(t *testing.T) {
	t.Parallel()
	s, till := bifitShop(t, nil, quickAlert)
	w := watch(t, s)
	must(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
	s.BIFIT.Fail(bifit.Fault{Do: bifit.Stick{}})
	stuck := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
	stuck.registeredWaiting(fiscal.CodeCloudUnconfirmed)

	r := managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{})
	p := onePart(t, r)
	if !r.Agrees || p.Against != fiscal.AgainstConfirmed || p.Kind != fiscal.BackendCloud || p.Other.ByKind["sale"].Total != 122000 {
		t.Errorf("%s", mustJSON(p))
	}
	if len(p.Unconfirmed) != 1 || p.Unconfirmed[0].ID != stuck.id || p.Unconfirmed[0].State != fiscal.Registered || p.Unconfirmed[0].Ticket == "" {
		t.Errorf("%s", mustJSON(p.Unconfirmed))
	}

	managed[json.RawMessage](t, w.ear, "resolve", obj{"id": stuck.id, "action": "retry"})
	stuck.ends(fiscal.Done)
	for _, d := range s.BIFIT.Documents() {
		if err := s.BIFIT.Repair(d.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.BIFIT.Finish(d.ID); err != nil {
			t.Fatal(err)
		}
	}
	r = managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{"device": "bifit"})
	for _, late := range onePart(t, r).Late {
		elsewhere(s, late.FN, late.FD)
	}
	p = onePart(t, r)
	if r.Agrees || len(p.Late) != 1 || p.Late[0].ID != stuck.id || !p.Late[0].New || len(p.Unconfirmed) != 0 {
		t.Errorf("%s", mustJSON(p))
	}
	if got := codesOf(p); len(got) != 1 || !strings.HasPrefix(got[0], "two-documents ") {
		t.Errorf("%v in %s", got, mustJSON(p))
	}
	w.stands("dev/bifit/alert/reconcile-differs")
	w.stands("dev/bifit/alert/late-document")
	again := onePart(t, managed[mqtt.Reconciliation](t, w.ear, "reconcile", obj{"device": "bifit"}))
	if len(again.Late) != 1 || again.Late[0].New {
		t.Errorf("asked again: %s", mustJSON(again.Late))
	}
}
