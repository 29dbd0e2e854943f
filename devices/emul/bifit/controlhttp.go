package bifit

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// ControlPath is where Control expects to be mounted: outside of the prefix.
const ControlPath = "/_control/"

// Control is the service's remote control for people with curl: parameters are
// in the query, answers are JSON. It asks for no token, so it belongs on
// loopback only.
//
//	GET  documents requests ledger registers tokens
//	POST reset release expire-tokens clear-faults
//	POST advance?by=1h
//	POST register?serial=…&state=ok|fault|busy
//	POST clock?serial=…&by=-3h
//	POST licence?serial=…&end=2026-01-01T00:00:00Z
//	POST replace-fn?serial=…
//	POST finish?id=… repair?id=…
//	POST fault?do=cut&on=register&times=2, see ParseFault
func (s *Service) Control() http.Handler {
	mux := http.NewServeMux()
	for name, read := range map[string]func() any{
		"documents": func() any { return s.Documents() },
		"requests":  func() any { return s.Requests() },
		"ledger":    func() any { return s.Ledger() },
		"registers": func() any { return s.Registers() },
		"tokens":    func() any { return s.TokenRequests() },
	} {
		mux.HandleFunc("GET "+ControlPath+name, func(w http.ResponseWriter, _ *http.Request) { reply(w, read(), nil) })
	}
	for name, act := range s.actions() {
		mux.HandleFunc("POST "+ControlPath+name, func(w http.ResponseWriter, r *http.Request) {
			out, err := act(r.URL.Query())
			reply(w, out, err)
		})
	}
	return mux
}

func (s *Service) actions() map[string]func(url.Values) (any, error) {
	plain := func(do func()) func(url.Values) (any, error) {
		return func(url.Values) (any, error) {
			do()
			return struct{}{}, nil
		}
	}
	return map[string]func(url.Values) (any, error){
		"reset": plain(s.Reset), "release": plain(s.Release), "expire-tokens": plain(s.ExpireTokens), "clear-faults": plain(s.ClearFaults),
		"advance": func(q url.Values) (any, error) {
			by, err := time.ParseDuration(q.Get("by"))
			if err == nil {
				s.Advance(by)
			}
			return struct{}{}, err
		},
		"register": func(q url.Values) (any, error) {
			state, err := parseState(q.Get("state"))
			if err == nil {
				err = s.SetRegister(q.Get("serial"), state)
			}
			return s.Registers(), err
		},
		"clock": func(q url.Values) (any, error) {
			by, err := time.ParseDuration(q.Get("by"))
			if err == nil {
				err = s.SetClock(q.Get("serial"), by)
			}
			return struct{}{}, err
		},
		"licence": func(q url.Values) (any, error) {
			end, err := time.Parse(time.RFC3339, q.Get("end"))
			if err == nil {
				err = s.SetLicence(q.Get("serial"), end)
			}
			return struct{}{}, err
		},
		"replace-fn": func(q url.Values) (any, error) { return wrap(s.ReplaceFN(q.Get("serial"))) },
		"finish":     func(q url.Values) (any, error) { return s.onDocument(q, s.Finish) },
		"repair":     func(q url.Values) (any, error) { return s.onDocument(q, s.Repair) },
		"fault": func(q url.Values) (any, error) {
			f, err := ParseFault(q)
			if err == nil {
				s.Fail(f)
			}
			return struct{}{}, err
		},
	}
}

func wrap(number string, err error) (any, error) { return map[string]string{"fn": number}, err }

func (s *Service) onDocument(q url.Values, do func(uint64) error) (any, error) {
	p := parameters{q: q}
	id := p.whole("id")
	if p.err != nil {
		return nil, p.err
	}
	return struct{}{}, do(uint64(id))
}

// reply writes a result, or the error as 404 or 400.
func reply(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		status, v = http.StatusBadRequest, map[string]string{"error": err.Error()}
		if errors.Is(err, ErrNoRegister) || errors.Is(err, ErrNoDocument) {
			status = http.StatusNotFound
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a host that has left needs no answer
}
