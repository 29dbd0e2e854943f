package shtrih

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/link"
	"kassad/fiscal"
)

// everyByte makes TestExactlyOnce try each byte with each fault, instead of a
// sample of them.
const everyByte = "KASSAD_EVERY_BYTE"

// TestExactlyOnce loses, doubles, damages, delays or cuts at a byte of a sale, in
// both directions, and then does what the daemon would do: ask until it is
// decided, and submit again only after Absent or a proven rejection. Whatever
// happens, one document is made.
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	out, in := saleBytes(t)
	step := int64(5)
	switch {
	case os.Getenv(everyByte) != "":
		step = 1
	case testing.Short():
		step = 17
	}
	for i, c := range []struct {
		kind link.FaultKind
		mask byte
	}{
		{link.Cut, 0}, {link.Drop, 0}, {link.Double, 0}, {link.Delay, 0}, {link.Flip, 0xFF},
		{link.Flip, ack ^ nak}, // the worst flip there is: yes becomes no
	} {
		for direction, bytes := range map[link.Direction]int64{link.Out: out, link.In: in} {
			t.Run(fmt.Sprintf("%s %02X %c", c.kind, c.mask, direction), func(t *testing.T) {
				t.Parallel()
				for at := int64(i) % step; at < bytes; at += step {
					f := link.Fault{Direction: direction, Kind: c.kind, Mask: c.mask, At: at, Wait: 45 * time.Second}
					if !t.Run("", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { onceUnder(t, f) }) }) {
						t.Fatalf("with %s", f)
					}
				}
			})
		}
	}
}

// faultyDevice is a scripted device whose links are wires, with a fault on the
// next one opened after armed.
type faultyDevice struct {
	*script
	fault *link.Fault
	wire  *link.Faulty
}

func (f *faultyDevice) dialWire(ctx context.Context) (link.Link, error) {
	l, err := f.dial(ctx)
	if err != nil {
		return nil, err
	}
	b := newBuffered(l.(net.Conn))
	if f.fault == nil {
		f.wire = link.NewFaulty(b)
	} else {
		f.wire = link.NewFaulty(b, *f.fault)
		f.fault = nil
	}
	return f.wire, nil
}

// saleBytes counts the bytes of connecting, preparing and submitting.
func saleBytes(t *testing.T) (out, in int64) {
	synctest.Test(t, func(t *testing.T) {
		f := &faultyDevice{script: newScript(t)}
		d := New(Options{Dial: f.dialWire, Logger: slog.New(slog.DiscardHandler)})
		doc := coffee()
		base := mustPrepare(t, d, doc)
		if _, err := d.Submit(context.Background(), doc, base); err != nil {
			t.Error(err)
		}
		in, out = f.wire.Seen()
		d.Close()
	})
	return out, in
}

func onceUnder(t *testing.T, fault link.Fault) {
	f := &faultyDevice{script: newScript(t), fault: &fault}
	d := New(Options{Dial: f.dialWire, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), ClockLimit: -1})
	defer d.Close()
	ctx := context.Background()
	doc := coffee()
	for range 12 {
		base, err := d.Prepare(ctx, doc)
		if err != nil {
			if c := fiscal.AsError(err, "").Code; c == fiscal.CodeForeignReceipt {
				t.Fatalf("own receipt taken for a foreign one: %v", err)
			}
			<-time.After(time.Second)
			continue
		}
		receipt, err := d.Submit(ctx, doc, base)
		if err == nil {
			judge(t, f, receipt)
			return
		}
		if fiscal.AsError(err, "").Outcome != fiscal.OutcomeUnknown {
			synctest.Wait()
			if len(f.docs) != 0 {
				t.Fatalf("%v, but a document was made", err)
			}
			continue
		}
		if receipt, found := ask(t, d, doc, base); found {
			judge(t, f, receipt)
			return
		}
	}
	t.Fatal("not done after 12 attempts")
}

// ask calls Find until the doubt ends.
func ask(t *testing.T, d *Driver, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, bool) {
	t.Helper()
	for range 40 {
		v, err := d.Find(context.Background(), fiscal.Ref{Document: doc, Baseline: base})
		switch {
		case err != nil || v.Finding == fiscal.Busy:
			<-time.After(time.Second)
		case v.Finding == fiscal.Made:
			return v.Receipt, true
		case v.Finding == fiscal.Absent:
			return fiscal.Receipt{}, false
		default:
			t.Fatalf("verdict %s %s", v.Finding, v.Code)
		}
	}
	t.Fatal("doubt does not end")
	return fiscal.Receipt{}, false
}

func judge(t *testing.T, f *faultyDevice, r fiscal.Receipt) {
	t.Helper()
	synctest.Wait()
	if len(f.docs) != 1 || r.FD != f.lastFD || r.Total != 40000 {
		t.Fatalf("%d documents, receipt %+v", len(f.docs), r)
	}
}
