package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	printer "kassad/devices/emul/shtrih"
)

// systemd is what the manager is to a service: a socket that takes its words.
type systemd struct {
	t       *testing.T
	dir     string
	printer *printer.Printer
	config  string
	address string
	told    chan string
	log     logBuffer
}

// asSystemd prepares a shop with an emulated printer for kassad to be started in
// by a manager.
func asSystemd(t *testing.T) *systemd {
	t.Helper()
	dir, err := os.MkdirTemp("", "kassad-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &systemd{t: t, dir: dir, config: filepath.Join(dir, "kassad.toml"), address: filepath.Join(dir, "broker.addr"), told: make(chan string, 1000)}
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(b[:n])) {
				s.told <- strings.TrimSpace(line)
			}
		}
	}()
	wire, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.printer = printer.New(printer.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { s.printer.ServeTCP(ctx, wire) })
	t.Cleanup(func() { cancel(); serving.Wait() })
	s.configure("tcp://" + wire.Addr().String())
	return s
}

func (s *systemd) configure(device string) {
	s.t.Helper()
	text := fmt.Sprintf("data_dir = %q\n[broker]\nlisten = \"127.0.0.1:0\"\n[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = %q\n", filepath.Join(s.dir, "data"), device)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// command is kassad with args, as a process of its own.
func (s *systemd) command(args ...string) *exec.Cmd {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), self, args...)
	cmd.Args[0] = "kassad"
	cmd.Env = append(os.Environ(), "KASSAD_CONFIG="+s.config)
	return cmd
}

// start starts the service as the unit does.
func (s *systemd) start() *exec.Cmd {
	s.t.Helper()
	cmd := s.command("run", "--address-file", s.address)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(s.dir, "notify"), "WATCHDOG_USEC=300000")
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

// await reads what systemd is told until one line begins with want, and returns
// all of it.
func (s *systemd) await(want string) (heard []string) {
	s.t.Helper()
	deadline := time.After(awaitTimeout)
	for {
		select {
		case line := <-s.told:
			if heard = append(heard, line); strings.HasPrefix(line, want) {
				return heard
			}
		case <-deadline:
			s.t.Fatalf("nothing like %q in %q\n%s", want, heard, s.log.String())
		}
	}
}

// call sends a command as a terminal and returns what it prints.
func (s *systemd) call(input string, args ...string) (string, error) {
	s.t.Helper()
	broker, err := os.ReadFile(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command(append([]string{"call"}, args...)...)
	cmd.Env = append(cmd.Env, "KASSAD_BROKER_LISTEN="+strings.TrimSpace(string(broker)))
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

const oneSale = `{"items": [{"name": "Чай", "price": 10.00, "quantity": 1, "vat": "vat22"}], "payments": {"cash": 10}}`

// TestNotify is a life of the service as systemd sees it: READY when commands
// are taken, pulses for the watchdog, a stop in the middle of a receipt, which
// ends first, and the exit status.
func TestNotify(t *testing.T) {
	t.Parallel()
	s := asSystemd(t)
	daemon := s.start()
	if heard := s.await("READY=1"); !appears(s.address, false) {
		t.Fatalf("READY and no broker: %q", heard)
	}
	s.await("STATUS=takes commands; 1 of 1 devices answer, 0 commands wait")
	for range 3 {
		s.await("WATCHDOG=1")
	}
	if out, err := s.call("", "shift-open"); err != nil {
		t.Fatalf("shift-open: %v\n%s", err, out)
	}
	asked := make(chan struct{})
	stop := sync.OnceFunc(func() {
		if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		close(asked)
	})
	s.printer.OnCommand(func(cmd []byte) {
		if code := printer.CodeOf(cmd); code == 0xFF46 { // the first item: the receipt is open
			stop()
		}
	})
	out, err := s.call(oneSale, "sale", "-", "--id", "the-last")
	select {
	case <-asked:
	default:
		t.Fatalf("no item was registered: %v\n%s", err, out)
	}
	if err != nil || !strings.Contains(out, `"state": "done"`) {
		t.Errorf("the receipt in hand: %v\n%s", err, out)
	}
	if heard := s.await("STOPPING=1"); strings.Contains(strings.Join(heard, " "), "READY") {
		t.Errorf("before the stop: %q", heard)
	}
	if err := daemon.Wait(); err != nil {
		t.Errorf("stopped: %v\n%s", err, s.log.String())
	}
	if n := len(s.printer.Storage().Ledger()); n != 3 { // registration, shift, receipt
		t.Errorf("%d documents in the storage", n)
	}
}

// TestNotifyOfFailure: a daemon that cannot start says why and ends with a
// status that makes the manager start it again.
func TestNotifyOfFailure(t *testing.T) {
	t.Parallel()
	s := asSystemd(t)
	if err := os.WriteFile(filepath.Join(s.dir, "data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := s.start()
	s.await("STATUS=data_dir: ")
	if err := daemon.Wait(); err == nil || daemon.ProcessState.ExitCode() != exitFailed {
		t.Errorf("%v\n%s", err, s.log.String())
	}
}

// TestNotifyHang: a process that makes no progress feeds nobody. It is frozen
// as a whole here; which loop counts is shown in virtual time (daemon).
func TestNotifyHang(t *testing.T) {
	t.Parallel()
	s := asSystemd(t)
	daemon := s.start()
	s.await("READY=1")
	s.await("WATCHDOG=1")
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGQUIT, syscall.SIGCONT} { // as WatchdogSignal does
		if err := daemon.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	if err := daemon.Wait(); err == nil || daemon.ProcessState.ExitCode() != 2 || !strings.Contains(s.log.String(), "goroutine ") {
		t.Errorf("%v\n%s", err, s.log.String())
	}
}
