package sim

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
	"kassad/spool"
)

// managed decodes the result of an operation that must work.
func managed[T any](t *testing.T, e *ear, op string, body any) T {
	t.Helper()
	a := e.manage(t, op, "ivanov", body)
	var result T
	if a.State != "done" || a.Final == nil || !*a.Final || a.N != 1 || a.Verb != op {
		t.Errorf("%s: %+v", op, a)
		return result
	}
	if err := json.Unmarshal(a.Result, &result); err != nil {
		t.Errorf("%s: %v in %s", op, err, a.Result)
	}
	return result
}

// secrets of the shop of the management tests.
const devicePassword, brokerPassword = 74_921, "very-secret-word"

// The operations answer on the embedded broker and on the head office's.
func TestManagement(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"embedded", "office"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			s, e := managedShop(t, where)
			till := openTill(t, s, "till1")
			e.wait(t, "the printer", on("dev/front/info", "model"))
			checkOverview(t, e)
			checkDoctor(t, e)
			checkLogs(t, e)
			checkConfig(t, e)
			checkClockSetting(t, e, s, till)
			checkBackup(t, e, s)
			checkResolve(t, e)
			checkRefusedOperations(t, e)
			checkNoSecret(t, e)
		})
	}
}

// managedShop gives a shop and who manages it: by name on the embedded broker,
// or from the head office's Mosquitto, where everybody who gets in may.
func managedShop(t *testing.T, where string) (*Shop, *ear) {
	t.Helper()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{Password: map[string]string{"node": brokerPassword, "console": "console"}})
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(brokerPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openShop(t, Options{
		Printers: map[string]printer.Config{"front": {Password: devicePassword}},
		Config: func(c *daemon.Config) {
			c.MQTT = []daemon.LinkConfig{{URL: m.URL, Role: daemon.RoleOffice, Username: "node", PasswordFile: secret}}
			c.Devices[0].Password = devicePassword
			if where == "embedded" {
				managers("ivanov")(c)
			}
		},
	})
	if where == "embedded" {
		return s, listen(t, s, s.url())
	}
	e := listen(t, s, m.URL, func(o *paho.ClientOptions) { o.SetUsername("console").SetPassword("console") })
	e.wait(t, "the node", on("node/state", "online"))
	return s, e
}

func checkOverview(t *testing.T, e *ear) {
	t.Helper()
	st := managed[struct {
		Root, Instance, Version, Since string
		Devices                        map[string]wireDevice
		Links                          []struct{ Name string }
		Spool                          wireSpool
		Alerts                         []wireAlert
	}](t, e, "status", nil)
	if st.Root+"/" != e.root || st.Version != "sim" || st.Instance == "" || !st.Devices["front"].Link || len(st.Links) != 2 {
		t.Errorf("status %+v", st)
	}
	found := managed[struct {
		Ports   []any
		Devices map[string]wireDevice
	}](t, e, "detect", nil)
	if !found.Devices["front"].Link {
		t.Errorf("detect %+v", found)
	}
}

func checkDoctor(t *testing.T, e *ear) {
	t.Helper()
	checks := managed[[]struct {
		Name, Detail, Hint string
		OK                 bool
	}](t, e, "doctor", nil)
	seen := map[string]bool{}
	for _, c := range checks {
		seen[c.Name] = true
		if !c.OK && c.Hint == "" {
			t.Errorf("doctor does not say what to do: %+v", c)
		}
	}
	for _, name := range []string{"config", "disk", "broker shop", "broker office-1", "device front", "clock front"} {
		if !seen[name] {
			t.Errorf("doctor says nothing of %s: %+v", name, checks)
		}
	}
}

func checkLogs(t *testing.T, e *ear) {
	t.Helper()
	logs := managed[struct{ Lines []string }](t, e, "logs", obj{"lines": 5})
	if len(logs.Lines) != 5 || !strings.Contains(logs.Lines[4], "msg=") {
		t.Errorf("logs %q", logs)
	}
}

func checkConfig(t *testing.T, e *ear) {
	t.Helper()
	c := managed[struct {
		Org, Store, Node string
		Device           []map[string]any
		MQTT             []map[string]any
	}](t, e, "config-get", nil)
	if c.Org != "local" || len(c.Device) != 1 || c.Device[0]["name"] != "front" || c.Device[0]["password"] != nil || c.MQTT[0]["role"] != "office" {
		t.Errorf("config-get %+v", c)
	}
}

