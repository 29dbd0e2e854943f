package lifepay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Callback is a message about a document, with all attempts to deliver it.
type Callback struct {
	UUID     string
	ExtID    string
	URL      string
	State    State // that it tells
	Payload  string
	Attempts []Attempt
	Done     bool // answered with 200
}

// Attempt is one request to the receiver.
type Attempt struct {
	At     time.Time
	Status int    // 0 without an answer
	Error  string // why there was none
}

type delivery struct {
	Callback
	kick chan struct{} // one token: deliver now
}

// Callbacks are all that were to be delivered, in order.
func (s *Service) Callbacks() []Callback {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Callback, len(s.deliveries))
	for i, d := range s.deliveries {
		out[i] = d.Callback
		out[i].Attempts = slices.Clone(d.Attempts)
	}
	return out
}

// DeliverNow ends the pauses between attempts.
func (s *Service) DeliverNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.deliveries {
		select {
		case d.kick <- struct{}{}:
		default:
		}
	}
}

// hear notes that the receiver knows of d, or never will.
func (d *document) hear() {
	if !d.known {
		d.known = true
		close(d.heard)
	}
}

// tell begins to deliver the state of d. The caller holds s.mu.
func (s *Service) tell(d *document) {
	if d.draft.url == "" || d.has(FaultCallbackNever) {
		d.hear()
		return
	}
	list := s.deliveriesOf(d)
	s.deliveries = append(s.deliveries, list...)
	s.spawn(func() {
		if !s.pause(s.cfg.Delays.Callback) {
			return
		}
		for _, dl := range list {
			s.attempt(dl)
			s.mu.Lock()
			d.hear()
			if !dl.Done {
				s.spawn(func() { s.redeliver(dl) })
			}
			s.mu.Unlock()
		}
	})
}

// deliveriesOf is the callback about the present state, with what the faults
// make of it.
func (s *Service) deliveriesOf(d *document) []*delivery {
	message := func(state State, p map[string]any) *delivery {
		text := encode(p)
		if d.has(FaultCallbackMalformed) {
			text = text[:len(text)/2]
		}
		return &delivery{
			Callback: Callback{UUID: p["uuid"].(string), ExtID: d.ExtID, URL: d.draft.url, State: state, Payload: string(text)},
			kick:     make(chan struct{}, 1),
		}
	}
	p := s.payload(d, d.State)
	if d.has(FaultCallbackExtraKeys) {
		p["receipt_url"], p["retail_place"] = "https://ofd.example/extra", map[string]any{"id": 7, "tags": []string{"a", ""}}
	}
	out := []*delivery{message(d.State, p)}
	if d.has(FaultCallbackTwice) {
		out = append(out, message(d.State, p))
	}
	if d.has(FaultCallbackReordered) && d.final() {
		out = append(out, message(StateWaiting, s.payload(d, StateWaiting)))
	}
	if d.has(FaultCallbackStranger) {
		p := s.payload(d, d.State)
		p["uuid"] = uuid.NewSHA1(uuid.NameSpaceURL, []byte("stranger to "+d.UUID)).String()
		delete(p, s.opt.Callback.Keys.ExtID)
		out = append(out, message(d.State, p))
	}
	return out
}

// redeliver repeats a callback by the schedule of section 6.3.
func (s *Service) redeliver(dl *delivery) {
	pauses := s.cfg.Delays.Redelivery
	for i := 0; i+1 < s.cfg.Delays.Attempts; i++ {
		t := time.NewTimer(pauses[min(i, len(pauses)-1)])
		select {
		case <-t.C:
		case <-dl.kick:
			t.Stop()
		case <-s.ctx.Done():
			t.Stop()
			return
		}
		if s.attempt(dl) {
			return
		}
	}
	s.cfg.Log.Warn("callback given up", "uuid", dl.UUID)
}

// attempt sends once. Only HTTP 200 is success.
func (s *Service) attempt(dl *delivery) bool {
	at := time.Now()
	status, err := s.post(dl)
	a := Attempt{At: at, Status: status}
	if err != nil {
		a.Error = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dl.Attempts = append(dl.Attempts, a)
	dl.Done = status == http.StatusOK
	s.touch()
	return dl.Done
}

func (s *Service) post(dl *delivery) (int, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Delays.Receiver)
	defer cancel()
	contentType, body, err := s.opt.Callback.Form.encode(dl.Payload)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dl.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "GuzzleHttp/7")
	client := *s.cfg.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which may hold the receiver's secret
		}
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, bodyMax)); err != nil {
		return 0, fmt.Errorf("HTTP %d: %w", resp.StatusCode, err)
	}
	return resp.StatusCode, nil
}

// encode puts the payload into a body (section 6.2).
func (f CallbackForm) encode(payload string) (contentType string, body []byte, err error) {
	switch f {
	case FormURLEncoded:
		return "application/x-www-form-urlencoded", []byte(url.Values{"data": {payload}}.Encode()), nil
	case FormJSON:
		return "application/json", []byte(payload), nil
	case FormJSONData:
		return "application/json", encode(map[string]string{"data": payload}), nil
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err = errors.Join(w.WriteField("data", payload), w.Close()); err != nil {
		return "", nil, err
	}
	return w.FormDataContentType(), b.Bytes(), nil
}

// encode is JSON without HTML escapes. All values are made here and can be
// encoded.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("lifepay: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
