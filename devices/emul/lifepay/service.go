package lifepay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"kassad/devices/emul/fn"
)

// Service is the emulated service, an [net/http.Handler]. It is safe for
// concurrent use.
type Service struct {
	cfg Config
	opt Options

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	accounts   []*account
	printers   []*printer
	documents  []*document
	byUUID     map[string]*document
	byExtID    map[string]*document
	requests   []*Request
	deliveries []*delivery
	faults     []*armed
	chance     *rand.Rand
	changed    chan struct{} // closed and replaced at every change
	release    chan struct{} // likewise, by Release
}

type account struct {
	Account
	printers []*printer
}

// identity is who sent a request.
type identity struct {
	account *account
	login   Login
}

// New starts the service. Close ends it. It panics if the config names a tax, a
// tax system, a format or a state that does not exist.
func New(cfg Config) *Service {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		panic("lifepay: " + err.Error())
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Service{
		cfg: cfg, opt: cfg.Options, ctx: ctx, stop: stop,
		byUUID: map[string]*document{}, byExtID: map[string]*document{}, chance: rand.New(rand.NewPCG(cfg.Seed, 0)),
		changed: make(chan struct{}), release: make(chan struct{}),
	}
	for _, a := range cfg.Accounts {
		own := &account{Account: a}
		for _, p := range a.Printers {
			own.printers = append(own.printers, s.addPrinter(p))
		}
		s.accounts = append(s.accounts, own)
	}
	for _, p := range s.printers {
		s.wg.Go(func() { s.work(p) })
	}
	return s
}

func (s *Service) addPrinter(cfg Printer) *printer {
	cfg = cfg.withDefaults()
	or(&cfg.FNSerial, fmt.Sprintf("99990789002%05d", len(s.printers)+1))
	p := &printer{cfg: cfg, state: cfg.State, fn: cfg.storage(s.cfg.Seed, s.cfg.Now), wake: make(chan struct{}, 1)}
	s.printers = append(s.printers, p)
	return p
}

// Close ends printers and callbacks, and requests that hang. It must come
// before the Close of an httptest.Server, which waits for those requests.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.wg.Wait()
}

// spawn runs f until Close. The caller holds s.mu.
func (s *Service) spawn(f func()) {
	if !s.closed {
		s.wg.Go(f)
	}
}

// pause waits; it is false if the service closes meanwhile.
func (s *Service) pause(d time.Duration) bool {
	if d <= 0 {
		return s.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// touch tells those in Await. The caller holds s.mu.
func (s *Service) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Await waits until done, which is asked again after every change of a
// document, a callback or a request. done may ask the service.
func (s *Service) Await(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// newUUID is name-based, as those in the vendor's examples look (section 1.5).
func (s *Service) newUUID() string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "lifepay-emulator/%d/%d", s.cfg.Seed, len(s.documents))).String()
}

// Ledger is what the tax office sees, by the serial of the fiscal storage.
func (s *Service) Ledger() map[string][]fn.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]fn.Entry{}
	for _, p := range s.printers {
		out[p.fn.Serial()] = p.fn.Ledger()
	}
	return out
}

// Documents are all that were accepted, in order.
func (s *Service) Documents() []Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Document, len(s.documents))
	for i, d := range s.documents {
		out[i] = d.copy()
	}
	return out
}

// Document is one of them.
func (s *Service) Document(uuid string) (Document, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.byUUID[uuid]
	if d == nil {
		return Document{}, false
	}
	return d.copy(), true
}

// Storage is the fiscal storage of a printer, nil if there is no such printer.
func (s *Service) Storage(serial string) *fn.Storage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.printer(serial); p != nil {
		return p.fn
	}
	return nil
}

func (s *Service) printer(serial string) *printer {
	i := slices.IndexFunc(s.printers, func(p *printer) bool { return p.cfg.Serial == serial })
	if i < 0 {
		return nil
	}
	return s.printers[i]
}

// identify is steps 2 to 5 of section 2.7. The code is 0 for a user who may
// print.
func (s *Service) identify(apikey, login string) (identity, int) {
	var who identity
	code := CodeNoLogin
	for _, a := range s.accounts {
		i := slices.IndexFunc(a.Logins, func(l Login) bool { return l.Phone == login })
		if i < 0 {
			continue
		}
		code = CodeNoPair
		if a.APIKey == apikey {
			who, code = identity{a, a.Logins[i]}, 0
			break
		}
	}
	switch {
	case code != 0:
		return who, code
	case who.account.NoCloudPrint:
		return who, CodeNotAllowed
	case who.login.NoRights:
		return who, CodeDenied
	}
	return who, 0
}

// known is the document of an ext_id, nil if there is none or it is too old.
func (s *Service) known(key string) *document {
	d := s.byExtID[key]
	if life := s.opt.ExtIDLifetime; d != nil && life > 0 && time.Since(d.Accepted) >= life {
		return nil
	}
	return d
}

// extIDKey is what an ext_id is unique by (section 1.5).
func (s *Service) extIDKey(who identity, path, vendorType, extID string) string {
	if s.opt.ExtIDAnyCase {
		extID = strings.ToLower(extID)
	}
	scope := ""
	switch s.opt.ExtIDScope {
	case ScopeLogin:
		scope = who.login.Phone
	case ScopeType:
		scope = path + " " + vendorType
	case ScopePath:
		scope = path
	}
	return who.account.APIKey + "\x00" + scope + "\x00" + extID
}
