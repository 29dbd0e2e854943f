package sim

import (
	"os"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/fiscal"
)

// halt is a state in which a sale is when the daemon stops.
type halt struct {
	config func(*daemon.Config)
	before func(*Shop)
	wait   func(*pending)
	after  func(*testing.T, *Shop, *Till, *pending) // heals, once the daemon is back
	ends   fiscal.State
}

// The daemon stops in every state that a sale at BIFIT has, and starts again:
// the sale ends as if it had not.
func TestBIFITRestart(t *testing.T) {
	t.Parallel()
	always := func(on bifit.On, do bifit.Action) func(*Shop) {
		return func(s *Shop) { s.BIFIT.Fail(bifit.Fault{On: on, Times: -1, Do: do}) }
	}
	well := func(_ *testing.T, s *Shop, _ *Till, _ *pending) { s.BIFIT.ClearFaults() }
	sideBySide(t, map[string]halt{
		"accepted": {
			before: func(s *Shop) { s.CutCloud(daemon.CloudBIFIT) }, wait: func(p *pending) { p.waits(fiscal.CodeCloudAway) },
			after: func(t *testing.T, s *Shop, till *Till, _ *pending) {
				look(t, till, daemon.CloudBIFIT)
				if err := s.MendCloud(daemon.CloudBIFIT); err != nil {
					t.Error(err)
				}
				look(t, till, daemon.CloudBIFIT)
			},
		},
		"unknown, not made": {before: always(bifit.OnRegister, bifit.Respond{}), wait: func(p *pending) { p.unknown() }, after: well},
		"unknown, made":     {before: always(bifit.OnRegister, bifit.Cut{}), wait: func(p *pending) { p.unknown() }, after: well},
		"registered": {before: always(0, bifit.Stick{}), wait: func(p *pending) { p.registered() }, after: func(t *testing.T, s *Shop, _ *Till, _ *pending) {
			if err := s.BIFIT.Finish(onlyDocument(t, s).ID); err != nil {
				t.Error(err)
			}
		}},
		"registered, overdue": {config: quickAlert, before: always(0, bifit.Stick{}),
			wait:  func(p *pending) { p.registeredWaiting(fiscal.CodeCloudUnconfirmed) },
			after: func(t *testing.T, s *Shop, _ *Till, p *pending) { decided(fiscal.ResolveGiveUp)(t, s, p) }, ends: fiscal.Abandoned},
		"held": {before: always(0, bifit.FailDocument{Cause: bifit.CauseFault}), wait: func(p *pending) { p.held(fiscal.CodeCloudFailed) },
			after: func(t *testing.T, s *Shop, _ *Till, p *pending) { confirmed(t, s, p) }},
		"reload due": {before: func(s *Shop) {
			s.BIFIT.Fail(bifit.Fault{Do: bifit.FailDocument{Cause: bifit.CauseLicence}})
			s.BIFIT.Fail(bifit.Fault{On: bifit.OnReload, Times: -1, Do: bifit.Respond{}})
		}, wait: func(p *pending) { p.registeredWaiting(fiscal.CodeCloudPending) }, after: well},
		"window over": {config: func(c *daemon.Config) { c.BIFIT.IdempotencyWindow = daemon.Duration(500 * time.Millisecond) },
			before: always(bifit.OnRegister, bifit.Respond{}), wait: func(p *pending) { p.held(fiscal.CodeNeedsPerson) },
			after: func(t *testing.T, s *Shop, _ *Till, p *pending) {
				s.BIFIT.ClearFaults()
				decided(fiscal.ResolveRetry)(t, s, p)
			}},
	}, func(t *testing.T, h halt) {
		s, till := bifitShop(t, nil, h.config)
		look(t, till, daemon.CloudBIFIT)
		h.before(s)
		p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
		h.wait(p)
		till = restart(t, s, till)
		again := beginRaw(t, till, fiscal.VerbSale, p.id, Request(p.id, byMail(obj{"cash": "#"}, kettle())))
		h.after(t, s, till, again)
		if h.ends == "" {
			h.ends = fiscal.Done
		}
		if a := again.ends(h.ends); h.ends == fiscal.Done && a.Fiscal == nil {
			t.Errorf("%s", a.Raw)
		}
		onlyDocument(t, s)
	})
}

