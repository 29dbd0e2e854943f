package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices"
	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// childConfig names the configuration of a daemon that this test binary runs
// in a process of its own, so that it can be killed.
const childConfig = "KASSAD_TEST_CHILD_CONFIG"

// TestChildDaemon is the child of TestKillNine, and nothing by itself.
func TestChildDaemon(t *testing.T) {
	path := os.Getenv(childConfig)
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cfg daemon.Config
	if err := json.Unmarshal(text, &cfg); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	d, err := daemon.New(cfg, daemon.Options{Log: log, Open: func(c daemon.DeviceConfig) (fiscal.Backend, error) {
		return devices.Open(c.Settings(log))
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(d.Run(context.Background()))
}

// killed is a daemon in a process of its own, which dies at random moments.
type killed struct {
	t      *testing.T
	path   string
	broker string

	mu  sync.Mutex
	cmd *exec.Cmd
}

func (k *killed) start() {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestChildDaemon$")
	cmd.Env = append(os.Environ(), childConfig+"="+k.path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		k.t.Error(err)
		return
	}
	k.mu.Lock()
	k.cmd = cmd
	k.mu.Unlock()
}

func (k *killed) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cmd.Process.Kill()
	k.cmd.Wait() // always an error: it was killed
}

// Sales go on while the daemon is killed again and again: every sale ends in
// exactly one document, and the tills are told which.
func TestKillNine(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("KASSAD_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("replay: KASSAD_SEED=%d go test -run '^TestKillNine$' ./daemon/sim", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	p := printer.New(printer.Config{Print: printer.PrintOptions{LineTime: 5 * time.Millisecond}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go p.ServeTCP(ctx, l)
	k := &killed{t: t, path: filepath.Join(t.TempDir(), "config.json"), broker: freeAddress(t)}
	cfg := daemon.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.Broker.Listen = k.broker
	dc := daemon.DeviceConfig{Name: "front", Kind: "shtrih-m", Address: "tcp://" + l.Addr().String(), QuietTime: daemon.Duration(20 * time.Millisecond)}
	cfg.Devices = []daemon.DeviceConfig{dc.WithDefaults()}
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	k.start()

	const tills, sales, kills = 3, 10, 12
	var mu sync.Mutex
	var told []Told
	var group sync.WaitGroup
	for i := range tills {
		group.Go(func() {
			for n := range sales {
				verb, body := fiscal.VerbSale, saleOf(1+n%3)
				if i == 0 && n == 0 {
					verb, body = fiscal.VerbShiftOpen, obj{"cashier": cashier}
				}
				a, err := stubborn(ctx, k.broker, cfg.Root(), fmt.Sprintf("till%d", i), verb, body)
				if err != nil {
					t.Error(err)
					return
				}
				entry := Told{Terminal: fmt.Sprintf("till%d", i), ID: a.ID, Verb: verb, State: a.State}
				if a.Fiscal != nil {
					entry.FN, entry.FD, entry.Total = a.Fiscal.FN, a.Fiscal.FD, a.Fiscal.Total
				}
				mu.Lock()
				told = append(told, entry)
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for range kills {
		select {
		case <-done:
		case <-time.After(time.Duration(50+random.IntN(500)) * time.Millisecond):
		}
		k.kill()
		k.start()
	}
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Error("the tills are still waiting")
	}
	k.kill()
	cancel()

	books := Books{Told: told, Ledgers: map[string][]fn.Entry{p.Config().FNSerial: p.Storage().Ledger()}}
	s, err := spool.Open(filepath.Join(cfg.DataDir, "kassad.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(func(tx *spool.Tx) error { books.Journal, err = tx.Records(0, 10_000); return err })
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != tills*sales {
		t.Errorf("%d commands were answered, %d were sent", len(told), tills*sales)
	}
	for _, v := range books.Violations() {
		t.Error(v)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := steadyAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// stubborn is a till as the contract asks for: the same id again, over every
// new connection, until the final answer comes.
func stubborn(ctx context.Context, broker, root, name string, verb fiscal.Verb, body any) (Answer, error) {
	id := NewID()
	payload := Request(id, body)
	for attempt := 0; ctx.Err() == nil; attempt++ {
		a, err := once(ctx, broker, root, name, verb, id, payload)
		if err == nil {
			return a, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return Answer{}, errors.New("the shop closed before " + id + " was answered")
}

// once waits a moment for the final answer over a connection of its own.
func once(ctx context.Context, broker, root, name string, verb fiscal.Verb, id string, payload []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer cancel()
	link, err := mqtt.DialTerminal(ctx, mqtt.TerminalConfig{URL: "tcp://" + broker, Root: root, Name: name}, nil)
	if err != nil {
		return Answer{}, err
	}
	defer link.Close()
	r, err := link.Call(ctx, string(verb), id, payload, nil)
	if err != nil {
		return Answer{}, err
	}
	return decodeAnswer(r.Payload)
}
