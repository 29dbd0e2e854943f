package mqtt

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"kassad/fiscal"
)

var answerAt = time.Date(2026, 11, 22, 12, 4, 28, 0, time.FixedZone("", 3*3600))

// doneSale is the record behind the answer that the contract shows.
func doneSale() fiscal.Record {
	wall := time.Date(2026, 11, 22, 12, 4, 31, 0, time.UTC)
	return fiscal.Record{
		ID: "0198c2f0-5d1e-7c53-9a35-1b8f6a6f0c11", Terminal: "till1", Verb: fiscal.VerbSale, Device: "front", Route: "default",
		State: fiscal.Done, N: 2, FinalAt: answerAt.Add(4 * time.Second),
		Document: fiscal.Document{Kind: fiscal.Sale, Verb: fiscal.VerbSale, At: answerAt, Total: 9900, Payments: fiscal.Payments{Cash: 9900}, Change: 40100},
		Receipt: &fiscal.Receipt{
			Kind: "sale", Device: "0000000001", Storage: "9999078900012345", FD: 1042, Sign: 3849583049, Shift: 17, Number: 5, At: wall,
			Total: 9900, Change: 40100, Registration: "0000000001023456", FFD: "1.2", Key: "K7QX3M5A9BZC2D4E",
		},
		Timing: fiscal.Timing{Queued: 400 * time.Microsecond, Durable: 460 * time.Microsecond, Device: 812 * time.Millisecond, Total: 813_050 * time.Microsecond},
	}
}

func wantJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid(got) {
		t.Error("invalid JSON")
	}
}

func TestAnswerOfTheContract(t *testing.T) {
	t.Parallel()
	wantJSON(t, EncodeAnswer(doneSale(), false),
		`{"v":1,"id":"0198c2f0-5d1e-7c53-9a35-1b8f6a6f0c11","n":2,"state":"done","final":true,"verb":"sale","route":"front",`+
			`"fiscal":{"kind":"sale","fn":"9999078900012345","fd":1042,"fp":"3849583049","shift":17,"receipt":5,"at":"2026-11-22T12:04:31","total":99.00,"change":401.00,`+
			`"rnm":"0000000001023456","ffd":"1.2","key":"K7QX3M5A9BZC2D4E","qr":"t=20261122T1204&s=99.00&fn=9999078900012345&i=1042&fp=3849583049&n=1"},`+
			`"timing_ms":{"queued":0.4,"durable":0.5,"device":812.0,"total":813.1}}`)
}

// The code on a receipt names its kind and a sign of any size, and a decision is told
// with its note.
func TestAnswerNamesTheDocument(t *testing.T) {
	t.Parallel()
	for kind, verb := range map[fiscal.Kind]fiscal.Verb{
		fiscal.Sale: fiscal.VerbSale, fiscal.Refund: fiscal.VerbRefund, fiscal.Buy: fiscal.VerbBuy, fiscal.BuyRefund: fiscal.VerbBuyRefund,
	} {
		r := fiscal.Record{ID: "a", Verb: verb, State: fiscal.Done, Document: fiscal.Document{Verb: verb, Kind: kind, Total: 12345}}
		r.Receipt = &fiscal.Receipt{Kind: string(verb), Storage: "9999", FD: 7, Sign: 0xFFFFFFFE, At: time.Date(2026, 11, 22, 12, 4, 0, 0, time.UTC), Total: 12345}
		r.Resolved = &fiscal.Resolution{Action: fiscal.ResolveRetry, By: "ivanov", Note: "seen"}
		a := NewAnswer(r, false)
		if want := fmt.Sprintf("t=20261122T1204&s=123.45&fn=9999&i=7&fp=4294967294&n=%d", kind); a.Fiscal.QR != want || a.Fiscal.FP != "4294967294" {
			t.Errorf("%s: %s, sign %s", verb, a.Fiscal.QR, a.Fiscal.FP)
		}
		if a.Resolved.Note != "seen" {
			t.Errorf("%+v", a.Resolved)
		}
	}
}

