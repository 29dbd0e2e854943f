package lifepay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// Addresses below Config.Base (section 0.2).
const (
	prefix      = "/cloud-print/"
	prefixFFD12 = "/cloud-print-ffd1_2/"
)

// requestsMax bounds the journal; the oldest lines go first.
const requestsMax = 10_000

// Request is a line of the journal. The key is masked.
type Request struct {
	At      time.Time
	Path    string // cloud-print/create-receipt
	ExtID   string
	Login   string
	Body    string // as read; "" if it was no JSON object
	Unknown []string
	Status  int // HTTP; 0 for a connection that closes
	Code    int // of the envelope, before a fault of the reply
	Reply   string
	UUID    string
	Fault   FaultKind // that the request met, if any
}

// Requests is the journal.
func (s *Service) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, len(s.requests))
	for i, r := range s.requests {
		out[i] = *r
		out[i].Unknown = slices.Clone(r.Unknown)
	}
	return out
}

// call is a request on its way through the checks.
type call struct {
	path  string
	kind  Kind
	ffd12 bool
	in    values
	note  *Request
}

// ServeHTTP implements [net/http.Handler].
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, below := strings.CutPrefix(r.URL.Path, s.cfg.Base)
	if below && s.cfg.Control && strings.HasPrefix(path, controlPrefix) {
		s.control(w, r, strings.TrimPrefix(path, controlPrefix))
		return
	}
	c := &call{path: strings.TrimPrefix(path, "/")}
	name, old := strings.CutPrefix(path, prefix)
	if !old {
		name, c.ffd12 = strings.CutPrefix(path, prefixFFD12)
	}
	c.kind = endpoints[name]
	if !below || !old && !c.ffd12 || c.kind == "" || c.ffd12 && c.kind != KindReceipt && !s.opt.AllPathsFFD12 {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := readBody(r.Body)
	if err == nil {
		c.in, err = s.parse(r.Header.Get("Content-Type"), body)
	}
	if err != nil {
		c.in = nil
	}
	s.send(w, r, s.handle(c))
}

// parse reads a body as JSON whatever the Content-Type says (section 1.1).
func (s *Service) parse(contentType string, body []byte) (values, error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	if s.opt.RequireJSON && kind != "application/json" && !(s.opt.FormBodies && kind == "application/x-www-form-urlencoded") {
		return nil, fmt.Errorf("content type %q", kind)
	}
	in, err := parseValues(body)
	if err != nil && s.opt.FormBodies {
		return parseForm(body)
	}
	return in, err
}

func (c *call) field(name string) string {
	s, _ := scalar(c.in[name])
	return s
}

// handle is the whole of section 2.7, with the faults before and after it.
func (s *Service) handle(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return answer{cut: true}
	}
	c.note = &Request{At: time.Now(), Path: c.path, ExtID: c.field("ext_id"), Login: c.field("login"), Body: masked(c.in)}
	if len(s.requests) == requestsMax {
		s.requests = slices.Delete(s.requests, 0, 1)
	}
	s.requests = append(s.requests, c.note)
	defer s.touch()
	var a answer
	if f := s.take(stageBefore, c.path, c.note.ExtID, false); len(f) > 0 {
		c.note.Fault = f[0].Kind
		a = s.refuseBy(f[0])
	} else {
		var d *document
		a, d = s.accept(c)
		if f := s.take(stageReply, c.path, c.note.ExtID, false); len(f) > 0 {
			c.note.Fault = f[0].Kind
			a = s.spoil(a, f[0])
		}
		if d != nil && d.has(FaultCallbackFirst) {
			a.after = append(a.after, d.heard)
		}
	}
	c.note.Status, c.note.Reply = a.status, string(a.body)
	if a.cut {
		c.note.Status, c.note.Reply = 0, ""
	}
	return a
}

func masked(in values) string {
	if in == nil {
		return ""
	}
	out := maps.Clone(in)
	for name := range out {
		if strings.EqualFold(name, "apikey") {
			out[name] = json.RawMessage(`"***"`)
		}
	}
	return string(encode(out))
}

// accept is steps 1 to 9 of section 2.7. The document is the new one, if any.
func (s *Service) accept(c *call) (answer, *document) {
	refuse := func(code int) (answer, *document) {
		c.note.Code = code
		return s.refusal(code, "", nil), nil
	}
	if c.in == nil {
		return refuse(CodeFormat)
	}
	who, code := s.identify(c.field("apikey"), c.field("login"))
	if code != 0 {
		return refuse(code)
	}
	if s.opt.ExtIDFirst {
		vendor := c.field("type")
		or(&vendor, defaultTypes[c.kind])
		if d := s.known(s.extIDKey(who, c.path, vendor, c.note.ExtID)); d != nil && c.note.ExtID != "" {
			return s.accepted(c, d), nil
		}
	}
	check := s.check(c.in, c.kind, c.ffd12, who)
	c.note.Unknown = check.unknown
	switch {
	case len(check.errs) > 0:
		c.note.Code = CodeData
		return s.refusal(CodeData, "", check.errs), nil
	case check.nonCash:
		return refuse(CodeNonCash)
	}
	key := ""
	if id := check.draft.extID; id != "" {
		key = s.extIDKey(who, c.path, check.draft.vendor, id)
		if d := s.known(key); d != nil {
			return s.accepted(c, d), nil
		}
	}
	if check.draft.test {
		return s.envelope(0, "", []byte(s.opt.TestData)), nil
	}
	d := s.create(check.draft, c.path, key, who)
	return s.accepted(c, d), d
}

func (s *Service) accepted(c *call, d *document) answer {
	d.Requests++
	c.note.UUID = d.UUID
	a := s.envelope(0, "", encode(map[string]string{"uuid": d.UUID}))
	a.accepted = true
	return a
}

// refusal is an envelope with a code; without fields its data is
// Options.ErrorData.
func (s *Service) refusal(code int, text string, fields map[string][]string) answer {
	or(&text, codeTexts[code])
	data := []byte(s.opt.ErrorData)
	if fields != nil {
		data = encode(fields)
	}
	return s.envelope(code, text, data)
}

// envelope is section 1.2.
func (s *Service) envelope(code int, text string, data []byte) answer {
	v := struct {
		Code    int             `json:"code"`
		Message *string         `json:"message"`
		Data    json.RawMessage `json:"data"`
	}{code, &text, data}
	if code == 0 && s.opt.NullMessage {
		v.Message = nil
	}
	body := encode(v)
	if s.opt.EscapeUnicode {
		body = ascii(body)
	}
	return answer{status: http.StatusOK, contentType: "application/json; charset=UTF-8", body: body}
}

// ascii writes all else as \uXXXX, which is how PHP does by default.
func ascii(body []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(body) {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.Bytes()
}
