package shtrih

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"kassad/devices/link"
	"kassad/fiscal"
)

// Limits of repeating what a device refused without effect (5.1).
const (
	repeatsMax = 5
	readTries  = 2 // of commands that only read
)

// Driver makes fiscal documents on one Shtrih-M printer. It opens the link when
// it is first needed and again after a failure. Calls are made by one goroutine
// at a time.
type Driver struct {
	opt Options
	log *slog.Logger
	c   *conn
	id  *identity // of the device on this link; nil until it has been asked
	// reading is set while a document is being read out: an interrupted reading
	// leaves the device in mode 1, where little else is allowed (3.8, FF3A).
	reading bool
	// habits of the device, learned from its refusals.
	habits habits
	// opened remembers the opening of the current shift, which no command tells.
	opened shiftOpening
}

var (
	_ fiscal.Backend        = (*Driver)(nil)
	_ fiscal.Informer       = (*Driver)(nil)
	_ fiscal.CounterReader  = (*Driver)(nil)
	_ fiscal.XReporter      = (*Driver)(nil)
	_ fiscal.Copier         = (*Driver)(nil)
	_ fiscal.TextPrinter    = (*Driver)(nil)
	_ fiscal.DrawerOpener   = (*Driver)(nil)
	_ fiscal.DocumentReader = (*Driver)(nil)
	_ fiscal.ClockSetter    = (*Driver)(nil)
)

// New makes a driver; it does not touch the device yet.
func New(o Options) *Driver {
	o = o.withDefaults()
	return &Driver{opt: o, log: o.Logger}
}

// Close gives up the link.
func (d *Driver) Close() error {
	if d.c == nil {
		return nil
	}
	err := d.c.close()
	d.c, d.id = nil, nil
	return err
}

// Exchanges counts the exchanges made on the current link.
func (d *Driver) Exchanges() int {
	if d.c == nil {
		return 0
	}
	return d.c.used
}

// connect opens the link if there is none that works, and asks who is there.
// What is known of a device is trusted on one link only: after a reconnect it
// may be another device.
func (d *Driver) connect(ctx context.Context) error {
	if err := d.open(ctx); err != nil {
		return err
	}
	if d.id != nil {
		if d.reading {
			return d.endData(ctx)
		}
		return nil
	}
	id, err := d.identify(ctx)
	if err != nil {
		return fmt.Errorf("identify: %w", err)
	}
	if d.opt.Admit != nil {
		if err := d.opt.Admit(id.serial); err != nil {
			d.Close()
			return &linkError{Fate: fateUnreachable, Command: "connect", cause: err}
		}
	}
	d.id = id
	d.recall(id.serial)
	return nil
}

func (d *Driver) open(ctx context.Context) error {
	if d.c != nil && !d.c.broken {
		return nil
	}
	d.Close()
	l, err := d.opt.Dial(ctx)
	if err != nil {
		return &linkError{Fate: fateUnreachable, Command: "connect", cause: err}
	}
	if d.opt.Trace != nil {
		l = link.NewTrace(l, d.opt.Trace)
	}
	d.c = newConn(l, d.log)
	return nil
}

// do sends one command once and returns the data of its answer. A device's
// error code is a *refusal.
func (d *Driver) do(ctx context.Context, message []byte) ([]byte, error) {
	if d.c == nil {
		return nil, &linkError{Fate: fateUnreachable, Command: commandName(message), cause: link.ErrClosed}
	}
	answer, err := d.c.exchange(ctx, message)
	for _, p := range d.c.takePending() {
		d.log.Info("answer of an earlier command", "command", commandName(p.Message), "same_link", p.SameLink,
			"answer", fmt.Sprintf("% X", p.Message))
	}
	if err != nil {
		return nil, err
	}
	code, data := answerError(answer)
	if code != 0 {
		return nil, &refusal{Command: commandName(message), Code: code, Message: message}
	}
	return data, nil
}

// read sends a command that only reads, and once more after a failure of the
// line: reading twice harms nothing.
func (d *Driver) read(ctx context.Context, message []byte) ([]byte, error) {
	var data []byte
	var err error
	for range readTries {
		data, err = d.do(ctx, message)
		var lost *linkError
		if err == nil || !errors.As(err, &lost) || d.c == nil || d.c.broken || errors.Is(err, errSilent) || ctx.Err() != nil {
			return data, err
		}
	}
	return data, err
}

// perform sends a command that changes something. It is sent again only after
// refusals that the reference says to wait for (5.1): an error code means that
// the command had no effect.
func (d *Driver) perform(ctx context.Context, message []byte) ([]byte, error) {
	return d.performWhile(ctx, message, func() bool { return true })
}

// performWhile is perform that makes sure before each repeat that the one before
// had no effect, whatever its answer says.
func (d *Driver) performWhile(ctx context.Context, message []byte, unmoved func() bool) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		data, err := d.do(ctx, message)
		if refusedWith(err, errNoCash) {
			d.habits.guardsDrawer = true
		}
		if err == nil || attempt > repeatsMax || !refusedWith(err, errPrinting, errContinue, errBufferFull) {
			return data, err
		}
		if refusedWith(err, errBufferFull) {
			if err := pause(ctx, time.Second); err != nil {
				return nil, err
			}
		} else if _, ready := d.ready(ctx, nil); ready != nil {
			return nil, ready
		}
		if !unmoved() {
			return data, err
		}
	}
}

// simple performs a command that has only a password.
func (d *Driver) simple(ctx context.Context, code byte) ([]byte, error) {
	return d.perform(ctx, command(code, d.opt.Password))
}

func pause(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wallClock is t as the device would write it: local time, kept as UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}
