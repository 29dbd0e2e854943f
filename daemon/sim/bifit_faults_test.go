package sim

import (
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/fiscal"
)

// nuisance is a fault of one exchange with BIFIT that a sale outlives.
type nuisance struct {
	faults  []bifit.Fault
	hurry   bool   // calls end soon without an answer
	told    string // states that the till was told
	posts   int    // registrations that the service has seen; 0: not counted
	renewed string // tokens by: connector, refresh
	waiting fiscal.Code
}

const (
	straight = "accepted working registered done"
	doubted  = "accepted working unknown registered done"
)

func times(n int, on bifit.On, do bifit.Action) []bifit.Fault {
	return []bifit.Fault{{On: on, Times: n, Do: do}}
}

// registerNuisances are those of the registration.
func registerNuisances() map[string]nuisance {
	on := bifit.OnRegister
	list := map[string]nuisance{
		"401 once":       {faults: times(1, on, bifit.Unauthorized{}), told: straight, posts: 2, renewed: "refresh"},
		"401, refresh":   {faults: append(times(1, on, bifit.Unauthorized{}), times(1, bifit.OnRefresh, bifit.RefuseGrant{})...), told: straight, posts: 2, renewed: "connector"},
		"cut after":      {faults: times(1, on, bifit.Cut{}), told: doubted, posts: 2},
		"cut before":     {faults: times(1, on, bifit.Cut{Early: true}), told: doubted, posts: 2},
		"cut thrice":     {faults: times(3, on, bifit.Cut{}), told: doubted, posts: 4},
		"slow after":     {faults: times(1, on, bifit.Slow{}), hurry: true, told: doubted},
		"slow before":    {faults: times(1, on, bifit.Slow{Early: true}), hurry: true, told: doubted},
		"html 200":       {faults: times(1, on, bifit.Respond{Status: 200, HTML: true, After: true}), told: doubted, posts: 2},
		"html 200 early": {faults: times(1, on, bifit.Respond{Status: 200, HTML: true}), told: doubted, posts: 2},
		"html 400":       {faults: times(1, on, bifit.Respond{Status: 400, HTML: true, After: true}), told: doubted, posts: 2},
		"html 404":       {faults: times(1, on, bifit.Respond{Status: 404, HTML: true}), told: doubted, posts: 2},
		"html 502":       {faults: times(1, on, bifit.Respond{Status: 502, HTML: true}), told: doubted, posts: 2},
		"redirect":       {faults: times(1, on, bifit.Respond{Status: 302}), told: doubted, posts: 2},
		"truncated":      {faults: times(1, on, bifit.Truncate{Bytes: 3}), told: doubted, posts: 2},
		"number cut":     {faults: times(1, on, bifit.Truncate{Bytes: 3, Clean: true}), told: doubted, posts: 2},
		"quoted":         {faults: times(1, on, bifit.Quote{}), told: straight, posts: 1},
		"newline":        {faults: times(1, on, bifit.Newline{}), told: straight, posts: 1},
	}
	for name, status := range map[string]int{"500": 500, "502": 502, "503": 503, "504": 504, "408": 408, "429": 429} {
		list[name] = nuisance{faults: times(2, on, bifit.Respond{Status: status}), told: doubted, posts: 3}
		list[name+" after"] = nuisance{faults: times(2, on, bifit.Respond{Status: status, After: true, RetryAfter: time.Second}), told: doubted, posts: 3}
	}
	return list
}

