package link

import (
	"context"
	"errors"
	"net"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want Address
	}{
		{"serial:///dev/ttyACM0?baud=115200", Address{"serial", "/dev/ttyACM0", 115200}},
		{"serial:///dev/ttyS0", Address{"serial", "/dev/ttyS0", defaultBaud}},
		{"serial://COM3?baud=57600", Address{"serial", "COM3", 57600}},
		{"usb://00A7?baud=9600", Address{"usb", "00A7", 9600}},
		{"tcp://192.168.137.111:7778", Address{"tcp", "192.168.137.111:7778", 0}},
		{"tcp://[::1]:7778", Address{"tcp", "[::1]:7778", 0}},
	} {
		got, err := Parse(c.in)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
		again, err := Parse(got.String())
		if err != nil || again != got {
			t.Errorf("Parse(%q) = %+v, %v", got.String(), again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "/dev/ttyS0", "COM3", "tcp://host", "tcp://:7778", "serial://", "serial://COM3?baud=1",
		"serial://COM3?baud=fast", "serial://COM3?parity=even", "udp://h:1", "tcp://" + string(make([]byte, 300)),
	} {
		if a, err := Parse(in); !errors.Is(err, ErrAddress) {
			t.Errorf("Parse(%q) = %+v, %v; want ErrAddress", in, a, err)
		}
	}
}

func TestOpenTCP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Write([]byte{0x15})
		c.Close()
	}()
	c, err := Open(context.Background(), "tcp://"+l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 4)
	n, err := c.Read(b)
	if n != 1 || err != nil || b[0] != 0x15 {
		t.Fatalf("read %d %v % X", n, err, b)
	}
}

func TestOpenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, a := range []string{"tcp://127.0.0.1:9", "serial:///dev/null"} {
		if l, err := Open(ctx, a); err == nil {
			l.Close()
			t.Errorf("%s: opened", a)
		}
	}
	if _, err := Open(context.Background(), "serial:///dev/ttyKASSAD77"); !errors.Is(err, ErrNoPort) {
		t.Errorf("missing port: %v", err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	ports := []Port{{Name: "/dev/ttyACM1", Serial: "ABC"}, {Name: "/dev/ttyACM2", Serial: "same"}, {Name: "/dev/ttyACM3", Serial: "same"}, {Name: "/dev/ttyS0"}}
	if n, err := resolve(ports, "abc"); n != "/dev/ttyACM1" || err != nil {
		t.Errorf("%q, %v", n, err)
	}
	if _, err := resolve(ports, "same"); !errors.Is(err, ErrAddress) {
		t.Errorf("ambiguous: %v", err)
	}
	for _, s := range []string{"", "none"} {
		if _, err := resolve(ports, s); !errors.Is(err, ErrNoPort) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