// The event of a correction says that it is one, also of one that was found at once;
// no other event does.
func TestEventOfACorrection(t *testing.T) {
	t.Parallel()
	for _, verb := range []fiscal.Verb{fiscal.VerbCorrection, fiscal.VerbSale} {
		r := fiscal.Record{ID: "a", Verb: verb, State: fiscal.Done, FinalAt: answerAt, Document: fiscal.Document{Verb: verb, Correction: &fiscal.Correction{}}}
		var e RecordEvent
		if err := json.Unmarshal(EncodeRecordEvent(1, EventReceipt, r), &e); err != nil || e.Correction != (verb == fiscal.VerbCorrection) {
			t.Errorf("%s: %+v, %v", verb, e, err)
		}
	}
}

func TestAnswersOfOtherStates(t *testing.T) {
	t.Parallel()
	base := fiscal.Record{ID: "a", Verb: fiscal.VerbSale, Device: "front", N: 1}
	const timing = `"timing_ms":{"queued":0.0,"durable":0.0,"device":0.0,"total":0.0}}`
	tests := []struct {
		name   string
		dup    bool
		change func(r *fiscal.Record)
		want   string
	}{
		{"accepted", false, func(r *fiscal.Record) { r.State = fiscal.Accepted },
			`{"v":1,"id":"a","n":1,"state":"accepted","final":false,"verb":"sale","route":"front",` + timing},
		{"waiting", false, func(r *fiscal.Record) {
			r.State, r.Waiting = fiscal.Accepted, &fiscal.Error{Code: fiscal.CodePaperOut, Vendor: "0x6B"}
		},
			`{"v":1,"id":"a","n":1,"state":"accepted","final":false,"verb":"sale","route":"front",` +
				`"waiting":{"code":"paper-out","vendor":"0x6B","text":"Закончилась бумага. Вставьте рулон и закройте крышку — чек допечатается сам.","message":"out of paper","action":"load a roll and close the cover"},` + timing},
		{"rejected", true, func(r *fiscal.Record) {
			r.State, r.Error = fiscal.Rejected, fiscal.Fail(fiscal.OutcomeRejected, fiscal.CodeFNFault, errors.New("EOF"))
		},
			`{"v":1,"id":"a","n":1,"state":"rejected","final":true,"dup":true,"verb":"sale","route":"front",` +
				`"error":{"code":"fn-fault","text":"Фискальный накопитель неисправен. Вызовите мастера.","message":"the fiscal storage reports a fault","detail":"EOF","action":"switch the device off and on; replace the storage if the fault returns"},` + timing},
		{"resolved", false, func(r *fiscal.Record) {
			r.State, r.Resolved = fiscal.Done, &fiscal.Resolution{Action: fiscal.ResolveDoneElsewhere, By: "ivanov", FD: 7, At: answerAt}
		},
			`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"sale","route":"front","resolved":{"action":"done-elsewhere","by":"ivanov","fd":7,"at":"2026-11-22T12:04:28+03:00"},` + timing},
		{"paper in doubt", false, func(r *fiscal.Record) { r.State, r.Verb, r.Printed = fiscal.Done, fiscal.VerbXReport, "unknown" },
			`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"x-report","route":"front","printed":"unknown",` + timing},
		{"shift found open", false, func(r *fiscal.Record) {
			r.State, r.Verb, r.Receipt = fiscal.Done, fiscal.VerbShiftOpen, &fiscal.Receipt{Kind: "shift-open", Storage: "9999", Shift: 18, By: "other"}
		},
			`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"shift-open","route":"front","fiscal":{"kind":"shift-open","fn":"9999","shift":18,"by":"other"},` + timing},
		{"cash", false, func(r *fiscal.Record) {
			drawer := fiscal.Money(150000)
			r.State, r.Verb, r.Document.Amount = fiscal.Done, fiscal.VerbCashIn, 100000
			r.Receipt = &fiscal.Receipt{Kind: "cash-in", Shift: 18, Drawer: &drawer, Unprinted: true}
		},
			`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"cash-in","route":"front","fiscal":{"kind":"cash-in","shift":18,"total":1000.00,"drawer":1500.00},"printed":"owed",` + timing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := base
			tt.change(&r)
			wantJSON(t, EncodeAnswer(r, tt.dup), tt.want)
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	info := fiscal.CodeBadValue.Info()
	wantJSON(t, EncodeRefusal("a", "sale", fiscal.Refuse(fiscal.CodeBadValue, "items[0].price", "too many decimals")),
		`{"v":1,"id":"a","n":1,"state":"rejected","final":true,"verb":"sale","error":{"code":"bad-value","field":"items[0].price","text":"`+
			info.Russian+`","message":"`+info.English+`","detail":"too many decimals","action":"`+info.Action+`"}}`)
	var got Answer
	if err := json.Unmarshal(EncodeRefusal("", "sale", fiscal.Refuse(fiscal.CodeExpired, "exp", "")), &struct {
		State *fiscal.State `json:"state"`
	}{&got.State}); err != nil || got.State != fiscal.Expired {
		t.Errorf("got %s, %v", got.State, err)
	}
}

func contractCounters() fiscal.Counters {
	base, tax := fiscal.Money(122000), fiscal.Money(22000)
	drawer := fiscal.Money(150000)
	return fiscal.Counters{
		Shift: 17, OpenedAt: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), FirstFD: 1030, LastFD: 1044, Receipts: 12, Documents: 15,
		ByKind: map[fiscal.Kind]*fiscal.KindCounters{
			fiscal.Sale:      {Count: 10, Total: 1234500, Payments: &fiscal.Payments{Cash: 50000, Card: 1184500}, VAT: map[fiscal.VAT]*fiscal.VATTally{fiscal.VAT22: {Base: &base, Tax: &tax}}},
			fiscal.BuyRefund: {Count: 0},
		},
		Corrections: map[fiscal.Kind]*fiscal.Tally{fiscal.Refund: {Count: 1, Total: 100}},
		CashIn:      &fiscal.Tally{Count: 1, Total: 100000}, Drawer: &drawer,
		GrandTotals: map[fiscal.Kind]fiscal.Money{fiscal.Sale: 99999999999},
		Journal:     &fiscal.Agreement{Agrees: true, Differences: []fiscal.Difference{}},
	}
}

func TestCountersOfTheContract(t *testing.T) {
	t.Parallel()
	wantJSON(t, EncodeCounters("a", "front", contractCounters()),
		`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"counters","route":"front","counters":{"shift":17,"opened_at":"2026-11-22T08:00:00","first_fd":1030,"last_fd":1044,"receipts":12,"documents":15,`+
			`"by_kind":{"buy-refund":{"count":0,"total":0.00},"sale":{"count":10,"total":12345.00,"payments":{"cash":500.00,"card":11845.00,"prepayment":0.00,"credit":0.00,"other":0.00},"vat":{"vat22":{"base":1220.00,"tax":220.00}}}},`+
			`"corrections":{"refund":{"count":1,"total":1.00}},"cash_in":{"count":1,"total":1000.00},"drawer":1500.00,"grand_totals":{"sale":999999999.99},"journal":{"agrees":true,"differences":[]}}}`)
}

func TestQueries(t *testing.T) {
	t.Parallel()
	total := fiscal.ArchivedDocument{FD: 1042, Sign: 17, Form: 3, Kind: fiscal.Sale, Total: 9900, Full: true, Tags: []fiscal.Tag{{Tag: 1020, Value: "9900"}}}
	wantJSON(t, EncodeDocument("a", "front", total),
		`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"document","route":"front","document":{"fd":1042,"fp":"17","form":3,"kind":"sale","total":99.00,"full":true,"tags":[{"tag":1020,"value":"9900"}]}}`)
	wantJSON(t, EncodeDone("a", fiscal.VerbCancel), `{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"cancel"}`)
	r := fiscal.Record{ID: "b", N: 1, State: fiscal.Accepted, Verb: fiscal.VerbSale, Device: "front"}
	inner := string(EncodeAnswer(r, true))
	wantJSON(t, EncodeQuery("a", r), `{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"query","answer":`+inner+`}`)
	wantJSON(t, EncodeSync("a", []fiscal.Record{r, r}, 9), `{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"sync","answers":[`+inner+`,`+inner+`],"next":9}`)
	wantJSON(t, EncodeSync("a", nil, 0), `{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"sync","answers":[]}`)
	wantJSON(t, EncodeHello("a", Hello{Time: Instant(answerAt), Version: "1.0.0", Contract: []int{1}, Node: "kassad/v1/local/shop/main", Terminal: "till1", Rights: []string{"sale"}, Limits: ContractLimits()}),
		`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"hello","hello":{"time":"2026-11-22T12:04:28+03:00","version":"1.0.0","contract":[1],"node":"kassad/v1/local/shop/main","terminal":"till1","rights":["sale"],`+
			`"limits":{"payload_bytes":262144,"items":500,"name_chars":128,"amount_max":99999999.99}}}`)
	wantJSON(t, EncodeStatus("a", "front", NewDeviceState(false, fiscal.CodePrinterAway, fiscal.Status{}, 3)),
		`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"status","route":"front","device":{"link":false,"why":"printer-away","busy":false,"paper":false,"cover":false,"queued":3}}`)
}

func TestState(t *testing.T) {
	t.Parallel()
	wantJSON(t, EncodeState(NodeState{State: NodeOnline, Instance: "i", Boot: "b", Epoch: 57, At: Instant(answerAt)}),
		`{"state":"online","instance":"i","boot":"b","epoch":57,"at":"2026-11-22T12:04:28+03:00"}`)
	wantJSON(t, EncodeState(SpoolState{Queued: 3, Oldest: Instant(answerAt), Unknown: IDs{}, Held: IDs{"a"}}),
		`{"queued":3,"oldest":"2026-11-22T12:04:28+03:00","unknown":[],"held":["a"],"outbox":0}`)
	wantJSON(t, EncodeState(SpoolState{}), `{"queued":0,"unknown":[],"held":[],"outbox":0}`)
	wall := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	st := fiscal.Status{Paper: true, Cover: true, Shift: fiscal.ShiftStatus{Open: true, Number: 17, OpenedAt: wall}, FN: fiscal.FNStatus{Serial: "9999", DaysLeft: 300, LastFD: 1042}, Clock: wall}
	wantJSON(t, EncodeState(NewDeviceState(true, "", st, 0)),
		`{"link":true,"busy":false,"shift":{"open":true,"number":17,"receipts":0,"opened_at":"2026-11-22T08:00:00"},"paper":true,"cover":true,`+
			`"fn":{"serial":"9999","days_left":300,"last_fd":1042},"ofd":{"unsent":0},"clock":"2026-11-22T08:00:00","queued":0}`)
	info := fiscal.CodePaperOwed.Info()
	wantJSON(t, EncodeState(NewAlert("front", fiscal.CodePaperOwed, "", answerAt)),
		`{"code":"paper-owed","text":"`+info.Russian+`","message":"`+info.English+`","action":"`+info.Action+`","device":"front","since":"2026-11-22T12:04:28+03:00"}`)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := doneSale()
	r.Receipt = nil
	wantJSON(t, EncodeRecordEvent(7, EventReceipt, r),
		`{"seq":7,"class":"receipt","at":"2026-11-22T12:04:32+03:00","id":"0198c2f0-5d1e-7c53-9a35-1b8f6a6f0c11","terminal":"till1","verb":"sale","device":"front","state":"done",`+
			`"settled_at":"2026-11-22T12:04:28+03:00","payments":{"cash":99.00,"card":0.00,"prepayment":0.00,"credit":0.00,"other":0.00}}`)
	wantJSON(t, EncodeDeviceEvent(8, answerAt, DeviceEvent{Device: "front", What: "down", Code: fiscal.CodePrinterAway}),
		`{"seq":8,"class":"device","at":"2026-11-22T12:04:28+03:00","device":"front","what":"down","code":"printer-away"}`)
	wantJSON(t, EncodeAuditEvent(9, answerAt, AuditEvent{Op: "resolve", By: "ivanov", Via: "office", Outcome: "done", Body: json.RawMessage(`{"id":"a"}`)}),
		`{"seq":9,"class":"audit","at":"2026-11-22T12:04:28+03:00","op":"resolve","by":"ivanov","via":"office","outcome":"done","body":{"id":"a"}}`)
	got := EncodeAlertEvent(10, answerAt, NewAlert("", fiscal.CodeBrokerAway, "office", answerAt), true)
	var alert struct {
		Seq    uint64      `json:"seq"`
		Class  string      `json:"class"`
		Stands bool        `json:"stands"`
		Code   fiscal.Code `json:"code"`
		Detail string      `json:"detail"`
	}
	if err := json.Unmarshal(got, &alert); err != nil || alert.Seq != 10 || alert.Class != EventAlert || !alert.Stands || alert.Code != fiscal.CodeBrokerAway || alert.Detail != "office" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestManage(t *testing.T) {
	t.Parallel()
	r, refusal := DecodeManage([]byte(`{"v":1,"id":"a","by":"Иванов","body":{"id":"b", "action":"retry"}}`))
	if refusal != nil || r.ID != "a" || r.By != "Иванов" || string(r.Body) != `{"id":"b", "action":"retry"}` {
		t.Errorf("got %+v, %v", r, refusal)
	}
	if r, refusal := DecodeManage([]byte(`{"v":1,"id":"a","by":"x"}`)); refusal != nil || string(r.Body) != "{}" {
		t.Errorf("got %+v, %v", r, refusal)
	}
	for payload, field := range map[string]string{
		`{"v":1,"id":"a"}`:                        "by",
		`{"v":1,"id":"a","by":""}`:                "by",
		`{"v":2,"id":"a","by":"x"}`:               "v",
		`{"v":1,"id":"a","by":"x","body":[]}`:     "body",
		`{"v":1,"id":"a","by":"x","route":"y"}`:   "route",
		`{"v":1,"id":"a","by":"x","exp":"never"}`: "exp",
	} {
		if r, refusal := DecodeManage([]byte(payload)); refusal == nil || refusal.Field != field || r.ID != "a" {
			t.Errorf("%s: got %+v, %v", payload, r, refusal)
		}
	}
	wantJSON(t, EncodeManage("a", "restart", map[string]string{"restart": "soon"}),
		`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"restart","result":{"restart":"soon"}}`)
}

func TestMillis(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0.0", 49 * time.Microsecond: "0.0", 50 * time.Microsecond: "0.1", 812 * time.Millisecond: "812.0", -time.Second: "0.0", time.Hour: "3600000.0"} {
		if got, _ := Millis(d).MarshalJSON(); string(got) != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}

// TestAnswersReadBack holds the encoders to the types that Go programs read
// answers with.
func TestAnswersReadBack(t *testing.T) {
	t.Parallel()
	counters := contractCounters()
	r := doneSale()
	r.Counters = &counters
	for _, sent := range [][]byte{EncodeAnswer(r, true), EncodeQuery("a", r), EncodeRefusal("a", "sale", fiscal.Refuse(fiscal.CodeEmpty, "items", ""))} {
		var a Answer
		if err := json.Unmarshal(sent, &a); err != nil {
			t.Fatalf("%v in %s", err, sent)
		}
		wantJSON(t, encode(a), string(sent))
	}
}
