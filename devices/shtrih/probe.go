package shtrih

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"time"

	"kassad/devices/link"
)

// ProbeTimeout bounds the probing of one port, with all its speeds.
const ProbeTimeout = 3 * time.Second

// Patience of a probe. A device answers ENQ after its byte timeout, 50 to
// 100 ms (1.1); all speeds of a port and the questions have to fit into
// ProbeTimeout.
const (
	probeListen  = 250 * time.Millisecond // for a device that talks by itself
	probeReply   = 200 * time.Millisecond // to ENQ, at each of several speeds
	probePatient = 500 * time.Millisecond // to ENQ, where there is one speed
)

// Found is a printer that answered a probe.
type Found struct {
	Address  string // for link.Open
	Model    string
	Serial   string // as the driver knows it; "" if the device did not tell it
	Firmware string
}

// Asking is how a probe asks.
type Asking struct {
	Password uint32 // of the operator; 0 is the default, see Options
	Log      *slog.Logger
}

// What a probe finds out of a port without a printer of ours.
var (
	// ErrNotFound: no Shtrih-M printer answers there.
	ErrNotFound = errors.New("no Shtrih-M printer answers")
	// ErrTalks: the device speaks without being asked, which a printer never
	// does (1.1): a scale in continuous mode, a scanner. Nothing was sent.
	ErrTalks = errors.New("a device that sends by itself, no printer; left alone")
	// ErrOther: something has answered ENQ, in another way than a Shtrih-M
	// printer. Nothing more was sent.
	ErrOther = errors.New("a device of another protocol answers")
)

// probeSpeeds are the rates of a port, the two factory settings first, then
// the vendor's order (1.5).
func probeSpeeds() []int { return []int{115200, 4800, 9600, 19200, 38400, 57600, 2400} }

// Probe looks for a printer on a serial port, within ProbeTimeout. A port that
// has no line behind it is asked at one speed, the others at each.
//
// The first byte is ENQ (05h), and nothing else is sent before an answer to it.
// ENQ is the question "is anybody there" of every family that kassad knows
// (Shtrih-M 1.1, ATOL v2 2.1, Pirit 1: ENQ → ACK or NAK), and outside of them
// a control character with no action of its own; the ATOL reference calls it
// harmless (1, method UNVERIFIED on hardware), where the frame FE… of ATOL v3
// and 8F… of protocol 2.0 are data to whoever does not know them. On a line of
// another speed a device hears another byte: there is no cure but to exclude
// the port.
func Probe(ctx context.Context, port link.Port, ask Asking) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	speeds := probeSpeeds()
	if port.Kind == link.KindUSB {
		speeds = speeds[:1]
	}
	seen := error(ErrNotFound)
	for i, baud := range speeds {
		g := greeting{reply: probeReply, tries: 1}
		if i == 0 {
			g.listen = probeListen
		}
		if len(speeds) == 1 {
			g.reply, g.tries = probePatient, 2
		}
		address := link.Address{Scheme: "serial", Name: port.Name, Baud: baud}.String()
		f, err := probeAddress(ctx, address, g, ask)
		switch {
		case err == nil, !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrOther), ctx.Err() != nil:
			return f, probeEnd(ctx, err, seen)
		case errors.Is(err, ErrOther): // or ours, at another speed
			seen = err
		}
	}
	return Found{}, seen
}

// probeEnd says of a probe whose time has passed what was seen until then.
func probeEnd(ctx context.Context, err, seen error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.Join(seen, err)
	}
	return err
}

// ProbeAddress asks who answers at one address, within ProbeTimeout.
func ProbeAddress(ctx context.Context, address string, ask Asking) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	f, err := probeAddress(ctx, address, greeting{reply: probePatient, tries: 2}, ask)
	return f, probeEnd(ctx, err, ErrNotFound)
}

func probeAddress(ctx context.Context, address string, g greeting, ask Asking) (Found, error) {
	l, err := link.Open(ctx, address)
	if err != nil {
		return Found{}, err
	}
	f, err := probeLink(ctx, l, g, ask)
	f.Address = address
	return f, err
}

