package shtrih

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/link"
	"kassad/fiscal"
)

// babbler is a device that answers every command in form, and what it says
// comes from a script; after it, it hangs up.
type babbler struct {
	script []byte
	asked  int
}

func (b *babbler) dial(context.Context) (link.Link, error) {
	if len(b.script) == 0 {
		return nil, io.EOF
	}
	host, peer := net.Pipe()
	go (&protocolDevice{}).serve(peer, func(m []byte) []byte {
		b.asked++
		if len(b.script) == 0 {
			peer.Close()
			return []byte{m[0], 0}
		}
		n := min(int(b.script[0])%64, len(b.script)-1)
		said := b.script[1 : 1+n]
		b.script = b.script[1+n:]
		answer := []byte{m[0]}
		if m[0] == cmdFN {
			answer = append(answer, m[1])
		}
		return append(append(answer, 0), said...)
	})
	return host, nil
}

// exchangesMost bounds how much a driver asks a device that makes no sense.
const exchangesMost = 5_000

// FuzzConversation lets a device say anything. The driver ends in bounded
// virtual time and exchanges; every error has a code of the contract; a
// document is found only with its number in the right storage and its total;
// absence is never believed of another storage.
func FuzzConversation(f *testing.F) {
	sane := []byte{}
	say := func(b ...byte) { sane = append(append(sane, byte(len(b))), b...) }
	say(append([]byte{30}, make([]byte, 45)...)...)
	say(make([]byte, 14)...)
	say(append(append(make([]byte, 10), "9999078900012345"...), 100, 0, 0, 0)...)
	for op := range byte(4) {
		f.Add(op, sane)
		f.Add(op, []byte{0})
		f.Add(op, []byte{30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 63, 0xFF, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, op byte, script []byte) {
		synctest.Test(t, func(t *testing.T) {
			b := &babbler{script: script}
			d := New(Options{Dial: b.dial, Logger: slog.New(slog.DiscardHandler)})
			defer d.Close()
			began := time.Now()
			err := converse(t, d, op)
			if e := (*fiscal.Error)(nil); err != nil && (!errors.As(err, &e) || e.Code.Info().Russian == "") {
				t.Errorf("%T %v", err, err)
			}
			if took := time.Since(began); took > time.Hour || b.asked > exchangesMost {
				t.Errorf("%d exchanges, %s", b.asked, took)
			}
		})
	})
}

func converse(t *testing.T, d *Driver, op byte) error {
	doc := coffee()
	base := fiscal.Baseline{Device: "0001234", Storage: "9999078900012345", LastFD: 100, Shift: 7}
	switch op % 4 {
	case 0:
		_, err := d.Status(context.Background())
		return err
	case 1:
		got, err := d.Prepare(context.Background(), doc)
		if err == nil && (got.Storage == "" || got.Device == "") {
			t.Errorf("baseline %+v", got)
		}
		return err
	case 2:
		got, err := d.Submit(context.Background(), doc, base)
		if err == nil && (got.FD == 0 || got.Total != doc.Total) {
			t.Errorf("receipt %+v", got)
		}
		return err
	default:
		v, err := d.Find(context.Background(), fiscal.Ref{Document: doc, Baseline: base})
		if err == nil && v.Finding == fiscal.Made && (v.Receipt.FD <= base.LastFD || v.Receipt.Total != doc.Total) {
			t.Errorf("made: %+v", v.Receipt)
		}
		return err
	}
}
