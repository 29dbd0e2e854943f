package shtrih

import "time"

// Patience of the conversation. The byte timeout of a device is 50 to 100 ms
// by default (1.1); these are wider, because USB adapters and Wi-Fi bridges
// deliver in bursts.
const (
	confirmTimeout  = time.Second            // ACK or NAK after a frame
	enqTimeout      = 500 * time.Millisecond // reply to ENQ
	silenceMax      = 3 * time.Second        // of an accepted command, before the device is asked by ENQ
	byteTimeout     = 500 * time.Millisecond // next byte inside a frame
	quietTimeout    = 120 * time.Millisecond // silence that ends garbage
	pendingTimeout  = 10 * time.Second       // an answer that ENQ→ACK has announced
	drainTimeout    = 2 * time.Second        // garbage that does not end is noise
	drainBytesMax   = 4096
	enqAttempts     = 8
	probeENQ        = 2
	frameAttempts   = 3
	answerAttempts  = 4
	pendingAnswers  = 4 // unasked answers taken in a row before giving up
	exchangeByteMax = 16384
)

// commandTimeout is the one deadline of a command, from its first byte to the
// last byte of its answer: section 1.6, column JAVA.
func commandTimeout(message []byte) time.Duration {
	if len(message) > 1 && message[0] == 0xFF {
		switch message[1] {
		case 0x61, 0x67:
			return 40 * time.Second
		}
		return 30 * time.Second
	}
	switch message[0] {
	case 0x10, 0x11:
		return 3 * time.Second
	case 0x26:
		return 5 * time.Second
	case 0x28:
		return 30 * time.Second
	case 0x16:
		return 60 * time.Second
	case 0x41:
		return 65 * time.Second
	case 0xE0:
		return 120 * time.Second
	default:
		return 30 * time.Second
	}
}
