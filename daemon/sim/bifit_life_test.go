package sim

import (
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/fiscal"
)

// failure is a document that BIFIT does not make at once.
type failure struct {
	fault    bifit.Action
	exchange []bifit.Fault
	config   func(*daemon.Config)
	before   func(*Shop)
	held     fiscal.Code // ends for a person
	alone    int         // reloads without one
	heal     func(*testing.T, *Shop, *pending)
	ends     fiscal.State // default done
	reloads  int          // in all
	again    bool         // ends in a second document of the service
}

// confirmed is a person's word that no document exists.
func confirmed(t *testing.T, s *Shop, p *pending) {
	if err := reload(t, s, obj{"id": p.id, "confirmed": true, "note": "смотрел в кабинете и у ОФД"}); err != nil {
		t.Error(err)
	}
}

// healed mends something and has the document tried again.
func healed(mend func(*Shop) error) func(*testing.T, *Shop, *pending) {
	return func(t *testing.T, s *Shop, p *pending) {
		if err := mend(s); err != nil {
			t.Error(err)
		}
		confirmed(t, s, p)
	}
}

func decided(action fiscal.Action) func(*testing.T, *Shop, *pending) {
	return func(t *testing.T, s *Shop, p *pending) {
		if err := resolve(t, s, p.id, action, 0); err != nil {
			t.Error(err)
		}
	}
}

// foundInCabinet settles a command by the document that a person has seen.
func foundInCabinet(t *testing.T, s *Shop, p *pending) {
	made := onlyDocument(t, s).Made
	if len(made) != 1 {
		t.Fatalf("made %+v", made)
	}
	disown2(s, made[0].FN, made[0].FD)
	if err := resolve(t, s, p.id, fiscal.ResolveDoneElsewhere, made[0].FD); err != nil {
		t.Error(err)
	}
}

func repaired(s *Shop) error { return s.BIFIT.Repair(s.BIFIT.Documents()[0].ID) }

// failures are the causes of the reference 9, with and without a broker token.
func failures() map[string]failure {
	licence := bifit.FailDocument{Cause: bifit.CauseLicence}
	return map[string]failure{
		"licence":             {fault: licence, alone: 1, reloads: 1},
		"storage full":        {fault: bifit.FailDocument{Cause: bifit.CauseStorage}, alone: 1, reloads: 1},
		"licence twice":       {fault: bifit.FailDocument{Cause: bifit.CauseLicence, Times: 2}, alone: 2, reloads: 2},
		"licence thrice":      {fault: bifit.FailDocument{Cause: bifit.CauseLicence, Times: 3}, alone: 3, reloads: 3},
		"licence always":      {fault: bifit.FailDocument{Cause: bifit.CauseLicence, Times: -1}, alone: 3, held: fiscal.CodeCloudFailed, heal: healed(repaired), reloads: 4},
		"licence, no broker":  {fault: licence, config: withoutBroker, held: fiscal.CodeCloudFailed, heal: decided(fiscal.ResolveRetry), again: true},
		"storage, no broker":  {fault: bifit.FailDocument{Cause: bifit.CauseStorage}, config: withoutBroker, held: fiscal.CodeCloudFailed, heal: decided(fiscal.ResolveRetry), again: true},
		"fault":               {fault: bifit.FailDocument{Cause: bifit.CauseFault}, held: fiscal.CodeCloudFailed, heal: confirmed, reloads: 1},
		"fault, retried":      {fault: bifit.FailDocument{Cause: bifit.CauseFault}, held: fiscal.CodeCloudFailed, heal: decided(fiscal.ResolveRetry), again: true},
		"fault, no broker":    {fault: bifit.FailDocument{Cause: bifit.CauseFault}, config: withoutBroker, held: fiscal.CodeCloudFailed, heal: decided(fiscal.ResolveGiveUp), ends: fiscal.Abandoned},
		"data":                {fault: bifit.FailDocument{Cause: bifit.CauseData}, held: fiscal.CodeCloudFailed, heal: confirmed, reloads: 1},
		"data, no broker":     {fault: bifit.FailDocument{Cause: bifit.CauseData}, config: withoutBroker, held: fiscal.CodeCloudFailed, heal: decided(fiscal.ResolveGiveUp), ends: fiscal.Abandoned},
		"made, found":         {fault: bifit.FailAfterMade{Detects: true}, held: fiscal.CodeCloudFailed, heal: confirmed, reloads: 1},
		"made, in cabinet":    {fault: bifit.FailAfterMade{}, held: fiscal.CodeCloudFailed, heal: foundInCabinet},
		"made, no broker":     {fault: bifit.FailAfterMade{}, config: withoutBroker, held: fiscal.CodeCloudFailed, heal: foundInCabinet},
		"register down":       {before: setRegister(bifit.RegisterFault), held: fiscal.CodeCloudFailed, heal: healed(registerWell), reloads: 1},
		"licence ran out":     {before: licenceUntil(-time.Hour), alone: 3, held: fiscal.CodeCloudFailed, heal: healed(licencePaid), reloads: 4},
		"storage is full":     {before: fillStorage, alone: 3, held: fiscal.CodeCloudFailed, heal: healed(newStorage), reloads: 4},
		"tax system":          {before: taxations(0x02), held: fiscal.CodeCloudFailed, heal: healed(allTaxations), reloads: 1},
		"reload: cut":         {fault: licence, exchange: times(1, bifit.OnReload, bifit.Cut{}), reloads: 1},
		"reload: cut before":  {fault: licence, exchange: times(2, bifit.OnReload, bifit.Cut{Early: true}), reloads: 1},
		"reload: 500":         {fault: licence, exchange: times(2, bifit.OnReload, bifit.Respond{}), reloads: 1},
		"reload: 500 after":   {fault: licence, exchange: times(2, bifit.OnReload, bifit.Respond{After: true}), reloads: 1},
		"reload: 429":         {fault: licence, exchange: times(2, bifit.OnReload, bifit.Respond{Status: 429, RetryAfter: time.Second}), reloads: 1},
		"reload: html":        {fault: licence, exchange: times(1, bifit.OnReload, bifit.Respond{Status: 502, HTML: true}), reloads: 1},
		"reload: 401":         {fault: licence, exchange: times(1, bifit.OnReload, bifit.Unauthorized{}), reloads: 1},
		"reload: not allowed": {fault: licence, exchange: times(1, bifit.OnReload, bifit.Respond{Status: 403}), held: fiscal.CodeCloudAccount, heal: confirmed, reloads: 1},
		"reload: asked":       {fault: licence, exchange: []bifit.Fault{{On: bifit.OnDocument, Skip: 1, Times: 2, Do: bifit.Respond{}}}, reloads: 1},
	}
}