// Another connector is another account: the same key would be another document
// there, so nothing is repeated, and a person decides.
func TestBIFITAnotherConnector(t *testing.T) {
	t.Parallel()
	emul := quickBIFIT()
	emul.Connectors = []bifit.Connector{
		{Token: bifit.ConnectorTokenDefault, BrokerToken: bifit.BrokerTokenDefault}, {Token: "SecondConnector00000000000000"},
	}
	s, till := bifitShop(t, emul, nil)
	s.BIFIT.Fail(bifit.Fault{On: bifit.OnRegister, Times: -1, Do: bifit.Cut{Early: true}})
	p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
	p.unknown()
	till = stopFor(t, s, till, func() {
		s.BIFIT.ClearFaults()
		if err := os.WriteFile(s.Config.BIFIT.ConnectorTokenFile, []byte("SecondConnector00000000000000\n"), 0o600); err != nil {
			t.Error(err)
		}
	})
	again := beginRaw(t, till, fiscal.VerbSale, p.id, Request(p.id, byMail(obj{"cash": "#"}, kettle())))
	again.held(fiscal.CodeOtherStorage)
	if list := s.BIFIT.Documents(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	decided(fiscal.ResolveRetry)(t, s, again)
	again.ends(fiscal.Done)
	if d := onlyDocument(t, s); d.Connector != "connector-2" {
		t.Errorf("%+v", d)
	}
}

// A reload is a named person's confirmed decision about a failed document of
// BIFIT, by MQTT or by the control socket, and audited.
func TestBIFITReloadOperation(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"MQTT", "control"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := openShop(t, Options{BIFIT: quickBIFIT(), Policy: hastyPolicy(), Config: managers("ivanov")})
			till, w := openTill(t, s, "till1"), watch(t, s)
			open := must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
			s.BIFIT.Fail(bifit.Fault{Do: bifit.FailDocument{Cause: bifit.CauseFault}})
			id := NewID()
			p := beginRaw(t, till, fiscal.VerbSale, id, addressed(id, "route", daemon.CloudBIFIT, byMail(obj{"cash": "#"}, kettle())))
			p.held(fiscal.CodeCloudFailed)
			ask := func(body obj) fiscal.Code {
				if by == "control" {
					return codeOf(reload(t, s, body))
				}
				a := w.manage(t, "bifit-reload", "ivanov", body)
				if a.Error != nil {
					return fiscal.Code(a.Error.Code)
				}
				return ""
			}
			for _, c := range []struct {
				body obj
				want fiscal.Code
			}{
				{obj{"id": id}, fiscal.CodeBadRequest},
				{obj{"id": id, "confirmed": false}, fiscal.CodeBadRequest},
				{obj{"id": id, "confirmed": true, "force": true}, fiscal.CodeBadRequest},
				{obj{"id": "nobody", "confirmed": true}, fiscal.CodeNotFound},
				{obj{"id": open.ID, "confirmed": true}, fiscal.CodeBadRequest},
			} {
				if got := ask(c.body); got != c.want {
					t.Errorf("%v: %q, want %q", c.body, got, c.want)
				}
			}
			if n := onlyDocument(t, s).Reloads; n != 0 {
				t.Errorf("tried again %d times by refused calls", n)
			}
			if got := ask(obj{"id": id, "confirmed": true, "note": "у ОФД нет"}); got != "" {
				t.Errorf("refused: %s", got)
			}
			p.ends(fiscal.Done)
			if got := ask(obj{"id": id, "confirmed": true}); got != fiscal.CodeNotHeld {
				t.Errorf("once more after the end: %q", got)
			}
			if n := onlyDocument(t, s).Reloads; n != 1 {
				t.Errorf("tried again %d times", n)
			}
			w.hears("evt/audit", `"op":"bifit-reload"`)
			w.hears("evt/audit", "у ОФД нет")
		})
	}
}

// Without a broker token the operation is refused, and nobody is called.
func TestBIFITReloadWithoutBroker(t *testing.T) {
	t.Parallel()
	s, till := bifitShop(t, nil, withoutBroker)
	s.BIFIT.Fail(bifit.Fault{Do: bifit.FailDocument{Cause: bifit.CauseLicence}})
	p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
	p.held(fiscal.CodeCloudFailed)
	if got := codeOf(reload(t, s, obj{"id": p.id, "confirmed": true})); got != fiscal.CodeUnsupported {
		t.Errorf("refused as %q", got)
	}
	w := watch(t, s)
	if a := w.manage(t, "bifit-reload", "petrov", obj{"id": p.id, "confirmed": true}); a.Error == nil || a.Error.Code != string(fiscal.CodeNoRight) {
		t.Errorf("a stranger: %+v", a)
	}
	decided(fiscal.ResolveGiveUp)(t, s, p)
	p.ends(fiscal.Abandoned)
	if n := registrations(t, s, bifit.OnReload); n != 0 {
		t.Errorf("%d calls", n)
	}
}
