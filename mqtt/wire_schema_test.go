package mqtt

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kassad/fiscal"
)

// tagsOf lists the members of a request struct, and those that must be there.
func tagsOf(t reflect.Type) (all, need []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			inner, innerNeed := tagsOf(f.Type)
			all, need = append(all, inner...), append(need, innerNeed...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, name)
		if options == "" {
			need = append(need, name)
		}
	}
	return all, need
}

// agree compares a struct with the table that reads it.
func agree[T any](t *testing.T, request any, fields []field[T]) {
	t.Helper()
	var all, need []string
	for _, f := range fields {
		all = append(all, f.name)
		if f.need {
			need = append(need, f.name)
		}
	}
	wantAll, wantNeed := tagsOf(reflect.TypeOf(request))
	for _, s := range [][]string{all, need, wantAll, wantNeed} {
		slices.Sort(s)
	}
	if !slices.Equal(all, wantAll) || !slices.Equal(need, wantNeed) {
		t.Errorf("%T has %v (needs %v), its table %v (needs %v)", request, wantAll, wantNeed, all, need)
	}
}

func TestStructsAgreeWithTables(t *testing.T) {
	t.Parallel()
	agree(t, Request{}, commandEnvelope)
	agree(t, ManagementRequest{}, manageEnvelope)
	agree(t, ReceiptRequest{}, receiptBody)
	agree(t, CorrectionRequest{}, correctionBody)
	agree(t, CorrectionBase{}, correctionFields)
	agree(t, CashierRequest{}, cashierFields)
	agree(t, BuyerRequest{}, buyerFields)
	agree(t, ItemRequest{}, itemFields)
	agree(t, DiscountRequest{}, discountFields)
	agree(t, PaymentsRequest{}, paymentFields)
	agree(t, AgentRequest{}, agentFields)
	agree(t, SupplierRequest{}, supplierFields)
	agree(t, TransferRequest{}, transferFields)
	agree(t, ShiftRequest{}, shiftBody)
	agree(t, CashRequest{}, cashBody)
	agree(t, TextRequest{}, textBody)
	agree(t, DocumentRequest{}, documentBody)
	agree(t, TargetRequest{}, targetBody)
	agree(t, SyncRequest{}, syncBody)
	agree(t, EmptyRequest{}, bodyOf(fiscal.VerbXReport))
}

// TestStructsMarshalToWhatIsRead sends a request made of the structs.
func TestStructsMarshalToWhatIsRead(t *testing.T) {
	t.Parallel()
	payload, err := json.Marshal(Request{
		V: 1, ID: "a", At: &answerAt, Wait: "20s",
		Body: CorrectionRequest{
			ReceiptRequest: ReceiptRequest{
				Items:    []ItemRequest{{Name: "Ананас", Price: 11000, Quantity: fiscal.QuantityUnit, VAT: fiscal.VAT22, Subject: fiscal.Goods, Method: fiscal.Credit}},
				Payments: &PaymentsRequest{Cash: &Tendered{Amount: 100}, Credit: &Tendered{Rest: true}},
				Discount: &DiscountRequest{Percent: "10"},
			},
			Correction: CorrectionBase{Kind: fiscal.Refund, By: "self", Date: "2026-11-20"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd, refusal := DecodeCommand("correction", payload)
	if refusal != nil {
		t.Fatalf("%v in %s", refusal, payload)
	}
	d := cmd.Draft
	if d.Kind != fiscal.Refund || d.Payments.Cash != 100 || d.Rest != fiscal.TenderCredit || d.Discount.Percent != 1000 || d.Items[0].Price != 11000 {
		t.Errorf("got %+v", d)
	}
}
