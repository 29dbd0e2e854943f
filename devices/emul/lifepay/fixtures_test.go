package lifepay

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// The fixtures of section 14.3, but for those that money_test.go has.

func TestInstalmentChain(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	first := accepted(t, s, createReceipt, body(object{"purchase": twoOf(5, 20730, 3710), "credit_amount": 20000, "cash_amount": "#"}))
	for range 2 {
		accepted(t, s, createReceipt, body(object{"purchase": twoOf(7, 5000, 5000), "card_amount": "#"}))
	}
	list := s.Storage(DemoPrinter).Receipts()
	if len(list) != 3 || list[0].Credit != 2000000 || list[0].Items[0].Method != 5 || list[2].Items[1].Method != 7 {
		t.Errorf("%+v", list)
	}
	if first.Shift != 1 || first.Receipt != 1 || list[2].Receipt != 3 {
		t.Errorf("%+v", first)
	}
}

func TestPrepaymentPair(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	accepted(t, s, createReceipt, body(object{"purchase": twoOf(1, 1000), "card_amount": 1000}))
	accepted(t, s, createReceipt, body(object{"purchase": twoOf(4, 1000), "prepayment_amount": 1000}))
	list := s.Storage(DemoPrinter).Receipts()
	if len(list) != 2 || list[0].Card != 100000 || list[0].Items[0].Method != 1 || list[1].Prepaid != 100000 || list[1].Items[0].Method != 4 {
		t.Errorf("%+v", list)
	}
}

const marking = "010460043993125621JgXJ5.T\u001d8005112000\u001d93Mdxh"

func TestMarkedItem(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	item := object{
		"name": "Ботинки", "price": "2990.00", "quantity": 1, "tax": "vat22", "item_type": 33, "marking_code": marking, "marking_code_status": 1,
		"agent_item_type": 64, "supplier_inn": "7707083893", "supplier_data": object{"name": "ООО Завод", "phone": "+74950000000"},
	}
	in := body(object{
		"purchase": object{"products": []object{item}}, "card_amount": "#", "customer_name": "Иванов", "customer_inn": "500100732259",
		"customer_email": "b@example.com", "mode": "print_email", "customer_phone": "79160000000", "tax_system": "usn15", "cashier_inn": "500100732259",
	})
	d := accepted(t, s, createReceipt12, in)
	e := s.Storage(DemoPrinter).Receipts()[0]
	i := e.Items[0]
	if f, ok := ffd.Find(i.Fields, tagMarkingCode); !ok || !bytes.Equal(f.Value, []byte(marking)) {
		t.Errorf("code %q", f.Value)
	}
	if i.Subject != 33 || i.VATCode != 11 || i.VATSum != 53918 || i.Agent != 64 || i.Supplier != "ООО Завод" || i.SupplierINN != "7707083893" {
		t.Errorf("%+v", i)
	}
	if e.Buyer.INN != "500100732259" || e.Contact != "b@example.com" || e.Taxation != 4 || e.CashierINN != "500100732259" || e.Cashier != "Кассир" {
		t.Errorf("%+v", e)
	}
	if !slices.Equal(d.Sent, []string{"email:b@example.com", "sms:79160000000"}) {
		t.Errorf("sent %v", d.Sent)
	}
	// The old address knows neither the subject nor these fields; the latter are
	// noted.
	wantCode(t, post(t, s, createReceipt, in), CodeData)
	item["item_type"] = 2
	accepted(t, s, createReceipt, in)
	var want []string
	for _, name := range []string{"agent_item_type", "marking_code", "marking_code_status", "supplier_data", "supplier_inn"} {
		want = append(want, "purchase.products[0]."+name)
	}
	if r := s.Requests(); len(r[0].Unknown) != 0 || !slices.Equal(r[2].Unknown, want) {
		t.Errorf("unknown: %v, %v", r[0].Unknown, r[2].Unknown)
	}
}

