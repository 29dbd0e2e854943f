package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"kassad/daemon"
)

// Who has no right to read the configuration needs no new one.
func TestHintsOfRights(t *testing.T) {
	t.Parallel()
	want := "the same with sudo"
	if runtime.GOOS == "windows" {
		want = "the same in a console that was opened as administrator"
	}
	denied := &fs.PathError{Op: "open", Path: "kassad.toml", Err: fs.ErrPermission}
	if got := configHint("kassad.toml", denied); got != want {
		t.Errorf("configuration: %s", got)
	}
	var h hinted
	if err := rightsHint(denied); !errors.As(err, &h) || !strings.HasPrefix(h.hint, want) {
		t.Errorf("writing: %v, %s", err, h.hint)
	}
	if err := rightsHint(fs.ErrInvalid); !errors.As(err, &h) || h.hint == "" {
		t.Errorf("another error has no hint: %v", err)
	}
}

// Addresses are taken as people write them, names once, and nonsense is refused.
func TestAnswersAreTidied(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "auto": "auto", "192.168.137.111:7778": "tcp://192.168.137.111:7778", "/dev/ttyACM0": "serial:///dev/ttyACM0",
		"tcp://h:7778": "tcp://h:7778", "usb://0001": "usb://0001",
	} {
		if got := asAddress(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	a := setupAnswers{Terminal: []string{"till1", "till2", "till1"}, Host: []string{"till-pc", "::1", "касса.магазин"}}
	if err := a.tidy(); err != nil || strings.Join(a.Terminal, " ") != "till1 till2" {
		t.Errorf("%v %v", a.Terminal, err)
	}
	for _, bad := range []setupAnswers{{Host: []string{"a b"}}, {Host: []string{"h:1"}}, {Terminal: []string{"till1", "Till"}}} {
		if err := bad.tidy(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// Each answer that a configuration contradicts is named, the password alone
// without its value.
func TestContradictions(t *testing.T) {
	t.Parallel()
	cfg := daemon.DefaultConfig()
	cfg.Broker.Listen = "127.0.0.1:1883"
	cfg.DataDir = filepath.FromSlash("/data")
	cfg.Devices = []daemon.DeviceConfig{{Address: "auto", Serial: "1", Password: 30}}
	same := setupAnswers{Org: cfg.Org, Store: cfg.Store, Node: cfg.Node, DataDir: cfg.DataDir, Address: "auto", Serial: "1", Password: 30, Listen: "127.0.0.1:1883", Reach: reachHere}
	if got := same.otherThan(cfg); len(got) > 0 {
		t.Errorf("%v", got)
	}
	other := setupAnswers{Org: "x", Store: "x", Node: "x", DataDir: "x", Address: "x", Serial: "x", Password: 77, Listen: "x", Reach: reachLAN, Taxation: "patent"}
	got := strings.Join(other.otherThan(cfg), ", ")
	for _, flag := range []string{"--org x (", "--store x", "--node x", "--data-dir x", "--address x (auto)", "--serial x (1)", "--password", "--listen x", "--reach lan (here)", "--taxation patent"} {
		if !strings.Contains(got, flag) {
			t.Errorf("no %s in %s", flag, got)
		}
	}
	if strings.Contains(got, "77") || strings.Contains(got, "30") {
		t.Errorf("a password is shown: %s", got)
	}
}
