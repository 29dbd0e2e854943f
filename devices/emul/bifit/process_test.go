package bifit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/emul/bifit"
	"kassad/devices/emul/fn"
)

// TestQueue: one document at a time, in order of acceptance, each at its own
// time however late somebody looks.
func TestQueue(t *testing.T) {
	t.Parallel()
	for _, looks := range []int{1, 40} {
		t.Run(fmt.Sprint(looks, " looks"), func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{})
			for _, key := range []string{"a", "b", "c"} {
				h.sell(key)
			}
			for range looks {
				h.s.Advance(4 * time.Second / time.Duration(looks))
				h.s.Documents()
			}
			docs := h.s.Documents()
			for i, d := range docs {
				want := start.Add(2*time.Second + time.Duration(i)*time.Second)
				if d.Status != bifit.StatusDone || !d.Changed.Equal(want) || int(d.Fiscal.Receipt) != i+1 {
					t.Errorf("document %d: %+v, want done at %v", i, d, want)
				}
			}
		})
	}
}

func TestQueueBuildsUp(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	first, second := h.sell("a"), h.sell("b")
	h.s.Advance(1500 * time.Millisecond)
	h.wantStatus(first, "REGISTERING")
	h.wantStatus(second, "QUEUED")
	h.s.Advance(500 * time.Millisecond)
	h.wantStatus(first, "DONE")
	h.wantStatus(second, "REGISTERING")
}

func TestTwoRegisters(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Connectors: []bifit.Connector{{Token: bifit.ConnectorTokenDefault, Registers: make([]bifit.Register, 2)}}})
	first, second := h.sell("a"), h.sell("b")
	h.s.Advance(1500 * time.Millisecond)
	h.wantStatus(first, "REGISTERING")
	h.wantStatus(second, "REGISTERING")
	h.s.Advance(time.Second)
	if d := h.s.Documents(); d[0].Fiscal.FN == d[1].Fiscal.FN {
		t.Error("two registers have one storage")
	}
	// A faulty register is passed by as long as another one works.
	if err := h.s.SetRegister(serialOne, bifit.RegisterFault); err != nil {
		t.Fatal(err)
	}
	third, fourth := h.sell("c"), h.sell("d")
	h.s.Advance(time.Minute)
	h.wantStatus(third, "DONE")
	h.wantStatus(fourth, "DONE")
}

// TestShift: a shift is opened by the first document, and closed and reopened
// after 24 hours; both use FD numbers, and the receipts count from one (section
// 14.5).
func TestShift(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.sell("a")
	h.s.Advance(24*time.Hour - time.Minute)
	h.access = h.login(bifit.ConnectorTokenDefault)
	h.sell("b")
	h.s.Advance(2 * time.Minute)
	h.sell("c")
	h.s.Advance(time.Minute)
	var forms []fn.Form
	for _, e := range h.s.Ledger()["9999078900100001"] {
		forms = append(forms, e.Form)
	}
	want := []fn.Form{fn.FormRegistration, fn.FormShiftOpen, fn.FormReceipt, fn.FormReceipt, fn.FormShiftClose, fn.FormShiftOpen, fn.FormReceipt}
	if fmt.Sprint(forms) != fmt.Sprint(want) {
		t.Fatalf("documents %v, want %v", forms, want)
	}
	d := h.s.Documents()
	if d[1].Fiscal.Shift != 1 || d[1].Fiscal.Receipt != 2 || d[2].Fiscal.Shift != 2 || d[2].Fiscal.Receipt != 1 || d[2].Fiscal.FD != 7 {
		t.Errorf("documents %+v", d)
	}
}

