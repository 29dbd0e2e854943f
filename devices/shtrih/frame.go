package shtrih

// Control bytes, section 1.1. strayByte is what devices on TCP add after the
// host's confirmation (1.3).
const (
	enq       byte = 0x05
	stx       byte = 0x02
	ack       byte = 0x06
	nak       byte = 0x15
	strayByte byte = 0xFF
)

// Limits of a frame, section 1.1.
const (
	messageBytesMax  = 255
	frameExtraBytes  = 3 // STX, LEN, LRC
	frameHeaderBytes = 2
)

// verdict is what decodeFrame makes of the bytes so far.
type verdict uint8

const (
	needMore verdict = iota + 1
	badFrame
	goodFrame
)

// appendFrame appends STX, LEN, message and LRC to dst. A message of 0 or more
// than 255 bytes cannot be framed; that is a bug of the caller.
func appendFrame(dst, message []byte) []byte {
	if len(message) == 0 || len(message) > messageBytesMax {
		panic("shtrih: message of impossible length")
	}
	dst = append(dst, stx, byte(len(message)))
	dst = append(dst, message...)
	return append(dst, lrc(message))
}

// lrc is the XOR of LEN and the message; STX is not in it (1.1).
func lrc(message []byte) byte {
	x := byte(len(message))
	for _, b := range message {
		x ^= b
	}
	return x
}

// decodeFrame looks for one frame at the start of b. The message shares memory
// with b; n is the size of the frame.
func decodeFrame(b []byte) (message []byte, n int, v verdict) {
	switch {
	case len(b) == 0:
		return nil, 0, needMore
	case b[0] != stx:
		return nil, 0, badFrame
	case len(b) < frameHeaderBytes:
		return nil, 0, needMore
	case b[1] == 0:
		return nil, 0, badFrame
	}
	n = int(b[1]) + frameExtraBytes
	if len(b) < n {
		return nil, 0, needMore
	}
	message = b[frameHeaderBytes : n-1]
	if lrc(message) != b[n-1] {
		return nil, 0, badFrame
	}
	return message, n, goodFrame
}