func TestShiftsAndReports(t *testing.T) {
	t.Parallel()
	for _, asIs := range []bool{false, true} {
		s := service(t, Config{Options: Options{ShiftAsIs: asIs}})
		again := StateError
		if asIs {
			again = StateProcessed
		}
		std := object{"target_serial": DemoPrinter, "cashier_name": "Иванова"}
		for _, step := range []struct {
			path  string
			in    object
			state State
			fd    uint32
		}{
			{createZ, nil, again, 0},
			{createSession, std, StateProcessed, 2},
			{createSession, std, again, 0},
			{createX, nil, StateProcessed, 0},
			{createNonFiscal, object{"purchase": exampleA(), "card_amount": "#"}, StateProcessed, 0},
			{cashIn, object{"target_serial": DemoPrinter, "amount": "100.50"}, StateProcessed, 0},
			{cashOut, object{"target_serial": DemoPrinter, "amount": 100.51}, StateError, 0},
			{cashOut, object{"target_serial": DemoPrinter, "amount": 100}, StateProcessed, 0},
			{createReceipt, object{"purchase": exampleA(), "cash_amount": 500}, StateProcessed, 3},
			{cashOut, object{"target_serial": DemoPrinter, "amount": 239.95}, StateProcessed, 0},
			{createZ, std, StateProcessed, 4},
		} {
			if d := accepted(t, s, step.path, body(step.in)); d.State != step.state || d.FD != step.fd {
				t.Errorf("%s: %s, FD %d, %s", step.path, d.State, d.FD, d.ErrorText)
			}
		}
		list := s.Ledger()["9999078900200001"]
		if len(list) != 4 || list[1].Form != fn.FormShiftOpen || list[3].Form != fn.FormShiftClose || list[3].Cashier != "Иванова" {
			t.Errorf("%+v", list)
		}
	}
}

func old(o Options) Config {
	return Config{Options: o, Accounts: []Account{{
		APIKey: DemoAPIKey, Logins: []Login{{Phone: DemoLogin}}, Printers: []Printer{{Serial: DemoPrinter, FFD: "1.05"}},
	}}}
}

func TestCorrection105(t *testing.T) {
	t.Parallel()
	basis := object{"description": "Ошибка кассира", "doc_date": "2026-11-20", "doc_number": "12-3", "cash_amount": 100}
	for _, tt := range []struct {
		name  string
		more  object
		order byte
		op    byte
	}{
		{"without initiator", nil, 0, 1},
		{"by oneself", object{"initiator": "independently", "type": "sell_correction"}, 0, 1},
		{"by order", object{"initiator": "directive", "type": "buy_correction", "tax": "vat20"}, 1, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, old(Options{}))
			d := accepted(t, s, createCorrection, body(basis, tt.more))
			list := s.Storage(DemoPrinter).Receipts()
			if d.State != StateProcessed || len(list) != 1 {
				t.Fatalf("%+v", d)
			}
			e := list[0]
			if e.Form != fn.FormCorrection || e.Total != 10000 || e.Operation != tt.op || e.Correction.Type != tt.order ||
				e.Correction.Number != "12-3" || e.Correction.Date.Format(time.DateOnly) != "2026-11-20" {
				t.Errorf("%+v %+v", e, e.Correction)
			}
			if tt.order == 1 && e.VAT[1] != 1667 {
				t.Errorf("VAT %v", e.VAT)
			}
		})
	}
	s := service(t, old(Options{InitiatorRequired: true}))
	wantRefusal(t, s, createCorrection, body(basis), 400, "initiator")
	wantRefusal(t, s, createCorrection, body(basis, object{"initiator": "directive", "doc_date": "20.11.2026"}), 400, "doc_date")
	wantRefusal(t, s, createCorrection, body(object{"initiator": "me"}), 400, "initiator", "description", "doc_date", "doc_number")
	wantRefusal(t, s, createCorrection, body(basis, object{"initiator": "directive", "cash_amount": nil}), 400, "card_amount")
	wantRefusal(t, s, createCorrection, body(basis, object{"initiator": "directive", "type": "sell_return_correction"}), 400, "type")
}

