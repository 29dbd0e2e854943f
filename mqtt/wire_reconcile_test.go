package mqtt

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

func reconciled(differences int) fiscal.Report {
	cash := fiscal.Money(1000)
	figures := &fiscal.ReportFigures{
		Receipts: 1, ByKind: map[fiscal.Kind]*fiscal.KindFigures{fiscal.Sale: {
			Count: 1, Total: cash, Payments: &fiscal.PaymentFigures{Cash: &cash}, VAT: map[fiscal.VAT]*fiscal.VATTally{fiscal.VAT22: {Tax: new(fiscal.Money(180))}},
		}},
		Corrections: map[fiscal.Kind]*fiscal.Tally{fiscal.Refund: {Count: 1, Total: 5}},
	}
	s := fiscal.ReportSection{
		Backend: "front", Kind: fiscal.BackendDevice, Storage: "9999", Shift: 3, Against: fiscal.AgainstDevice, Journal: figures,
		Gaps:        []fiscal.Gap{{FN: "9999", From: 4, To: 5}},
		Unconfirmed: []fiscal.Unconfirmed{{ID: "u", State: fiscal.Unknown, Since: answerAt, Total: &cash}},
		Late:        []fiscal.LateFound{{ID: "l", Device: "lifepay", Total: 100, New: true}},
		Settled:     []fiscal.Settled{{ID: "s", Action: fiscal.ResolveGiveUp, By: "ivanov", At: answerAt}},
		Notes:       []string{"note"},
	}
	for i := range differences {
		s.Differences = append(s.Differences, fiscal.Mismatch{
			Code: fiscal.MismatchTotal, Text: strings.Repeat("x", 100), FD: uint32(i + 1), Sign: 4_000_000_000, Journal: "1.00", Other: "2.00",
		})
	}
	r := fiscal.Report{ID: "20261122T090428Z-1", At: answerAt, Why: fiscal.ReportShiftClose, Device: "front", Shift: 3, Parts: []fiscal.ReportSection{
		{Backend: "lifepay", Kind: fiscal.BackendCloud, Against: fiscal.AgainstConfirmed}, s,
	}}
	r.Judge()
	return r
}

// What a report says is on the wire in the words of the contract, and the
// command line reads it back.
func TestReconciliationOnTheWire(t *testing.T) {
	t.Parallel()
	payload := EncodeReconciliation(NewReconciliation(reconciled(1)))
	for _, want := range []string{
		`"why":"shift-close"`, `"agrees":false`, `"by_kind":{"sale":{"count":1,"total":10.00,"payments":{"cash":10.00},"vat":{"vat22":{"tax":1.80}}}}`,
		`"fp":"4000000000"`, `"corrections":{"refund":{"count":1,"total":0.05}}`, `"gaps":[{"fn":"9999","from":4,"to":5}]`,
		`"state":"unknown"`, `"new":true`, `"action":"give-up"`, `"notes":["note"]`,
	} {
		if !strings.Contains(string(payload), want) {
			t.Errorf("no %s in %s", want, payload)
		}
	}
	for _, absent := range []string{"cut", "until", `"card"`, "partial"} {
		if strings.Contains(string(payload), absent) {
			t.Errorf("%s in %s", absent, payload)
		}
	}
	var back Reconciliation
	if err := json.Unmarshal(payload, &back); err != nil {
		t.Fatal(err)
	}
	if again := EncodeReconciliation(back); string(again) != string(payload) {
		t.Errorf("%s became %s", payload, again)
	}
}

func TestReconciliationOfOneBackend(t *testing.T) {
	t.Parallel()
	r := NewReconciliation(reconciled(1))
	if cloud := r.Of("lifepay"); !cloud.Agrees || len(cloud.Parts) != 1 || cloud.ID != r.ID {
		t.Errorf("%+v", cloud)
	}
	if front := r.Of("front"); front.Agrees || len(front.Parts) != 1 {
		t.Errorf("%+v", front)
	}
}

// A report of any length fits into a message and says how much is cut; the
// sections that differ come first.
func TestReconciliationIsCut(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 3000, 40_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			whole := NewReconciliation(reconciled(n))
			fit := whole.Fit()
			if size := len(encode(fit)); size > reconciliationBytesMax {
				t.Fatalf("%d bytes", size)
			}
			if n == 10 {
				if !reflect.DeepEqual(fit, whole) {
					t.Errorf("cut: %+v", fit.Cut)
				}
				return
			}
			if len(fit.Parts) != 2 || fit.Parts[0].Backend != "front" || fit.Cut == nil {
				t.Fatalf("%+v", fit)
			}
			if left := len(fit.Parts[0].Differences); left == 0 || left+fit.Cut.Differences != n {
				t.Errorf("%d differences left, %d cut", left, fit.Cut.Differences)
			}
			if len(whole.Parts[1].Differences) != n || whole.Cut != nil {
				t.Error("cutting changes the report")
			}
		})
	}
	many := Reconciliation{}
	for range 10_000 {
		many.Parts = append(many.Parts, ReconciledPart{Backend: "front", Notes: []string{strings.Repeat("n", 50)}})
	}
	if fit := many.Fit(); len(fit.Parts)+fit.Cut.Parts != 10_000 || len(encode(fit)) > reconciliationBytesMax {
		t.Errorf("%d parts left, %+v cut", len(fit.Parts), fit.Cut)
	}
}

func TestReconciliationItem(t *testing.T) {
	t.Parallel()
	item := NewReconciliationItem(reconciled(2))
	if item.Parts != 2 || item.Differences != 2 || item.Unconfirmed != 1 || item.Agrees || !time.Time(item.At).Equal(answerAt) {
		t.Errorf("%+v", item)
	}
}
