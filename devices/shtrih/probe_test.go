package shtrih

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// stranger answers the n-th write that reaches it with the n-th of its answers,
// and remembers what was sent to it.
type stranger struct {
	talks   []byte // before it is asked
	answers [][]byte
	heard   []byte
}

func (s *stranger) serve(c net.Conn) {
	defer c.Close()
	if len(s.talks) > 0 {
		if _, err := c.Write(s.talks); err != nil {
			return
		}
	}
	b := make([]byte, 512)
	for i := 0; ; i++ {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		s.heard = append(s.heard, b[:n]...)
		if i < len(s.answers) && len(s.answers[i]) > 0 {
			if _, err := c.Write(s.answers[i]); err != nil {
				return
			}
		}
	}
}

// greetStranger probes s as the first speed of a line is probed. It must be
// called in a bubble.
func greetStranger(s *stranger, g greeting) (f Found, took time.Duration, err error) {
	host, peer := net.Pipe()
	done := make(chan struct{})
	go func() { s.serve(peer); close(done) }()
	ctx, cancel := context.WithTimeout(context.Background(), ProbeTimeout)
	defer cancel()
	began := time.Now()
	f, err = probeLink(ctx, host, g, Asking{})
	took = time.Since(began)
	<-done
	return f, took, err
}

// What is on a foreign port hears ENQ, and nothing else.
func TestProbeLeavesStrangersAlone(t *testing.T) {
	t.Parallel()
	line := greeting{listen: probeListen, reply: probeReply, tries: 1}
	for _, c := range []struct {
		name  string
		s     stranger
		g     greeting
		want  error
		heard []byte
	}{
		{"silent", stranger{}, line, ErrNotFound, []byte{enq}},
		{"silent, one speed", stranger{}, greeting{listen: probeListen, reply: probePatient, tries: 2}, ErrNotFound, []byte{enq, enq}},
		{"a scale that sends its weight", stranger{talks: []byte("ST,GS,+0001.250kg\r\n")}, line, ErrTalks, nil},
		{"a modem that echoes", stranger{answers: [][]byte{{enq}}}, line, ErrOther, []byte{enq}},
		{"a modem that answers in words", stranger{answers: [][]byte{[]byte("\r\nERROR\r\n")}}, line, ErrOther, []byte{enq}},
		{"a printer of another family: ACK", stranger{answers: [][]byte{{ack}}}, line, ErrOther, []byte{enq}},
		{"ACK and something", stranger{answers: [][]byte{{ack, stx, 3, 1, 2, 3, 0xEE}}}, line, ErrOther, []byte{enq}},
		{"end of transmission", stranger{answers: [][]byte{{4}}}, line, ErrOther, []byte{enq}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, took, err := greetStranger(&c.s, c.g)
				if !errors.Is(err, c.want) || f != (Found{}) || !bytes.Equal(c.s.heard, c.heard) || took > ProbeTimeout {
					t.Errorf("%+v, %v after %s; heard % X, want %v and % X", f, err, took, c.s.heard, c.want, c.heard)
				}
			})
		})
	}
}

// A printer that is being read out by another program keeps its tables to
// itself; the probe ends nothing there.
func TestProbeTakesPendingAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stranger{answers: [][]byte{append([]byte{ack}, appendFrame(nil, []byte{0x10, 0, 30})...), nil, {nak}}}
		_, took, err := greetStranger(s, greeting{reply: probePatient, tries: 2})
		want := []byte{enq, ack, enq} // then the question, which it does not know
		if !bytes.HasPrefix(s.heard, append(slices.Clone(want), appendFrame(nil, []byte{cmdDevice})...)) || !errors.Is(err, ErrOther) || took > ProbeTimeout {
			t.Errorf("heard % X, %v after %s", s.heard, err, took)
		}
	})
}

// FuzzProbe: whatever a foreign device says, it hears nothing but ENQ before it
// has answered like a printer; the probe ends in its time; what is found has
// said who it is.
func FuzzProbe(f *testing.F) {
	pending := append([]byte{ack}, appendFrame(nil, []byte{0x10, 0, 30})...)
	device := append([]byte{ack}, appendFrame(nil, append([]byte{cmdDevice, 0, 0, 0, 1, 0, 250, 0}, "X"...))...)
	for _, script := range [][]byte{{}, {ack}, {nak}, {enq}, {0xFF, nak}, pending, device, []byte("OK\r\n")} {
		f.Add([]byte{}, script, []byte{nak}, device, uint8(1))
		f.Add([]byte{}, []byte{nak}, script, device, uint8(2))
		f.Add(script, script, []byte{nak}, device, uint8(2))
	}
	f.Fuzz(func(t *testing.T, talks, first, second, third []byte, tries uint8) {
		synctest.Test(t, func(t *testing.T) {
			s := &stranger{talks: talks, answers: [][]byte{first, second, third, second, third, first}}
			g := greeting{listen: probeListen, reply: probeReply, tries: int(tries%3) + 1}
			found, took, err := greetStranger(s, g)
			if took > ProbeTimeout+enqTimeout {
				t.Errorf("took %s", took)
			}
			if err == nil && !bytes.Contains(s.heard, appendFrame(nil, []byte{cmdDevice})) {
				t.Errorf("%+v was never asked who it is", found)
			}
			if len(talks) > 0 && len(s.heard) > 0 {
				t.Errorf("a device that talks heard % X", s.heard)
			}
			said := bytes.Join(s.answers, nil)
			like := bytes.IndexByte(said, nak) >= 0 || bytes.IndexByte(said, stx) >= 0
			for _, b := range s.heard {
				if !like && b != enq {
					t.Fatalf("answered % X, heard % X", said, s.heard)
				}
			}
		})
	})
}

// Models keep their number in tables of different numbers (F7h); a probe must
// read the one that the driver reads, or a printer would not be known again.
func TestProbeReadsTheDriversSerial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := func(m []byte) []byte {
			switch m[0] {
			case cmdDevice:
				return append([]byte{m[0], 0, 0, 0, 1, 0, modelMobile, 0}, "MOBILE"...)
			case cmdModel:
				model := make([]byte, 2+40)
				model[0], model[2+31] = m[0], 13
				return model
			case cmdFullStatus:
				full := make([]byte, 48)
				full[0], full[32] = m[0], 77
				return full
			default: // 1Fh P table row field
				if m[5] == 13 && m[8] == fieldFNSerial {
					return append([]byte{m[0], 0}, "0000000000012345"...)
				}
				return []byte{m[0], errNoTable}
			}
		}
		host, peer := net.Pipe()
		go (&protocolDevice{}).serve(peer, answer)
		f, err := probeLink(t.Context(), host, greeting{reply: probePatient, tries: 2}, Asking{})
		if err != nil || f.Serial != "0000000000012345" {
			t.Errorf("%+v, %v", f, err)
		}
	})
}
