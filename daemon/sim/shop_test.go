package sim

import (
	"log/slog"
	"strings"
	"sync"
	"testing"

	"kassad/daemon"
	"kassad/fiscal"
)

// openShop starts a shop that ends with the test, after the three books were
// compared.
func openShop(t *testing.T, opt Options) *Shop {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = memoryDir(t)
	}
	last := opt.Config
	opt.Config = func(c *daemon.Config) {
		c.Reconcile.At = "" // at its hour the report of the day would come between what a test does
		if last != nil {
			last(c)
		}
	}
	log := &lockedBuffer{}
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.Daemon() != nil {
			books, err := s.Books(t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, v := range books.Violations() {
				t.Error(v)
			}
			if t.Failed() {
				var b strings.Builder
				books.Print(&b)
				t.Log(b.String())
				t.Log(log.String())
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openTill(t *testing.T, s *Shop, name string) *Till {
	t.Helper()
	till, err := s.Till(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return till
}

// must calls and wants done.
func must(t *testing.T, till *Till, verb fiscal.Verb, body any) Answer {
	t.Helper()
	a, err := till.Call(t.Context(), verb, body)
	if err != nil {
		t.Fatal(err)
	}
	if a.State != fiscal.Done {
		t.Fatalf("%s: %s", verb, a.Raw)
	}
	return a
}

func TestBusinessDay(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	must(t, till, fiscal.VerbCashIn, obj{"amount": 1000})
	a := must(t, till, fiscal.VerbSale, receipt(obj{"cash": 1500}, item("Чайник", "1220.00", "1", "vat22", nil)))
	if a.Fiscal.Total != 122000 || a.Fiscal.Change != 28000 || !strings.HasPrefix(a.Fiscal.QR, "t=") {
		t.Errorf("sale: %s", a.Raw)
	}
	must(t, till, fiscal.VerbRefund, receipt(obj{"cash": "#"}, item("Чайник", "1220.00", "1", "vat22", nil)))
	must(t, till, fiscal.VerbXReport, obj{})
	must(t, till, fiscal.VerbCounters, obj{})
	z := must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
	if len(z.Counters) == 0 {
		t.Errorf("Z without counters: %s", z.Raw)
	}
}

// lockedBuffer is a log that a failed test shows.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
