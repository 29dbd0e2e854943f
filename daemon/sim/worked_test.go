package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// workedReceipt is a receipt of the format reference with every figure worked
// out (fiscal/testdata/worked-receipts.json).
type workedReceipt struct {
	ID        string `json:"id"`
	FFD       string `json:"ffd"`
	Form      uint8  `json:"document_form"`
	Operation uint8  `json:"operation_1054"`
	Taxation  uint8  `json:"taxation_1055"`
	Items     []struct {
		Name      string `json:"name"`
		Price     int64  `json:"price_1079"`
		ListPrice int64  `json:"list_price"`
		Quantity  string `json:"quantity_1023"`
		Unit      uint8  `json:"unit_2108"`
		VAT       uint8  `json:"vat_1199"`
		Method    uint8  `json:"payment_method_1214"`
		Subject   uint8  `json:"payment_object_1212"`
		Sum       int64  `json:"sum_1043"`
		Tax       int64  `json:"vat_sum_1200"`
	} `json:"items"`
	Total      int64           `json:"total_1020"`
	Cash       int64           `json:"cash_1031"`
	Card       int64           `json:"electronic_1081"`
	Prepaid    int64           `json:"prepaid_1215"`
	Credit     int64           `json:"credit_1216"`
	Provision  int64           `json:"provision_1217"`
	Tendered   int64           `json:"cash_tendered"`
	Change     int64           `json:"change"`
	Bases      map[uint8]int64 `json:"base_by_rate"`
	Taxes      map[uint8]int64 `json:"vat_by_rate_sum_of_items"`
	Correction *struct {
		Type uint8  `json:"type_1173"`
		Date string `json:"date_1178"`
	} `json:"correction"`
	Additional string `json:"additional_1192"`
	Internet   int    `json:"internet_1125"`
	Contact    string `json:"buyer_contact_1008"`
	Place      string `json:"place_1187"`
}

type workedFile struct {
	Receipts []workedReceipt `json:"receipts"`
	Shift    struct {
		Receipts  []string      `json:"receipts"`
		Documents uint32        `json:"fiscal_documents_1111"`
		Start     int64         `json:"cash_in_drawer_start"`
		End       int64         `json:"cash_in_drawer_end"`
		Counters  shiftCounters `json:"counters_1194"`
	} `json:"shift_example"`
}

// shiftCounters is tag 1194 worked out.
type shiftCounters struct {
	Receipts    uint32                     `json:"1134"`
	Sale        kindFigures                `json:"1129"`
	Refund      kindFigures                `json:"1130"`
	Buy         kindFigures                `json:"1131"`
	BuyRefund   kindFigures                `json:"1132"`
	Corrections map[string]json.RawMessage `json:"1133"`
}

// kindFigures are the counters of one settlement sign.
type kindFigures struct {
	Count     uint32          `json:"1135"`
	Total     int64           `json:"1201"`
	Cash      int64           `json:"1136"`
	Card      int64           `json:"1138"`
	Prepaid   int64           `json:"1218"`
	Credit    int64           `json:"1219"`
	Provision int64           `json:"1220"`
	VAT       map[uint8]int64 `json:"vat"`
}

func (c shiftCounters) kinds() map[string]kindFigures {
	return map[string]kindFigures{"sale": c.Sale, "refund": c.Refund, "buy": c.Buy, "buy-refund": c.BuyRefund}
}

// corrected are the corrections of one settlement sign.
func (c shiftCounters) corrected(t *testing.T, kind string) kindFigures {
	t.Helper()
	tag := map[string]string{"sale": "1145", "refund": "1232", "buy": "1146", "buy-refund": "1233"}[kind]
	return decode[kindFigures](t, c.Corrections[tag])
}

