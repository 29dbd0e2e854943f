package detect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/link"
	"kassad/devices/shtrih"
)

func TestExclusions(t *testing.T) {
	t.Parallel()
	usb := link.Port{Name: "/dev/ttyUSB1", ByID: "/dev/serial/by-id/usb-Scale_7-if00", VID: "067B", PID: "2303", Serial: "S:1"}
	com := link.Port{Name: "COM1"}
	for _, c := range []struct {
		line string
		port link.Port
		want bool
	}{
		{"/dev/ttyUSB1", usb, true}, {"/dev/ttyUSB10", usb, false}, {"/dev/ttyUSB*", usb, true}, {"/dev/serial/by-id/usb-Scale*", usb, true},
		{"usb:067b", usb, true}, {"usb:067B:2303", usb, true}, {"usb:067B:2303:S:1", usb, true}, {"usb:067B:2303:S", usb, false}, {"usb:0000", usb, false},
		{"com1", com, true}, {"COM1", com, true}, {"COM10", com, false}, {"COM?", com, true}, {"usb:0000", com, false}, {"tcp", com, false},
	} {
		e, err := ParseExclusions([]string{c.line})
		if err != nil {
			t.Fatal(err)
		}
		if line, got := e.Port(c.port); got != c.want || got && line != c.line {
			t.Errorf("%s: %s %v, want %v", c.line, c.port.Name, got, c.want)
		}
	}
	for _, line := range []string{"", "ttyS0", "usb:", "usb:12", "usb:067B:", "usb:067B:2303:", "/dev/[", "lp0", "*", strings.Repeat("/dev/x", 99)} {
		if _, err := ParseExclusions([]string{line}); !errors.Is(err, ErrExclusion) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// FuzzExclusions: a line is refused in a bounded sentence, or excludes the same
// ports in any letter case of their names, and never one that has nothing of it.
func FuzzExclusions(f *testing.F) {
	for _, s := range []string{"/dev/ttyS0", "COM1", "usb:067B:2303:X", "tcp", "/dev/tty[A-", "usb:::", "/dev/\\"} {
		f.Add(s, "/dev/ttyS0", "067B", "2303", "X")
	}
	f.Fuzz(func(t *testing.T, line, name, vid, pid, serial string) {
		e, err := ParseExclusions([]string{line})
		if err != nil {
			if len(err.Error()) > 5*exclusionBytesMax || len(e) != 0 {
				t.Errorf("%d bytes, %v", len(err.Error()), e)
			}
			return
		}
		p := link.Port{Name: name, VID: vid, PID: pid, Serial: serial}
		said, got := e.Port(p)
		if got && said != line {
			t.Errorf("%q excludes by %q", line, said)
		}
		if _, none := e.Port(link.Port{}); none {
			t.Errorf("%q excludes a port without a name", line)
		}
		if got && strings.HasPrefix(line, "usb:") && (vid == "" || !strings.HasPrefix(strings.ToUpper(line[4:]), strings.ToUpper(vid))) {
			t.Errorf("%q excludes %+v", line, p)
		}
		if _, nets := e.Networks(); nets != (line == "tcp") {
			t.Errorf("%q and networks: %v", line, nets)
		}
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	s := Surroundings{
		Ports: func() ([]link.Port, error) {
			return []link.Port{
				{Name: "/dev/ttyACM0", Kind: link.KindUSB}, {Name: "/dev/ttyS0", Kind: link.KindLine}, {Name: "/dev/ttyS1", Kind: link.KindLine, Foreign: "console"},
				{Name: "/dev/ttyUSB0", Kind: link.KindAdapter, Foreign: "modem"}, {Name: "/dev/rfcomm0", Kind: link.KindBluetooth}, {Name: "COM9", Kind: link.KindRemote},
			}, nil
		},
		Networks: func() ([]link.Network, error) {
			at := netip.MustParseAddr
			return []link.Network{
				{Name: "usb0", Prefix: netip.MustParsePrefix("192.168.138.1/24"), Neighbours: []netip.Addr{at("192.168.138.7")}},
				{Name: "usb1", Prefix: netip.MustParsePrefix("10.0.5.1/24"), Gadget: true, Neighbours: []netip.Addr{at("10.0.5.2")}},
				{Name: "eth0", Prefix: netip.MustParsePrefix("10.0.0.5/24"), Neighbours: []netip.Addr{at("10.0.0.1")}},
				{Name: "usb2", Prefix: netip.MustParsePrefix("192.168.137.111/24")},
			}, nil
		},
		InUse:     func(name string) (string, bool) { return "minicom (7)", name == "/dev/ttyS0" },
		Connected: func(at netip.AddrPort) bool { return at.String() == "10.0.5.2:7778" },
	}
	exclude, err := ParseExclusions([]string{"/dev/ttyACM0"})
	if err != nil {
		t.Fatal(err)
	}
	places, err := s.Places(exclude)
	if err != nil {
		t.Fatal(err)
	}
	s.Use(places)
	var got []string
	for _, p := range places {
		got = append(got, fmt.Sprintf("%s %s", p.Name(), p.Left))
	}
	want := []string{
		"/dev/ttyACM0 excluded", "/dev/ttyS0 in-use", "/dev/ttyS1 console", "/dev/ttyUSB0 modem", "/dev/rfcomm0 bluetooth", "COM9 remote",
		"192.168.138.7:7778 ", "192.168.138.111:7778 ", "10.0.5.2:7778 in-use",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	none, _ := ParseExclusions([]string{"tcp"})
	places, _ = s.Places(none)
	for _, p := range places {
		if p.Network != "" && p.Left != Excluded {
			t.Errorf("%+v", p)
		}
	}
}

// Places are asked at once, and each by one prober at a time.
func TestLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ends := map[string]error{
			"a": nil, "b": shtrih.ErrNotFound, "c": link.ErrBusy, "d": fs.ErrPermission, "e": link.ErrNoPort, "f": shtrih.ErrTalks,
			"g": &net.OpError{Op: "dial", Err: errors.New("refused")}, "h": errors.New("x"), "i": shtrih.ErrOther,
		}
		var places []Place
		for name := range ends {
			places = append(places, Place{Port: link.Port{Name: name}})
		}
		slices.SortFunc(places, func(a, b Place) int { return strings.Compare(a.Name(), b.Name()) })
		places = append(places, Place{Port: link.Port{Name: "j"}, Left: Excluded})
		var told atomic.Int32
		began := time.Now()
		results := Look(context.Background(), places, func(_ context.Context, p Place, _ shtrih.Asking) (shtrih.Found, error) {
			<-time.After(shtrih.ProbeTimeout)
			return shtrih.Found{Serial: p.Name()}, ends[p.Name()]
		}, shtrih.Asking{}, func(Result) { told.Add(1) })
		var got []Outcome
		for _, r := range results {
			got = append(got, r.Outcome)
		}
		want := []Outcome{Printer, Silent, Busy, NoRight, Gone, Other, Silent, Failed, Other, Left}
		if !slices.Equal(got, want) || told.Load() != int32(len(ends)) {
			t.Errorf("got %q, told of %d", got, told.Load())
		}
		if took := time.Since(began); took > 2*shtrih.ProbeTimeout {
			t.Errorf("took %s", took)
		}
	})
}
