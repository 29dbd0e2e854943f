package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/spool"
)

// childOfClouds names the configuration of a daemon with clouds that this test
// binary runs in a process of its own, so that it can be killed.
const childOfClouds = "KASSAD_TEST_CLOUD_CHILD_CONFIG"

// TestChildWithClouds is the child of TestKillNineWithClouds, and nothing by
// itself.
func TestChildWithClouds(t *testing.T) {
	t.Parallel()
	path := os.Getenv(childOfClouds)
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
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	d, err := daemon.New(cfg, daemon.Options{Log: log, Policy: quickPolicy(), Open: func(c daemon.DeviceConfig) (fiscal.Backend, error) {
		return devices.Open(c.Settings(log))
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(d.Run(context.Background()))
}

// killBound bounds the time in which the daemon is killed again and again; the
// sales that are left then are finished by the last life.
const killBound = 5 * time.Second

// Sales go on over a printer and two clouds while the daemon is killed and the
// backends come and go: every sale ends in exactly one document of the three
// ledgers, and the tills are told which.
func TestKillNineWithClouds(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("KASSAD_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("replay: KASSAD_SEED=%d go test -run '^TestKillNineWithClouds$' ./daemon/sim", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	s := emptyShop(t)
	k := &cloudChild{t: t, path: filepath.Join(t.TempDir(), "config.json")}
	text, err := json.Marshal(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	k.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told, done := s.sellStubbornly(ctx, t, 3, 14)
	k.torment(random, s, done)
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Error("the tills are still waiting")
		cancel()
		<-done
	}
	k.kill()
	s.compareKilled(t, told())
}

// emptyShop is a shop without a daemon: a printer with an open shift and two
// clouds, and the configuration of who will serve them.
func emptyShop(t *testing.T) *Shop {
	t.Helper()
	opt := Options{
		Dir: t.TempDir(), Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())},
		LifePay: &lifepay.Config{Delays: lifepay.Delays{Redelivery: []time.Duration{100 * time.Millisecond}, Attempts: 1000}}, BIFIT: quickBIFIT(),
		Config: func(c *daemon.Config) {
			soonElsewhere(c)
			c.Broker.Listen = freeAddress(t)
			c.LifePay.Callback.Listen = freeAddress(t) // the shop's proxy does not hear of a process's own choice
		},
	}
	s, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	disown(s, "front", 2)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	return s
}

// cloudChild is a daemon in a process of its own, which dies at random moments.
type cloudChild struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
}

func (k *cloudChild) start() {
	k.cmd = exec.Command(os.Args[0], "-test.run", "^TestChildWithClouds$")
	k.cmd.Env = append(os.Environ(), childOfClouds+"="+k.path)
	k.cmd.Stderr = os.Stderr
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *cloudChild) kill() {
	k.cmd.Process.Kill()
	k.cmd.Wait() // always an error: it was killed
}

// torment kills the daemon and takes backends away until the time is over, and
// leaves everything well.
func (k *cloudChild) torment(random *rand.Rand, s *Shop, done <-chan struct{}) {
	away := map[string]bool{}
	turn := func(name string) {
		switch away[name] = !away[name]; {
		case name == "front" && away[name]:
			s.Printers[name].PowerOff()
		case name == "front":
			s.Printers[name].PowerOn()
		case away[name]:
			s.CutCloud(name)
		default:
			if err := s.MendCloud(name); err != nil {
				k.t.Error(err)
			}
		}
	}
	over := time.After(killBound)
	for going := true; going; {
		select {
		case <-done:
			going = false
		case <-over:
			going = false
		case <-time.After(time.Duration(100+random.IntN(600)) * time.Millisecond):
		}
		turn([]string{"front", daemon.CloudLifePay, daemon.CloudBIFIT}[random.IntN(3)])
		k.kill()
		k.start()
	}
	for name, gone := range away {
		if gone {
			turn(name)
		}
	}
	k.kill() // no breaker stays open
	k.start()
}

// sellStubbornly sells at some tills, some sales each. told is what they were
// told, once done is closed.
func (s *Shop) sellStubbornly(ctx context.Context, t *testing.T, tills, sales int) (told func() []Told, done chan struct{}) {
	var mu sync.Mutex
	var list []Told
	var group sync.WaitGroup
	for i := range tills {
		name := fmt.Sprintf("till%d", i)
		group.Go(func() {
			for n := range sales {
				a, err := stubborn(ctx, s.Config.Broker.Listen, s.Config.Root(), name, fiscal.VerbSale, mailed(saleOf(1+n%3)))
				if err != nil {
					t.Error(err)
					return
				}
				entry := Told{Terminal: name, ID: a.ID, Verb: fiscal.VerbSale, State: a.State}
				if a.Fiscal != nil {
					entry.FN, entry.FD, entry.Total = a.Fiscal.FN, a.Fiscal.FD, a.Fiscal.Total
				}
				mu.Lock()
				list = append(list, entry)
				mu.Unlock()
			}
		})
	}
	done = make(chan struct{})
	go func() { group.Wait(); close(done) }()
	return func() []Told {
		mu.Lock()
		defer mu.Unlock()
		if len(list) != tills*sales {
			t.Errorf("%d commands were answered, %d were sent", len(list), tills*sales)
		}
		return list
	}, done
}

// compareKilled compares the books of a shop whose daemon was killed.
func (s *Shop) compareKilled(t *testing.T, told []Told) {
	t.Helper()
	store, err := spool.Open(filepath.Join(s.Config.DataDir, "kassad.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var records []fiscal.Record
	if err := store.View(func(tx *spool.Tx) error { records, err = tx.Records(0, 10_000); return err }); err != nil {
		t.Fatal(err)
	}
	b, err := s.ledgers()
	if err != nil {
		t.Fatal(err)
	}
	b.Journal, b.Told = records, told
	for _, v := range b.Violations() {
		t.Error(v)
	}
	for _, r := range records {
		if r.Verb == fiscal.VerbSale && r.State != fiscal.Done {
			t.Errorf("%s ended as %s", r.ID, r.State)
		}
	}
}
