package sim

import (
	"testing"
	"time"

	"kassad/daemon"
	"kassad/fiscal"
	"kassad/spool/spooltest"
)

// TestDiskFull: with a full disk new sales are refused with a code, those in
// hand are finished, and when there is room the shop sells again by itself. The
// three books agree.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	var disk *spooltest.Disk
	s := openShop(t, Options{Life: func(o *daemon.Options) { o.Store = disk.Options() }, Config: func(c *daemon.Config) {
		disk = spooltest.NewDisk(c.DataDir)
	}})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	sell := func() Answer {
		t.Helper()
		a, err := till.Call(t.Context(), fiscal.VerbSale, receipt(obj{"card": "#"}, kettle()))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	disk.SetFull(true)
	refused := Answer{}
	for range 400 {
		if refused = sell(); refused.State != fiscal.Done {
			break
		}
	}
	if refused.State != fiscal.Rejected || refused.Error == nil || refused.Error.Code != fiscal.CodeDiskFull {
		t.Fatalf("a sale on a full disk: %s", refused.Raw)
	}
	standing := func() bool {
		for _, a := range s.Daemon().Status().Alerts {
			if a.Code == fiscal.CodeDiskFull {
				return true
			}
		}
		return false
	}
	if !standing() {
		t.Error("no alert stands")
	}
	disk.SetFull(false)
	for sell().State != fiscal.Done {
		<-time.After(100 * time.Millisecond)
	}
	for standing() { // the alert goes with the next look
		<-time.After(100 * time.Millisecond)
	}
}

// TestQueueOnAFullDisk: a queue is longer than the reserve lasts. The daemon does
// not end, now or at a start, begins nothing that it could not save, and goes on
// when there is room.
func TestQueueOnAFullDisk(t *testing.T) {
	t.Parallel()
	const waiting = 60
	var disk *spooltest.Disk
	s := openShop(t, Options{Life: func(o *daemon.Options) { o.Store = disk.Options() }, Config: func(c *daemon.Config) {
		if disk == nil {
			disk = spooltest.NewDisk(c.DataDir)
		}
	}})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	printer := s.Printers["front"]
	printer.PowerOff()
	var sales []*pending
	for range waiting {
		p := begin(t, till, fiscal.VerbSale, receipt(obj{"card": "#"}, kettle()))
		p.until("accepted", func(a Answer) bool { return a.State == fiscal.Accepted })
		sales = append(sales, p)
	}
	disk.SetFull(true)
	printer.PowerOn()
	made := func() int { return len(printer.Storage().Receipts()) }
	stuck := func() bool { // nothing moves for two retries
		before := made()
		<-time.After(2500 * time.Millisecond)
		return before > 0 && made() == before
	}
	for !stuck() {
	}
	if n := made(); n >= waiting {
		t.Fatalf("the reserve has lasted for %d receipts: the queue is too short", n)
	}
	if a, err := till.Call(t.Context(), fiscal.VerbSale, receipt(obj{"card": "#"}, kettle())); err != nil || a.State != fiscal.Rejected || a.Error.Code != fiscal.CodeDiskFull {
		t.Errorf("a new sale: %s, %v", a.Raw, err)
	}
	if err := s.Stop(); err != nil {
		t.Log("stopped on a full disk:", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, err := till.Call(t.Context(), fiscal.VerbSale, receipt(obj{"card": "#"}, kettle())); err != nil || a.State != fiscal.Rejected || a.Error.Code != fiscal.CodeDiskFull {
		t.Errorf("a new sale after a start: %s, %v", a.Raw, err)
	}
	disk.SetFull(false)
	for i, p := range sales {
		if a := <-p.final; a.State != fiscal.Done {
			t.Errorf("sale %d: %s", i, a.Raw)
		}
	}
	if n := made(); n != waiting {
		t.Errorf("%d receipts, want %d", n, waiting)
	}
}