func setRegister(state bifit.State) func(*Shop) {
	return func(s *Shop) { _ = s.BIFIT.SetRegister(serialBIFIT(s), state) } // it is there
}

func registerWell(s *Shop) error { return s.BIFIT.SetRegister(serialBIFIT(s), bifit.RegisterOK) }

func licenceUntil(in time.Duration) func(*Shop) {
	return func(s *Shop) { _ = s.BIFIT.SetLicence(serialBIFIT(s), time.Now().Add(in)) }
}

func licencePaid(s *Shop) error { return s.BIFIT.SetLicence(serialBIFIT(s), time.Now().Add(time.Hour)) }

func fillStorage(s *Shop) { _ = s.BIFIT.SetFNLimit(serialBIFIT(s), 1) }

func newStorage(s *Shop) error {
	serial := serialBIFIT(s)
	if err := s.BIFIT.SetFNLimit(serial, 1000); err != nil {
		return err
	}
	_, err := s.BIFIT.ReplaceFN(serial)
	return err
}

func taxations(mask byte) func(*Shop) {
	return func(s *Shop) { _ = s.BIFIT.SetTaxations(serialBIFIT(s), mask) }
}

func allTaxations(s *Shop) error { return s.BIFIT.SetTaxations(serialBIFIT(s), 0x37) }

// A document that failed is tried again by the daemon only for a cause that
// touches neither the register nor the receipt, and no more than three times;
// for any other a person decides. One document comes of it at most.
func TestBIFITFailures(t *testing.T) {
	t.Parallel()
	sideBySide(t, failures(), func(t *testing.T, f failure) {
		s, till := bifitShop(t, nil, f.config)
		if f.fault != nil {
			s.BIFIT.Fail(bifit.Fault{Do: f.fault})
		}
		for _, x := range f.exchange {
			s.BIFIT.Fail(x)
		}
		if f.before != nil {
			f.before(s)
		}
		p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
		p.registered()
		if f.held != "" {
			p.held(f.held)
			if got := onlyDocument(t, s).Reloads; got != f.alone {
				t.Errorf("tried again %d times without a person, want %d", got, f.alone)
			}
			f.heal(t, s, p)
		}
		if f.ends == "" {
			f.ends = fiscal.Done
		}
		p.ends(f.ends)
		f.checkDocuments(t, s.BIFIT.Documents())
	})
}

func (f failure) checkDocuments(t *testing.T, list []bifit.Document) {
	t.Helper()
	if want := map[bool]int{false: 1, true: 2}[f.again]; len(list) != want {
		t.Fatalf("%d documents, want %d", len(list), want)
	}
	if list[0].Reloads != f.reloads {
		t.Errorf("tried again %d times, want %d", list[0].Reloads, f.reloads)
	}
	if f.again && (list[0].Key == list[1].Key || len(list[0].Made) != 0 || len(list[1].Made) != 1) {
		t.Errorf("begun again: %+v", list)
	}
}