// checkClockSetting wants set-time refused while a shift is open.
func checkClockSetting(t *testing.T, e *ear, s *Shop, till *Till) {
	t.Helper()
	p := s.Printers["front"]
	must(t, till, fiscal.VerbShiftOpen, obj{})
	if a := e.manage(t, "set-time", "ivanov", obj{"device": "front"}); a.State != "rejected" || a.Error.Code != "shift-is-open" || !a.Error.hasAll() {
		t.Errorf("set-time in a shift: %+v", a)
	}
	must(t, till, fiscal.VerbShiftClose, obj{})
	p.AdvanceClock(3 * time.Minute)
	managed[struct{ Device, Clock string }](t, e, "set-time", obj{"device": "front"})
	now := time.Now()
	wall := time.Date(now.Year(), now.Month(), now.Day(), now.Hour(), now.Minute(), now.Second(), 0, p.Clock().Location())
	if drift := p.Clock().Sub(wall).Abs(); drift > time.Minute {
		t.Errorf("the clock is %v away", drift)
	}
	if a := e.manage(t, "set-time", "ivanov", obj{"device": "back"}); a.State != "rejected" || a.Error.Code != "unknown-device" {
		t.Errorf("set-time of nobody: %+v", a)
	}
}

// checkBackup opens the copy as a store.
func checkBackup(t *testing.T, e *ear, s *Shop) {
	t.Helper()
	made := managed[struct {
		File, SHA256 string
		Bytes        int64
	}](t, e, "backup", nil)
	info, err := os.Stat(made.File)
	if err != nil || info.Size() != made.Bytes || len(made.SHA256) != 64 || info.Mode().Perm() != 0o600 {
		t.Errorf("backup %+v: %v", made, err)
		return
	}
	copied, err := spool.Open(made.File, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if faults, err := copied.Check(); err != nil || len(faults) > 0 {
		t.Errorf("check: %v %v", faults, err)
	}
	records, err := s.Daemon().Records()
	if err != nil {
		t.Fatal(err)
	}
	err = copied.View(func(tx *spool.Tx) error {
		for _, r := range records {
			if got, found, err := tx.ByID(r.ID); err != nil || !found || got.State != r.State {
				t.Errorf("the copy has %s as %s, %v", r.ID, got.State, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// checkResolve decides about a sale that is too old to be printed unasked.
func checkResolve(t *testing.T, e *ear) {
	t.Helper()
	if a := e.manage(t, "resolve", "ivanov", obj{"id": "nobody", "action": "retry"}); a.State != "rejected" || a.Error.Code != "not-found" {
		t.Errorf("resolve of nothing: %+v", a)
	}
	for _, body := range []obj{{"id": "x"}, {"id": "x", "action": "forget"}, {"id": "x", "action": "done-elsewhere"}, {"id": "x", "action": "retry", "why": 1}, {"node": "leave"}} {
		if a := e.manage(t, "resolve", "ivanov", body); a.State != "rejected" || a.Error.Code != "bad-request" {
			t.Errorf("resolve %v: %+v", body, a)
		}
	}
	e.wait(t, "its audit", on("evt/audit", `"op":"resolve","by":"ivanov"`))
}

func checkRefusedOperations(t *testing.T, e *ear) {
	t.Helper()
	if a := e.manage(t, "format-disk", "ivanov", nil); a.State != "rejected" || a.Error.Code != "unknown-verb" && a.Error.Code != "no-right" {
		t.Errorf("an unknown operation: %+v", a)
	}
	mark := e.mark()
	e.say(t, "mgmt/req/status", mustJSON(obj{"v": 1, "id": "late", "by": "ivanov", "exp": "2020-01-01T00:00:00Z"}))
	if a := strict[wireAnswer](t, e.after(t, mark, "expired", on("mgmt/res/status", `"late"`)).payload); a.State != "expired" {
		t.Errorf("expired: %+v", a)
	}
	mark = e.mark()
	e.say(t, "mgmt/req/status", mustJSON(obj{"v": 1, "id": "nameless"}))
	if a := strict[wireAnswer](t, e.after(t, mark, "nameless", on("mgmt/res/status", `"nameless"`)).payload); a.State != "rejected" {
		t.Errorf("without a name: %+v", a)
	}
}

// checkNoSecret looks through all that was published.
func checkNoSecret(t *testing.T, e *ear) {
	t.Helper()
	managed[struct{ Lines []string }](t, e, "logs", obj{"lines": 1000})
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.all {
		if strings.Contains(h.payload, brokerPassword) || strings.Contains(h.payload, "74921") {
			t.Errorf("a secret on %s: %.300s", h.topic, h.payload)
		}
	}
}

// A restart is answered, and finishes the receipt in hand.
func TestManagedRestart(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: managers("ivanov")})
	e := listen(t, s, s.url())
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	begun, release := holdCommand(s.Printers["front"], closeReceipt, closeReceiptV3)
	inHand, behind := NewID(), NewID()
	e.say(t, "cmd/till1/sale", Request(inHand, tea()))
	<-begun
	e.say(t, "cmd/till1/sale", Request(behind, tea()))
	e.wait(t, "the one behind", answered(behind, fiscal.Accepted))
	managed[struct{ Restart string }](t, e, "restart", nil)
	e.wait(t, "draining", on("node/state", "draining"))
	close(release)
	e.wait(t, "the one in hand", answered(inHand, fiscal.Done))
	e.wait(t, "offline", on("node/state", "offline"))
	if err := s.Stop(); !errors.Is(err, daemon.ErrRestart) {
		t.Errorf("ended with %v", err)
	}
	if got := documents(s, "front"); got != 3 {
		t.Errorf("%d documents before the restart", got)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := listen(t, s, s.url())
	again.wait(t, "the one behind", on("last/till1", behind))
}

// A restart with nothing in hand still leaves its answer.
func TestRestartIsAnswered(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: managers("ivanov")})
	for range 3 {
		e := listen(t, s, s.url())
		managed[struct{ Restart string }](t, e, "restart", nil)
		if err := s.Stop(); !errors.Is(err, daemon.ErrRestart) {
			t.Errorf("ended with %v", err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A doctor that waits for a busy device does not hold up a stop, and a flood of
// management does not take the daemon down.
func TestStopDoesNotWaitForManagement(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: managers("ivanov")})
	e := listen(t, s, s.url())
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	begun, release := holdCommand(s.Printers["front"], closeReceipt, closeReceiptV3)
	id := NewID()
	e.say(t, "cmd/till1/sale", Request(id, tea()))
	<-begun
	for range 40 {
		e.say(t, "mgmt/req/doctor", mustJSON(obj{"v": 1, "id": NewID(), "by": "ivanov"}))
	}
	e.wait(t, "busy", on("mgmt/res/doctor", `"busy"`))
	ended := make(chan error, 1)
	go func() { ended <- s.Stop() }()
	e.wait(t, "draining", on("node/state", "draining"))
	close(release)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(hearing):
		t.Fatal("the daemon does not stop")
	}
	e.wait(t, "the receipt", answered(id, fiscal.Done))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRenamedDevice: what waits for a device that has another name now is told of,
// and goes on when the name is back.
func TestRenamedDevice(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: watchful})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	front := s.Printers["front"]
	front.PowerOff()
	sale := begin(t, till, fiscal.VerbSale, receipt(obj{"card": "#"}, kettle()))
	sale.waits(fiscal.CodePrinterAway)
	rename := func(name string) (waiting string) {
		t.Helper()
		mustStop(t, s)
		s.Config.Devices[0].Name = name
		s.Config.Routes = s.defaultRoutes()
		mustStart(t, s)
		for _, a := range s.Daemon().Status().Alerts {
			if a.Code == fiscal.CodeUnknownDevice {
				waiting = a.Detail
			}
		}
		return waiting
	}
	if told := rename("kkt"); !strings.Contains(told, "front (1)") {
		t.Errorf("under another name: %q", told)
	}
	if told := rename("front"); told != "" {
		t.Errorf("under its name again: %q", told)
	}
	front.PowerOn()
	for done := false; !done; <-time.After(50 * time.Millisecond) { // the till's line is down for longer
		records, err := s.Daemon().Records()
		if err != nil {
			t.Fatal(err)
		}
		done = slices.ContainsFunc(records, func(r fiscal.Record) bool { return r.ID == sale.id && r.State == fiscal.Done })
	}
}
