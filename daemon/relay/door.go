package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"kassad/mqtt"
)

// Limits of a door.
const (
	connectionsMax = 512
	perAddressMax  = 64 // connections of one address at once
	requestsMax    = 64 // bodies in memory at once, with what is made of them
	headerBytesMax = 16 << 10
	headerTimeout  = 5 * time.Second
	readTimeout    = 15 * time.Second // of a whole request
	writeTimeout   = 45 * time.Second // covers Take
	idleTimeout    = 5 * time.Second
	stopGrace      = 5 * time.Second // for requests at work when the door closes
	retryAfter     = "60"            // seconds; what LIFE PAY does by itself after a refusal (reference 8.1)
)

// ErrDoor: a listener cannot be made of this configuration.
var ErrDoor = errors.New("callback listener")

// DoorConfig describes a listener for callbacks.
type DoorConfig struct {
	Listen            string // host:port
	CertFile, KeyFile string // PEM; required beyond loopback. Renewed files are noticed.
	// Prefix is the path before {org}/{store}/{node}; "" or with a slash before
	// and none behind. A proxy in front may have taken it away.
	Prefix string
	// Rate bounds the requests a second from one address, 0: not at all. What
	// comes from this computer is a proxy in front, which has bounds of its own.
	Rate int
	// Knows tells whether a node is one of ours; all else is not found.
	Knows func(mqtt.Topics) bool
	// Take deals with a callback and returns the HTTP status. The form of the
	// path is checked, the token is not.
	Take func(context.Context, mqtt.Topics, mqtt.Callback) int
	// Healthy answers GET /healthz; nil: not found.
	Healthy func() bool
	// Open replaces net.Listen.
	Open func(network, address string) (net.Listener, error)
}

// Door is an HTTP or HTTPS listener that lets in callbacks and nothing else.
// Every request has a connection of its own.
type Door struct {
	config   DoorConfig
	log      *slog.Logger
	tls      *tls.Config
	listener net.Listener
	working  chan struct{}
	quotas   *quotas
	refusals Sparse
}

// CheckListen tells what is wrong with the address of a door: beyond this
// computer tokens must not travel in the clear.
func CheckListen(listen, certFile, keyFile string) error {
	host, _, err := net.SplitHostPort(listen)
	switch {
	case err != nil:
		return fmt.Errorf("listen = %q: give host:port, for example 127.0.0.1:8443", listen)
	case (certFile == "") != (keyFile == ""):
		return errors.New("cert_file and key_file go together")
	case !loopback(host) && certFile == "":
		return fmt.Errorf("listen = %q is open to others in the clear: give cert_file and key_file, or listen on 127.0.0.1 behind a proxy", listen)
	}
	return nil
}

// CheckPrefix reads the path under which a door is reached.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	u, err := url.Parse(prefix)
	if err != nil || u.Path != prefix || prefix[0] != '/' || strings.HasSuffix(prefix, "/") || strings.Contains(prefix, "//") {
		return fmt.Errorf("%q: a path begins with / and does not end with one", prefix)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Open checks the configuration, reads the certificate and opens the port.
func Open(config DoorConfig, log *slog.Logger) (*Door, error) {
	if err := errors.Join(CheckListen(config.Listen, config.CertFile, config.KeyFile), CheckPrefix(config.Prefix)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDoor, err)
	}
	d := &Door{
		config: config, log: log, working: make(chan struct{}, requestsMax),
		quotas: newQuotas(config.Rate),
	}
	if config.CertFile != "" {
		c := &certificate{certFile: config.CertFile, keyFile: config.KeyFile, log: log}
		if err := c.read(); err != nil {
			return nil, fmt.Errorf("%w: certificate: %w", ErrDoor, err)
		}
		d.tls = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
	}
	open := config.Open
	if open == nil {
		open = net.Listen
	}
	l, err := open("tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDoor, err)
	}
	d.listener = newGate(l)
	if d.tls != nil {
		d.listener = tls.NewListener(d.listener, d.tls)
	}
	return d, nil
}

// Addr is the address that is listened on.
func (d *Door) Addr() string { return d.listener.Addr().String() }

// Close gives up a door that was never served.
func (d *Door) Close() error { return d.listener.Close() }

