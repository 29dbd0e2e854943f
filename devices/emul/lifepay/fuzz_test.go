package lifepay

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever comes in, the answer is the envelope, and what is accepted is paid
// for and ends in at most one document.
func FuzzRequest(f *testing.F) {
	for _, in := range []object{
		sale(), sale(object{"cash_amount": 500, "card_amount": nil}), sale(object{"test": "1", "purchase": `{"products":[]}`}),
		body(object{"amount": "1e2", "target_serial": DemoPrinter}), with(object{"quantity": "1e-4", "price": 1e9}),
		body(object{"description": "x", "doc_date": "2026-11-20", "doc_number": "1", "cash_amount": 1}),
		sale(object{"type": "buy_correction", "correction_doc_date": "2026-11-20", "correction_initiator": "directive", "supplier_data": 1}),
	} {
		text, err := json.Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		for i := range byte(9) {
			f.Add(i, string(text))
		}
	}
	f.Add(byte(0), "null")
	f.Add(byte(0), "apikey="+DemoAPIKey+"&login="+DemoLogin+"&purchase=%7B%7D&a=%ff")
	paths := []string{createReceipt, createReceipt12, createCorrection, createSession, createZ, createX, createNonFiscal, cashIn, cashOut}
	f.Fuzz(func(t *testing.T, which byte, text string) {
		// Nobody's callbacks are sent from here.
		s := service(t, Config{Options: Options{FormBodies: which >= 128}, Client: &http.Client{Transport: &receiver{}}})
		r := raw(t, s, paths[int(which)%len(paths)], "", text)
		if r.Status != http.StatusOK || r.Code < 0 || (r.Code == 0) != (r.Message != nil && *r.Message == "") {
			t.Fatalf("HTTP %d %q", r.Status, r.Text)
		}
		list := s.Documents()
		if (len(list) == 1) != (r.UUID != "") {
			t.Fatalf("%d documents, %s", len(list), r.Text)
		}
		if len(list) == 0 {
			return
		}
		d := final(t, s, r.UUID)
		made := s.Storage(DemoPrinter).Receipts()
		if d.Total < 0 || d.Change < 0 || d.fiscalReceipt() != (len(made) == 1) {
			t.Fatalf("%+v, %d receipts", d, len(made))
		}
		if len(made) == 1 && (d.Payments.Sum() != d.Total+d.Change || made[0].Total != int64(d.Total)) {
			t.Fatalf("%+v, %+v", d, made[0])
		}
	})
}

func (d Document) fiscalReceipt() bool { return d.Receipt != 0 }

func FuzzControl(f *testing.F) {
	for _, text := range []string{`{"Kind":"hang","Delay":5}`, `{"serial":"x","state":"ok"}`, `{"uuid":"x"}`, "[", ""} {
		for _, what := range []string{"fault", "printer", "finish"} {
			f.Add(what, text)
		}
	}
	f.Fuzz(func(t *testing.T, what, text string) {
		s := service(t, Config{Control: true})
		r := httptest.NewRequest(http.MethodPost, controlPrefix, strings.NewReader(text))
		r.URL.Path += what
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 204 && w.Code != 400 && w.Code != 404 {
			t.Errorf("HTTP %d %s", w.Code, w.Body)
		}
	})
}
