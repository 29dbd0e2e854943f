package shtrih

import (
	"context"
	"io"
	"log/slog"
	"time"

	"kassad/devices/link"
)

// Where our key goes in a document (design 5.3).
const (
	Mark1192 = "1192" // tag 1192, or 1084 where the command uses 1192 itself
	Mark1084 = "1084" // always 1084 {1085 "kassad", 1086 key}
	MarkNone = "none" // nowhere: documents are told apart by kind and total only
)

// Options of a driver. The zero value of each has the default stated.
type Options struct {
	// Address for link.Open. Dial, if set, is used instead of it.
	Address string
	Dial    func(ctx context.Context) (link.Link, error)
	// Admit is asked on each new link whether the device with this serial number
	// is the right one, before anything but questions about itself was sent to it.
	// An error leaves the device alone: it is unreachable. nil takes any.
	Admit func(serial string) error
	// Password of the operator, 30 (system administrator) by default.
	Password uint32
	// Mark is where our key goes, Mark1192 by default.
	Mark string
	// Taxation is the system of documents that name none; 0 leaves it to the
	// registration of the device. Registers with several systems need it.
	Taxation uint8
	// FFD forces the format version ("1.05", "1.1", "1.2"); by default it is
	// read from the device.
	FFD string
	// QuietTime is how long the device must be seen idle before a document is
	// declared absent after its close may have been sent (5.8 R5b): 1 s. The
	// link has always answered ENQ by NAK by then. Raise it where a converter
	// that buffers commands stands between.
	QuietTime time.Duration
	// ClockLimit is the difference of clocks beyond which no document is begun:
	// 5 minutes; negative: no limit.
	ClockLimit time.Duration
	// ReadyTimeout bounds waiting for an earlier print to end: 40 s.
	ReadyTimeout time.Duration
	// SeparateTags sends each tag in a command of its own. By default whole TLVs
	// share a command up to its limit (2.1), which saves exchanges.
	// UNVERIFIED on hardware: a device that reads only the first TLV of a
	// command needs this.
	SeparateTags bool
	// ItemTagsFirst sends the tags of an item before the item. By default this
	// is done on devices with the cashcore flag and on mobile models (5.4 step
	// 4); which models need it is otherwise UNVERIFIED.
	ItemTagsFirst bool
	// Trace receives every byte of the wire, if set.
	Trace io.Writer
	// Logger, or slog.Default.
	Logger *slog.Logger
}

// Defaults of Options.
const (
	defaultPassword     = 30
	defaultQuietTime    = time.Second
	defaultClockLimit   = 5 * time.Minute
	defaultReadyTimeout = 40 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Password == 0 {
		o.Password = defaultPassword
	}
	if o.Mark == "" {
		o.Mark = Mark1192
	}
	if o.QuietTime == 0 {
		o.QuietTime = defaultQuietTime
	}
	if o.ClockLimit == 0 {
		o.ClockLimit = defaultClockLimit
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = defaultReadyTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Dial == nil {
		address := o.Address
		o.Dial = func(ctx context.Context) (link.Link, error) { return link.Open(ctx, address) }
	}
	return o
}