// probeLink greets what is behind l, asks who it is, and closes l.
func probeLink(ctx context.Context, l link.Link, g greeting, ask Asking) (Found, error) {
	log := ask.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := New(Options{Logger: log, Password: ask.Password, Dial: func(context.Context) (link.Link, error) { return nil, io.EOF }})
	d.c = newConn(l, log)
	d.c.enqLimit = probeENQ
	defer d.Close()
	if err := d.c.greet(ctx, g); err != nil {
		return Found{}, err
	}
	data, err := d.do(ctx, []byte{cmdDevice})
	if err != nil {
		return Found{}, errors.Join(ErrOther, err)
	}
	dev, err := decodeDevice(data)
	if err != nil {
		return Found{}, errors.Join(ErrOther, err)
	}
	f := Found{Model: dev.name}
	id := identity{device: dev} // the number must be the one that the driver reads
	var refused *refusal
	if data, err := d.do(ctx, []byte{cmdModel, 1}); err == nil {
		id.model = decodeModel(data)
	} else if !errors.As(err, &refused) {
		return Found{}, errors.Join(ErrOther, err)
	}
	full, err := d.fullStatus(ctx)
	if errors.As(err, &refused) { // another password: it is a printer all the same
		return f, nil
	}
	if err != nil {
		return Found{}, errors.Join(ErrOther, err)
	}
	f.Firmware = full.firmware
	if full.mode == modeData { // tables are closed to a device that is read out (5.1)
		return f, nil
	}
	f.Serial, err = d.serialOf(ctx, id.fnTable(), full)
	return f, err
}

// serialOf is the number by which a printer is known: table 18, or 11h where a
// model lacks it.
func (d *Driver) serialOf(ctx context.Context, table byte, full fullStatus) (string, error) {
	serial, err := d.tableText(ctx, table, fieldFNSerial)
	if err != nil && !optional(err) {
		return "", err
	}
	if serial == "" {
		serial = strconv.FormatUint(full.serial, 10)
	}
	return serial, nil
}

// greeting is how ENQ is sent to a device that may be anybody's.
type greeting struct {
	listen time.Duration // before anything is sent
	reply  time.Duration // to each ENQ
	tries  int
}

// greet sends ENQ and goes on only with what answers like a printer: NAK, or
// ACK and a good frame, an answer that it still keeps (1.1).
func (c *conn) greet(ctx context.Context, g greeting) error {
	defer c.watch(ctx)()
	c.spent = 0
	if g.listen > 0 {
		switch _, err := c.readByte(time.Now().Add(g.listen)); {
		case err == nil:
			return ErrTalks
		case !isTimeout(err) || ctx.Err() != nil:
			return errors.Join(ErrNotFound, err)
		}
	}
	err := error(errSilent)
	for range g.tries {
		if _, err := c.write([]byte{enq}, time.Now().Add(enqTimeout)); err != nil {
			return errors.Join(ErrNotFound, err)
		}
		var b byte
		b, err = c.control(time.Now().Add(g.reply))
		switch {
		case isTimeout(err) && ctx.Err() == nil:
			continue // the first ENQ may have been swallowed (WAIT_CONFIRM)
		case err != nil:
			return errors.Join(ErrNotFound, err)
		case b == nak:
			return nil
		case b == ack:
			return c.greetPending(ctx)
		case b == enq:
			return errors.Join(ErrOther, errEcho)
		default:
			return errors.Join(ErrOther, errNoise)
		}
	}
	return errors.Join(ErrNotFound, err)
}

// greetPending tells a printer that keeps an answer, or is still preparing it,
// from a printer of another family that is merely there: those say nothing
// after their ACK.
func (c *conn) greetPending(ctx context.Context) error {
	answer, err := c.readFrame(time.Now().Add(probePatient))
	if err != nil {
		return errors.Join(ErrOther, err)
	}
	c.pending = append(c.pending, Pending{Message: answer})
	_, err = c.confirm(answer)
	return err
}
