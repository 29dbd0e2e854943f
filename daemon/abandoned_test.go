package daemon

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"kassad/devices/emul/bifit"
	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
	"kassad/spool"
)

// TestAskAbandoned: a document that a service makes of an attempt which a
// person gave up is found without anybody asking for it, and told once.
func TestAskAbandoned(t *testing.T) {
	t.Parallel()
	service := bifit.New(bifit.Config{Delays: bifit.Delays{New: -1, Queued: -1, Registering: -1}})
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	t.Cleanup(service.Close)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	write(t, token, []byte(bifit.ConnectorTokenDefault))
	cfg := DefaultConfig()
	cfg.DataDir, cfg.Broker.Listen = dir, "127.0.0.1:0"
	cfg.BIFIT = &BIFITConfig{
		CloudConfig: CloudConfig{BaseURL: server.URL + bifit.PrefixDefault, Taxation: 1}, ConnectorTokenFile: token,
	}
	d, err := New(cfg, Options{Log: mqtttest.Log(t), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w := d.workers[CloudBIFIT]
	abandon(t, d, w)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for range 2 { // the second time it is known
		if err := d.askAbandoned(ctx, time.Now().Add(abandonedFor-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	r, _, err := d.journal.byID("a")
	if err != nil || len(r.Late) != 1 || r.Late[0].FD == 0 || r.State != fiscal.Abandoned || !r.Doubled() {
		t.Errorf("%+v, %v", r, err)
	}
	alert := false
	for _, a := range d.alerts.list() {
		alert = alert || a.Code == fiscal.CodeLateDocument && a.Device == CloudBIFIT
	}
	if !alert {
		t.Error("nobody was told")
	}
}

// abandon orders a document at the service and lets a person give it up.
func abandon(t *testing.T, d *Daemon, w *worker) {
	t.Helper()
	line := fiscal.Line{Name: "Чай", Price: 1000, Quantity: 1_000_000, Sum: 1000, VAT: fiscal.VAT10, Method: fiscal.FullPayment, Subject: fiscal.Goods, Department: 1}
	doc := fiscal.Document{
		ID: "a", Verb: fiscal.VerbSale, Kind: fiscal.Sale, Key: d.journal.key("a"), Stem: d.journal.stem("a"), At: time.Now(),
		Customer: "buyer@example.org", Lines: []fiscal.Line{line}, Payments: fiscal.Payments{Card: 1000}, Total: 1000,
	}
	base, err := w.backend.Prepare(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.backend.Submit(t.Context(), doc, base)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := d.journal.accept(fiscal.Record{
		ID: "a", Terminal: "till1", Verb: fiscal.VerbSale, Device: CloudBIFIT, Hash: "h", AcceptedAt: time.Now(), State: fiscal.Accepted, Document: doc,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.State, r.Baseline, r.Ticket, r.Error = fiscal.Held, &base, got.Ticket, fiscal.Refuse(fiscal.CodeCloudFailed, "", "")
	if err := d.spool.Update(func(tx *spool.Tx) error { return tx.Put(r) }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.journal.resolve("a", fiscal.Resolution{Action: fiscal.ResolveGiveUp, By: "ivanov", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}
