package daemon

import (
	"os"
	"strings"
	"testing"
	"time"

	"kassad/daemon/localca"
	"kassad/devices/link"
)

// fakeMachine has one printer and everything wrong or right with it.
type fakeMachine struct {
	wrong, unknown bool
	owner          string
}

func (m fakeMachine) Ports() ([]link.Port, error) {
	return []link.Port{
		{Name: "/dev/ttyACM0", VID: "1FC9", PID: "00A7", Serial: "U1"},
		{Name: "/dev/ttyUSB7", VID: "2C7C", PID: "0125", Foreign: "modem"},
		{Name: "/dev/ttyS0"},
	}, nil
}
func (m fakeMachine) Owner(string) (string, bool) { return m.owner, m.owner != "" }
func (m fakeMachine) Access(string) (string, string, bool, bool) {
	return "ivanov", "dialout", !m.wrong, !m.unknown
}
func (m fakeMachine) SavesPower(link.Port) (string, bool, bool) {
	return "power/control", m.wrong, !m.unknown
}
func (m fakeMachine) ModemManager(string) (bool, bool)  { return m.wrong, false }
func (m fakeMachine) Antivirus() bool                   { return true }
func (m fakeMachine) ScanExcluded(string) (bool, bool)  { return !m.wrong, !m.unknown }
func (m fakeMachine) ClockSynced() (synced, known bool) { return !m.wrong, !m.unknown }

func machineConfig(address string) Config {
	cfg := DefaultConfig()
	cfg.Devices = []DeviceConfig{{Name: "front", Kind: "shtrih-m", Address: address}}
	return cfg
}

func TestDoctorMachine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m       fakeMachine
		address string
		fails   []string
		fine    []string
	}{
		"well":       {fakeMachine{owner: "kassad (7)"}, "auto", nil, []string{"port /dev/ttyACM0", "group /dev/ttyACM0", "usb /dev/ttyACM0", "modem-manager /dev/ttyACM0", "antivirus", "clock"}},
		"wrong":      {fakeMachine{wrong: true, owner: "minicom (9)"}, "auto", []string{"port /dev/ttyACM0", "group /dev/ttyACM0", "usb /dev/ttyACM0", "modem-manager /dev/ttyACM0", "antivirus"}, []string{"clock"}},
		"not known":  {fakeMachine{unknown: true}, "serial:///dev/ttyACM0?baud=115200", nil, []string{"modem-manager /dev/ttyACM0", "antivirus"}},
		"by number":  {fakeMachine{wrong: true}, "usb://U1", []string{"group /dev/ttyACM0", "usb /dev/ttyACM0", "modem-manager /dev/ttyACM0", "antivirus"}, []string{"clock"}},
		"on network": {fakeMachine{wrong: true, owner: "minicom (9)"}, "tcp://10.0.0.2:7778", []string{"antivirus"}, []string{"clock"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]Check{}
			for _, k := range DoctorMachine(c.m, machineConfig(c.address)) {
				if k.Text == "" || k.Detail == "" || !k.OK && k.Hint == "" || !strings.ContainsAny(k.Text, "аеиоу") {
					t.Errorf("not in both languages, or without a hint: %+v", k)
				}
				got[k.Name] = k
			}
			if len(got) != len(c.fails)+len(c.fine) {
				t.Errorf("%d checks, want %d: %v", len(got), len(c.fails)+len(c.fine), got)
			}
			for _, n := range c.fails {
				if k, ok := got[n]; !ok || k.OK {
					t.Errorf("%s did not fail", n)
				}
			}
			for _, n := range c.fine {
				if k, ok := got[n]; !ok || !k.OK {
					t.Errorf("%s is not fine: %+v", n, k)
				}
			}
		})
	}
}

func TestDoctorCertificate(t *testing.T) {
	t.Parallel()
	a := localca.Authority{Dir: t.TempDir()}
	if _, err := a.Ensure("shop"); err != nil {
		t.Fatal(err)
	}
	if err := a.Issue([]string{"pc"}); err != nil {
		t.Fatal(err)
	}
	cfg := machineConfig("auto")
	if got := checkCertificate(cfg, time.Now(), "pc"); got != nil {
		t.Errorf("no certificate: %+v", got)
	}
	cfg.Broker.CertFile = a.ServerCert()
	for days, ok := range map[int]bool{0: true, 759: true, 761: false, 900: false} {
		got := checkCertificate(cfg, time.Now().AddDate(0, 0, days), "pc")
		if len(got) != 1 || got[0].OK != ok {
			t.Errorf("after %d days %+v", days, got)
		}
	}
	if got := checkCertificate(cfg, time.Now(), "192.168.1.9"); len(got) != 1 || got[0].OK || !strings.Contains(got[0].Detail, "does not name 192.168.1.9") {
		t.Errorf("at another address: %+v", got)
	}
	if err := os.Remove(a.CACert()); err != nil {
		t.Fatal(err)
	}
	if got := checkCertificate(cfg, time.Now(), "192.168.1.9"); len(got) != 1 || !got[0].OK {
		t.Errorf("a certificate of somebody else, who knows its names: %+v", got)
	}
	cfg.Broker.CertFile += ".gone"
	if got := checkCertificate(cfg, time.Now(), "pc"); len(got) != 1 || got[0].OK {
		t.Errorf("a missing file: %+v", got)
	}
}
