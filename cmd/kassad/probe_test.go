package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"kassad/devices/detect"
	"kassad/devices/link"
	"kassad/devices/shtrih"
)

// strangers is a computer with a printer among other things.
func strangers() detect.Surroundings {
	return detect.Surroundings{
		Ports: func() ([]link.Port, error) {
			return []link.Port{
				{Name: "/dev/ttyACM0", Kind: link.KindUSB, VID: "1FC9", PID: "00A7", Serial: "U1", Product: "KKT"},
				{Name: "/dev/ttyS0", Kind: link.KindLine}, {Name: "/dev/ttyS1", Kind: link.KindLine}, {Name: "/dev/ttyS2", Kind: link.KindLine},
				{Name: "/dev/ttyUSB0", Kind: link.KindAdapter, VID: "067B", PID: "2303"},
			}, nil
		},
		Networks:  func() ([]link.Network, error) { return nil, nil },
		InUse:     func(name string) (string, bool) { return "minicom (7)", name == "/dev/ttyS1" },
		Connected: func(netip.AddrPort) bool { return false },
	}
}

func probeStrangers(_ context.Context, p detect.Place, ask shtrih.Asking) (shtrih.Found, error) {
	switch p.Name() {
	case "/dev/ttyACM0":
		return shtrih.Found{Address: "serial:///dev/ttyACM0?baud=115200", Model: "ШТРИХ\x1b[2J-М", Serial: "0007", Firmware: "A.1"}, nil
	case "/dev/ttyS0":
		return shtrih.Found{}, shtrih.ErrTalks
	default:
		return shtrih.Found{}, shtrih.ErrNotFound
	}
}

// The search tells what is at each port, and what was left alone and why.
func TestProbeAll(t *testing.T) {
	t.Parallel()
	exclude, err := detect.ParseExclusions([]string{"usb:067B:2303"})
	if err != nil {
		t.Fatal(err)
	}
	var out, told bytes.Buffer
	e := &env{stdout: &out, stderr: &told}
	if err := (&probeCommand{}).all(t.Context(), e, strangers(), probeStrangers, exclude); err != nil {
		t.Fatal(err)
	}
	for port, words := range map[string][]string{
		"/dev/ttyACM0": {"printer", "shtrih-m", "0007", "serial:///dev/ttyACM0?baud=115200"},
		"/dev/ttyS0":   {"other", "sends by itself"},
		"/dev/ttyS1":   {"left-alone", "in-use: minicom (7)"},
		"/dev/ttyS2":   {"silent", "no Shtrih-M printer answers"},
		"/dev/ttyUSB0": {"left-alone", "excluded: usb:067B:2303"},
	} {
		found := false
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, port+" ") {
				found = true
				for _, w := range words {
					if !strings.Contains(line, w) {
						t.Errorf("%q does not say %q", line, w)
					}
				}
			}
		}
		if !found {
			t.Errorf("no line for %s:\n%s", port, &out)
		}
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Errorf("%q steers the screen", out.String())
	}
	for _, w := range []string{"asking at 3 of 5 places, at most 3 s each", "3/3", `address = "auto"`} {
		if !strings.Contains(told.String(), w) {
			t.Errorf("progress without %q:\n%s", w, &told)
		}
	}
}

func TestProbeAllJSON(t *testing.T) {
	t.Parallel()
	var out, told bytes.Buffer
	c := &probeCommand{jsonFlag: jsonFlag{JSON: true}}
	if err := c.all(t.Context(), &env{stdout: &out, stderr: &told}, strangers(), probeStrangers, nil); err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, Address, Result, Left, Detail, Error string
		Printer                                    *foundRow
	}
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil || len(rows) != 5 || told.Len() != 0 {
		t.Fatalf("%v, %d rows, progress %q", err, len(rows), &told)
	}
	if p := rows[0].Printer; rows[0].Result != "printer" || p == nil || p.Serial != "0007" || p.Kind != "shtrih-m" {
		t.Errorf("%+v", rows[0])
	}
	if r := rows[2]; r.Result != "left-alone" || r.Left != "in-use" || r.Detail != "minicom (7)" || r.Printer != nil {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; r.Result != "other" || r.Error == "" {
		t.Errorf("%+v", r)
	}
}

// Without a printer the search fails and says what to try.
func TestProbeAllFindsNothing(t *testing.T) {
	t.Parallel()
	var out, told bytes.Buffer
	nobody := func(context.Context, detect.Place, shtrih.Asking) (shtrih.Found, error) {
		return shtrih.Found{}, shtrih.ErrNotFound
	}
	err := (&probeCommand{}).all(t.Context(), &env{stdout: &out, stderr: &told}, strangers(), nobody, nil)
	var h hinted
	if !errors.As(err, &h) || h.hint == "" {
		t.Errorf("%v", err)
	}
}
