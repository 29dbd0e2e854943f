package mqtttest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	mosquittoStart    = 10 * time.Second
	mosquittoAttempts = 5

	mosquittoLinesKept = 100
)

// MosquittoOptions shape the configuration of a Mosquitto.
type MosquittoOptions struct {
	Lines    []string          // more lines of mosquitto.conf
	ACL      string            // content of an acl_file
	Password map[string]string // users; none: anonymous
}

// Mosquitto is a running Mosquitto of the machine.
type Mosquitto struct {
	URL string

	config string
	cmd    *exec.Cmd
	ended  chan struct{}
}

// StartMosquitto starts the installed Mosquitto on a free loopback port. It
// skips the test if there is none, and fails it when CI=true.
func StartMosquitto(t testing.TB, options MosquittoOptions) *Mosquitto {
	t.Helper()
	program := mosquittoPath()
	if program == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("mosquitto is not installed: apt-get install mosquitto")
		}
		t.Skip("mosquitto is not installed: apt-get install mosquitto")
	}
	for attempt := 1; ; attempt++ {
		address := FreeAddress(t)
		m := &Mosquitto{URL: "tcp://" + address, config: writeMosquittoConfig(t, address, options)}
		err := m.start(program)
		if err == nil {
			t.Cleanup(m.Kill)
			return m
		}
		if attempt == mosquittoAttempts { // somebody else may be quicker with the port
			t.Fatal(err)
		}
	}
}

func mosquittoPath() string {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func writeMosquittoConfig(t testing.TB, address string, options MosquittoOptions) string {
	t.Helper()
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	lines := append([]string{
		"listener " + port + " 127.0.0.1",
		"persistence false",
		"max_packet_size 300000",
		"max_queued_messages 20000", // beyond it, 1000 by default, messages are dropped without a word
		"log_dest stderr",
		fmt.Sprintf("allow_anonymous %v", len(options.Password) == 0),
	}, options.Lines...)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		// Mosquitto drops root and must still read its files.
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if os.Geteuid() == 0 {
		lines = append(lines, "user root")
	}
	if options.ACL != "" {
		lines = append(lines, "acl_file "+write("acl", options.ACL))
	}
	if len(options.Password) > 0 {
		var passwords strings.Builder
		for name, password := range options.Password {
			fmt.Fprintf(&passwords, "%s:%s\n", name, password)
		}
		path := write("passwords", passwords.String())
		if out, err := exec.Command("mosquitto_passwd", "-U", path).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v: %s", err, out)
		}
		lines = append(lines, "password_file "+path)
	}
	return write("mosquitto.conf", strings.Join(lines, "\n")+"\n")
}

func (m *Mosquitto) start(program string) error {
	m.cmd = exec.Command(program, "-c", m.config)
	stderr, err := m.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	m.ended = make(chan struct{})
	running := make(chan struct{})
	var said []string
	go func() {
		defer close(m.ended)
		begun := sync.OnceFunc(func() { close(running) })
		scanner := bufio.NewScanner(stderr)
		for scanner.Scan() {
			line := scanner.Text()
			if strings.HasSuffix(line, "running") {
				begun()
			}
			if len(said) < mosquittoLinesKept {
				said = append(said, line)
			}
		}
		_ = m.cmd.Wait()
	}()
	select {
	case <-running:
		return nil
	case <-m.ended:
		return fmt.Errorf("mosquitto ended: %q", said)
	case <-time.After(mosquittoStart):
		m.Kill()
		return errors.New("mosquitto does not start")
	}
}

// Kill ends Mosquitto at once, as a power cut would.
func (m *Mosquitto) Kill() {
	_ = m.cmd.Process.Kill()
	<-m.ended
}

// Start starts it again after Kill: with its memory empty, unless the options
// have it keep what it knows.
func (m *Mosquitto) Start() error { return m.start(m.cmd.Path) }

// Signal sends a signal to it.
func (m *Mosquitto) Signal(s os.Signal) error { return m.cmd.Process.Signal(s) }

// Restart kills it and starts it again, with its memory empty.
func (m *Mosquitto) Restart(t testing.TB) {
	t.Helper()
	m.Kill()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
}