func worked(t *testing.T) workedFile {
	t.Helper()
	text, err := os.ReadFile("../../fiscal/testdata/worked-receipts.json")
	if err != nil {
		t.Fatal(err)
	}
	var f workedFile
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func (w workedReceipt) verb() fiscal.Verb {
	if w.Form == fiscal.FormCorrection {
		return fiscal.VerbCorrection
	}
	return fiscal.Verb(fiscal.Kind(w.Operation).String())
}

// body writes the receipt as a terminal would: list prices with a discount
// where the example has one, tendered cash, the contract's words.
func (w workedReceipt) body() obj {
	b := obj{"cashier": cashier, "taxation": fiscal.Taxation(w.Taxation).String()}
	var items []obj
	for _, it := range w.Items {
		o := obj{
			"name": it.Name, "price": fiscal.Money(it.Price), "quantity": json.RawMessage(it.Quantity), "unit": fiscal.Unit(it.Unit).String(),
			"vat": fiscal.VAT(it.VAT).String(), "method": fiscal.Method(it.Method).String(), "subject": fiscal.Subject(it.Subject).String(),
		}
		if it.ListPrice != 0 {
			o["price"], o["discount"] = fiscal.Money(it.ListPrice), obj{"percent": 7}
		}
		items = append(items, o)
	}
	payments := obj{}
	for kind, sum := range map[string]int64{"cash": w.Tendered, "card": w.Card, "prepayment": w.Prepaid, "credit": w.Credit, "other": w.Provision} {
		if sum != 0 {
			payments[kind] = fiscal.Money(sum)
		}
	}
	b["payments"] = payments
	if len(items) > 0 {
		b["items"] = items
	} else {
		b["total"] = fiscal.Money(w.Total)
		vat := obj{}
		for rate, sum := range w.Taxes {
			vat[fiscal.VAT(rate).String()] = fiscal.Money(sum)
		}
		b["vat"] = vat
	}
	if w.Correction != nil {
		b["correction"] = obj{"kind": fiscal.Kind(w.Operation).String(), "by": "self", "date": w.Correction.Date}
	}
	if w.Additional != "" {
		b["additional"] = w.Additional
	}
	if w.Internet == 1 {
		b["internet"], b["customer"], b["place"] = true, w.Contact, w.Place
	}
	return b
}

// check compares the ledger's document with the worked figures.
func (w workedReceipt) check(t *testing.T, e fn.Entry) {
	t.Helper()
	equal := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s %s: the tax office sees %v, want %v", w.ID, what, got, want)
		}
	}
	equal("form", e.Form, w.Form)
	equal("1054", e.Operation, w.Operation)
	equal("1055", e.Taxation, w.Taxation)
	equal("1020", e.Total, w.Total)
	equal("1031", e.Cash, w.Cash)
	equal("1081", e.Card, w.Card)
	equal("1215", e.Prepaid, w.Prepaid)
	equal("1216", e.Credit, w.Credit)
	equal("1217", e.Provision, w.Provision)
	equal("1021", e.Cashier, cashier["name"])
	equal("1203", e.CashierINN, cashier["inn"])
	equal("1125", e.Internet, w.Internet == 1)
	if w.Additional != "" {
		equal("1192", e.Extra, w.Additional)
	}
	if w.Internet == 1 {
		equal("1008", e.Contact, w.Contact)
		equal("1187", e.Place, w.Place)
	}
	equal("items", len(e.Items), len(w.Items))
	for i, it := range w.Items {
		got := e.Items[i]
		q, err := fiscal.ParseQuantity(it.Quantity)
		if err != nil {
			t.Fatal(err)
		}
		equal("1030", got.Name, it.Name)
		equal("1079", got.Price, it.Price)
		equal("1023", got.Quantity, int64(q))
		equal("1043", got.Sum, it.Sum)
		equal("1199", got.VATCode, it.VAT)
		equal("1214", got.Method, it.Method)
		equal("1212", got.Subject, it.Subject)
		equal("2108", got.Unit, it.Unit)
		equal("1200", got.VATSum, it.Tax)
	}
	for rate, tax := range w.Taxes {
		equal("VAT "+fiscal.VAT(rate).String(), e.VAT[rate], tax)
	}
	for _, rate := range []uint8{uint8(fiscal.VAT0), uint8(fiscal.VATNone)} {
		equal("turnover "+fiscal.VAT(rate).String(), e.VAT[rate], w.Bases[rate])
	}
	if w.Correction != nil {
		equal("1173", e.Correction.Type, w.Correction.Type)
		equal("1178", e.Correction.Date.Format(time.DateOnly), w.Correction.Date)
	}
}

// Every worked receipt goes the whole way: MQTT in, the printer's ledger out,
// the cases of FFD 1.05 and 1.2 on a printer each.
func TestWorkedReceipts(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Printers: map[string]printer.Config{
		"ffd105": {FFD: ffd.Version105, Serial: "0000000000000105", FNSerial: "9999078900000105", CashDrawer: 500_000},
		"ffd12":  {FFD: ffd.Version12, Serial: "0000000000000012", FNSerial: "9999078900000012", CashDrawer: 500_000},
	}})
	till := openTill(t, s, "till1")
	for _, device := range []string{"ffd105", "ffd12"} {
		id := NewID()
		if _, err := till.CallRaw(t.Context(), fiscal.VerbShiftOpen, id, onDevice(id, device, obj{"cashier": cashier}), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range worked(t).Receipts {
		device := map[string]string{"1.05": "ffd105", "1.2": "ffd12"}[w.FFD]
		id := NewID()
		a, err := till.CallRaw(t.Context(), w.verb(), id, onRoute(id, device, w.body()), nil)
		if err != nil {
			t.Fatalf("%s: %v", w.ID, err)
		}
		if w.ID == "R33" {
			if a.State != fiscal.Rejected || a.Error.Code != fiscal.CodeMarkingUnsupported {
				t.Errorf("R33: %s", a.Raw)
			}
			continue
		}
		if a.State != fiscal.Done {
			t.Errorf("%s: %s", w.ID, a.Raw)
			continue
		}
		if a.Fiscal.Total != fiscal.Money(w.Total) || a.Fiscal.Change != fiscal.Money(w.Change) {
			t.Errorf("%s: told %s", w.ID, a.Raw)
		}
		ledger := s.Printers[device].Storage().Ledger()
		w.check(t, ledger[len(ledger)-1])
	}
}

func onRoute(id, route string, body any) []byte { return addressed(id, "route", route, body) }

func onDevice(id, device string, body any) []byte { return addressed(id, "device", device, body) }

func addressed(id, key, name string, body any) []byte {
	b, err := json.Marshal(obj{"v": 1, "id": id, "at": time.Now().Format(time.RFC3339), key: name, "body": body})
	if err != nil {
		panic(err)
	}
	return b
}