// TestCauses: every cause of section 9 and its repair; after a reload the
// document keeps its id and ends done, once (section 14.6).
func TestCauses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code   string
		reg    bifit.Register
		repair func(s *bifit.Service) error
		fn     string
	}{
		{"KKT_FAULT", bifit.Register{State: bifit.RegisterFault},
			func(s *bifit.Service) error { return s.SetRegister(serialOne, bifit.RegisterOK) }, "9999078900100001"},
		{"INVALID_DATA", bifit.Register{Taxations: 2},
			func(s *bifit.Service) error { return s.SetTaxations(serialOne, 3) }, "9999078900100001"},
		{"LICENSE_EXPIRED", bifit.Register{LicenceEnd: start.Add(time.Second)},
			func(s *bifit.Service) error { return s.SetLicence(serialOne, start.AddDate(1, 0, 0)) }, "9999078900100001"},
		{"FN_LIMIT_REACHED", bifit.Register{FNLimit: 1}, func(s *bifit.Service) error {
			if err := s.SetFNLimit(serialOne, 100); err != nil {
				return err
			}
			_, err := s.ReplaceFN(serialOne)
			return err
		}, "9999078900100002"},
		{"FN_LIMIT_REACHED", bifit.Register{FNLimit: 2},
			func(s *bifit.Service) error { return s.SetFNLimit(serialOne, 100) }, "9999078900100001"},
	} {
		t.Run(fmt.Sprint(c.code, c.reg.FNLimit), func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{Connectors: []bifit.Connector{{
				Token: bifit.ConnectorTokenDefault, BrokerToken: bifit.BrokerTokenDefault, Registers: []bifit.Register{c.reg},
			}}})
			id := h.sell("a")
			h.s.Advance(time.Minute)
			h.wantError(id, c.code)
			if lookup(t, h.document(id), "fiscal") != nil || field[string](t, h.document(id), "error.message") == "" {
				t.Error("an error with fiscal attributes, or without a text")
			}
			h.want(h.reload(fmt.Sprintf("[%d]", id)), http.StatusOK)
			h.wantStatus(id, "QUEUED")
			if lookup(t, h.document(id), "error") != nil {
				t.Error("a reloaded document keeps its error")
			}
			h.s.Advance(time.Minute)
			h.wantError(id, c.code)
			if err := c.repair(h.s); err != nil {
				t.Fatal(err)
			}
			h.s.Advance(time.Hour / 2)
			h.wantError(id, c.code) // nothing happens by itself
			h.want(h.reload(fmt.Sprintf("[%d,%d]", id, id)), http.StatusOK)
			h.s.Advance(time.Minute)
			h.wantStatus(id, "DONE")
			d := h.s.Documents()[0]
			if d.Reloads != 2 || d.Fiscal.FN != c.fn || h.receipts() != 1 {
				t.Errorf("%+v, %d receipts; want 2 reloads, storage %s, 1 receipt", d, h.receipts(), c.fn)
			}
		})
	}
}

func TestBusyRegister(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	if err := h.s.SetRegister(serialOne, bifit.RegisterBusy); err != nil {
		t.Fatal(err)
	}
	id := h.sell("a")
	h.s.Advance(time.Hour / 2)
	h.wantStatus(id, "QUEUED")
	if err := h.s.SetRegister(serialOne, bifit.RegisterOK); err != nil {
		t.Fatal(err)
	}
	h.wantStatus(id, "REGISTERING")
	h.s.Advance(time.Second)
	if d := h.s.Documents()[0]; !d.Changed.Equal(start.Add(time.Hour/2 + time.Second)) {
		t.Errorf("done at %v", d.Changed)
	}
}

