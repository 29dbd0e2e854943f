//go:build linux

package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/mqtt/mqtttest"
)

// Lengths of the storm; KASSAD_CHAOS says another one.
const (
	chaosShort = 20 * time.Second
	chaosCI    = 2 * time.Minute
	// calmPatience is the promise of the second phase: when everything runs
	// again, every accepted command is final within it.
	calmPatience = 3 * time.Minute

	chaosTills = 4
)

// chaos is a shop of real processes: the built daemon, a printer on a pty, two
// clouds and a Mosquitto.
type chaos struct {
	t       *testing.T
	seed    uint64
	length  time.Duration
	dir     string
	binary  string
	config  string // file
	shop    *Shop  // the configuration and the terminals' book; its daemon is a process
	broker  *brokerVictim
	tap     *tap
	office  *office
	daemon  *process
	printer *process
	clouds  map[string]*process
	base    map[string]*string // of the clouds

	mu     sync.Mutex
	orders map[string]*errand
	heard  map[string]map[int]fiscal.State // id, n
	tally  map[string]int
	bad    []string
}

// Sales, refunds, cash and shifts go on while the daemon, the broker and the
// printer are killed and everything freezes at random moments. In the calm that
// follows every accepted command ends, and the three books agree.
func TestChaos(t *testing.T) {
	t.Parallel()
	if underRace() {
		t.Skip("the built binary is what is tested, and it has no race detector: the run without -race has done this")
	}
	c := newChaos(t)
	t.Logf("replay: make chaos T=%s SEED=%d (the draws are the same, the machine's timing is not)", c.length, c.seed)
	begun := time.Now()
	storm, over := context.WithTimeout(t.Context(), c.length)
	defer over()
	day, closing := context.WithCancel(t.Context())
	defer closing()
	var tills, victims sync.WaitGroup
	for i := range chaosTills {
		till := &chaosTill{c: c, name: fmt.Sprintf("till%d", i), senior: i == 0, random: c.stream(uint64(100 + i))}
		tills.Go(func() { till.run(storm, day) })
	}
	for i, v := range c.victims() {
		victims.Go(func() { c.torment(storm, v, c.stream(uint64(200+i))) })
	}
	c.progress(storm)
	victims.Wait()
	stormy := time.Since(begun)
	c.calm(&tills, closing)
	calm := time.Since(begun) - stormy
	c.compare()
	c.print(stormy, calm, time.Since(begun)-stormy-calm)
	c.verdict()
}

// underRace tells whether this test binary has the race detector.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{
		t: t, seed: uint64(time.Now().UnixNano()), length: chaosShort, dir: t.ArtifactDir(), clouds: map[string]*process{},
		base: map[string]*string{}, orders: map[string]*errand{}, heard: map[string]map[int]fiscal.State{}, tally: map[string]int{},
	}
	var err error
	if os.Getenv("CI") == "true" {
		c.length = chaosCI
	}
	if s := os.Getenv("KASSAD_CHAOS"); s != "" {
		if c.length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	if s := os.Getenv("KASSAD_SEED"); s != "" {
		if c.seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	c.binary = filepath.Join(t.TempDir(), "kassad")
	build := exec.Command("go", "build", "-o", c.binary, "kassad/cmd/kassad")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	c.open()
	return c
}

// stream is a source of draws of its own: one who draws more does not change
// what others draw.
func (c *chaos) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(c.seed, n)) }

// open starts everything.
func (c *chaos) open() {
	t := c.t
	sessions := t.TempDir()
	c.broker = &brokerVictim{Mosquitto: mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{Lines: []string{
		"persistence true", "persistence_location " + sessions + "/", "autosave_on_changes true", "autosave_interval 1", "set_tcp_nodelay true",
	}})}
	c.shop = &Shop{Config: daemon.DefaultConfig(), told: map[string]*Told{}}
	c.tap = openTap(t, strings.TrimPrefix(c.broker.URL, "tcp://"), c.shop.Config.Root(), c.broker.life)
	c.office = c.openOffice()
	c.printer = c.emulatedPrinter()
	c.begin(c.printer)
	for _, name := range []string{daemon.CloudLifePay, daemon.CloudBIFIT} {
		c.base[name] = new(string)
		c.clouds[name] = c.emulatedCloud(name, c.base[name])
		c.begin(c.clouds[name])
	}
	c.config = filepath.Join(c.dir, "kassad.toml")
	c.write("kassad.toml", c.toml())
	c.write("lifepay.key", lifepay.DemoAPIKey)
	c.write("bifit.token", bifit.ConnectorTokenDefault)
	c.daemon = c.process("daemon", "run", "--config", c.config)
	c.begin(c.daemon)
}

func (c *chaos) begin(p *process) {
	c.t.Helper()
	if err := p.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = p.Signal(syscall.SIGCONT)
		p.Kill()
	})
}

func (c *chaos) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chaos) toml() string {
	calls := freeAddress(c.t)
	return strings.NewReplacer("DIR", c.dir, "TAP", c.tap.address, "CALLS", calls,
		"LIFEPAY", *c.base[daemon.CloudLifePay], "LOGIN", lifepay.DemoLogin, "BIFIT", *c.base[daemon.CloudBIFIT]+bifit.PrefixDefault).Replace(`data_dir = "DIR/data"
log_level = "debug"
[broker]
enabled = false
[[mqtt]]
url = "tcp://TAP"
role = "shop"
[[device]]
name = "front"
kind = "shtrih-m"
address = "serial://DIR/tty?baud=115200"
[lifepay]
base_url = "LIFEPAY"
login = "LOGIN"
apikey_file = "DIR/lifepay.key"
timeout = "3s"
ffd = "1.2"
[lifepay.callback]
url = "http://CALLS/lp"
listen = "CALLS"
[lifepay.fields]
fn = "fn"
fd = "fd"
fp = "fp"
[bifit]
base_url = "BIFIT"
connector_token_file = "DIR/bifit.token"
taxation = "usn-income"
timeout = "3s"
[[route]]
name = "default"
backends = ["front", "lifepay", "bifit"]
fallback_after = "1s"
[[route]]
name = "web"
backends = ["bifit", "lifepay"]
fallback_after = "1s"`)
}

