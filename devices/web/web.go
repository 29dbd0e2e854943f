// Package web calls the HTTP interface of a cloud register with the caution
// that a fiscal document needs: every call ends as answered, as certainly not
// sent, or as unknown. Nothing is repeated here, no redirect is followed,
// certificates are verified, and answers are bounded.
package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"kassad/fiscal"
)

// Limits of a call.
const (
	// AnswerMax bounds the body of an answer, in bytes.
	AnswerMax = 64 << 10
	// DefaultTimeout bounds a whole call when the options name none.
	DefaultTimeout = 30 * time.Second

	dialTimeout = 10 * time.Second
	headerMax   = 16 << 10
)

// Options of a client.
type Options struct {
	BaseURL string        // https://host/path; http:// only to this computer
	CAFile  string        // PEM of the authorities to trust beside the system's; "" for none
	Timeout time.Duration // of a whole call; 0: DefaultTimeout
	Agent   string        // User-Agent
	// Dial replaces the network of this computer, and its proxy.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client calls one service. It is safe for concurrent use.
type Client struct {
	base  string
	agent string
	http  *http.Client
}

// Call is one request. Secrets belong into Header and Body, never into Path,
// which errors show.
type Call struct {
	Method string
	Path   string // below the base address, beginning with /
	Header http.Header
	Body   []byte
}

// Answer is what the service said, with whatever status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// CheckBase tells why a base address cannot be used.
func CheckBase(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("give https://host")
	case u.User != nil:
		return errors.New("the address names a user, and addresses are shown in logs")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("the address has a query or a fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return errors.New("http:// would send keys in the clear: use https://")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// New prepares a client; nothing connects.
func New(o Options) (*Client, error) {
	if err := CheckBase(o.BaseURL); err != nil {
		return nil, fmt.Errorf("base address: %w", err) // which may hold a password
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pool, err := pool(o.CAFile)
		if err != nil {
			return nil, err
		}
		trust.RootCAs = pool
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	proxy := http.ProxyFromEnvironment
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	} else {
		proxy = nil
	}
	return &Client{
		base: strings.TrimSuffix(o.BaseURL, "/"), agent: o.Agent,
		http: &http.Client{
			Timeout:       o.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:       proxy,
				DialContext: o.Dial,
				// A connection of its own for each call: one that the other side has
				// closed meanwhile would turn "not sent" into "unknown".
				DisableKeepAlives: true, DisableCompression: true,
				TLSClientConfig: trust, TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: headerMax,
			},
		},
	}, nil
}

func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return pool, nil
}

// Do makes one call. An error is a *fiscal.Error of code cloud-away:
// OutcomeUnreachable if no byte of the body was written (no address, no
// connection, no TLS), OutcomeUnknown if the service may have read it. An
// answer that is longer than AnswerMax, or breaks off, is unknown as well.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	body := &watched{r: bytes.NewReader(call.Body)}
	req, err := http.NewRequestWithContext(ctx, call.Method, c.base+call.Path, body)
	if err != nil {
		return Answer{}, fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodeCloudAway, err)
	}
	// A body that cannot be had twice is never sent twice by the library.
	req.GetBody, req.ContentLength = nil, int64(len(call.Body))
	if len(call.Body) == 0 {
		req.Body = http.NoBody
	}
	if call.Header != nil {
		req.Header = call.Header.Clone()
	}
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, c.failed(body, len(call.Body) == 0, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, AnswerMax+1))
	if err == nil && len(text) > AnswerMax {
		err = fmt.Errorf("the answer is longer than %d bytes", AnswerMax)
	}
	if err != nil {
		return Answer{}, c.failed(body, false, err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: text}, nil
}

// failed tells what a call without an answer has done. A request without a
// body changes nothing at the service, and is unreachable in any case.
func (c *Client) failed(body *watched, empty bool, err error) error {
	outcome := fiscal.OutcomeUnreachable
	if !empty && body.touched.Load() {
		outcome = fiscal.OutcomeUnknown
	}
	return fiscal.Fail(outcome, fiscal.CodeCloudAway, bare(err))
}

// bare drops the method and the address that net/http puts before an error:
// they say nothing new.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// watched notes that somebody began to read it: from then on bytes may be on
// their way.
type watched struct {
	r       io.Reader
	touched atomic.Bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.touched.Store(true)
	return w.r.Read(p)
}