// Serve answers until ctx ends; requests at work then have a grace.
func (d *Door) Serve(ctx context.Context) error {
	srv := &http.Server{
		Handler: http.HandlerFunc(d.answer), Protocols: new(http.Protocols), MaxHeaderBytes: headerBytesMax,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		// Broken handshakes of scanners are no news.
		ErrorLog:    slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	srv.Protocols.SetHTTP1(true)
	srv.SetKeepAlivesEnabled(false)
	var stopping sync.WaitGroup
	closed := make(chan struct{})
	stopping.Go(func() {
		select {
		case <-ctx.Done():
		case <-closed:
			return
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(d.listener)
	close(closed)
	stopping.Wait()
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%w: %w", ErrDoor, err)
	}
	return nil
}

// answer lets one request in, or tells why not before its body is read.
func (d *Door) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if d.config.Healthy != nil && r.URL.Path == "/healthz" {
		d.health(w, r)
		return
	}
	status := d.take(w, r)
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", retryAfter)
	}
	reply(w, status)
}

func reply(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// A caller that has gone is told by nobody.
	_, _ = io.WriteString(w, http.StatusText(status)+"\n")
}

func (d *Door) health(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		reply(w, http.StatusMethodNotAllowed)
	case d.config.Healthy():
		reply(w, http.StatusOK)
	default:
		reply(w, http.StatusServiceUnavailable)
	}
}

// take returns the status for a request. The path is never logged: it has the
// token in it.
func (d *Door) take(w http.ResponseWriter, r *http.Request) int {
	if !d.quotas.allow(r.RemoteAddr, time.Now()) {
		return d.refuse(r, http.StatusTooManyRequests)
	}
	topics, path, ok := d.target(r.URL.Path)
	kind := r.Header.Get("Content-Type")
	switch {
	case !ok || !d.config.Knows(topics):
		return d.refuse(r, http.StatusNotFound)
	case r.Method != http.MethodPost:
		return d.refuse(r, http.StatusMethodNotAllowed)
	case r.ContentLength > mqtt.CallbackBodyMax:
		return d.refuse(r, http.StatusRequestEntityTooLarge)
	case !mqtt.ValidCallbackType(kind):
		return d.refuse(r, http.StatusUnsupportedMediaType)
	}
	select {
	case d.working <- struct{}{}:
		defer func() { <-d.working }()
	default:
		return d.refuse(r, http.StatusServiceUnavailable)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mqtt.CallbackBodyMax))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return d.refuse(r, http.StatusRequestEntityTooLarge)
	case err != nil: // the rest of it never came
		return d.refuse(r, http.StatusBadRequest)
	}
	return d.config.Take(r.Context(), topics, mqtt.Callback{Path: path, ContentType: kind, Body: body})
}

// target reads {prefix}/{org}/{store}/{node}/{edition}/{token}/{id}, with or
// without the prefix.
func (d *Door) target(path string) (topics mqtt.Topics, callback string, ok bool) {
	if topics, callback, ok = split(path); ok {
		return topics, callback, true
	}
	rest, ok := strings.CutPrefix(path, d.config.Prefix)
	if !ok {
		return mqtt.Topics{}, "", false
	}
	return split(rest)
}

// split reads /{org}/{store}/{node}/{edition}/{token}/{id}.
func split(path string) (topics mqtt.Topics, callback string, ok bool) {
	levels := strings.SplitN(path, "/", 5) // "", org, store, node, the rest
	if len(levels) != 5 || levels[0] != "" {
		return mqtt.Topics{}, "", false
	}
	topics, err := mqtt.NewTopics(levels[1], levels[2], levels[3])
	if err != nil {
		return mqtt.Topics{}, "", false
	}
	_, ok = mqtt.ParseCallbackPath(levels[4])
	return topics, levels[4], ok
}

// refuse tells of refusals now and then, without what was asked for.
func (d *Door) refuse(r *http.Request, status int) int {
	if more, ok := d.refusals.Allow(time.Now()); ok {
		d.log.Info("request refused", "from", r.RemoteAddr, "method", r.Method, "status", status, "before", more)
	}
	return status
}
