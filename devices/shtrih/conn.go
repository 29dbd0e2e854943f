package shtrih

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"kassad/devices/link"
)

// fate tells what a failed exchange did to the device.
type fate uint8

const (
	// fateUnreachable: not one byte of the command's frame was sent.
	fateUnreachable fate = iota + 1
	// fateNotAccepted: the device refused the frame every time, or its answer
	// proves that it did not execute: nothing happened.
	fateNotAccepted
	// fateUnknown: the command may have been executed.
	fateUnknown
)

func (f fate) String() string {
	return [...]string{"none", "unreachable", "not accepted", "unknown"}[f]
}

// linkError is an exchange without an answer.
type linkError struct {
	Fate    fate
	Command string
	cause   error
}

func (e *linkError) Error() string {
	return fmt.Sprintf("command %s: %s: %v", e.Command, e.Fate, e.cause)
}

func (e *linkError) Unwrap() error { return e.cause }

// Errors of the conversation.
var (
	errSilent    = errors.New("no reply to ENQ")
	errEcho      = errors.New("the line echoes what is sent")
	errNoise     = errors.New("garbage on the line")
	errRefused   = errors.New("frame refused every time")
	errNoAnswer  = errors.New("no answer in time")
	errLostReply = errors.New("device is ready again without having answered")
	errBadReply  = errors.New("answer damaged every time")
	errAlien     = errors.New("answer to another command")
	errExecuting = errors.New("device is still executing an earlier command")
)

// Pending is an answer that the device still kept when a new conversation
// began: the answer of a command whose exchange failed. It is a hint only;
// what happened is decided from the fiscal storage (5.8 R1).
type Pending struct {
	Message []byte
	// SameLink: no other connection was made since the command, so a restart
	// of the device in between is impossible.
	SameLink bool
}

// conn is the host side of protocol 1.0 on one link. It repeats frames, never
// commands, except that a frame which the device itself refused is sent again.
// One goroutine at a time.
type conn struct {
	link  link.Link
	log   *slog.Logger
	buf   []byte // received, not yet consumed
	spent int    // bytes received in this exchange

	last     []byte // last answer handed over, to recognise its duplicate
	fresh    bool   // no exchange has succeeded or failed on this link yet
	pending  []Pending
	enqLimit int          // ENQs without a reply before giving up
	broken   bool         // the link failed for good; it must be opened again
	dirty    bool         // the last exchange failed: late bytes may still come
	ended    func() error // whether the caller of the exchange in hand has given up
	unheard  int          // ENQs of this exchange without a reply: they may be answered late
	used     int          // exchanges, for economy figures
}

func newConn(l link.Link, log *slog.Logger) *conn {
	return &conn{link: l, log: log, fresh: true, enqLimit: enqAttempts, ended: func() error { return nil }}
}

// takePending hands over the unasked answers found so far.
func (c *conn) takePending() []Pending {
	p := c.pending
	c.pending = nil
	return p
}