// TestReload: who may reload, and what (section 14.6).
func TestReload(t *testing.T) {
	t.Parallel()
	lax := bifit.Rules{BrokerUnauthorized: true, SkipUnknown: true, QuotedIDs: true}
	for _, c := range []struct {
		name, broker, body string
		rules              bifit.Rules
		status             int
		reloaded           bool
	}{
		{"good", bifit.BrokerTokenDefault, "[254934]", bifit.Rules{}, http.StatusOK, true},
		{"good, with one that is done", bifit.BrokerTokenDefault, "[254934,254935,254934]", bifit.Rules{}, http.StatusOK, true},
		{"no broker token", "", "[254934]", bifit.Rules{}, http.StatusForbidden, false},
		{"wrong broker token", "x", "[254934]", bifit.Rules{}, http.StatusForbidden, false},
		{"wrong broker token, 401", "x", "[254934]", lax, http.StatusUnauthorized, false},
		{"nothing", bifit.BrokerTokenDefault, "", bifit.Rules{}, http.StatusBadRequest, false},
		{"empty", bifit.BrokerTokenDefault, "[]", bifit.Rules{}, http.StatusBadRequest, false},
		{"object", bifit.BrokerTokenDefault, `{"ids":[254934]}`, bifit.Rules{}, http.StatusBadRequest, false},
		{"number", bifit.BrokerTokenDefault, "254934", bifit.Rules{}, http.StatusBadRequest, false},
		{"strings", bifit.BrokerTokenDefault, `["254934"]`, bifit.Rules{}, http.StatusBadRequest, false},
		{"strings allowed", bifit.BrokerTokenDefault, `["254934"]`, lax, http.StatusOK, true},
		{"fraction", bifit.BrokerTokenDefault, `[254934.0]`, lax, http.StatusBadRequest, false},
		{"unknown id", bifit.BrokerTokenDefault, "[254934,1]", bifit.Rules{}, http.StatusNotFound, false},
		{"id to come", bifit.BrokerTokenDefault, "[254934,254936]", bifit.Rules{}, http.StatusNotFound, false},
		{"unknown id skipped", bifit.BrokerTokenDefault, "[1,254934]", lax, http.StatusOK, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{Rules: c.rules})
			h.s.Fail(bifit.Fault{Key: "a", Do: bifit.FailDocument{Cause: bifit.CauseFault}})
			failed, done := h.sell("a"), h.sell("b")
			h.s.Advance(time.Minute)
			h.wantError(failed, "KKT_FAULT")
			h.broker = c.broker
			a := h.reload(c.body)
			h.want(a, c.status)
			if c.reloaded {
				h.wantStatus(failed, "QUEUED")
				if a.body != "" {
					t.Errorf("reload answers %q", a.body)
				}
			} else {
				h.wantError(failed, "KKT_FAULT")
			}
			h.s.Advance(time.Minute)
			h.wantStatus(done, "DONE")
			d, made := h.s.Documents(), 1
			if c.reloaded {
				made = 2
			}
			if d[0].Reloads != made-1 || d[1].Reloads != 0 || h.receipts() != made {
				t.Errorf("reloads %d and %d, receipts %d", d[0].Reloads, d[1].Reloads, h.receipts())
			}
		})
	}
}

func TestReloadWithoutBroker(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Connectors: []bifit.Connector{{Token: bifit.ConnectorTokenDefault}}})
	h.sell("a")
	for _, token := range []string{"", bifit.BrokerTokenDefault} {
		h.broker = token
		h.want(h.reload("[254934]"), http.StatusForbidden)
	}
}

func TestUnknownDocument(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.sell("a")
	for _, id := range []string{"1", "254935", "-1", "x", "99999999999999999999"} {
		a := h.call("GET", base+"/protected/documents/"+id, "", "Authorization", "Bearer "+h.access)
		h.want(a, http.StatusNotFound)
	}
}

