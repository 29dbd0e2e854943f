package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"kassad/fiscal"
	"kassad/mqtt"
)

// Till is a terminal that remembers what it was told.
type Till struct {
	shop *Shop
	name string
	link *mqtt.Terminal
}

// Answer is a decoded answer. Raw has all of it.
type Answer struct {
	ID        string       `json:"id"`
	N         int          `json:"n"`
	State     fiscal.State `json:"state"`
	Final     bool         `json:"final"`
	Route     string       `json:"route"`
	Dup       bool         `json:"dup"`
	Recovered bool         `json:"recovered"`
	Printed   string       `json:"printed"`
	Fiscal    *struct {
		Kind   string       `json:"kind"`
		FN     string       `json:"fn"`
		FD     uint32       `json:"fd"`
		FP     string       `json:"fp"`
		Shift  uint32       `json:"shift"`
		Number uint32       `json:"receipt"`
		Total  fiscal.Money `json:"total"`
		Change fiscal.Money `json:"change"`
		Key    string       `json:"key"`
		QR     string       `json:"qr"`
		By     string       `json:"by"`
	} `json:"fiscal"`
	Error    *Refusal        `json:"error"`
	Waiting  *Refusal        `json:"waiting"`
	Counters json.RawMessage `json:"counters"`
	Raw      json.RawMessage `json:"-"`
}

// Refusal is why a command failed or waits.
type Refusal struct {
	Code   fiscal.Code `json:"code"`
	Vendor string      `json:"vendor"`
	Field  string      `json:"field"`
	Text   string      `json:"text"`
}

func decodeAnswer(payload []byte) (Answer, error) {
	var a Answer
	if err := json.Unmarshal(payload, &a); err != nil {
		return a, fmt.Errorf("answer %s: %w", payload, err)
	}
	a.Raw = payload
	return a, nil
}

// hear notes every answer in the terminal's book.
func (t *Till) hear(r mqtt.Reply) {
	a, err := decodeAnswer(r.Payload)
	if err != nil || a.ID == "" {
		return
	}
	t.shop.mu.Lock()
	defer t.shop.mu.Unlock()
	told := t.shop.told[a.ID]
	if told == nil {
		told = &Told{Terminal: t.name, ID: a.ID, Verb: fiscal.Verb(r.Verb)}
		t.shop.told[a.ID] = told
		t.shop.order = append(t.shop.order, a.ID)
	}
	told.Hear(a)
}

// Hear notes an answer about the command. A final answer that contradicts an
// earlier one is a conflict.
func (t *Told) Hear(a Answer) {
	if refusedMessage(a) {
		if !t.accepted {
			t.State = a.State
		}
		return
	}
	if t.accepted && t.State.Final() && a.Final && (t.State != a.State || a.Fiscal != nil && t.FD != a.Fiscal.FD) {
		t.Conflict = fmt.Sprintf("%s (document %d)", t.State, t.FD)
	}
	if t.accepted && t.State.Final() && !a.Final {
		return
	}
	t.State, t.accepted = a.State, true
	if a.Fiscal != nil {
		t.FN, t.FD, t.Total = a.Fiscal.FN, a.Fiscal.FD, a.Fiscal.Total
	}
}

// refusedMessage tells an answer to a message from one to the command: it was
// not accepted, binds no id and says nothing of what the id stands for. An
// accepted command is rejected by its second answer at the earliest.
func refusedMessage(a Answer) bool {
	return a.N == 1 && (a.State == fiscal.Rejected || a.State == fiscal.Expired)
}

// NewID makes an id as a terminal should.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Request builds an envelope around body, settled now.
func Request(id string, body any) []byte {
	return RequestAt(id, time.Now(), body)
}

// RequestAt builds an envelope around body.
func RequestAt(id string, at time.Time, body any) []byte {
	b, err := json.Marshal(map[string]any{"v": 1, "id": id, "at": at.Format(time.RFC3339), "body": body})
	if err != nil {
		panic(fmt.Sprintf("sim: request %s: %v", id, err)) // bodies are literals of ours
	}
	return b
}

// Call sends a command under a new id and returns its final answer.
func (t *Till) Call(ctx context.Context, verb fiscal.Verb, body any) (Answer, error) {
	return t.CallID(ctx, verb, NewID(), body, nil)
}

// CallID sends a command under id; each sees every answer on the way.
func (t *Till) CallID(ctx context.Context, verb fiscal.Verb, id string, body any, each func(Answer)) (Answer, error) {
	return t.CallRaw(ctx, verb, id, Request(id, body), each)
}

// CallRaw sends payload as it is.
func (t *Till) CallRaw(ctx context.Context, verb fiscal.Verb, id string, payload []byte, each func(Answer)) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := t.link.Call(ctx, string(verb), id, payload, func(r mqtt.Reply) {
		if a, err := decodeAnswer(r.Payload); err == nil && each != nil {
			each(a)
		}
	})
	if err != nil {
		return Answer{}, err
	}
	return decodeAnswer(r.Payload)
}

// Send publishes a command and does not wait for answers.
func (t *Till) Send(ctx context.Context, verb fiscal.Verb, payload []byte) error {
	return t.link.Send(ctx, string(verb), payload)
}
