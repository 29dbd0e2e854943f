package mqtt

import (
	"encoding/json"
	"testing"
	"time"

	"kassad/fiscal"
)

// What takes a late document back is the opposite of it, with its sums of VAT
// where it has no items.
func TestProposals(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	sums := map[fiscal.VAT]fiscal.Money{fiscal.VAT22: 180}
	for _, c := range []struct {
		doc  fiscal.Document
		verb fiscal.Verb
		kind fiscal.Kind // of a correction
	}{
		{fiscal.Document{Verb: fiscal.VerbSale, Kind: fiscal.Sale}, fiscal.VerbRefund, 0},
		{fiscal.Document{Verb: fiscal.VerbBuy, Kind: fiscal.Buy}, fiscal.VerbBuyRefund, 0},
		{fiscal.Document{Verb: fiscal.VerbRefund, Kind: fiscal.Refund}, fiscal.VerbCorrection, fiscal.Sale},
		{fiscal.Document{Verb: fiscal.VerbBuyRefund, Kind: fiscal.BuyRefund}, fiscal.VerbCorrection, fiscal.Buy},
		{fiscal.Document{Verb: fiscal.VerbCorrection, Kind: fiscal.Sale, Correction: &fiscal.Correction{VAT: sums}}, fiscal.VerbCorrection, fiscal.Refund},
		{fiscal.Document{Verb: fiscal.VerbCorrection, Kind: fiscal.Buy, Correction: &fiscal.Correction{VAT: sums}}, fiscal.VerbCorrection, fiscal.BuyRefund},
	} {
		c.doc.At, c.doc.Total = at, 1000
		p := NewProposal(c.doc, "lifepay")
		if p == nil || p.Verb != c.verb || p.Device != "lifepay" {
			t.Errorf("%s of %s: %+v", c.doc.Verb, c.doc.Kind, p)
			continue
		}
		body, corrects := p.Body.(CorrectionRequest)
		if corrects != (c.kind != 0) || corrects && (body.Correction.Kind != c.kind || body.Correction.Date != "2026-11-22" || *body.Total != 1000) {
			t.Errorf("%s of %s: %+v", c.doc.Verb, c.doc.Kind, body)
		}
		if corrects && c.doc.Correction != nil && body.VAT[fiscal.VAT22] != 180 {
			t.Errorf("%s of %s: VAT %v", c.doc.Verb, c.doc.Kind, body.VAT)
		}
	}
	if p := NewProposal(fiscal.Document{Verb: fiscal.VerbShiftClose}, "front"); p != nil {
		t.Errorf("of a report: %+v", p)
	}
}

// What is handed out makes room again, by bytes as by number; and what was refused
// is asked for only when all that was taken is handed out.
func TestQueueMakesRoom(t *testing.T) {
	t.Parallel()
	q := newQueue(4)
	large := Incoming{Payload: make([]byte, linkQueueBytesMax/2)}
	for round := range 3 {
		for range 2 {
			if ok, _ := q.push(large, 1); !ok {
				t.Fatalf("round %d: no room", round)
			}
		}
		if ok, first := q.push(large, 1); ok || !first {
			t.Fatalf("round %d: taken %v, first %v", round, ok, first)
		}
		for left := range 2 {
			if q.recovered(1) {
				t.Errorf("round %d: asked for with %d left", round, 2-left)
			}
			if _, err := q.pop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !q.recovered(1) || q.recovered(1) {
			t.Errorf("round %d: not asked for once", round)
		}
	}
}

// A state of the same length is news; one that is the same is not.
func TestStateOfTheSameLength(t *testing.T) {
	t.Parallel()
	s, now := NewState(time.Second), time.Now()
	cursor := newStateCursor(s)
	for _, topic := range []string{"b", "c"} { // once each, whatever changes beside them
		if err := s.Set(topic, []byte(topic)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, _, _, ok := cursor.next(now.Add(-time.Minute)); !ok {
			t.Error("not published")
		}
	}
	for i, want := range []string{"10.00", "20.00", "20.00"} {
		if err := s.Set("a", []byte(want)); err != nil {
			t.Fatal(err)
		}
		_, payload, _, ok := cursor.next(now.Add(time.Duration(i) * time.Second))
		if news := i < 2; ok != news || news && string(payload) != want {
			t.Errorf("%d: %q, %v", i, payload, ok)
		}
	}
}

// The last page of a sync says so, and one that does not fit goes on where it ends.
func TestSyncGoesOnWhereItEnds(t *testing.T) {
	t.Parallel()
	finals := make([]fiscal.Record, 400)
	for i := range finals {
		finals[i] = fiscal.Record{
			ID: "a", FinalSeq: uint64(i + 1), State: fiscal.Rejected, Verb: fiscal.VerbSale,
			Error: fiscal.Refuse(fiscal.CodeBadValue, "items", string(make([]byte, 1000))),
		}
	}
	seen := uint64(0)
	for rest := finals; len(rest) > 0; {
		var a Answer
		if err := json.Unmarshal(EncodeSync("s", rest, 0), &a); err != nil {
			t.Fatal(err)
		}
		if len(a.Answers) == 0 || a.Seq != seen+uint64(len(a.Answers)) || (a.Next == 0) != (len(a.Answers) == len(rest)) || a.Next != 0 && a.Next != a.Seq {
			t.Fatalf("%d answers after %d: seq %d, next %d", len(a.Answers), seen, a.Seq, a.Next)
		}
		seen, rest = a.Seq, rest[len(a.Answers):]
	}
}
