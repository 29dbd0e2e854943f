package lifepay

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLifeCycle(t *testing.T) {
	t.Parallel()
	cfg := Config{Delays: Delays{Queue: time.Minute, Print: 30 * time.Second}}
	bubble(t, cfg, func(t *testing.T, s *Service, r *receiver) {
		start := time.Now()
		uuid := post(t, s, createReceipt, sale(hook)).UUID
		for _, want := range []State{StateQueued, StatePrinting, StateProcessed} {
			synctest.Wait()
			if d := find(s, uuid); d.State != want {
				t.Errorf("after %v: %s, want %s", time.Since(start), d.State, want)
			}
			<-time.After(61 * time.Second)
		}
		if got := find(s, uuid).States; !slices.Equal(got, []State{StateAccepted, StateQueued, StatePrinting, StateProcessed}) {
			t.Errorf("%v", got)
		}
		if got := r.list(); len(got) != 1 || got[0].At.Sub(start) != 90*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

// Fault 18: each wait is told, and the order of the queue is kept.
func TestPrinterAway(t *testing.T) {
	t.Parallel()
	for _, state := range []PrinterState{PrinterOffline, PrinterNoPaper} {
		bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
			setPrinter(t, s, state)
			first, second := post(t, s, createReceipt, sale(hook)).UUID, post(t, s, createReceipt, sale()).UUID
			<-time.After(150 * time.Second)
			setPrinter(t, s, PrinterOK)
			synctest.Wait()
			a, b := find(s, first), find(s, second)
			if a.State != StateProcessed || a.FD != 3 || b.FD != 4 || a.ErrorCode != 0 {
				t.Errorf("%+v\n%+v", a, b)
			}
			var told []any
			for _, h := range r.list() {
				told = append(told, h.Fields["status"])
			}
			if !slices.Equal(told, []any{"waiting_retry", "waiting_retry", "waiting_retry", "processed"}) {
				t.Errorf("%v", told)
			}
		})
	}
}

func setPrinter(t *testing.T, s *Service, state PrinterState) {
	t.Helper()
	if err := s.SetPrinter(DemoPrinter, state); err != nil {
		t.Fatal(err)
	}
}

func TestPrinterNeverBack(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Delays: Delays{Tries: 3, Retry: time.Hour}}, func(t *testing.T, s *Service, r *receiver) {
		setPrinter(t, s, PrinterOffline)
		d := accepted(t, s, createReceipt, sale(hook))
		synctest.Wait()
		if d.State != StateError || d.ErrorCode != CodeGeneric || len(r.list()) != 3 || len(s.Storage(DemoPrinter).Receipts()) != 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestRetryNow(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Delays: Delays{Retry: time.Hour}}, func(t *testing.T, s *Service, _ *receiver) {
		setPrinter(t, s, PrinterOffline)
		uuid := post(t, s, createReceipt, sale()).UUID
		synctest.Wait()
		s.RetryNow()
		synctest.Wait()
		waits := 0
		for _, st := range find(s, uuid).States {
			if st == StateWaiting {
				waits++
			}
		}
		if waits != 2 {
			t.Errorf("%v", find(s, uuid).States)
		}
	})
}

func TestPrinterFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		state PrinterState
		tax   string
		code  int
	}{
		{"full", PrinterFNFull, "usn6", CodeGeneric},
		{"wrong tax by state", PrinterWrongTax, "usn6", CodeStorage},
		{"wrong tax by registration", PrinterOK, "osn", CodeStorage},
		{"right", PrinterOK, "usn6", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, Config{Accounts: []Account{{
				APIKey: DemoAPIKey, Logins: []Login{{Phone: DemoLogin}},
				Printers: []Printer{{Serial: DemoPrinter, TaxSystems: []string{"usn6", "patent"}, State: tt.state}},
			}}})
			d := accepted(t, s, createReceipt, sale(object{"tax_system": tt.tax}))
			if d.ErrorCode != tt.code || (tt.code == 0) != (d.FD != 0) {
				t.Errorf("%+v", d)
			}
		})
	}
	s := service(t, Config{})
	if s.SetPrinter("no", PrinterOK) == nil || s.SetPrinter(DemoPrinter, "burning") == nil {
		t.Error("a state or a printer that does not exist is taken")
	}
	if s.Storage("no") != nil {
		t.Error("a storage of no printer")
	}
}

// A shift older than 24 hours, by switch.
func TestExpiredShift(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		way   ExpiredShift
		state State
		shift uint16
	}{{ExpiredWaits, StateWaiting, 0}, {ExpiredReopens, StateProcessed, 2}, {ExpiredFails, StateError, 0}} {
		t.Run(string(tt.way), func(t *testing.T) {
			t.Parallel()
			var later atomic.Int64
			start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
			s := service(t, Config{
				Options: Options{ExpiredShift: tt.way},
				Now:     func() time.Time { return start.Add(time.Duration(later.Load())) },
			})
			accepted(t, s, createReceipt, sale())
			later.Store(int64(25 * time.Hour))
			uuid := post(t, s, createReceipt, sale()).UUID
			await(t, s, func() bool { return find(s, uuid).State == tt.state })
			if d := find(s, uuid); d.Shift != tt.shift {
				t.Errorf("%+v", d)
			}
			if tt.way != ExpiredWaits {
				return
			}
			accepted(t, s, createZ, body())
			s.RetryNow()
			if d := final(t, s, uuid); d.State != StateProcessed || d.Shift != 2 {
				t.Errorf("%+v", d)
			}
		})
	}
}

// A document goes to the printer that is named, to that of the trade point, or
// to an active one.
func TestRouting(t *testing.T) {
	t.Parallel()
	admin, point := "70000000000", "70000000001"
	cfg := Config{Accounts: []Account{
		{APIKey: DemoAPIKey, Logins: []Login{{Phone: admin}, {Phone: point, Printer: "C"}}, Printers: []Printer{
			{Serial: "A", State: PrinterOffline}, {Serial: "B", FFD: "1.05"}, {Serial: "C"},
		}},
		{APIKey: "other", Logins: []Login{{Phone: "70000000002"}}, Printers: []Printer{{Serial: "D"}}},
	}}
	for _, tt := range []struct {
		login, serial, path, want string // want "": refused
	}{
		{admin, "", createReceipt, "B"}, {admin, "A", createReceipt, "A"}, {admin, "D", createReceipt, ""},
		{point, "", createReceipt, "C"}, {point, "B", createReceipt, "B"},
		{admin, "", createReceipt12, "C"}, {admin, "B", createReceipt12, ""},
	} {
		s := service(t, cfg)
		in := sale(object{"login": tt.login, "target_serial": tt.serial, "target_service": "lifepayCloud"})
		if tt.want == "" {
			wantRefusal(t, s, tt.path, in, CodeData, "target_serial")
			continue
		}
		r := post(t, s, tt.path, in)
		if d := find(s, r.UUID); d.Printer != tt.want {
			t.Errorf("%s, %q, %s: %s, %q", tt.login, tt.serial, tt.path, r.Text, d.Printer)
		}
	}
	s := service(t, cfg)
	if l := s.Ledger(); len(l) != 4 || l["9999078900200002"] == nil {
		t.Errorf("%d storages", len(l))
	}
}