// documentNuisances are those of the question what became of it.
func documentNuisances() map[string]nuisance {
	on := bifit.OnDocument
	list := map[string]nuisance{
		"asked: 401 once":    {faults: times(1, on, bifit.Unauthorized{}), renewed: "refresh"},
		"asked: 401 always":  {faults: times(6, on, bifit.Unauthorized{})},
		"asked: cut":         {faults: times(2, on, bifit.Cut{})},
		"asked: slow":        {faults: times(1, on, bifit.Slow{}), hurry: true},
		"asked: 500":         {faults: times(2, on, bifit.Respond{Status: 500})},
		"asked: 429":         {faults: times(2, on, bifit.Respond{Status: 429, RetryAfter: time.Second})},
		"asked: html 502":    {faults: times(2, on, bifit.Respond{Status: 502, HTML: true})},
		"asked: html 200":    {faults: times(2, on, bifit.Respond{Status: 200, HTML: true})},
		"asked: truncated":   {faults: times(2, on, bifit.Truncate{})},
		"asked: half JSON":   {faults: times(2, on, bifit.Truncate{Clean: true})},
		"asked: newline":     {faults: times(1, on, bifit.Newline{})},
		"backwards":          {faults: []bifit.Fault{{Do: bifit.Backwards{Times: 1}}}},
		"late attributes":    {faults: []bifit.Fault{{Do: bifit.LateAttributes{Queries: 3}}}},
		"unknown status":     {faults: []bifit.Fault{{Do: bifit.WrongStatus{Queries: 3}}}, waiting: fiscal.CodeCloudPending},
		"not found at first": {faults: []bifit.Fault{{Do: bifit.NotFound{Queries: 3}}}, waiting: fiscal.CodeCloudPending},
		"all at once": {faults: append(times(1, bifit.OnRegister, bifit.Unauthorized{}), bifit.Fault{Do: bifit.NotFound{}},
			bifit.Fault{Do: bifit.WrongStatus{Token: "WEDGED"}}, bifit.Fault{Do: bifit.LateAttributes{}}, bifit.Fault{On: on, Do: bifit.Cut{}})},
	}
	for name, n := range list {
		n.told, n.posts = straight, max(n.posts, 1)
		if name == "all at once" {
			n.posts = 2
		}
		list[name] = n
	}
	return list
}

// Every fault of an exchange (reference 14.8) ends in one document under one
// key, and the till is told the doubt where there is one.
func TestBIFITExchangeFaults(t *testing.T) {
	t.Parallel()
	sideBySide(t, registerNuisances(), suffers)
}

func TestBIFITQuestionFaults(t *testing.T) {
	t.Parallel()
	sideBySide(t, documentNuisances(), suffers)
}

func suffers(t *testing.T, n nuisance) {
	s, till := bifitShop(t, nil, func(c *daemon.Config) {
		if n.hurry {
			c.BIFIT.Timeout = daemon.Duration(2 * time.Second)
		}
	})
	look(t, till, daemon.CloudBIFIT) // a token is there
	before := s.BIFIT.TokenRequests()
	for _, f := range n.faults {
		s.BIFIT.Fail(f)
	}
	p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": 1500}, kettle()))
	if n.waiting != "" {
		p.registeredWaiting(n.waiting)
	}
	a := p.ends(fiscal.Done)
	if a.Fiscal == nil || a.Fiscal.FD == 0 || a.Fiscal.Total != 122000 || a.Fiscal.Change != 28000 {
		t.Errorf("%s", a.Raw)
	}
	if p.history() != n.told {
		t.Errorf("told %q, want %q", p.history(), n.told)
	}
	if posts := registrations(t, s, bifit.OnRegister); n.posts > 0 && posts != n.posts {
		t.Errorf("%d registrations, want %d", posts, n.posts)
	}
	onlyDocument(t, s)
	after := s.BIFIT.TokenRequests()
	switch refreshed, fresh := after.Refresh-before.Refresh, after.Connector-before.Connector; {
	case n.renewed == "refresh" && (refreshed != 1 || fresh != 0), n.renewed == "connector" && (refreshed != 1 || fresh != 1):
		t.Errorf("%d refreshes and %d new tokens", refreshed, fresh)
	case n.renewed == "" && !strings.Contains(strings.Join(faultNames(s), " "), "unauthorized") && refreshed+fresh != 0:
		t.Errorf("the token was not kept: %d refreshes and %d new ones", refreshed, fresh)
	}
}

// faultNames lists the faults that requests have met.
func faultNames(s *Shop) (names []string) {
	for _, r := range s.BIFIT.Requests() {
		names = append(names, r.Faults...)
	}
	return names
}

