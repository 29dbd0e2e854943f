//go:build packages && linux

package linux_test

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"testing"
	"time"

	"kassad/daemon/enrol"
	"kassad/daemon/sim"
	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt"
)

// shop is what stands around the computer that the package is installed on: a
// printer on the network, and a till that remembers what it was told.
type shop struct {
	t       *testing.T
	printer *printer.Printer
	address string // of the printer
	unplug  func()

	sent map[string]func(context.Context, *mqtt.Terminal) error // the same command again

	mu   sync.Mutex
	told map[string]*sim.Told
	heed chan struct{} // an answer has come
}

func newShop(t *testing.T) *shop {
	s := &shop{t: t, told: map[string]*sim.Told{}, sent: map[string]func(context.Context, *mqtt.Terminal) error{}, heed: make(chan struct{}, 1), printer: printer.New(printer.Config{}), address: freeAddress(t)}
	t.Cleanup(func() {
		if s.unplug != nil {
			s.unplug()
		}
	})
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// plug connects the printer.
func (s *shop) plug() {
	s.t.Helper()
	wire, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { s.printer.ServeTCP(ctx, wire) })
	s.unplug = func() { cancel(); serving.Wait(); s.unplug = nil }
}

// till lets a terminal in by the card that kassad terminal add has written.
func (s *shop) till(cardFile string) *mqtt.Terminal {
	s.t.Helper()
	card, err := enrol.ReadCard(cardFile)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	link, err := mqtt.DialTerminal(ctx, mqtt.TerminalConfig{URL: card.URL, Root: card.Root, Name: card.Name, Username: card.Name, Password: card.Password}, s.hear)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(link.Close)
	return link
}

// hear keeps the till's book.
func (s *shop) hear(r mqtt.Reply) {
	var a sim.Answer
	if json.Unmarshal(r.Payload, &a) != nil || a.ID == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told[a.ID]
	if told == nil {
		told = &sim.Told{Terminal: "till1", ID: a.ID, Verb: fiscal.Verb(r.Verb)}
		s.told[a.ID] = told
	}
	told.Hear(a)
	select {
	case s.heed <- struct{}{}:
	default:
	}
}

func (s *shop) state(id string) fiscal.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if told := s.told[id]; told != nil {
		return told.State
	}
	return ""
}

// sell sends a sale until something answers, as the contract wants, and does not
// wait for its end.
func (s *shop) sell(link *mqtt.Terminal, id string) {
	s.t.Helper()
	s.command(link, fiscal.VerbSale, id, map[string]any{
		"items":    []any{map[string]any{"name": "Чай", "price": "10.00", "quantity": 1, "vat": "vat22"}},
		"payments": map[string]any{"cash": "10.00"},
	})
}

func (s *shop) command(link *mqtt.Terminal, verb fiscal.Verb, id string, body any) {
	s.t.Helper()
	request := sim.Request(id, body)
	s.sent[id] = func(ctx context.Context, link *mqtt.Terminal) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return link.Send(ctx, string(verb), request)
	}
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	deadline := time.After(patience)
	for s.state(id) == "" {
		err := s.sent[id](s.t.Context(), link)
		select {
		case <-s.heed:
		case <-again.C:
		case <-deadline:
			s.t.Fatalf("%s %s: no answer (%v)", verb, id, err)
		}
	}
}

// done waits until the till was told that a command is done. Now and then it
// sends the same command again, as a till does whose answer may be lost.
func (s *shop) done(link *mqtt.Terminal, ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		asked := time.Time{}
		await(s.t, id+" is done", func() bool {
			if time.Since(asked) > 2*time.Second {
				asked = time.Now()
				_ = s.sent[id](s.t.Context(), link) // who is not connected repeats it
			}
			state := s.state(id)
			if state.Final() && state != fiscal.Done {
				s.t.Fatalf("%s is %s", id, state)
			}
			return state == fiscal.Done
		})
	}
}

// books compares what the till was told, the journal as kassad spool ls prints
// it, and what the tax office sees.
func (s *shop) books(journal string, receipts int) {
	s.t.Helper()
	var records []fiscal.Record
	if err := json.Unmarshal([]byte(journal), &records); err != nil {
		s.t.Fatalf("%v in %s", err, journal)
	}
	b := sim.Books{Journal: records, Ledgers: map[string][]fn.Entry{}}
	s.mu.Lock()
	for _, told := range s.told {
		b.Told = append(b.Told, *told)
	}
	s.mu.Unlock()
	storage := s.printer.Storage()
	b.Ledgers[storage.Serial()] = storage.Ledger()
	for _, v := range b.Violations() {
		s.t.Error(v)
	}
	if n := len(storage.Receipts()); n != receipts {
		s.t.Errorf("%d receipts in the ledger, want %d", n, receipts)
	}
}
