//go:build linux

package sim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"kassad/mqtt/mqtttest"
)

// startPatience bounds the start of a process on a machine that is busy.
const startPatience = 90 * time.Second

// victim is a process that dies and freezes, and comes back.
type victim interface {
	Kill()
	Start() error
	Signal(os.Signal) error
}

// process is one kassad of the shop in a process of its own.
type process struct {
	name string
	argv []string
	log  string // file of all its lives
	// away, if not nil, is called before a death, and ready waits after a start
	// until the process serves.
	away  func()
	ready func(ended <-chan struct{}) error

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
	meant atomic.Bool // the death of this life is ours
	died  func(name, log string)
}

// Start begins a life.
func (p *process) Start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	ended := make(chan struct{})
	p.meant.Store(false)
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.mu.Lock()
	p.cmd, p.ended = cmd, ended
	p.mu.Unlock()
	go func() {
		defer close(ended)
		if err := cmd.Wait(); !p.meant.Load() {
			p.died(p.name, fmt.Sprintf("%v\n%s", err, tailOf(p.log)))
		}
	}()
	if p.ready == nil {
		return nil
	}
	if err := p.ready(ended); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, tailOf(p.log))
	}
	return nil
}

// Kill ends the life at once.
func (p *process) Kill() { _ = p.end(syscall.SIGKILL) }

// end ends the life by a signal and waits for it.
func (p *process) end(s os.Signal) error {
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if p.away != nil {
		p.away()
	}
	p.meant.Store(true)
	if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(startPatience):
		_ = cmd.Process.Kill()
		return fmt.Errorf("%s does not end\n%s", p.name, tailOf(p.log))
	}
}

// Signal sends a signal to this life.
func (p *process) Signal(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Signal(s)
}

// linesShown of a log are shown with a failure.
const linesShown = 30

func tailOf(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-linesShown):], "\n")
}

// addressIn waits until a process has written its address to a file.
func addressIn(path string) func(ended <-chan struct{}) (string, error) {
	return func(ended <-chan struct{}) (string, error) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		over := time.After(startPatience)
		for {
			if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
				return string(bytes.TrimSpace(b)), os.Remove(path)
			}
			select {
			case <-tick.C:
			case <-ended:
				return "", errors.New("ended before it served")
			case <-over:
				return "", errors.New("does not serve")
			}
		}
	}
}

// slowLine is the speed of the printer in the storm.
const slowLine = "--baud=19200"

// emulatedPrinter is kassad emulate shtrih-m on a pty, which keeps its storage.
// Its line is slow: what is between a document and its answer takes some time.
// The link tty leads to the pty of its present life, and nowhere between two:
// the system gives the number of a pty to whoever asks next.
func (c *chaos) emulatedPrinter() *process {
	tty, address := filepath.Join(c.dir, "tty"), filepath.Join(c.dir, "printer.address")
	p := c.process("printer", "emulate", "shtrih-m", "--pty", "--state", filepath.Join(c.dir, "printer.json"),
		"--print-time", "2ms", "--no-receipts", "--address-file", address, slowLine)
	p.away = func() { _ = os.Remove(tty) }
	p.ready = func(ended <-chan struct{}) error {
		serial, err := addressIn(address)(ended)
		if err != nil {
			return err
		}
		path, _, _ := strings.Cut(strings.TrimPrefix(serial, "serial://"), "?")
		return os.Symlink(path, tty)
	}
	return p
}

// emulatedCloud is kassad emulate with a cloud; base gets its address.
func (c *chaos) emulatedCloud(name string, base *string) *process {
	address := filepath.Join(c.dir, name+".address")
	p := c.process(name, "emulate", name, "--listen", "127.0.0.1:0", "--delay", "100ms", "--control", "--address-file", address)
	p.ready = func(ended <-chan struct{}) (err error) {
		*base, err = addressIn(address)(ended)
		return err
	}
	return p
}

func (c *chaos) process(name string, args ...string) *process {
	return &process{name: name, argv: append([]string{c.binary}, args...), log: filepath.Join(c.dir, name+".log"), died: func(name, why string) {
		c.violation("%s ended by itself: %s", name, why)
	}}
}

// brokerVictim counts the lives of Mosquitto.
type brokerVictim struct {
	*mqtttest.Mosquitto
	lives atomic.Int64
}

// Kill ends a life: what is acknowledged from now on belongs to the next one.
func (b *brokerVictim) Kill() {
	b.Mosquitto.Kill()
	b.lives.Add(1)
}

func (b *brokerVictim) life() int { return int(b.lives.Load()) + 1 }
