package bifit

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Limits of the journal.
const (
	journalMax     = 10_000  // requests, the newest
	journalBodyMax = 8 << 10 // bytes of a body
)

// masked stands where a secret was.
const masked = "***"

// Request is one entry of the journal. Secrets are masked, and headers are not
// kept.
type Request struct {
	At        time.Time
	Kind      On
	Method    string
	Path      string
	Connector string // name, once the token has told it
	Key       string // Idempotency-Key
	Body      string // its beginning; secrets masked
	Document  uint64 // id that it was about, 0 for none
	Status    int    // of the answer; 0 if there was none
	Warning   string
	Faults    []string
}

// Requests lists the requests in the order of their execution.
func (s *Service) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.st.journal)
}

func (s *Service) record(c *call, p plan, a answer) {
	e := *c.entry
	e.At, e.Status, e.Warning, e.Body = c.now, a.status, a.warning, string(c.body[:min(len(c.body), journalBodyMax)])
	if e.Kind&(OnToken|OnRefresh) != 0 {
		e.Body = maskForm(c.body)
	}
	e.Faults = append(slices.Clone(p.names), e.Faults...)
	if p.cut {
		e.Status = 0
	}
	s.st.counts.add(e)
	if len(s.st.journal) >= journalMax {
		s.st.journal = slices.Delete(s.st.journal, 0, len(s.st.journal)-journalMax+1)
	}
	s.st.journal = append(s.st.journal, e)
}

func (n *TokenCounts) add(e Request) {
	switch e.Kind {
	case OnToken:
		n.Connector++
	case OnRefresh:
		n.Refresh++
	default:
		return
	}
	if e.Status != http.StatusOK {
		n.Refused++
	}
}

// maskForm keeps what is public of a token request.
func maskForm(body []byte) string {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return masked
	}
	for name := range form {
		if name != "grant_type" && name != "client_id" {
			form[name] = []string{masked}
		}
	}
	return form.Encode()
}
