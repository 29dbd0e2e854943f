package fiscal

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// The worked receipts of the format reference, section 7, are figures that
// nobody here computed with our own code.
type worked struct {
	Receipts []workedReceipt `json:"receipts"`
	Invalid  []workedRefusal `json:"invalid"`
	INN      []struct {
		INN   string `json:"inn"`
		Valid bool   `json:"valid"`
		Why   string `json:"why"`
	} `json:"inn"`
	QR []struct {
		DateTime string `json:"dateTime"`
		Total    int64  `json:"total"`
		FN       string `json:"fn"`
		FD       uint32 `json:"fd"`
		FP       uint32 `json:"fp"`
		Number   uint8  `json:"operation"`
		QR       string `json:"qr"`
	} `json:"qr"`
}

type workedReceipt struct {
	ID         string           `json:"id"`
	FFD        string           `json:"ffd"`
	Form       int              `json:"document_form"`
	Kind       uint8            `json:"operation_1054"`
	Taxation   uint8            `json:"taxation_1055"`
	Items      []workedItem     `json:"items"`
	Total      int64            `json:"total_1020"`
	Cash       int64            `json:"cash_1031"`
	Card       int64            `json:"electronic_1081"`
	Prepaid    int64            `json:"prepaid_1215"`
	Credit     int64            `json:"credit_1216"`
	Provision  int64            `json:"provision_1217"`
	Tendered   int64            `json:"cash_tendered"`
	Change     int64            `json:"change"`
	RawTax     map[string]int64 `json:"vat_by_rate_sum_of_items"`
	RawBase    map[string]int64 `json:"base_by_rate"`
	Discount   string           `json:"discount"`
	Correction *struct {
		Type int    `json:"type_1173"`
		Date string `json:"date_1178"`
	} `json:"correction"`
}

type workedItem struct {
	Name     string `json:"name"`
	Price    int64  `json:"price_1079"`
	List     *int64 `json:"list_price"`
	Quantity string `json:"quantity_1023"`
	Unit     uint8  `json:"unit_2108"`
	VAT      uint8  `json:"vat_1199"`
	Method   uint8  `json:"payment_method_1214"`
	Subject  uint8  `json:"payment_object_1212"`
	Sum      int64  `json:"sum_1043"`
	Tax      int64  `json:"vat_sum_1200"`
}

type workedRefusal struct {
	ID       string `json:"id"`
	Total    int64  `json:"total"`
	Card     int64  `json:"electronic"`
	Prepaid  int64  `json:"prepaid"`
	Tendered int64  `json:"cash_tendered"`
	Price    int64  `json:"price"`
	Quantity string `json:"quantity"`
	Sum      int64  `json:"sum"`
	Mask     uint8  `json:"registered_1062"`
	Taxation uint8  `json:"requested_1055"`
}

func loadWorked(t *testing.T) worked {
	t.Helper()
	raw, err := os.ReadFile("testdata/worked-receipts.json")
	if err != nil {
		t.Fatal(err)
	}
	var w worked
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	if len(w.Receipts) != 30 || len(w.Invalid) != 10 {
		t.Fatalf("%d receipts, %d refusals", len(w.Receipts), len(w.Invalid))
	}
	return w
}

var workedAt = time.Date(2026, 11, 22, 12, 4, 28, 0, time.FixedZone("", 3*3600))

// draft is the command that a terminal would have sent for w.
func (w workedReceipt) draft(t *testing.T) Draft {
	t.Helper()
	d := Draft{
		ID: w.ID, At: workedAt, Kind: Kind(w.Kind), Taxation: Taxation(w.Taxation),
		Payments: Payments{Cash: Money(w.Tendered), Card: Money(w.Card), Prepayment: Money(w.Prepaid), Credit: Money(w.Credit), Other: Money(w.Provision)},
	}
	d.Verb = map[Kind]Verb{Sale: VerbSale, Refund: VerbRefund, Buy: VerbBuy, BuyRefund: VerbBuyRefund}[d.Kind]
	if w.Discount == "7% of list price per unit" {
		d.Discount.Percent = 700
	}
	for _, it := range w.Items {
		q, err := ParseQuantity(it.Quantity)
		if err != nil {
			t.Fatal(err)
		}
		price := Money(it.Price)
		if it.List != nil {
			price = Money(*it.List)
		}
		d.Items = append(d.Items, Item{Name: it.Name, Price: price, Quantity: q, Unit: Unit(it.Unit), VAT: VAT(it.VAT), Method: Method(it.Method), Subject: Subject(it.Subject)})
	}
	if w.Form == FormCorrection {
		date, err := time.Parse(time.DateOnly, w.Correction.Date)
		if err != nil {
			t.Fatal(err)
		}
		d.Verb, d.Correction = VerbCorrection, &Correction{ByOrder: w.Correction.Type == 1, Date: date}
		if len(d.Items) == 0 {
			total := Money(w.Total)
			d.Total, d.Correction.VAT = &total, w.taxes()
		}
	}
	return d
}

// taxes are the sums by rate: tax, or the turnover for the rates without tax.
func (w workedReceipt) taxes() map[VAT]Money {
	out := map[VAT]Money{}
	for code, base := range w.RawBase {
		v, _ := json.Number(code).Int64()
		if out[VAT(v)] = Money(w.RawTax[code]); VAT(v) == VAT0 || VAT(v) == VATNone {
			out[VAT(v)] = Money(base)
		}
	}
	return out
}

