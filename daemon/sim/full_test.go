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
