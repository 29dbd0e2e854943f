package sim

import (
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// lifePayFault is how a fault of the service ends a command.
type lifePayFault struct {
	fault   lifepay.Fault
	timeout time.Duration // of a call; 0: longer than any fault
	// doubt: the answer says nothing of the document, so the request goes out
	// again; of what is printed once, nobody knows whether it was.
	doubt bool
	taken bool // the service has the document, and may call back before the repeat
	// settle brings a command about that does not end by itself. nil: it ends
	// with its document.
	settle func(t *testing.T, s *Shop, p *pending, key string)
	end    fiscal.State // default done
	code   fiscal.Code  // why it was rejected
}

// shortCall is a timeout for answers that do not come; all other answers must come
// within it, on a slow computer, too.
const shortCall = 500 * time.Millisecond

// callbackSoon is when the service tells of a document: mostly the repeat is first.
const callbackSoon = 150 * time.Millisecond

func lifePayFaults() []lifePayFault {
	doubt := func(kind lifepay.FaultKind) lifePayFault {
		return lifePayFault{fault: lifepay.Fault{Kind: kind}, doubt: true}
	}
	taken := func(kind lifepay.FaultKind) lifePayFault {
		return lifePayFault{fault: lifepay.Fault{Kind: kind}, doubt: true, taken: true}
	}
	plain := func(kind lifepay.FaultKind) lifePayFault { return lifePayFault{fault: lifepay.Fault{Kind: kind}} }
	late := func(kind lifepay.FaultKind, delay time.Duration) lifePayFault {
		return lifePayFault{fault: lifepay.Fault{Kind: kind, Delay: delay}, doubt: true, taken: kind != lifepay.FaultHangBefore, timeout: shortCall}
	}
	return []lifePayFault{
		doubt(lifepay.FaultStatusBefore), doubt(lifepay.FaultCutBefore), doubt(lifepay.FaultTooMany), doubt(lifepay.FaultRedirect),
		doubt(lifepay.FaultInternal), late(lifepay.FaultHangBefore, 0),
		{fault: lifepay.Fault{Kind: lifepay.FaultRefuse}, end: fiscal.Rejected, code: fiscal.CodeDeviceRefused},
		taken(lifepay.FaultStatusAfter), taken(lifepay.FaultCutAfter), late(lifepay.FaultHang, 0), taken(lifepay.FaultEmpty),
		taken(lifepay.FaultHTML), taken(lifepay.FaultTruncated), taken(lifepay.FaultInternalStored), plain(lifepay.FaultWrongType),
		late(lifepay.FaultSlow, time.Hour), taken(lifepay.FaultHuge), taken(lifepay.FaultNoUUID),
		{fault: lifepay.Fault{Kind: lifepay.FaultDeviceError}, settle: giveUpFailed, end: fiscal.Abandoned},
		{fault: lifepay.Fault{Kind: lifepay.FaultStuck}, settle: unstick},
		plain(lifepay.FaultCallbackFirst), plain(lifepay.FaultCallbackTwice), plain(lifepay.FaultCallbackReordered),
		{fault: lifepay.Fault{Kind: lifepay.FaultCallbackNever}, settle: tellByHand},
		{fault: lifepay.Fault{Kind: lifepay.FaultCallbackMalformed}, settle: tellByHand},
		plain(lifepay.FaultCallbackStranger), plain(lifepay.FaultCallbackExtraKeys),
	}
}

// giveUpFailed gives up what the service says has failed.
func giveUpFailed(t *testing.T, s *Shop, p *pending, _ string) {
	p.held(fiscal.CodeCloudFailed)
	if err := resolve(t, s, p.id, fiscal.ResolveGiveUp, 0); err != nil {
		t.Error(err)
	}
}

func unstick(t *testing.T, s *Shop, p *pending, key string) {
	p.lodged()
	finish(t, s, key, lifepay.Outcome{})
}

// tellByHand delivers the callback that the service has not, or not well.
func tellByHand(t *testing.T, s *Shop, p *pending, key string) {
	p.lodged()
	var d lifepay.Document
	await(t, s, "the document", func() bool {
		d = taken(s, key)[0]
		return d.State == lifepay.StateProcessed
	})
	tell(t, callbackURL(t, s, key), processed(d))
}

// Every fault of the service meets every command: one document and an answer
// that agrees with it, or a refusal and none.
func TestLifePayFaults(t *testing.T) {
	t.Parallel()
	tried := map[lifepay.FaultKind]bool{}
	cases := map[string]func(*testing.T){}
	for _, f := range lifePayFaults() {
		tried[f.fault.Kind] = true
		for _, ffd := range []string{fiscal.FFD105, fiscal.FFD12} {
			cases[string(f.fault.Kind)+" "+ffd] = func(t *testing.T) { f.run(t, ffd) }
		}
	}
	sideBySide(t, cases, func(t *testing.T, run func(*testing.T)) { run(t) })
	for _, kind := range lifepay.FaultKinds() {
		if !tried[kind] {
			t.Errorf("nobody tries %s", kind)
		}
	}
}

// run gives all commands of a version to a service with the fault.
func (f lifePayFault) run(t *testing.T, ffd string) {
	cloud := lifepay.Config{}
	if ffd == fiscal.FFD105 {
		cloud.Accounts = till105()
	} else { // mostly, the repeat comes before the callback
		cloud.Delays.Callback = callbackSoon
	}
	s, till := lifePay{cloud: cloud, config: func(c *daemon.LifePayConfig) {
		c.FFD = ffd
		if f.timeout != 0 {
			c.Timeout = daemon.Duration(f.timeout)
		}
	}}.open(t)
	for _, o := range lifePayOrders(ffd) {
		f.meet(t, s, till, o)
	}
}

// meet gives a command to a service with the fault.
func (f lifePayFault) meet(t *testing.T, s *Shop, till *Till, o cloudOrder) {
	t.Helper()
	fault := f.fault
	fault.Path = o.path
	fail(t, s, fault)
	p := begin(t, till, o.verb, o.body)
	if !o.verb.Document() {
		f.printsOnce(t, s, p, o)
		return
	}
	key := extID(s, p.id, 1)
	if f.settle != nil {
		f.settle(t, s, p, key)
	}
	end := f.end
	if end == "" {
		end = fiscal.Done
	}
	a := p.ends(end)
	requests, documents := len(asked(s, key)), len(taken(s, key))
	switch {
	case f.code != "":
		if a.Error == nil || a.Error.Code != f.code || documents != 0 || requests != 1 {
			t.Errorf("%s: %d documents of %d requests, %s", o.verb, documents, requests, a.Raw)
		}
	case documents != 1 || !f.doubt && requests > 1 || f.doubt && !f.taken && requests == 1:
		t.Errorf("%s: %d documents of %d requests", o.verb, documents, requests)
	case end == fiscal.Done && (a.Fiscal == nil || o.verb.Receipt() && a.Fiscal.FD == 0):
		t.Errorf("%s: %s", o.verb, a.Raw)
	}
}

// printsOnce wants what is no document to be sent once, whatever comes.
func (f lifePayFault) printsOnce(t *testing.T, s *Shop, p *pending, o cloudOrder) {
	t.Helper()
	end := fiscal.Done
	if f.code != "" {
		end = fiscal.Rejected
	}
	a := p.ends(end)
	if (a.Printed == "unknown") != f.doubt {
		t.Errorf("%s: %s", o.verb, a.Raw)
	}
	n := 0
	for _, r := range s.LifePay.Requests() {
		if r.Path == "cloud-print/"+o.path {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%s was sent %d times", o.verb, n)
	}
}