// A till of FFD 1.2 needs the positions of what is corrected (section 4.1).
func TestCorrection12(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	in := sale(object{"type": "sell_return_correction", "correction_doc_date": "2026-11-20", "correction_initiator": "directive"})
	d := accepted(t, s, createReceipt12, in)
	e := s.Storage(DemoPrinter).Receipts()[0]
	if d.State != StateProcessed || e.Form != fn.FormCorrection || e.Operation != 2 || e.Correction.Type != 1 || len(e.Items) != 3 {
		t.Errorf("%+v", e)
	}
	s = service(t, Config{})
	none := object{"products": []object{{"name": "x", "price": 1, "quantity": 1, "item_type": 28}}}
	wantRefusal(t, s, createReceipt12, sale(object{"purchase": none}), 400, "purchase")
	wantRefusal(t, s, createReceipt12, sale(object{"type": "buy_correction"}), 400, "correction_doc_date", "correction_initiator")
	wantRefusal(t, s, createReceipt, in, 400, "type")
	in = body(object{"description": "x", "doc_date": "2026-11-20", "doc_number": "1", "cash_amount": 1})
	if d := accepted(t, s, createCorrection, in); d.State != StateError || d.ErrorCode != CodeStorage {
		t.Errorf("%+v", d)
	}
}

// The drawer knows what receipts bring and take.
func TestDrawer(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	paid := object{"purchase": exampleA(), "cash_amount": 500}
	for _, step := range []struct {
		kind string
		in   object
		all  string // the drawer afterwards
	}{
		{"payment", paid, "239.45"}, {"payment", paid, "478.90"}, {"refund", paid, "239.45"}, {"buy", object{"purchase": one(39.45, 1), "cash_amount": "#"}, "200"},
		{"buy_refund", object{"purchase": one(1, 1), "cash_amount": "#"}, "201"}, {"payment", object{"purchase": exampleA(), "card_amount": "#"}, "201"},
	} {
		accepted(t, s, createReceipt, body(step.in, object{"type": step.kind}))
		all := object{"target_serial": DemoPrinter, "amount": step.all}
		if d := accepted(t, s, cashOut, body(all)); d.State != StateProcessed {
			t.Errorf("%s: less than %s", step.kind, step.all)
		}
		if d := accepted(t, s, cashOut, body(object{"target_serial": DemoPrinter, "amount": "0.01"})); d.State != StateError {
			t.Errorf("%s: more than %s", step.kind, step.all)
		}
		accepted(t, s, cashIn, body(all))
	}
}

// A refund is filed as one, with its own counters.
func TestOperations(t *testing.T) {
	t.Parallel()
	s := service(t, old(Options{}))
	for i, kind := range []string{"payment", "refund", "buy", "buy_refund"} {
		accepted(t, s, createReceipt, sale(object{"type": kind}))
		list := s.Storage(DemoPrinter).Receipts()
		if e := list[i]; e.Operation != byte(i+1) || e.Items[1].UnitText != "кг" || e.Items[2].Quantity != 100_000 {
			t.Errorf("%s: %+v", kind, e)
		}
	}
	s = service(t, Config{Options: Options{NoBuy: true}})
	wantRefusal(t, s, createReceipt, sale(object{"type": "buy"}), 400, "type")
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg    Config
		method string
		path   string
		status int
	}{
		{Config{}, http.MethodPost, "/cloud-print/create-bill", 404},
		{Config{}, http.MethodPost, "/create-receipt", 404},
		{Config{}, http.MethodGet, createReceipt, 405},
		{Config{}, http.MethodPost, createReceipt, 200},
		{Config{}, http.MethodPost, "/cloud-print-ffd1_2/create-session", 404},
		{Config{Options: Options{AllPathsFFD12: true}}, http.MethodPost, "/cloud-print-ffd1_2/create-session", 200},
		{Config{Base: "/lp"}, http.MethodPost, "/lp" + createReceipt, 200},
		{Config{Base: "/lp"}, http.MethodPost, createReceipt, 404},
		{Config{}, http.MethodGet, "/_control/ledger", 404},
	} {
		s := service(t, tt.cfg)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, http.NoBody))
		if w.Code != tt.status {
			t.Errorf("%s %s: HTTP %d, want %d", tt.method, tt.path, w.Code, tt.status)
		}
	}
}
