// Package link carries bytes between kassad and a fiscal printer: serial
// ports, TCP sockets and, in tests, pipes.
//
// It knows nothing of any protocol. It must not retry, buffer or reorder: what
// a driver may conclude about a lost command depends on knowing exactly which
// bytes were handed over. Traps of the serial library that this package closes
// are listed in the platform reference, section 1.
package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Link is a byte stream to a device. net.Conn and net.Pipe satisfy it as they
// are.
//
// Read returns at least one byte or an error; on an expired deadline the error
// is os.ErrDeadlineExceeded. Write tells how many bytes were handed over.
type Link interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

// Limits and defaults of opening.
const (
	dialTimeout     = 5 * time.Second
	keepAliveIdle   = 15 * time.Second
	keepAliveStep   = 5 * time.Second
	keepAliveProbes = 3
	defaultBaud     = 115200
	baudMin         = 300
	baudMax         = 4_000_000
	addressBytesMax = 256
	schemeSerial    = "serial"
	schemeUSB       = "usb"
	schemeTCP       = "tcp"
	baudParameter   = "baud"
)

// Errors that callers tell apart.
var (
	// ErrHangUp: the other end went away (cable pulled, adapter reset), as
	// opposed to our own Close.
	ErrHangUp = errors.New("port hung up")
	// ErrClosed: the link was closed by this process.
	ErrClosed = errors.New("link closed")
	// ErrBusy: another program, or another kassad, holds the port.
	ErrBusy = errors.New("port is held by another program")
	// ErrDescriptors: the process has too many files open to wait for a serial
	// port.
	ErrDescriptors = errors.New("too many open files to wait for a serial port")
	// ErrAddress: the address cannot be understood.
	ErrAddress = errors.New("bad address")
	// ErrNoPort: no port answers to this name or USB serial number.
	ErrNoPort = errors.New("no such port")
)

// Address is a parsed link address.
type Address struct {
	Scheme string // serial, usb or tcp
	Name   string // port name, USB serial number, or host:port
	Baud   int    // serial and usb only
}

// Parse reads an address:
//
//	serial:///dev/ttyACM0?baud=115200   serial://COM3?baud=57600
//	usb://0123456789?baud=115200        (the port of this USB serial number)
//	tcp://192.168.137.111:7778
func Parse(address string) (Address, error) {
	if len(address) > addressBytesMax {
		return Address{}, fmt.Errorf("%w: longer than %d bytes", ErrAddress, addressBytesMax)
	}
	u, err := url.Parse(address)
	if err != nil {
		return Address{}, fmt.Errorf("%w %q: %w", ErrAddress, address, err)
	}
	if u.User != nil || u.Opaque != "" || strings.Contains(address, "#") {
		return Address{}, fmt.Errorf("%w %q: nothing but a name and parameters", ErrAddress, address)
	}
	a := Address{Scheme: u.Scheme}
	switch u.Scheme {
	case schemeTCP:
		a.Name = u.Host
		host, port, err := net.SplitHostPort(u.Host)
		if err != nil || host == "" || port == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return Address{}, fmt.Errorf("%w %q: want tcp://host:port", ErrAddress, address)
		}
		return a, nil
	case schemeSerial, schemeUSB:
		a.Name = u.Host + u.Path
		if u.Scheme == schemeUSB {
			a.Name = strings.Trim(a.Name, "/")
		}
		if a.Name == "" {
			return Address{}, fmt.Errorf("%w %q: no port named", ErrAddress, address)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err == nil {
			a.Baud, err = baudOf(q)
		}
		if err != nil {
			return Address{}, fmt.Errorf("%w %q: %w", ErrAddress, address, err)
		}
		return a, nil
	default:
		return Address{}, fmt.Errorf("%w %q: want serial://, usb:// or tcp://", ErrAddress, address)
	}
}

func baudOf(q url.Values) (int, error) {
	for k := range q {
		if k != baudParameter {
			return 0, fmt.Errorf("unknown parameter %q", k)
		}
	}
	if !q.Has(baudParameter) {
		return defaultBaud, nil
	}
	n, err := strconv.Atoi(q.Get(baudParameter))
	if err != nil || n < baudMin || n > baudMax {
		return 0, fmt.Errorf("baud %q out of %d..%d", q.Get(baudParameter), baudMin, baudMax)
	}
	return n, nil
}

// String is the address in the form that Parse reads.
func (a Address) String() string {
	if a.Scheme == schemeTCP {
		return a.Scheme + "://" + a.Name
	}
	u := url.URL{Scheme: a.Scheme, Path: a.Name, RawQuery: fmt.Sprintf("%s=%d", baudParameter, a.Baud)}
	if host, _, _ := strings.Cut(a.Name, "/"); a.Scheme == schemeSerial {
		u.Host, u.Path = host, a.Name[len(host):] // COM3 is in the place of a host
	} else {
		u.Path = "/" + a.Name
	}
	return u.String()
}

// Open opens the link that address names. A usb address is resolved at each
// call, because port numbers change when a device is plugged again.
func Open(ctx context.Context, address string) (Link, error) {
	a, err := Parse(address)
	if err != nil {
		return nil, err
	}
	switch a.Scheme {
	case schemeTCP:
		return openTCP(ctx, a.Name)
	case schemeUSB:
		name, err := Resolve(a.Name)
		if err != nil {
			return nil, err
		}
		return openSerial(ctx, name, a.Baud)
	default:
		return openSerial(ctx, a.Name, a.Baud)
	}
}

// OpenOver opens the link of a tcp address over a network that is not this
// computer's.
func OpenOver(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error), address string) (Link, error) {
	a, err := Parse(address)
	if err != nil {
		return nil, err
	}
	if a.Scheme != schemeTCP {
		return nil, fmt.Errorf("%w: %s is no network address", ErrAddress, address)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return dial(ctx, "tcp", a.Name)
}

// openTCP dials with NODELAY, because every exchange is a ping-pong of single
// bytes, and with keepalive, because a printer that lost power closes nothing.
func openTCP(ctx context.Context, hostport string) (Link, error) {
	d := net.Dialer{
		Timeout: dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepAliveIdle, Interval: keepAliveStep, Count: keepAliveProbes,
		},
	}
	c, err := d.DialContext(ctx, "tcp", hostport)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", hostport, err)
	}
	if t, ok := c.(*net.TCPConn); ok {
		if err := t.SetNoDelay(true); err != nil {
			c.Close()
			return nil, fmt.Errorf("dial %s: nodelay: %w", hostport, err)
		}
	}
	return c, nil
}
