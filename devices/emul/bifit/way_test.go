package bifit_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"kassad/devices/emul/bifit"
	"kassad/devices/emul/fn"
)

// TestWay follows one receipt from the token to the ledger (sections 1, 4, 7,
// 8).
func TestWay(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	a := h.register("k1-abc-1", coffee)
	if id := h.id(a); a.body != "254934" || id != bifit.FirstIDDefault {
		t.Fatalf("registration answers %q, want the bare number 254934", a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	id := uint64(bifit.FirstIDDefault)
	for _, step := range []struct {
		after  time.Duration
		status string
	}{{0, "NEW"}, {499 * time.Millisecond, "NEW"}, {time.Millisecond, "QUEUED"}, {500 * time.Millisecond, "REGISTERING"}, {time.Second, "DONE"}} {
		h.s.Advance(step.after)
		h.wantStatus(id, step.status)
		if _, there := lookup(t, h.document(id), "fiscal").(map[string]any); there != (step.status == "DONE") {
			t.Errorf("%s: fiscal attributes there: %v", step.status, there)
		}
	}
	a = h.document(id)
	for path, want := range map[string]any{
		"id": json.Number("254934"), "type": "SALE", "total": json.Number("150.00"), "created": json.Number("1772442000000"),
		"changed": json.Number("1772442002000"), "fiscal.fnNumber": "9999078900100001", "fiscal.fiscalDocumentNumber": json.Number("3"),
		"fiscal.shiftNumber": json.Number("1"), "fiscal.receiptNumber": json.Number("1"), "fiscal.dateTime": "2026-03-02T12:00:00",
		"fiscal.kktRegistrationNumber": "0000000001062450", "fiscal.kktSerialNumber": serialOne, "fiscal.fnsSite": "www.nalog.gov.ru",
		"fiscal.ofdName": "ЭМУЛЯТОР ОФД", "fiscal.ofdInn": "7704358518", "error": nil,
	} {
		if got := lookup(t, a, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if sign := field[string](t, a, "fiscal.fiscalSign"); len(sign) != 10 || strings.Trim(sign, "0123456789") != "" {
		t.Errorf("fiscal sign %q, want 10 digits", sign)
	}
}

// TestLedger: what the tax office sees is the receipt, tag by tag.
func TestLedger(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.sell("a")
	h.s.Advance(time.Minute)
	ledger := h.s.Ledger()["9999078900100001"]
	if len(ledger) != 3 || ledger[0].Form != fn.FormRegistration || ledger[1].Form != fn.FormShiftOpen || ledger[2].Form != fn.FormReceipt {
		t.Fatalf("ledger %+v, want registration, shift, receipt", ledger)
	}
	e := ledger[2]
	if e.Operation != 1 || e.Total != 15000 || e.Cash != 15000 || e.Card != 0 || e.Taxation != 1 || e.Cashier != "Petrov P. P." ||
		e.CashierINN != "500100732259" || e.Contact != "buyer@example.org" || e.VAT[2] != 1364 || e.FFD != 2 {
		t.Errorf("receipt %+v", e)
	}
	i := e.Items[0]
	if len(e.Items) != 1 || i.Name != "Coffee beans" || i.Price != 6000 || i.Quantity != 2_500_000 || i.Sum != 15000 ||
		i.VATCode != 2 || i.VATSum != 1364 || i.Method != 4 || i.Subject != 1 {
		t.Errorf("item %+v", i)
	}
	d := h.s.Documents()[0]
	if d.Status != bifit.StatusDone || d.Fiscal.FD != e.FD || d.Fiscal.FP != e.FP || d.Fiscal.FN != e.Storage || len(d.Made) != 1 ||
		d.Key != "a" || d.Connector != "connector-1" || d.Payments[1031] != 15000 || d.Type != 1 || d.Total != 15000 || d.Reloads != 0 {
		t.Errorf("document %+v", d)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	s := bifit.New(bifit.Config{Prefix: "/other/"})
	t.Cleanup(s.Close)
	h := &host{t: t, s: s, handler: s}
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/other/oauth/token", http.StatusMethodNotAllowed},
		{"GET", "/other" + bifit.RegisterPath, http.StatusMethodNotAllowed},
		{"PUT", "/other" + bifit.ReloadPath, http.StatusMethodNotAllowed},
		{"POST", "/other/protected/documents/1", http.StatusMethodNotAllowed},
		{"GET", "/other/protected/documents", http.StatusNotFound},
		{"POST", "/other/protected/documents/registration", http.StatusMethodNotAllowed},
		{"GET", "/other/shifts", http.StatusNotFound},
		{"POST", base + bifit.RegisterPath, http.StatusNotFound},
	} {
		if a := h.call(c.method, c.path, ""); a.status != c.status {
			t.Errorf("%s %s answers %d, want %d", c.method, c.path, a.status, c.status)
		}
	}
}