func TestWorkedReceipts(t *testing.T) {
	t.Parallel()
	for _, w := range loadWorked(t).Receipts {
		t.Run(w.ID, func(t *testing.T) {
			t.Parallel()
			doc, err := w.draft(t).Resolve()
			if w.ID == "R33" {
				wantCode(t, err, CodeMarkingUnsupported, "items[0].subject")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w.compare(t, doc)
			if err := doc.CheckDevice(Info{FFD: w.FFD, Taxations: w.Taxation}); err != nil {
				t.Error(err)
			}
		})
	}
}

func (w workedReceipt) compare(t *testing.T, doc Document) {
	t.Helper()
	if len(doc.Lines) != len(w.Items) {
		t.Fatalf("%d lines, want %d", len(doc.Lines), len(w.Items))
	}
	for i, it := range w.Items {
		l := doc.Lines[i]
		if l.Price != Money(it.Price) || l.Sum != Money(it.Sum) || l.Tax != Money(it.Tax) {
			t.Errorf("line %d: price %s sum %s tax %s, want %d %d %d", i, l.Price, l.Sum, l.Tax, it.Price, it.Sum, it.Tax)
		}
	}
	want := Payments{Cash: Money(w.Cash), Card: Money(w.Card), Prepayment: Money(w.Prepaid), Credit: Money(w.Credit), Other: Money(w.Provision)}
	if doc.Total != Money(w.Total) || doc.Payments != want || doc.Change != Money(w.Change) {
		t.Errorf("total %s payments %+v change %s", doc.Total, doc.Payments, doc.Change)
	}
	got := doc.TaxByRate()
	for rate, sum := range w.taxes() {
		if got[rate] != sum {
			t.Errorf("%s: %s, want %s", rate, got[rate], sum)
		}
	}
	if len(got) != len(w.RawBase) {
		t.Errorf("rates %v, want %v", got, w.RawBase)
	}
}

func wantCode(t *testing.T, err error, code Code, field string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if e.Code != code || e.Field != field || e.Outcome != OutcomeRejected {
		t.Errorf("got %s at %q (%v), want %s at %q", e.Code, e.Field, err, code, field)
	}
}

func TestWorkedRefusals(t *testing.T) {
	t.Parallel()
	for _, w := range loadWorked(t).Invalid {
		t.Run(w.ID, func(t *testing.T) {
			t.Parallel()
			w.check(t)
		})
	}
}

func (w workedRefusal) check(t *testing.T) {
	t.Helper()
	d := sale(Item{Name: "Товар", Price: Money(w.Total), Quantity: QuantityUnit, VAT: VAT22})
	d.Payments, d.Rest = Payments{Cash: Money(w.Tendered), Card: Money(w.Card), Prepayment: Money(w.Prepaid)}, NoTender
	code, field := CodeBadValue, ""
	switch w.ID {
	case "E01":
		code, field = CodeNoncashOverTotal, "payments"
	case "E02":
		code, field = CodePaymentsShort, "payments"
	case "E03":
		q, _ := ParseQuantity(w.Quantity)
		sum := Money(w.Sum)
		d.Items[0].Price, d.Items[0].Quantity, d.Items[0].Sum, field = Money(w.Price), q, &sum, "items[0].sum"
	case "E04":
		if _, err := ParseQuantity(w.Quantity); !errors.Is(err, ErrDecimals) {
			t.Errorf("got %v", err)
		}
		return
	case "E05":
		d.Items[0].Quantity, field = 0, "items[0].quantity"
	case "E06":
		d.Items[0].Name, code, field = strings.Repeat("я", 129), CodeTooLong, "items[0].name"
	case "E07":
		d.Rest, d.Taxation = TenderCash, Taxation(w.Taxation)
		doc, err := d.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, doc.CheckDevice(Info{Taxations: w.Mask}), CodeBadValue, "taxation")
		return
	case "E08":
		d.Taxation, field = Taxation(w.Taxation), "taxation"
	case "E09":
		wantCode(t, Document{Verb: VerbCorrection, Kind: Refund}.CheckDevice(Info{FFD: FFD105}), CodeUnsupported, "correction.kind")
		return
	case "E10":
		d.Items[0].Price, d.Items[0].Method, d.Rest, field = 100, Credit, TenderCard, "payments.credit"
	}
	_, err := d.Resolve()
	wantCode(t, err, code, field)
}

func TestWorkedINN(t *testing.T) {
	t.Parallel()
	for _, v := range loadWorked(t).INN {
		want := v.Valid && !strings.Contains(v.Why, "reject all-zero")
		if ValidINN(v.INN) != want {
			t.Errorf("%s: got %t", v.INN, !want)
		}
	}
}

func TestWorkedQR(t *testing.T) {
	t.Parallel()
	for _, v := range loadWorked(t).QR {
		at, err := time.Parse("2006-01-02T15:04:05", v.DateTime)
		if err != nil {
			t.Fatal(err)
		}
		r := Receipt{At: at, Total: Money(v.Total), Storage: v.FN, FD: v.FD, Sign: v.FP}
		if got := r.QR(Kind(v.Number)); got != v.QR {
			t.Errorf("got %s, want %s", got, v.QR)
		}
	}
	if got := (Receipt{FD: 1}).QR(0); got != "" {
		t.Errorf("a document without a settlement sign has the code %q", got)
	}
}