// exchange sends one command and returns its answer, error byte included. A
// failure is a *linkError.
func (c *conn) exchange(ctx context.Context, message []byte) ([]byte, error) {
	name := commandName(message)
	fail := func(f fate, err error) ([]byte, error) {
		c.dirty = true
		return nil, &linkError{Fate: f, Command: name, cause: err}
	}
	if c.broken {
		return fail(fateUnreachable, link.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fail(fateUnreachable, err)
	}
	defer c.watch(ctx)()
	c.spent, c.unheard = 0, 0
	c.used++
	if err := c.synchronise(ctx); err != nil {
		return fail(fateUnreachable, err)
	}
	deadline := time.Now().Add(commandTimeout(message))
	frame := appendFrame(make([]byte, 0, len(message)+frameExtraBytes), message)
	answer, f, err := c.converse(ctx, frame, message, deadline)
	if err != nil {
		return fail(f, err)
	}
	c.last, c.fresh, c.dirty = answer, false, c.unheard > 0
	return answer, nil
}

// watch makes the link's waits end with ctx. The function it returns ends the
// watch and leaves no late call behind that could spoil the next exchange.
func (c *conn) watch(ctx context.Context) func() {
	c.ended = ctx.Err
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.link.SetDeadline(time.Now())
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// synchronise brings the device to "ready for a command": ENQ is answered NAK.
// Answers that were still pending are kept for the caller (1.1 host step 1).
func (c *conn) synchronise(ctx context.Context) error {
	c.buf = c.buf[:0] // what arrived unasked belongs to the past
	if c.dirty {
		if _, err := c.drain(); err != nil {
			return err
		}
	}
	taken, echoes, unanswered := 0, 0, 0
	for attempt := 0; attempt < c.enqLimit; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := c.write([]byte{enq}, time.Now().Add(enqTimeout)); err != nil {
			return err
		}
		unanswered++
		b, err := c.control(time.Now().Add(enqTimeout))
		switch {
		case isTimeout(err):
			continue // silence: the first ENQ may have been swallowed (WAIT_CONFIRM)
		case err != nil:
			return err
		case b == nak:
			// Late replies to earlier ENQs must not be taken for replies to the
			// frame that follows.
			if unanswered > 1 {
				rest, err := c.drain()
				if err != nil {
					return err
				}
				if slices.ContainsFunc(rest, func(b byte) bool { return b != nak && b != strayByte }) {
					unanswered = 0
					continue
				}
			}
			return nil
		case b == ack:
			if taken++; taken > pendingAnswers {
				return errExecuting
			}
			if err := c.takeUnasked(ctx); err != nil {
				return err
			}
			attempt, unanswered = 0, 0
		case b == enq:
			if echoes++; echoes > 2 {
				c.broken = true
				return errEcho
			}
			fallthrough
		default:
			if _, err := c.drain(); err != nil {
				return err
			}
			unanswered = 0
		}
	}
	return errSilent
}

// takeUnasked reads the answer that ENQ→ACK announced, confirms it and keeps
// it, unless it is the duplicate of one already handed over: the device did not
// hear our confirmation (1.1 "host's ACK lost").
func (c *conn) takeUnasked(ctx context.Context) error {
	limit := time.Now().Add(pendingTimeout)
	answer, err := c.readAnswer(ctx, limit)
	switch {
	case errors.Is(err, errNoAnswer):
		return errExecuting
	case errors.Is(err, errLostReply):
		return nil // it went away; ENQ tells what is now
	case err != nil:
		return err
	}
	if !c.fresh && slices.Equal(answer, c.last) {
		c.log.Debug("duplicate answer dropped", "answer", commandName(answer))
		return nil
	}
	c.pending = append(c.pending, Pending{Message: answer, SameLink: !c.fresh})
	return nil
}

// converse sends the frame and reads its answer.
func (c *conn) converse(ctx context.Context, frame, message []byte, deadline time.Time) ([]byte, fate, error) {
	accepted, f, err := c.sendFrame(frame, deadline)
	if err != nil {
		return nil, f, err
	}
	var answer []byte
	if accepted {
		answer, err = c.readAnswer(ctx, deadline)
	} else {
		answer, err = c.recoverAnswer(ctx, deadline, enqTimeout)
	}
	if err != nil {
		return nil, fateUnknown, err
	}
	if !answers(answer, message) {
		c.pending = append(c.pending, Pending{Message: answer, SameLink: true})
		return nil, fateUnknown, fmt.Errorf("%w: %s", errAlien, commandName(answer))
	}
	return answer, 0, nil
}

// sendFrame writes the frame until the device confirms it. accepted is false
// if nothing certain was heard: the device may be executing.
func (c *conn) sendFrame(frame []byte, deadline time.Time) (accepted bool, f fate, err error) {
	for sent := range frameAttempts {
		n, err := c.write(frame, deadline)
		if err != nil {
			// A stuck write may deliver its bytes later, whatever it counted.
			if n == 0 && !isTimeout(err) && sent == 0 {
				return false, fateUnreachable, err
			}
			return false, fateUnknown, err
		}
		b, err := c.control(earlier(deadline, confirmTimeout))
		switch {
		case isTimeout(err):
			return false, 0, nil
		case err != nil:
			return false, fateUnknown, err
		case b == ack:
			return true, 0, nil
		case b == stx:
			// The confirmation was lost, the answer is here already.
			c.buf = append([]byte{stx}, c.buf...)
			return true, 0, nil
		case b == nak:
			// Nothing was executed (1.1). Should it have been a late NAK of
			// before, the device is answering: then the frame must not go again.
			rest, err := c.drain()
			if err != nil {
				return false, fateUnknown, err
			}
			if slices.ContainsFunc(rest, func(b byte) bool { return b == ack || b == stx }) {
				return false, 0, nil
			}
		default:
			if _, err := c.drain(); err != nil {
				return false, fateUnknown, err
			}
			return false, 0, nil
		}
	}
	return false, fateNotAccepted, errRefused
}

// readAnswer waits for the answer frame and confirms it. Damage on the way is
// repaired by asking for it again; a long silence too, because the device
// offers its answer only once by itself, and a cable may have been out then.
func (c *conn) readAnswer(ctx context.Context, deadline time.Time) ([]byte, error) {
	answer, err := c.readFrame(earlier(deadline, silenceMax))
	switch {
	case err == nil:
		return c.confirm(answer)
	case errors.Is(err, errBadReply):
		// NAK tells the device that the answer did not arrive; it keeps it.
		if _, err := c.write([]byte{nak}, earlier(deadline, enqTimeout)); err != nil {
			return nil, err
		}
		return c.recoverAnswer(ctx, deadline, enqTimeout)
	case isTimeout(err) && ctx.Err() == nil:
		return c.recoverAnswer(ctx, deadline, silenceMax)
	default:
		return nil, err
	}
}

// recoverAnswer asks for an answer by ENQ until the deadline, once in a pace: a
// device that queues what it hears while it executes is not flooded. ENQ→ACK
// means that the answer follows, or is still being prepared. ENQ→NAK means that
// the device has none: it never took the command, or has restarted. The link
// cannot tell which, so the caller gets fateUnknown.
func (c *conn) recoverAnswer(ctx context.Context, deadline time.Time, pace time.Duration) ([]byte, error) {
	damaged := 0
	for time.Now().Before(deadline) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := c.write([]byte{enq}, earlier(deadline, enqTimeout)); err != nil {
			return nil, err
		}
		b, err := c.control(earlier(deadline, pace))
		if isTimeout(err) {
			c.unheard++ // executing and deaf, or the ENQ was swallowed
			continue
		}
		if err != nil {
			return nil, err
		}
		if b == nak {
			return nil, errLostReply
		}
		if b == stx {
			c.buf = append([]byte{stx}, c.buf...)
		}
		if b != ack && b != stx {
			if _, err := c.drain(); err != nil {
				return nil, err
			}
			continue
		}
		answer, err := c.readFrame(earlier(deadline, silenceMax))
		switch {
		case err == nil:
			return c.confirm(answer)
		case errors.Is(err, errBadReply):
			if damaged++; damaged >= answerAttempts {
				return nil, errBadReply
			}
			if _, err := c.write([]byte{nak}, earlier(deadline, enqTimeout)); err != nil {
				return nil, err
			}
		case !isTimeout(err):
			return nil, err
		}
	}
	return nil, errNoAnswer
}

