package lifepay

import (
	"bytes"
	"net/http"
	"time"
)

// hugeReply is longer than any client should read, in bytes.
const hugeReply = 1 << 20

// answer is what goes back, and how.
type answer struct {
	status      int
	contentType string
	location    string
	body        []byte

	accepted bool              // it has a uuid
	after    []<-chan struct{} // wait for these first
	hang     time.Duration     // then for so long
	cut      bool              // close the connection instead
	slow     time.Duration     // wait in the middle of the body
}

// Release lets the replies out that faults without a delay hold back.
func (s *Service) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

func page(status int) answer {
	return answer{
		status: status, contentType: "text/html; charset=UTF-8",
		body: []byte("<html><head><title>" + http.StatusText(status) + "</title></head><body><center>nginx</center></body></html>\n"),
	}
}

// refuseBy is the reply of a fault before the acceptance.
func (s *Service) refuseBy(f Fault) answer {
	switch f.Kind {
	case FaultCutBefore:
		return answer{cut: true}
	case FaultStatusBefore:
		or(&f.Status, http.StatusServiceUnavailable)
		return page(f.Status)
	case FaultHangBefore:
		or(&f.Status, http.StatusGatewayTimeout)
		return s.hang(page(f.Status), f.Delay)
	case FaultTooMany:
		or(&f.Code, CodeTooMany)
		or(&f.Status, http.StatusTooManyRequests)
		a := s.refusal(f.Code, f.Text, f.Fields)
		a.status = f.Status
		return a
	case FaultRedirect:
		or(&f.Status, http.StatusFound)
		or(&f.Location, "/elsewhere")
		a := page(f.Status)
		a.location = f.Location
		return a
	case FaultInternal:
		or(&f.Code, CodeInternal)
	}
	or(&f.Code, CodeData)
	return s.refusal(f.Code, f.Text, f.Fields)
}

// hang holds an answer back. The caller holds s.mu, so that no Release that
// follows the entry in the journal is missed.
func (s *Service) hang(a answer, delay time.Duration) answer {
	if a.hang = delay; delay == 0 {
		a.after = append(a.after, s.release)
	}
	return a
}

// spoil changes the reply to a request that was handled.
func (s *Service) spoil(a answer, f Fault) answer {
	switch f.Kind {
	case FaultStatusAfter:
		or(&f.Status, http.StatusBadGateway)
		return page(f.Status)
	case FaultCutAfter:
		a.cut = true
	case FaultHang:
		return s.hang(a, f.Delay)
	case FaultEmpty:
		a.body = nil
	case FaultHTML:
		return page(http.StatusOK)
	case FaultTruncated:
		a.body = a.body[:len(a.body)/2]
	case FaultInternalStored:
		or(&f.Code, CodeInternal)
		return s.refusal(f.Code, f.Text, f.Fields)
	case FaultWrongType:
		a.contentType = "text/html; charset=UTF-8"
	case FaultSlow:
		a.slow = f.Delay
	case FaultHuge:
		a.body = append(bytes.Repeat([]byte{' '}, hugeReply), a.body...)
	case FaultNoUUID:
		if a.accepted {
			return s.envelope(0, "", []byte("{}"))
		}
	}
	return a
}

// send writes the answer. It panics with http.ErrAbortHandler to close the
// connection, as net/http wants it.
func (s *Service) send(w http.ResponseWriter, r *http.Request, a answer) {
	for _, event := range a.after {
		s.wait(r, event, 0)
	}
	if a.hang > 0 {
		s.wait(r, nil, a.hang)
	}
	if a.cut || s.ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", a.contentType)
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	if a.slow > 0 {
		half := len(a.body) / 2
		_, _ = w.Write(a.body[:half]) // a client that went away is part of the game
		_ = http.NewResponseController(w).Flush()
		a.body = a.body[half:]
		s.wait(r, nil, a.slow)
	}
	_, _ = w.Write(a.body)
}

// wait waits for an event, or for a delay if event is nil. It ends early if the
// client or the service goes away.
func (s *Service) wait(r *http.Request, event <-chan struct{}, delay time.Duration) {
	var timer <-chan time.Time
	if event == nil {
		t := time.NewTimer(delay)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-event:
	case <-timer:
	case <-r.Context().Done():
	case <-s.ctx.Done():
	}
}
