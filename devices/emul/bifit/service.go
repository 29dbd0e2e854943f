package bifit

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"kassad/devices/emul/fn"
)

// Service is one Fiscal Processing. It is safe for concurrent use.
type Service struct {
	cfg Config
	mux *http.ServeMux

	mu    sync.Mutex
	st    world
	moved time.Duration // by Advance

	gate      chan struct{} // closed by Release
	done      chan struct{} // closed by Close
	closeOnce sync.Once
}

// world is what Reset begins anew.
type world struct {
	connectors []*connector
	storages   []*fn.Storage // all that ever were, in order
	documents  []*document   // by id, beginning with Config.FirstID
	access     map[string]*session
	refresh    map[string]*session
	issued     uint64
	counts     TokenCounts
	journal    []Request
	faults     []*armed
	random     *rand.Rand
}

// connector is a Connector at work.
type connector struct {
	Connector
	registers []*register
	keys      map[string]*document
	live      []*document // neither done nor failed, in order of the queue
}

// Errors of the control functions.
var (
	ErrNoRegister = errors.New("bifit emulator: no such register")
	ErrNoDocument = errors.New("bifit emulator: no such document")
	ErrBusy       = errors.New("bifit emulator: no register of the connector is free")
)

// New starts a service. Close it when nobody calls it any more.
func New(cfg Config) *Service {
	s := &Service{cfg: cfg.withDefaults(), gate: make(chan struct{}), done: make(chan struct{})}
	s.mux = s.routes()
	s.Reset()
	return s
}

// Close lets go of all answers that are held back. The service goes on
// answering.
func (s *Service) Close() { s.closeOnce.Do(func() { close(s.done) }) }

// Reset forgets documents, tokens, faults and the journal, and gives every
// register the storage of the config again. The clock stays.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = world{access: map[string]*session{}, refresh: map[string]*session{}, random: rand.New(rand.NewPCG(s.cfg.Seed, 0))}
	now := s.now()
	for _, k := range s.cfg.Connectors {
		c := &connector{Connector: k, keys: map[string]*document{}}
		for _, r := range k.Registers {
			reg := &register{Register: r, freeAt: now}
			s.insertStorage(reg, now)
			c.registers = append(c.registers, reg)
		}
		s.st.connectors = append(s.st.connectors, c)
	}
}

// now is the time of the service.
func (s *Service) now() time.Time { return s.cfg.Clock().Add(s.moved) }

// lock enters with everything brought up to the clock.
func (s *Service) lock() (now time.Time) {
	s.mu.Lock()
	now = s.now()
	s.settle(now)
	return now
}
