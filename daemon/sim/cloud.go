package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/fn"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// startClouds serves the emulated clouds that the options ask for, and names
// them in the configuration.
func (s *Shop) startClouds(ctx context.Context) error {
	if s.opt.LifePay != nil {
		if err := s.startLifePay(ctx); err != nil {
			return fmt.Errorf("lifepay: %w", err)
		}
	}
	if s.opt.BIFIT != nil {
		if err := s.startBIFIT(ctx); err != nil {
			return fmt.Errorf("bifit: %w", err)
		}
	}
	return nil
}

func (s *Shop) startLifePay(ctx context.Context) error {
	cfg := *s.opt.LifePay
	if cfg.Client == nil {
		cfg.Client = &http.Client{Transport: s.transport()}
	}
	s.LifePay = lifepay.New(cfg)
	base, err := s.serveHTTP(ctx, daemon.CloudLifePay, s.LifePay, s.LifePay.Close)
	if err != nil {
		return err
	}
	key, err := s.secretFile("lifepay.key", lifepay.DemoAPIKey)
	if err != nil {
		return err
	}
	calls, err := s.serveHTTP(ctx, callbackDoor, s.callbackProxy(), func() {})
	if err != nil {
		return err
	}
	s.Config.LifePay = &daemon.LifePayConfig{
		CloudConfig: daemon.CloudConfig{BaseURL: base, Timeout: daemon.Duration(cloudTimeout)},
		Login:       lifepay.DemoLogin, APIKeyFile: key,
		Callback: daemon.CallbackConfig{Listen: "127.0.0.1:0", URL: calls + "/lp"},
		Fields:   daemon.LifePayFieldsConfig{FN: "fn", FD: "fd", FP: "fp", Shift: "shift", Receipt: "receipt", At: "at"},
	}
	return nil
}

func (s *Shop) startBIFIT(ctx context.Context) error {
	s.BIFIT = bifit.New(*s.opt.BIFIT)
	base, err := s.serveHTTP(ctx, daemon.CloudBIFIT, s.BIFIT, s.BIFIT.Close)
	if err != nil {
		return err
	}
	connector, err := s.secretFile("bifit.token", bifit.ConnectorTokenDefault)
	if err != nil {
		return err
	}
	broker, err := s.secretFile("bifit.broker", bifit.BrokerTokenDefault)
	if err != nil {
		return err
	}
	s.Config.BIFIT = &daemon.BIFITConfig{
		CloudConfig: daemon.CloudConfig{
			BaseURL: base + bifit.PrefixDefault, Timeout: daemon.Duration(cloudTimeout), Taxation: 1,
		},
		ConnectorTokenFile: connector, BrokerTokenFile: broker,
	}
	return nil
}

// cloudTimeout bounds a call to an emulated cloud.
const cloudTimeout = 5 * time.Second

// serveHTTP serves a cloud on the loopback until the shop closes. release lets
// go of requests that hang.
func (s *Shop) serveHTTP(ctx context.Context, name string, h http.Handler, release func()) (base string, err error) {
	d := &door{handler: h, listen: s.ways.Listen}
	if err := d.open("127.0.0.1:0"); err != nil {
		return "", err
	}
	s.doors[name] = d
	s.group.Go(func() {
		<-ctx.Done()
		release()
		d.shut()
	})
	return "http://" + d.address, nil
}

// door is the way to a cloud, which can be shut: then nobody answers a dial.
type door struct {
	handler http.Handler
	listen  func(network, address string) (net.Listener, error)

	mu      sync.Mutex
	address string
	server  *http.Server
	ended   chan struct{}
}

func (d *door) open(address string) error {
	l, err := d.listen("tcp", address)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.address = l.Addr().String()
	server, ended := &http.Server{Handler: d.handler, ReadHeaderTimeout: cloudTimeout}, make(chan struct{})
	d.server, d.ended = server, ended
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	return nil
}

// shut ends the listener and all connections.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server == nil {
		return
	}
	_ = d.server.Close()
	<-d.ended
	d.server = nil
}

// CutCloud takes the way to a cloud away: lifepay, bifit.
func (s *Shop) CutCloud(name string) { s.doors[name].shut() }

// MendCloud gives it back, at the same address.
func (s *Shop) MendCloud(name string) error {
	d := s.doors[name]
	return d.open(d.address)
}

func (s *Shop) secretFile(name, secret string) (string, error) {
	path := filepath.Join(s.opt.Dir, name)
	return path, os.WriteFile(path, []byte(secret+"\n"), 0o600)
}

// callbackDoor is the name of the way for callbacks, beside those to clouds.
const callbackDoor = "callback"

// nobody listens there.
const nobody = "127.0.0.1:1"

// callbackProxy stands before the daemon's listener as a web server would: it
// keeps its address while the daemon starts anew, and answers 502 meanwhile.
func (s *Shop) callbackProxy() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", nobody
			if address, ok := s.calls.Load().(string); ok {
				r.Out.URL.Host = address
			}
		},
		Transport: s.transport(),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
}

// transport carries HTTP in the shop. It keeps no idle connections: they would
// outlive the shop.
func (s *Shop) transport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: s.ways.Dial}
}

// tickets says which fiscal document each cloud document became: "" while
// there is none. A cloud document with two is a sale sold twice.
func (s *Shop) tickets() (map[string]string, error) {
	out := map[string]string{}
	if s.LifePay != nil {
		for _, d := range s.LifePay.Documents() {
			out[d.UUID] = ""
			if d.FD != 0 {
				out[d.UUID] = docID(d.FN, d.FD)
			}
		}
	}
	if s.BIFIT != nil {
		for _, d := range s.BIFIT.Documents() {
			ticket := fmt.Sprint(d.ID)
			out[ticket] = ""
			if len(d.Made) > 1 {
				return nil, errors.New("BIFIT made two documents of " + ticket)
			}
			if len(d.Made) == 1 {
				out[ticket] = docID(d.Made[0].FN, d.Made[0].FD)
			}
		}
	}
	return out, nil
}

// cloudLedgers are what the tax office sees of the clouds. Shifts that a cloud
// opens and closes by itself, and the storages that it closes, belong to no
// command.
func (s *Shop) cloudLedgers(b *Books) {
	ledgers := []map[string][]fn.Entry{}
	if s.LifePay != nil {
		ledgers = append(ledgers, s.LifePay.Ledger())
	}
	if s.BIFIT != nil {
		ledgers = append(ledgers, s.BIFIT.Ledger())
	}
	for _, ledger := range ledgers {
		for serial, entries := range ledger {
			b.Ledgers[serial] = entries
			for _, e := range entries {
				switch e.Form {
				case fiscal.FormReceipt, fiscal.FormBSO, fiscal.FormCorrection, fiscal.FormBSOCorrect:
				default:
					b.Foreign[docID(serial, e.FD)] = true
				}
			}
		}
	}
}