// A broker token that the service does not know stops the reload for a person.
func TestBIFITWrongBroker(t *testing.T) {
	t.Parallel()
	s, till := bifitShop(t, nil, wrongBroker(t))
	s.BIFIT.Fail(bifit.Fault{Do: bifit.FailDocument{Cause: bifit.CauseLicence}})
	p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
	p.held(fiscal.CodeCloudAccount)
	if n := onlyDocument(t, s).Reloads; n != 0 {
		t.Errorf("tried again %d times", n)
	}
	decided(fiscal.ResolveGiveUp)(t, s, p)
	p.ends(fiscal.Abandoned)
}

// A document that stays in the queue is asked for, told of once, and never
// sent a second time.
func TestBIFITStuck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault bifit.Action
		free  func(*Shop) error
	}{
		"stuck": {fault: bifit.Stick{}, free: func(s *Shop) error { return s.BIFIT.Finish(s.BIFIT.Documents()[0].ID) }},
		"busy":  {free: registerWell},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, till := bifitShop(t, nil, quickAlert)
			w := watch(t, s)
			if c.fault != nil {
				s.BIFIT.Fail(bifit.Fault{Do: c.fault})
			} else {
				setRegister(bifit.RegisterBusy)(s)
			}
			p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
			p.registeredWaiting(fiscal.CodeCloudUnconfirmed)
			w.stands("dev/bifit/alert/cloud-unconfirmed")
			refused, err := till.Call(t.Context(), fiscal.VerbCancel, obj{"id": p.id})
			if err != nil || refused.Error == nil || refused.Error.Code != fiscal.CodeNotBegunOnly {
				t.Errorf("cancel: %s, %v", refused.Raw, err)
			}
			if err := c.free(s); err != nil {
				t.Error(err)
			}
			p.ends(fiscal.Done)
			w.cleared("dev/bifit/alert/cloud-unconfirmed")
			if posts := registrations(t, s, bifit.OnRegister); posts != 1 {
				t.Errorf("%d registrations", posts)
			}
		})
	}
}

// What the service does not find, or has not begun for too long, a person may
// decide.
func TestBIFITOverdueIsDecided(t *testing.T) {
	t.Parallel()
	sideBySide(t, map[string]failure{
		"not found, in cabinet": {fault: bifit.NotFound{Queries: -1}, heal: foundInCabinet},
		"unknown status":        {fault: bifit.WrongStatus{Queries: -1}, heal: foundInCabinet},
		"no attributes":         {fault: bifit.LateAttributes{Queries: -1}, heal: foundInCabinet},
		"stuck, given up":       {fault: bifit.Stick{}, heal: decided(fiscal.ResolveGiveUp), ends: fiscal.Abandoned},
		"stuck, begun again":    {fault: bifit.Stick{}, heal: decided(fiscal.ResolveRetry), again: true},
	}, func(t *testing.T, f failure) {
		s, till := bifitShop(t, nil, quickAlert)
		s.BIFIT.Fail(bifit.Fault{Do: f.fault})
		p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
		p.registeredWaiting(fiscal.CodeCloudUnconfirmed)
		f.heal(t, s, p)
		if f.ends == "" {
			f.ends = fiscal.Done
		}
		p.ends(f.ends)
		f.checkDocuments(t, s.BIFIT.Documents())
	})
}

// The clock of a register may be hours off, its storage may be replaced
// between two documents, and ids are wide: all is stored as the service says.
func TestBIFITFiscalDataAsGiven(t *testing.T) {
	t.Parallel()
	emul := quickBIFIT()
	emul.FirstID = bifit.FirstIDWide
	s, till := bifitShop(t, emul, nil)
	var answers []Answer
	for _, do := range []bifit.Action{nil, bifit.MoveClock{By: 5 * time.Hour}, bifit.SwapFN{}, bifit.MoveClock{By: 26 * time.Hour}, nil} {
		if do != nil {
			s.BIFIT.Fail(bifit.Fault{Do: do})
		}
		answers = append(answers, must(t, till, fiscal.VerbSale, byMail(obj{"card": "#"}, kettle())))
	}
	for i, d := range s.BIFIT.Documents() {
		var told struct{ Fiscal struct{ At string } }
		if err := unmarshal(string(answers[i].Raw), &told); err != nil {
			t.Fatal(err)
		}
		if at := d.Fiscal.Time.Format("2006-01-02T15:04:05"); told.Fiscal.At != at || answers[i].Fiscal.FN != d.Fiscal.FN || answers[i].Fiscal.FD != d.Fiscal.FD {
			t.Errorf("document %d is of %s: %+v, told %s", i, at, d.Fiscal, answers[i].Raw)
		}
	}
	if answers[1].Fiscal.FN == answers[2].Fiscal.FN || answers[2].Fiscal.FD >= answers[1].Fiscal.FD {
		t.Errorf("the storage was replaced: %s, then %s", answers[1].Raw, answers[2].Raw)
	}
}
