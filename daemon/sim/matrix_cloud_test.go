// Half of the bytes of a handshake would be a key of ML-KEM.
//
//go:debug tlsmlkem=0
package sim

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// Times of a cloud in the matrix.
const (
	matrixCloudOutage = time.Minute
	matrixCloudLate   = 12 * time.Second // beyond cloudTimeout
	matrixCloudBound  = 90 * time.Minute // a callback is repeated after 1, 3, 5 and 10 minutes
	matrixCloudCalm   = 35 * time.Second // longer than the first pause of the circuit breaker
	matrixTokenLife   = 24 * time.Hour
)

// behindTLS is the name of a cloud behind TLS. A damaged byte is found there by
// TLS; without it nothing could tell a changed digit from another sum.
func behindTLS(name string) string { return name + "-tls" }

// cloudFaults are those of a byte that is not changed, on lines without TLS, and
// those of a changed byte with it.
func cloudFaults(secure bool, places ...string) []matrixFault {
	if secure {
		return []matrixFault{{faultDrop, places}, {faultDouble, places}, {faultFlip, places}}
	}
	out := []matrixFault{{faultCut, places}, {faultLate, places}, {faultKill, append([]string{placeDisk}, places...)}}
	return append(out, matrixFault{faultPower, places[:2]})
}

func lifePayMatrix(secure bool) *matrixBackend {
	cash := func(amount int) func() obj { return func() obj { return obj{"amount": amount, "cashier": cashier} } }
	orders := append(matrixReceipts(),
		matrixOrder{verb: fiscal.VerbCorrection, form: fiscal.FormCorrection, total: 25000, open: true, body: func() obj {
			return matrixCorrection(receipt(obj{"card": "#"}, item("Кофе", "250.00", "1", "vat22", nil)))
		}},
		matrixOrder{verb: fiscal.VerbShiftOpen, body: func() obj { return obj{"cashier": cashier} }, form: fiscal.FormShiftOpen},
		matrixOrder{verb: fiscal.VerbShiftClose, body: func() obj { return obj{"cashier": cashier} }, form: fiscal.FormShiftClose, open: true},
		matrixOrder{verb: fiscal.VerbCashIn, body: cash(1000), open: true},
		matrixOrder{verb: fiscal.VerbCashOut, body: cash(700), open: true},
	)
	name, places := daemon.CloudLifePay, []string{placeOut, placeIn, placeCallOut, placeCallIn}
	if secure {
		name, places = behindTLS(name), places[:2]
	}
	return &matrixBackend{
		name: name, device: daemon.CloudLifePay, orders: orders, faults: cloudFaults(secure, places...),
		options: func(b *matrixBench) Options {
			return Options{NoPrinter: true, LifePay: &lifepay.Config{}, Config: func(c *daemon.Config) {
				c.Reconcile.OnShiftClose = false
				c.LifePay.TargetSerial, c.LifePay.FFD = lifepay.DemoPrinter, fiscal.FFD12
				b.front(secure, &c.LifePay.CloudConfig)
			}}
		},
		late: matrixCloudLate, bound: matrixCloudBound, power: cloudOutage,
		made: func(s *Shop) (n int) {
			for _, d := range s.LifePay.Documents() {
				if d.State == lifepay.StateProcessed {
					n++
				}
			}
			return n
		},
		ledger: func(s *Shop) map[string][]fn.Entry { return s.LifePay.Ledger() },
	}
}

func bifitMatrix(secure bool) *matrixBackend {
	name, places := daemon.CloudBIFIT, []string{placeOut, placeIn, placeAgainOut, placeAgainIn}
	if secure {
		name = behindTLS(name)
	}
	return &matrixBackend{
		name: name, device: daemon.CloudBIFIT, orders: matrixReceipts(), faults: cloudFaults(secure, places...),
		options: func(b *matrixBench) Options {
			emul := quickBIFIT()
			emul.AccessLife = matrixTokenLife
			return Options{NoPrinter: true, BIFIT: emul, Config: func(c *daemon.Config) {
				b.front(secure, &c.BIFIT.CloudConfig)
			}}
		},
		late: matrixCloudLate, bound: matrixCloudBound, power: cloudOutage,
		made: func(s *Shop) (n int) {
			for _, d := range s.BIFIT.Documents() {
				n += len(d.Made)
			}
			return n
		},
		ledger: func(s *Shop) map[string][]fn.Entry { return s.BIFIT.Ledger() },
		again: func(b *matrixBench) error { // the access token is not kept over a restart
			if err := b.shop.Stop(); err != nil {
				return err
			}
			return b.shop.Start(b.ctx)
		},
	}
}

// cloudOutage drops the connections of a service, which answers nothing and
// calls nobody for a while. What it has taken stays.
func cloudOutage(b *matrixBench) {
	lines := []*Line{b.line}
	if calls, ok := b.shop.calls.Load().(string); ok {
		lines = append(lines, b.shop.opt.Network.Line(calls))
	}
	for _, l := range lines {
		l.Down()
		l.Reset()
		time.AfterFunc(matrixCloudOutage, l.Up)
	}
}

// front notes the line to a cloud, and puts TLS on it if it is wanted.
func (b *matrixBench) front(secure bool, c *daemon.CloudConfig) {
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		b.t.Fatal(err)
	}
	if !secure {
		b.line = b.network.Line(base.Host)
		return
	}
	listener, err := b.network.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.line = b.network.Line(listener.Addr().String())
	target := *base
	target.Path = ""
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&target) },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: b.network.Dial},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: cloudTimeout, ErrorLog: proxy.ErrorLog}
	cert, file := b.certificate()
	go server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}))
	b.closers = append(b.closers, func() { server.Close() })
	base.Scheme, base.Host = "https", listener.Addr().String()
	c.BaseURL, c.CAFile = base.String(), file
}

// certificate is one that only this shop trusts. Its signatures have one length.
func (b *matrixBench) certificate() (cert tls.Certificate, file string) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: virtualStart.Add(-time.Hour), NotAfter: virtualStart.AddDate(1, 0, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		b.t.Fatal(err)
	}
	file = filepath.Join(b.dir, "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, file
}
