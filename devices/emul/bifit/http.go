package bifit

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// bodyMax bounds a request, in bytes.
const bodyMax = 1 << 20

// answer is an HTTP answer before it is written.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	declared int     // Content-Length, if not that of body
	refusal  Refusal // its "error" is filled in from the table
	field    string  // of the request that is wrong
	warning  string  // for the journal
}

// json makes the body. What the package puts in can always be encoded.
func (a *answer) json(v any) {
	a.body, _ = json.Marshal(v)
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("Content-Type", "application/json")
}

// refuse is an answer with the error fields of sections 3.5 and 14.4.
func refuse(status int, why Refusal, message string) answer {
	a := answer{status: status, refusal: why, header: http.Header{}, body: []byte(message)}
	if status == http.StatusUnauthorized {
		a.header.Set("WWW-Authenticate", "Bearer")
	}
	return a
}

// words puts the table's word into a refusal.
func (s *Service) words(a *answer, oauth bool) {
	if a.refusal == 0 {
		return
	}
	text := "message"
	if oauth || a.status == http.StatusUnauthorized {
		text = "error_description"
	}
	fields := map[string]any{"error": s.cfg.Table.Refusals.Token(int(a.refusal)), text: string(a.body)}
	if a.field != "" {
		fields["field"] = a.field
	}
	a.json(fields)
	a.refusal = 0
}

// call is a request whose body has been read.
type call struct {
	*http.Request
	body  []byte
	now   time.Time
	entry *Request
}

func (s *Service) routes() *http.ServeMux {
	mux := http.NewServeMux()
	p := s.cfg.Prefix
	mux.HandleFunc("POST "+p+TokenPath, s.serve(0, s.token))
	mux.HandleFunc("POST "+p+RegisterPath, s.serve(OnRegister, s.register))
	mux.HandleFunc("POST "+p+ReloadPath, s.serve(OnReload, s.reloadCall))
	mux.HandleFunc("GET "+p+s.cfg.Table.DocumentPath, s.serve(OnDocument, s.documentCall))
	return mux
}

// ServeHTTP answers the paths of section 2 below the prefix: another path is
// 404, another method 405.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// serve puts faults and the journal around a handler. kind 0 is the token
// endpoint, where the body tells. The handler runs locked.
func (s *Service) serve(kind On, handle func(*call) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		c := &call{Request: r, body: body, entry: &Request{Kind: kind, Method: r.Method, Path: r.URL.Path, Key: r.Header.Get("Idempotency-Key")}}
		if kind == 0 {
			c.entry.Kind = grantKind(body)
		}
		p := s.plan(c)
		if p.before != nil {
			s.hold(r.Context(), *p.before)
		}
		a := s.act(c, p, handle)
		if p.slow != nil {
			s.hold(r.Context(), *p.slow)
		}
		if p.cut {
			panic(http.ErrAbortHandler) // the way of net/http to close without an answer
		}
		a.write(w)
	}
}

func (s *Service) plan(c *call) plan {
	s.lock()
	defer s.mu.Unlock()
	key := c.entry.Key
	if c.entry.Kind == OnDocument {
		if d := s.find(c.PathValue("id")); d != nil {
			key = d.key
		}
	}
	return s.planFor(c.entry.Kind, key)
}

// act lets the service act, or a fault in its place, and writes the journal.
func (s *Service) act(c *call, p plan, handle func(*call) answer) answer {
	c.now = s.lock()
	defer s.mu.Unlock()
	var a answer
	switch {
	case p.instead != nil:
		a = *p.instead
	case !p.early:
		a = handle(c)
	}
	s.words(&a, c.entry.Kind&(OnToken|OnRefresh) != 0)
	if p.after != nil && p.instead == nil {
		a = answer{status: p.after.status, header: p.after.header, body: p.after.body, warning: a.warning}
	}
	for _, garble := range p.garble {
		garble(&a)
	}
	s.record(c, p, a)
	return a
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	length := max(len(a.body), a.declared)
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a host that has left misses nothing that the journal lacks
	if length > len(a.body) {
		_ = http.NewResponseController(w).Flush() // else nothing of the part would leave
		panic(http.ErrAbortHandler)
	}
}

// hold waits for the time of a delay, Release, Close, or the host to leave.
func (s *Service) hold(ctx context.Context, d delay) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	var over <-chan time.Time
	if d.by > 0 {
		timer := time.NewTimer(d.by)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-gate:
	case <-s.done:
	case <-ctx.Done():
	}
}

// Release lets go of all exchanges that Slow holds back now.
func (s *Service) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gate)
	s.gate = make(chan struct{})
}
