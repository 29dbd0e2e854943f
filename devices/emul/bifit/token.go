package bifit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// clientID is the public constant of section 3.1, and the client secret too.
const clientID = "processing-connector-token"

// formType is the only content type of the token endpoint.
const formType = "application/x-www-form-urlencoded"

// session is a pair of tokens.
type session struct {
	owner           *connector
	access, refresh string
	accessUntil     time.Time
	refreshUntil    time.Time
}

// TokenCounts count token requests, so that a test can tell a cached token from
// luck. Refused are those of both kinds that were not answered with 200.
type TokenCounts struct{ Connector, Refresh, Refused int }

// TokenRequests tells how often tokens were asked for.
func (s *Service) TokenRequests() TokenCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.counts
}

// grantKind tells the two token requests apart before anything is checked.
func grantKind(body []byte) On {
	form, _ := url.ParseQuery(string(body))
	if form.Get("grant_type") == "refresh_token" {
		return OnRefresh
	}
	return OnToken
}

// token is the token endpoint (section 14.2).
func (s *Service) token(c *call) answer {
	owner, old, a := s.grant(c)
	if a.status != 0 {
		return a
	}
	c.entry.Connector = owner.Name
	return s.issue(owner, old, c.now)
}

// grant checks a token request. A status in the answer means no.
func (s *Service) grant(c *call) (owner *connector, old *session, a answer) {
	no := func(status int, why Refusal, message string) (*connector, *session, answer) {
		return nil, nil, refuse(status, why, message)
	}
	kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type"))
	form, err := url.ParseQuery(string(c.body))
	if kind != formType || err != nil {
		return no(http.StatusBadRequest, RefusalRequest, "send "+formType)
	}
	for _, name := range []string{"client_id", "client_secret", "grant_type"} {
		if form.Get(name) == "" {
			return no(http.StatusBadRequest, RefusalRequest, name+" is missing")
		}
	}
	if form.Get("client_id") != clientID || form.Get("client_secret") != clientID {
		return no(http.StatusUnauthorized, RefusalClient, "bad client credentials")
	}
	grant := form.Get("grant_type")
	field, known := map[string]string{"token": "token", "refresh_token": "refresh_token"}[grant]
	if !known {
		return no(http.StatusBadRequest, RefusalGrantType, "unsupported grant type")
	}
	secret := form.Get(field)
	if secret == "" {
		return no(http.StatusBadRequest, RefusalRequest, field+" is missing")
	}
	if grant == "token" {
		for _, k := range s.st.connectors {
			if k.Token == secret {
				return k, nil, answer{}
			}
		}
		return no(http.StatusBadRequest, RefusalGrant, "unknown connector token")
	}
	old = s.st.refresh[secret]
	if old == nil || !c.now.Before(old.refreshUntil) {
		return no(http.StatusBadRequest, RefusalGrant, "invalid refresh token")
	}
	return old.owner, old, answer{}
}

// issue makes a new pair. A refresh keeps the refresh token as it is.
func (s *Service) issue(owner *connector, old *session, now time.Time) answer {
	if s.cfg.Rules.SingleSession {
		s.expire(owner)
	}
	next := &session{owner: owner, access: s.secret("access"), accessUntil: now.Add(s.cfg.AccessLife)}
	if old != nil && !s.cfg.Rules.SingleSession {
		next.refresh, next.refreshUntil = old.refresh, old.refreshUntil
	} else {
		next.refresh, next.refreshUntil = s.secret("refresh"), now.Add(s.cfg.RefreshLife)
	}
	s.st.access[next.access] = next
	s.st.refresh[next.refresh] = next
	a := answer{status: http.StatusOK}
	a.json(map[string]any{
		"access_token": next.access, "token_type": "bearer", "refresh_token": next.refresh,
		"expires_in": int64(s.cfg.AccessLife / time.Second), "scope": "read write",
		// The list of the source goes on after scope (section 3.3).
		"jti": fmt.Sprintf("emulated-%d", s.st.issued),
	})
	a.header.Set("Cache-Control", "no-store")
	return a
}

// secret has the form of a JWT, as in the vendor's examples.
func (s *Service) secret(kind string) string {
	s.st.issued++
	seed := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64([]byte(kind), s.cfg.Seed), s.st.issued)
	sum := sha256.Sum256(seed)
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part([]byte(`{"emulated":"`+kind+`"}`)) + "." + part(sum[:])
}

// expire ends the tokens of a connector, or of all.
func (s *Service) expire(owner *connector) {
	for _, m := range []map[string]*session{s.st.access, s.st.refresh} {
		for token, v := range m {
			if owner == nil || v.owner == owner {
				delete(m, token)
			}
		}
	}
}

// authorize checks the access token (section 14.3).
func (s *Service) authorize(c *call) (*connector, answer) {
	scheme, token, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(c.Header.Values("Authorization")) != 1 {
		return nil, refuse(http.StatusUnauthorized, RefusalUnauthorized, "full authentication is required")
	}
	v := s.st.access[token]
	switch {
	case v == nil:
		return nil, refuse(http.StatusUnauthorized, RefusalToken, "unknown access token")
	case !c.now.Before(v.accessUntil):
		return nil, refuse(http.StatusUnauthorized, RefusalToken, "the access token has expired")
	}
	c.entry.Connector = v.owner.Name
	return v.owner, answer{}
}
