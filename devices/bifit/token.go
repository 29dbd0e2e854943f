package bifit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"kassad/devices/web"
	"kassad/fiscal"
)

// Life of access tokens (reference 3.3 and 3.6).
const (
	defaultLife = time.Hour // of a token whose answer does not tell
	lifeMax     = 24 * time.Hour
	marginMax   = time.Minute // before the end of its life a token is renewed
	marginPart  = 10          // and not before this part of it is left
	tokenMax    = 8 << 10     // bytes of a token; headers have their limits
)

// tokenStore keeps the access token of one connector token. Its errors have
// OutcomeUnreachable: no byte of a document has been sent. The code is
// cloud-account where the service refuses the credentials.
type tokenStore struct {
	connector, client, path string
	do                      func(ctx context.Context, call web.Call) (web.Answer, error)

	flight singleflight.Group // of renewals

	mu      sync.Mutex
	access  string
	refresh string
	renewAt time.Time // with the monotonic clock
}

// get returns a token that is good for a while. All who ask at once share one
// renewal, which goes on when one of them gives up.
func (s *tokenStore) get(ctx context.Context) (string, error) {
	if access := s.cached(); access != "" {
		return access, nil
	}
	shared := context.WithoutCancel(ctx)
	renewal := s.flight.DoChan("", func() (any, error) {
		if access := s.cached(); access != "" { // of a renewal that has just ended
			return access, nil
		}
		return s.renew(shared)
	})
	select {
	case r := <-renewal:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodeCloudAway, ctx.Err())
	}
}

func (s *tokenStore) cached() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.renewAt) {
		return s.access
	}
	return ""
}

// drop forgets an access token that was refused, unless there is a newer one.
func (s *tokenStore) drop(access string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.access == access {
		s.access, s.renewAt = "", time.Time{}
	}
}

// forget drops everything: the next renewal begins from the connector token.
func (s *tokenStore) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access, s.refresh, s.renewAt = "", "", time.Time{}
}

// secrets are what must not be shown.
func (s *tokenStore) secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []string{s.access, s.refresh}
}

// renew gets a token by the refresh token, if there is one, else by the
// connector token (reference 3.6, rule 3). A refresh token is used once,
// whatever comes of it: whether a failed use spoils it is not known.
func (s *tokenStore) renew(ctx context.Context) (string, error) {
	s.mu.Lock()
	refresh := s.refresh
	s.refresh = ""
	s.mu.Unlock()
	if refresh != "" {
		access, err := s.request(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
		if err == nil || fiscal.AsError(err, "").Code != fiscal.CodeCloudAccount {
			return access, err
		}
	}
	return s.request(ctx, url.Values{"grant_type": {"token"}, "token": {s.connector}})
}

// request asks for a token once and keeps it.
func (s *tokenStore) request(ctx context.Context, form url.Values) (string, error) {
	form.Set("client_id", s.client)
	form.Set("client_secret", s.client)
	asked := time.Now()
	a, err := s.do(ctx, web.Call{
		Method: http.MethodPost, Path: s.path, Body: []byte(form.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
	})
	if err != nil {
		return "", withOutcome(err, fiscal.OutcomeUnreachable)
	}
	if a.Status != http.StatusOK {
		return "", tokenRefused(a)
	}
	grant, err := readGrant(a.Body)
	if err != nil {
		return "", fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodeCloudAway, fmt.Errorf("token answer: %w", err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access, s.refresh = grant.access, grant.refresh
	s.renewAt = asked.Add(grant.life - min(marginMax, grant.life/marginPart))
	return grant.access, nil
}

// tokenRefused tells a refusal of credentials from a service that is not well
// (reference 3.5). Of the body only the error's short name is shown: the rest
// may repeat what we sent.
func tokenRefused(a web.Answer) error {
	vendor := strconv.Itoa(a.Status)
	if overloaded(a.Status) || a.Status < 400 || a.Status > 499 {
		e := fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodeCloudAway, errors.New("no token was given"))
		e.Vendor = vendor
		return e
	}
	detail := "credentials rejected"
	if name := errorName(a.Body); name != "" {
		detail += ": " + name
	}
	return &fiscal.Error{Code: fiscal.CodeCloudAccount, Vendor: vendor, Detail: detail, Outcome: fiscal.OutcomeUnreachable}
}

// withOutcome is err with another claim about what has happened.
func withOutcome(err error, outcome fiscal.Outcome) error {
	e := *fiscal.AsError(err, fiscal.CodeCloudAway)
	e.Outcome = outcome
	return &e
}
