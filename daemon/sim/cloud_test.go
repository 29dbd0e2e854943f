package sim

import (
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// quickBIFIT makes documents at once.
func quickBIFIT() *bifit.Config {
	return &bifit.Config{Delays: bifit.Delays{New: -1, Queued: -1, Registering: -1}}
}

// quickPolicy is the product's but for the schedules of clouds.
func quickPolicy() *fiscal.Policy {
	p := fiscal.DefaultPolicy()
	p.Cloud.Repeat = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}
	p.Cloud.Poll = []time.Duration{50 * time.Millisecond}
	return &p
}

// byMail is a receipt whose buyer left an address.
func byMail(payments obj, items ...obj) obj {
	r := receipt(payments, items...)
	r["customer"] = "buyer@example.org"
	return r
}

func kettle() obj { return item("Чайник", "1220.00", "1", "vat22", nil) }

func TestCloudsAlone(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]Options{
		daemon.CloudLifePay: {LifePay: &lifepay.Config{}}, daemon.CloudBIFIT: {BIFIT: quickBIFIT()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt.NoPrinter, opt.Policy = true, quickPolicy()
			s := openShop(t, opt)
			till := openTill(t, s, "till1")
			var states []fiscal.State
			a, err := till.CallID(t.Context(), fiscal.VerbSale, NewID(), byMail(obj{"cash": 1500}, kettle()), func(a Answer) { states = append(states, a.State) })
			if err != nil || a.State != fiscal.Done || a.Fiscal.Total != 122000 || a.Fiscal.FD == 0 {
				t.Fatalf("%s, %v, after %v", a.Raw, err, states)
			}
			must(t, till, fiscal.VerbRefund, byMail(obj{"cash": "#"}, kettle()))
			no, err := till.Call(t.Context(), fiscal.VerbSale, receipt(obj{"cash": "#"}, kettle()))
			if err != nil || no.Error == nil || no.Error.Code != fiscal.CodeContactRequired {
				t.Errorf("without a contact: %s, %v", no.Raw, err)
			}
		})
	}
}

func TestPrinterDiesSalesGoOn(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{LifePay: &lifepay.Config{}, BIFIT: quickBIFIT(), Policy: quickPolicy()})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	if a := must(t, till, fiscal.VerbSale, byMail(obj{"cash": 1500}, kettle())); a.Route != "front" {
		t.Errorf("the printer is there, and it went to %s", a.Route)
	}
	s.Printers["front"].PowerOff()
	if a := must(t, till, fiscal.VerbSale, byMail(obj{"card": "#"}, kettle())); a.Route != daemon.CloudLifePay {
		t.Errorf("the printer is dead, and it went to %s", a.Route)
	}
	s.CutCloud(daemon.CloudLifePay)
	if a := must(t, till, fiscal.VerbSale, byMail(obj{"card": "#"}, kettle())); a.Route != daemon.CloudBIFIT {
		t.Errorf("LIFE PAY is away, and it went to %s", a.Route)
	}
	s.Printers["front"].PowerOn()
}
