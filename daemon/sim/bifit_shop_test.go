package sim

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/fiscal"
)

// sideBySideAtOnce bounds the shops of one test that are open at once.
const sideBySideAtOnce = 24

// sideBySide runs cases as subtests that mostly wait: more of them at once than
// there are processors.
func sideBySide[C any](t *testing.T, cases map[string]C, run func(*testing.T, C)) {
	t.Helper()
	var group sync.WaitGroup
	atOnce := make(chan struct{}, sideBySideAtOnce)
	for name, c := range cases {
		group.Go(func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			t.Run(name, func(t *testing.T) { run(t, c) })
		})
	}
	group.Wait()
}

// serialBIFIT is the register of the emulated service.
func serialBIFIT(s *Shop) string { return s.BIFIT.Registers()[0].Serial }

// bifitShop is a shop with BIFIT alone.
func bifitShop(t *testing.T, emul *bifit.Config, change func(*daemon.Config)) (*Shop, *Till) {
	t.Helper()
	if emul == nil {
		emul = quickBIFIT()
	}
	s := openShop(t, Options{NoPrinter: true, BIFIT: emul, Policy: hastyPolicy(), Config: func(c *daemon.Config) {
		managers("ivanov")(c)
		if change != nil {
			change(c)
		}
	}})
	return s, openTill(t, s, "till1")
}

// hastyPolicy is impatient with printers and with clouds.
func hastyPolicy() *fiscal.Policy {
	p := impatient()
	p.Cloud = quickPolicy().Cloud
	return p
}

// withoutBroker is a merchant without a fiscal broker of his own.
func withoutBroker(c *daemon.Config) { c.BIFIT.BrokerTokenFile = "" }

// wrongBroker gives a broker token that the service does not know.
func wrongBroker(t *testing.T) func(*daemon.Config) {
	return func(c *daemon.Config) {
		path := filepath.Join(c.DataDir, "wrong.broker")
		if err := os.WriteFile(path, []byte("somebody-elses\n"), 0o600); err != nil {
			t.Error(err)
		}
		c.BIFIT.BrokerTokenFile = path
	}
}

// quickAlert tells soon of a document that has no end.
func quickAlert(c *daemon.Config) { c.BIFIT.ConfirmWithin = daemon.Duration(300 * time.Millisecond) }

// registrations counts the requests of one kind, and wants one key in all of
// them.
func registrations(t *testing.T, s *Shop, kind bifit.On) (n int) {
	t.Helper()
	keys := map[string]bool{}
	for _, r := range s.BIFIT.Requests() {
		if r.Kind == kind {
			n++
			keys[r.Key] = true
		}
	}
	if len(keys) > 1 {
		t.Errorf("%d keys: %v", len(keys), keys)
	}
	return n
}

// onlyDocument is the only document that the service has.
func onlyDocument(t *testing.T, s *Shop) bifit.Document {
	t.Helper()
	list := s.BIFIT.Documents()
	if len(list) != 1 {
		t.Fatalf("%d documents: %+v", len(list), list)
	}
	return list[0]
}

// registered waits until the cloud has the document.
func (p *pending) registered() Answer {
	p.t.Helper()
	return p.until("registered", func(a Answer) bool { return a.State == fiscal.Registered })
}

// registeredWaiting waits until the till is told what a registered document
// waits for.
func (p *pending) registeredWaiting(code fiscal.Code) Answer {
	p.t.Helper()
	return p.until("registered, waits for "+string(code), func(a Answer) bool {
		return a.State == fiscal.Registered && a.Waiting != nil && a.Waiting.Code == code
	})
}

// unknown waits until the command is being found out.
func (p *pending) unknown() Answer {
	p.t.Helper()
	return p.until("unknown", func(a Answer) bool { return a.State == fiscal.Unknown })
}

// history lists the states that the till was told, each once in a row.
func (p *pending) history() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var states []string
	for _, a := range p.seen {
		if s := string(a.State); len(states) == 0 || states[len(states)-1] != s {
			states = append(states, s)
		}
	}
	return strings.Join(states, " ")
}

// look makes the worker of a device read its status now.
func look(t *testing.T, till *Till, device string) {
	t.Helper()
	id := NewID()
	if a, err := till.CallRaw(t.Context(), fiscal.VerbStatus, id, onDevice(id, device, obj{}), nil); err != nil || a.State != fiscal.Done {
		t.Errorf("status of %s: %s, %v", device, a.Raw, err)
	}
}

// reload asks for a document to be tried again, by the control socket.
func reload(t *testing.T, s *Shop, body obj) error {
	t.Helper()
	_, err := daemon.Control(t.Context(), s.Config, "bifit-reload", "ivanov", body)
	return err
}

// codeOf is the code of a refused operation; "" if it was not refused.
func codeOf(err error) fiscal.Code {
	if err == nil {
		return ""
	}
	return fiscal.AsError(err, "").Code
}

// elsewhere marks a cloud's document as settled by a person's word: no command
// owns it.
func elsewhere(s *Shop, fn string, fd uint32) { disown2(s, fn, fd) }
