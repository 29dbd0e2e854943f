package link

import (
	"errors"
	"net"
	"testing"
)

// FuzzParse: an address is refused by ErrAddress, or prints in a form that
// reads as the same address, and names something that can be opened.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"serial:///dev/ttyACM0?baud=115200", "serial://COM3", "serial://COM3?baud=57600", "usb://0123456789?baud=9600", "usb:///A B/",
		"tcp://192.168.137.111:7778", "tcp://[::1]:7778", "tcp://host", "serial:///dev/a%20b", "serial:///dev/a%3Fb", "usb://a%25b", "serial://COM3?baud=0&x=1", "http://a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrAddress) || a != (Address{}) {
				t.Fatalf("%+v, %v", a, err)
			}
			return
		}
		if len(s) > addressBytesMax || a.Name == "" {
			t.Fatalf("%q is %+v", s, a)
		}
		switch a.Scheme {
		case schemeTCP:
			if host, port, err := net.SplitHostPort(a.Name); err != nil || host == "" || port == "" || a.Baud != 0 {
				t.Fatalf("%q is %+v", s, a)
			}
		case schemeSerial, schemeUSB:
			if a.Baud < baudMin || a.Baud > baudMax {
				t.Fatalf("%q is %+v", s, a)
			}
		default:
			t.Fatalf("%q is %+v", s, a)
		}
		if len(a.String()) > addressBytesMax {
			return
		}
		if again, err := Parse(a.String()); err != nil || again != a {
			t.Fatalf("%q is %+v, prints %q and is then %+v, %v", s, a, a.String(), again, err)
		}
	})
}
