package daemon

import (
	"testing"
	"time"

	"kassad/fiscal"
)

func TestFitness(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	var f fitness
	check := func(what string, s int, ill time.Duration, why fiscal.Code, may bool) {
		t.Helper()
		got, code := f.ill(at(s))
		if got != ill || code != why || f.may(at(s)) != may {
			t.Errorf("%s: ill %v of %q, may %v; want %v of %q, %v", what, got, code, f.may(at(s)), ill, why, may)
		}
	}
	check("well", 0, 0, "", true)
	f.stands(at(0), fiscal.CodePaperOut)
	f.stands(at(5), fiscal.CodeCoverOpen)
	check("a status stands", 10, 10*time.Second, fiscal.CodeCoverOpen, false)
	f.stands(at(10), "")
	check("and heals", 10, 0, "", true)

	f.failed(at(0), fiscal.CodeCloudAccount, false, breakMax)
	check("a document failed", 10, 10*time.Second, fiscal.CodeCloudAccount, false)
	check("one may try", 30, 30*time.Second, fiscal.CodeCloudAccount, true)
	f.failed(at(30), fiscal.CodeCloudAccount, false, breakMax)
	if rest := f.rest(at(30)); rest != time.Minute {
		t.Errorf("the second failure rests %v", rest)
	}
	for range 20 {
		f.failed(at(30), fiscal.CodeCloudAway, false, breakMax)
	}
	if rest := f.rest(at(30)); rest != breakMax {
		t.Errorf("many failures rest %v", rest)
	}
	f.worked()
	check("an answer closes it", 31, 0, "", true)

	f.failed(at(0), fiscal.CodeCloudAway, false, breakMax)
	f.stands(at(0), fiscal.CodeCloudAway)
	check("a dead line is not tried with documents", 60, time.Minute, fiscal.CodeCloudAway, false)
	f.heal()
	check("the line is back", 60, 0, "", true)
	f.failed(at(0), fiscal.CodeShiftClosed, false, breakFirst)
	f.heal()
	check("what no status shows stays", 10, 10*time.Second, fiscal.CodeShiftClosed, false)
	f.worked()

	f.failed(at(0), fiscal.CodeFNMissing, true, breakFirst)
	f.prepared()
	f.heal()
	check("nor what fails after it was prepared", 10, 10*time.Second, fiscal.CodeFNMissing, false)
	f.worked()

	f.failed(at(0), fiscal.CodePaperOut, true, breakFirst)
	f.stands(at(1), fiscal.CodePaperOut)
	f.heal()
	check("what a status has shown heals with it", 2, 0, "", true)

	f.doubt(at(0), true)
	f.stands(at(1), fiscal.CodePrinterAway)
	check("in doubt", 2, 2*time.Second, fiscal.CodeUnknownPending, false)
	f.worked()
	check("a document elsewhere does not end the doubt", 3, 3*time.Second, fiscal.CodeUnknownPending, false)
	f.doubt(at(4), false)
	check("found out", 4, 0, "", true)
}
