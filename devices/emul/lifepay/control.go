package lifepay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// controlPrefix is below Config.Base. The real service has nothing like it.
const controlPrefix = "/_control/"

// Outcome ends a stuck document.
type Outcome struct {
	// Code is the device's error; 0 lets the document go its way.
	Code int
	Text string
}

// SetPrinter changes what ails a printer, and has waiting documents tried at
// once if it is well.
func (s *Service) SetPrinter(serial string, state PrinterState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.printer(serial)
	if p == nil || !state.valid() {
		return fmt.Errorf("no printer %q, or no state %q", serial, state)
	}
	p.state = state
	if state == PrinterOK {
		p.retry()
	}
	s.touch()
	return nil
}

// RetryNow has all waiting documents tried at once.
func (s *Service) RetryNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.printers {
		p.retry()
	}
}

func (p *printer) retry() {
	for _, d := range p.queue {
		if d.State == StateWaiting {
			d.due = time.Now()
		}
	}
	p.poke()
}

// Finish lets a stuck document go on.
func (s *Service) Finish(uuid string, o Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.byUUID[uuid]
	if d == nil || !d.stuck {
		return fmt.Errorf("no stuck document %q", uuid)
	}
	d.stuck, d.failCode, d.failText = false, o.Code, o.Text
	d.draft.printer.poke()
	return nil
}

// control serves Config.Control: GET ledger, documents, requests, callbacks;
// POST fault, printer, finish, deliver, retry, release; DELETE fault.
func (s *Service) control(w http.ResponseWriter, r *http.Request, what string) {
	var out any
	var err error
	switch r.Method + " " + what {
	case "GET ledger":
		out = s.Ledger()
	case "GET documents":
		out = s.Documents()
	case "GET requests":
		out = s.Requests()
	case "GET callbacks":
		out = s.Callbacks()
	case "POST fault":
		var f Fault
		if err = readJSON(r, &f); err == nil {
			err = s.Fail(f)
		}
	case "DELETE fault":
		s.ClearFaults()
	case "POST printer":
		var p struct {
			Serial string
			State  PrinterState
		}
		if err = readJSON(r, &p); err == nil {
			err = s.SetPrinter(p.Serial, p.State)
		}
	case "POST finish":
		var f struct {
			UUID string
			Outcome
		}
		if err = readJSON(r, &f); err == nil {
			err = s.Finish(f.UUID, f.Outcome)
		}
	case "POST deliver":
		s.DeliverNow()
	case "POST retry":
		s.RetryNow()
	case "POST release":
		s.Release()
	default:
		http.NotFound(w, r)
		return
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case out == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = w.Write(encode(out))
	}
}

func readJSON(r *http.Request, to any) error {
	body, err := readBody(r.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, to)
}