// TestControlFunctions: what a test can do to documents and registers.
func TestControlFunctions(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	first, second := h.sell("a"), h.sell("b")
	if err := h.s.Finish(second); err != nil {
		t.Fatal(err)
	}
	h.wantStatus(first, "NEW")
	h.wantStatus(second, "DONE")
	h.s.Advance(1100 * time.Millisecond)
	h.wantStatus(first, "REGISTERING")
	third := h.sell("c")
	if err := h.s.Finish(third); err != bifit.ErrBusy {
		t.Errorf("finishing on an occupied register: %v", err)
	}
	for range 2 {
		if err := h.s.Finish(first); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.receipts(); n != 2 {
		t.Errorf("%d receipts, want 2", n)
	}
	if got := h.s.Registers(); len(got) != 1 || got[0].Serial != serialOne || !got[0].ShiftOpen || got[0].Waiting != 1 || got[0].State.String() != "ok" {
		t.Errorf("registers %+v", got)
	}
	for name, err := range map[string]error{
		"register": h.s.SetRegister("x", bifit.RegisterOK), "licence": h.s.SetLicence("x", start), "taxations": h.s.SetTaxations("x", 1),
		"clock": h.s.SetClock("x", 0), "limit": h.s.SetFNLimit("x", 1),
	} {
		if err != bifit.ErrNoRegister {
			t.Errorf("%s of an unknown register: %v", name, err)
		}
	}
	if h.s.Finish(1) != bifit.ErrNoDocument || h.s.Repair(1) != bifit.ErrNoDocument {
		t.Error("an unknown document can be finished or repaired")
	}
	h.s.Reset()
	if len(h.s.Documents()) != 0 || len(h.s.Requests()) != 0 || h.receipts() != 0 {
		t.Error("something survives a reset")
	}
	h.want(h.register("a", coffee), http.StatusUnauthorized)
}

// TestReplaceFN: the old storage is closed, FD numbers begin anew (section
// 14.8).
func TestReplaceFN(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.sell("a")
	h.s.Advance(time.Minute)
	number, err := h.s.ReplaceFN(serialOne)
	if err != nil || number != "9999078900100002" {
		t.Fatalf("new storage %q: %v", number, err)
	}
	id := h.sell("b")
	h.s.Advance(time.Minute)
	a := h.document(id)
	if field[string](t, a, "fiscal.fnNumber") != number || field[json.Number](t, a, "fiscal.fiscalDocumentNumber") != "3" {
		t.Errorf("document %s", a.body)
	}
	old := h.s.Ledger()["9999078900100001"]
	if last := old[len(old)-1]; last.Form != fn.FormStorageClose || old[len(old)-2].Form != fn.FormShiftClose {
		t.Errorf("the old storage ends with %v", last.Form)
	}
}

func TestRegisterClock(t *testing.T) {
	t.Parallel()
	for off, want := range map[time.Duration]string{5 * time.Hour: "2026-03-02T17:00:00", -7 * time.Hour: "2026-03-02T05:00:00"} {
		h := newHost(t, bifit.Config{})
		if err := h.s.SetClock(serialOne, off); err != nil {
			t.Fatal(err)
		}
		id := h.sell("a")
		h.s.Advance(10 * time.Second)
		if got := field[string](t, h.document(id), "fiscal.dateTime"); got != want {
			t.Errorf("off by %v: dateTime %s, want %s", off, got, want)
		}
	}
}

// TestStorageRefuses: what only the storage knows of (errors of package fn).
func TestStorageRefuses(t *testing.T) {
	t.Parallel()
	t.Run("clock before the last document", func(t *testing.T) {
		t.Parallel()
		h := newHost(t, bifit.Config{})
		h.sell("a")
		h.s.Advance(time.Minute)
		if err := h.s.SetClock(serialOne, -3*time.Hour); err != nil {
			t.Fatal(err)
		}
		id := h.sell("b")
		h.s.Advance(time.Minute)
		h.wantError(id, "KKT_FAULT")
	})
	t.Run("keys of the storage ended", func(t *testing.T) {
		t.Parallel()
		h := newHost(t, bifit.Config{})
		h.s.Advance(16 * 31 * 24 * time.Hour)
		h.access = h.login(bifit.ConnectorTokenDefault)
		id := h.sell("a")
		h.s.Advance(time.Minute)
		h.wantError(id, "FN_LIMIT_REACHED")
	})
}

// TestDeterministic: the same seed and clock give the same answers.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		h := newHost(t, bifit.Config{Seed: seed})
		id := h.sell("a")
		h.s.Advance(time.Minute)
		return h.access + h.document(id).body
	}
	first := run(7)
	if again := run(7); again != first {
		t.Error("two runs with one seed differ")
	}
	if run(8) == first {
		t.Error("two seeds give one run")
	}
}

// TestBubble: the default clock is that of a test bubble.
func TestBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, bifit.Config{Clock: time.Now})
		id := h.sell("a")
		<-time.After(time.Minute)
		h.wantStatus(id, "DONE")
		if got := field[string](t, h.document(id), "fiscal.dateTime"); !strings.HasPrefix(got, "2000-01-01T03:00") {
			t.Errorf("dateTime %s", got)
		}
	})
}
