package sim

import (
	"context"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
)

// TestStopParksAReceipt: a receipt that does not end within the time that a
// service manager gives is put aside in doubt. The stop is over in time, the
// device is asked after the next start, and the receipt exists once.
func TestStopParksAReceipt(t *testing.T) {
	t.Parallel()
	const grace = 2 * time.Second // as on Windows
	for name, do := range map[string]printer.Action{
		"made late":  printer.Slow{Before: 15 * time.Second},
		"told late":  printer.Slow{After: 15 * time.Second},
		"never told": printer.ExecuteThenPowerCycle{Off: time.Minute},
		"never made": printer.PowerCycleBefore{Off: time.Minute, LoseReceipt: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, Options{Log: mqtttest.Log(t), Life: func(o *daemon.Options) { o.StopGrace = grace }}, func(ctx context.Context, s *Shop) {
				till, err := s.Till(ctx, "till1")
				if err != nil {
					t.Fatal(err)
				}
				if a, err := till.Call(ctx, fiscal.VerbShiftOpen, obj{}); err != nil || a.State != fiscal.Done {
					t.Fatalf("%s, %v", a.Raw, err)
				}
				if late := s.Daemon().Stalled(); late != nil {
					t.Errorf("%v hang in a healthy shop", late)
				}
				closing := make(chan struct{})
				once := sync.OnceFunc(func() { close(closing) })
				s.Printers["front"].OnCommand(func(cmd []byte) {
					if printer.Command(closeReceipt, closeReceiptV3)(cmd) {
						once()
					}
				})
				s.Printers["front"].Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: do})
				payload := Request("parked", saleOf(2))
				if err := till.Send(ctx, fiscal.VerbSale, payload); err != nil {
					t.Fatal(err)
				}
				<-closing
				begin := time.Now()
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took > grace+time.Second {
					t.Errorf("the stop took %s", took)
				}
				<-time.After(time.Minute)
				if err := s.Start(ctx); err != nil {
					t.Fatal(err)
				}
				if a, err := till.CallRaw(ctx, fiscal.VerbSale, "parked", payload, nil); err != nil || a.State != fiscal.Done {
					t.Errorf("the sale: %s, %v", a.Raw, err)
				}
				b, err := s.Books(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range b.Violations() {
					t.Error(v)
				}
				if n := len(s.Printers["front"].Storage().Receipts()); n != 1 {
					t.Errorf("%d receipts in the storage", n)
				}
			})
		})
	}
}