// A token that is refused again and again stops after the second 401, and
// nothing is registered: a cancel ends the sale.
func TestBIFITTokenAlwaysRefused(t *testing.T) {
	t.Parallel()
	s, till := bifitShop(t, nil, nil)
	w := watch(t, s)
	s.BIFIT.Fail(bifit.Fault{On: bifit.OnRegister, Times: -1, Do: bifit.Unauthorized{}})
	p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
	p.waits(fiscal.CodeCloudAccount)
	w.stands("dev/bifit/alert/cloud-account")
	if posts := registrations(t, s, bifit.OnRegister); posts != 2 {
		t.Errorf("%d registrations", posts)
	}
	must(t, till, fiscal.VerbCancel, obj{"id": p.id})
	p.ends(fiscal.Cancelled)
	w.cleared("dev/bifit/alert/cloud-account")
	if list := s.BIFIT.Documents(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// Without a token nothing is sent; the sale waits, and goes when there is one.
func TestBIFITNoToken(t *testing.T) {
	t.Parallel()
	sideBySide(t, map[string]bifit.Action{
		"500": bifit.Respond{Status: 500}, "429": bifit.Respond{Status: 429, RetryAfter: time.Second}, "html": bifit.Respond{Status: 502, HTML: true},
		"cut": bifit.Cut{}, "truncated": bifit.Truncate{}, "half JSON": bifit.Truncate{Clean: true},
	}, func(t *testing.T, do bifit.Action) {
		s, till := bifitShop(t, nil, nil)
		look(t, till, daemon.CloudBIFIT)
		s.BIFIT.ExpireTokens()
		s.BIFIT.Fail(bifit.Fault{On: bifit.OnToken | bifit.OnRefresh, Times: -1, Do: do})
		p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
		p.waits(fiscal.CodeCloudAway)
		look(t, till, daemon.CloudBIFIT)
		s.BIFIT.ClearFaults()
		look(t, till, daemon.CloudBIFIT)
		p.ends(fiscal.Done)
		onlyDocument(t, s)
		if strings.Contains(p.history(), "unknown") {
			t.Errorf("nothing was sent, and the till was told %s", p.history())
		}
	})
}

// What the service refuses in its own words ends the sale; a page of somebody
// on the way would not.
func TestBIFITRefusals(t *testing.T) {
	t.Parallel()
	sideBySide(t, map[string]int{"400": 400, "422": 422}, func(t *testing.T, status int) {
		s, till := bifitShop(t, nil, nil)
		s.BIFIT.Fail(bifit.Fault{On: bifit.OnRegister, Do: bifit.Respond{Status: status}})
		p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
		if a := p.ends(fiscal.Rejected); a.Error == nil || a.Error.Code != fiscal.CodeDeviceRefused {
			t.Errorf("%s", a.Raw)
		}
		if posts := registrations(t, s, bifit.OnRegister); posts != 1 || len(s.BIFIT.Documents()) != 0 {
			t.Errorf("%d registrations, %+v", posts, s.BIFIT.Documents())
		}
	})
}

// A refused repeat says nothing of the request before it: a person decides.
func TestBIFITRepeatRefused(t *testing.T) {
	t.Parallel()
	s, till := bifitShop(t, nil, nil)
	s.BIFIT.Fail(bifit.Fault{On: bifit.OnRegister, Do: bifit.Cut{}})
	s.BIFIT.Fail(bifit.Fault{On: bifit.OnRegister, Skip: 1, Times: -1, Do: bifit.Respond{Status: 400}})
	p := begin(t, till, fiscal.VerbSale, byMail(obj{"cash": "#"}, kettle()))
	p.held(fiscal.CodeNeedsPerson)
	d := onlyDocument(t, s)
	disown2(s, d.Fiscal.FN, d.Fiscal.FD)
	if err := resolve(t, s, p.id, fiscal.ResolveDoneElsewhere, d.Fiscal.FD); err != nil {
		t.Error(err)
	}
	p.ends(fiscal.Done)
}