// confirm sends ACK. The answer is good whether or not the ACK arrives: a lost
// one only makes the device offer the answer again.
func (c *conn) confirm(answer []byte) ([]byte, error) {
	if _, err := c.write([]byte{ack}, time.Now().Add(enqTimeout)); err != nil {
		c.log.Debug("answer could not be confirmed", "err", err)
	}
	return answer, nil
}

// readFrame reads one frame; stray bytes before STX are skipped. It fails with
// errBadReply if what came is damaged, with a timeout if nothing came.
func (c *conn) readFrame(deadline time.Time) ([]byte, error) {
	b, err := c.control(deadline)
	if err != nil {
		return nil, err
	}
	if b != stx {
		if _, err := c.drain(); err != nil {
			return nil, err
		}
		return nil, errBadReply
	}
	frame := []byte{stx}
	for {
		message, _, v := decodeFrame(frame)
		switch v {
		case goodFrame:
			return message, nil
		case badFrame:
			if _, err := c.drain(); err != nil {
				return nil, err
			}
			return nil, errBadReply
		}
		b, err := c.readByte(time.Now().Add(byteTimeout))
		if isTimeout(err) {
			return nil, errBadReply
		}
		if err != nil {
			return nil, err
		}
		frame = append(frame, b)
	}
}

func (c *conn) close() error {
	c.broken = true
	return c.link.Close()
}