// torture is a process and how it is treated. What has no memory on disk is
// frozen only.
type torture struct {
	name string
	victim
	deadly  bool
	between time.Duration // mean time from one blow to the next
}

func (c *chaos) victims() []torture {
	return []torture{
		{"daemon", c.daemon, true, 1500 * time.Millisecond}, {"broker", c.broker, true, 5 * time.Second},
		{"printer", c.printer, true, 3 * time.Second}, {"line to the broker", c.tap, true, 3 * time.Second},
		{"lifepay", c.clouds[daemon.CloudLifePay], false, 5 * time.Second}, {"bifit", c.clouds[daemon.CloudBIFIT], false, 5 * time.Second},
	}
}

// aim is what a blow waits for.
type aim int

const (
	noAim     aim = iota
	inHand        // a command has been begun
	committed     // the fiscal storage has made a document, its answer is on the line
	aims
)

// torment kills and freezes one process until the storm is over, and leaves it
// alive.
func (c *chaos) torment(storm context.Context, v torture, random *rand.Rand) {
	for {
		wait, at := time.Duration(random.Int64N(int64(2*v.between))), aim(random.IntN(int(aims)))
		late := time.Duration(random.Int64N(int64(120 * time.Millisecond)))
		kill, down := v.deadly && random.IntN(3) > 0, time.Duration(random.Int64N(int64(2500*time.Millisecond)))
		if random.IntN(2) == 0 {
			down /= 20
		}
		if !passed(storm, wait) || !c.aimed(storm, at, late) || !c.strike(storm, v, kill, down) {
			return
		}
	}
}

// aimed waits for the moment of a blow, within reason.
func (c *chaos) aimed(storm context.Context, at aim, late time.Duration) bool {
	target, giveUp := c.tap.inHand(), time.After(3*time.Second)
	switch at {
	case noAim:
		return true
	case committed:
		ctx, cancel := context.WithTimeout(storm, 3*time.Second)
		defer cancel()
		target, late = c.committed(ctx), late/8
	}
	select {
	case <-target:
	case <-giveUp:
	case <-storm.Done():
		return false
	}
	return passed(storm, late)
}

// committed is closed when the printer's storage has the next document. Its
// file tells: it is written before the answer leaves.
func (c *chaos) committed(ctx context.Context) <-chan struct{} {
	done, path := make(chan struct{}), filepath.Join(c.dir, "printer.json")
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for before := size(); ; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			now := size()
			if now > before && documentIn(path, before) {
				return
			}
			before = now
		}
	}()
	return done
}

// documentIn tells whether a document is among what was added to a file.
func documentIn(path string, from int64) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	added, err := io.ReadAll(io.NewSectionReader(f, from, 1<<20))
	return err == nil && bytes.Contains(added, []byte(`"Documents":[{`))
}

// strike takes a process away for a time. It tells whether it came back.
func (c *chaos) strike(storm context.Context, v torture, kill bool, down time.Duration) bool {
	var back error
	if kill {
		if v.victim == victim(c.tap) {
			c.count("tears of " + v.name)
		} else {
			c.count("kill -9 of " + v.name)
		}
		v.Kill()
		passed(storm, down)
		back = v.Start()
	} else {
		c.count("pauses of " + v.name)
		if err := v.Signal(syscall.SIGSTOP); err != nil {
			c.violation("freeze %s: %v", v.name, err)
		}
		passed(storm, down)
		back = v.Signal(syscall.SIGCONT)
	}
	if back != nil {
		c.violation("%s does not come back: %v", v.name, back)
	}
	return back == nil
}

// passed waits, or tells that the storm was over before.
func passed(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// progress tells a patient person how a long storm goes.
func (c *chaos) progress(storm context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.mu.Lock()
			c.t.Logf("%d commands, %d kills of the daemon, %d violations", len(c.orders), c.tally["kill -9 of daemon"], len(c.bad))
			c.mu.Unlock()
		case <-storm.Done():
			return
		}
	}
}

// office listens to the events of the node over the broker, with a session that
// is kept.
type office struct {
	mu   sync.Mutex
	seqs map[uint64]bool
}

func (c *chaos) openOffice() *office {
	o := &office{seqs: map[uint64]bool{}}
	filter := c.shop.Config.Root() + "/evt/+"
	options := paho.NewClientOptions().AddBroker(c.broker.URL).SetProtocolVersion(4).SetClientID("office").SetCleanSession(false).
		SetConnectRetry(true).SetConnectRetryInterval(time.Second).SetMaxReconnectInterval(time.Second).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { o.hear(m.Payload()) }).
		SetOnConnectHandler(func(client paho.Client) { client.Subscribe(filter, 1, nil) })
	client := paho.NewClient(options)
	if token := client.Connect(); !token.WaitTimeout(startPatience) || token.Error() != nil {
		c.t.Fatalf("office: %v", token.Error())
	}
	c.t.Cleanup(func() { client.Disconnect(0) })
	return o
}

func (o *office) hear(payload []byte) {
	var e mqtt.EventHead
	if unmarshal(string(payload), &e) == nil {
		o.mu.Lock()
		o.seqs[e.Seq] = true
		o.mu.Unlock()
	}
}
