package lifepay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/devices/lifepay"
	"kassad/devices/web"
	"kassad/fiscal"
)

// TestRepeatsAreIdentical: the same bytes go out each time, and the receipt
// names what the service said.
func TestRepeatsAreIdentical(t *testing.T) {
	t.Parallel()
	f, base := serve(t, http.StatusOK, accepted())
	d := driver(t, lifepay.Options{BaseURL: base})
	doc := resolve(t, sale(fruits(t)...))
	b := prepare(t, d, doc)
	r, err := d.Submit(t.Context(), doc, b)
	want := fiscal.Receipt{Kind: "sale", Device: "lifepay", Ticket: testUUID, Key: b.Cloud.Key, Total: 23945}
	if err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	ref := fiscal.Ref{Document: doc, Baseline: b}
	for range 2 {
		v, err := d.Find(t.Context(), ref)
		if err != nil || v.Finding != fiscal.Pending || v.Receipt.Ticket != testUUID || v.Err != nil {
			t.Errorf("%+v, %v", v, err)
		}
	}
	sent := f.sent()
	if len(sent) != 3 || sent[0] != sent[1] || sent[1] != sent[2] || f.paths[2] != b.Cloud.Path {
		t.Errorf("sent %q to %q", sent, f.paths)
	}
	if want := `{"apikey":"` + testKey + `","login":"` + testLogin + `",` + string(b.Cloud.Body[1:]); sent[0] != want {
		t.Errorf("sent %s\nwant %s", sent[0], want)
	}
	ref.Ticket = "known"
	v, err := d.Find(t.Context(), ref)
	if err != nil || v.Finding != fiscal.Pending || v.Receipt.Ticket != "known" || len(f.sent()) != 3 {
		t.Errorf("%+v, %v: with a ticket nothing is to be asked", v, err)
	}
}

// TestAnswers is each code of reference 1.3, and the tolerance of 1.6.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const (
		taken    = fiscal.Code("")
		rejected = fiscal.OutcomeRejected
		unknown  = fiscal.OutcomeUnknown
	)
	serial := `{"code":400,"message":"Ошибка данных.","data":{"target_serial":["Принтер не найден."]}}`
	for name, test := range map[string]struct {
		status  int
		answer  string
		code    fiscal.Code
		outcome fiscal.Outcome
		vendor  string
		detail  string
	}{
		"0":                       {200, accepted(), taken, 0, "", ""},
		"0 as text":               {200, `{"code":"0","data":{"uuid":"` + testUUID + `"}}`, taken, 0, "", ""},
		"more fields":             {200, `{"v":2,"code":0,"code":0,"message":null,"data":{"uuid":"` + testUUID + `","x":[1]},"y":{}}`, taken, 0, "", ""},
		"0, data {}":              {200, `{"code":0,"message":"","data":{}}`, fiscal.CodeCloudFault, unknown, "0", "without a uuid"},
		"0, data []":              {200, `{"code":0,"message":"","data":[]}`, fiscal.CodeCloudFault, unknown, "0", ""},
		"0, data null":            {200, `{"code":0,"data":null}`, fiscal.CodeCloudFault, unknown, "0", ""},
		"0, no data":              {200, `{"code":0}`, fiscal.CodeCloudFault, unknown, "0", ""},
		"0, wrong uuid":           {200, `{"code":0,"data":{"uuid":"a b"}}`, fiscal.CodeCloudFault, unknown, "0", ""},
		"0, long uuid":            {200, `{"code":0,"data":{"uuid":"` + strings.Repeat("a", 65) + `"}}`, fiscal.CodeCloudFault, unknown, "0", ""},
		"400":                     {200, `{"code":400,"message":"Ошибка данных.","data":{"purchase":["Ошибка в позиции 1: X"],"login":"не 7"}}`, fiscal.CodeDeviceRefused, rejected, "400", "Ошибка данных.; login: не 7; purchase: Ошибка в позиции 1: X"},
		"400 as text":             {200, `{"code":"400","data":[]}`, fiscal.CodeDeviceRefused, rejected, "400", ""},
		"400, unknown printer":    {200, serial, fiscal.CodeCloudAccount, rejected, "400", "target_serial: Принтер не найден."},
		"400, data of no shape":   {200, `{"code":400,"data":{"a":{"b":1},"c":[1,"d",null]}}`, fiscal.CodeDeviceRefused, rejected, "400", "c: 1 d"},
		"400, control characters": {200, `{"code":400,"message":"a\u0000\nb"}`, fiscal.CodeDeviceRefused, rejected, "400", "a  b"},
		"500":                     {200, `{"code":500,"message":"x","data":{}}`, fiscal.CodeCloudFault, unknown, "500", "x"},
		"6000":                    {200, `{"code":6000}`, fiscal.CodeDeviceRefused, rejected, "6000", ""},
		"6009":                    {200, `{"code":6009}`, fiscal.CodeCloudAccount, rejected, "6009", ""},
		"6010":                    {200, `{"code":6010,"message":"…","data":{}}`, fiscal.CodeCloudAccount, rejected, "6010", ""},
		"6080":                    {200, `{"code":6080}`, fiscal.CodeCloudAccount, rejected, "6080", ""},
		"6095":                    {200, `{"code":6095}`, fiscal.CodeCloudAccount, rejected, "6095", ""},
		"429":                     {200, `{"code":429}`, fiscal.CodeCloudAway, rejected, "429", ""},
		"6020, of bills":          {200, `{"code":6020}`, fiscal.CodeCloudFault, unknown, "6020", ""},
		"3896, of a device":       {200, `{"code":3896}`, fiscal.CodeCloudFault, unknown, "3896", ""},
		"3975, of a device":       {200, `{"code":3975}`, fiscal.CodeCloudFault, unknown, "3975", ""},
		"negative":                {200, `{"code":-1}`, fiscal.CodeCloudFault, unknown, "-1", ""},
		"HTTP 429":                {429, `{"code":429}`, fiscal.CodeCloudAway, unknown, "HTTP 429", ""},
		"HTTP 400":                {400, `{"code":400}`, fiscal.CodeCloudAway, unknown, "HTTP 400", ""},
		"HTTP 503":                {503, "", fiscal.CodeCloudAway, unknown, "HTTP 503", ""},
		"HTTP 302":                {302, accepted(), fiscal.CodeCloudAway, unknown, "HTTP 302", ""},
		"HTTP 201":                {201, accepted(), fiscal.CodeCloudAway, unknown, "HTTP 201", ""},
		"empty":                   {200, "", fiscal.CodeCloudAway, unknown, "", ""},
		"a page":                  {200, "<html>", fiscal.CodeCloudAway, unknown, "", ""},
		"broken off":              {200, `{"code":0,"data":{"uu`, fiscal.CodeCloudAway, unknown, "", ""},
		"an array":                {200, `[]`, fiscal.CodeCloudAway, unknown, "", ""},
		"null":                    {200, `null`, fiscal.CodeCloudAway, unknown, "", ""},
		"no code":                 {200, `{"data":{"uuid":"` + testUUID + `"}}`, fiscal.CodeCloudAway, unknown, "", ""},
		"code null":               {200, `{"code":null}`, fiscal.CodeCloudAway, unknown, "", ""},
		"code of no number":       {200, `{"code":"zero"}`, fiscal.CodeCloudAway, unknown, "", ""},
		"code empty":              {200, `{"code":""}`, fiscal.CodeCloudAway, unknown, "", ""},
		"code true":               {200, `{"code":true}`, fiscal.CodeCloudAway, unknown, "", ""},
		"two objects":             {200, accepted() + accepted(), fiscal.CodeCloudAway, unknown, "", ""},
		"too long":                {200, accepted() + strings.Repeat(" ", web.AnswerMax), fiscal.CodeCloudAway, unknown, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, base := serve(t, test.status, test.answer)
			d := driver(t, lifepay.Options{BaseURL: base})
			doc := resolve(t, sale(fruits(t)...))
			b := prepare(t, d, doc)
			_, submitted := d.Submit(t.Context(), doc, b)
			v, found := d.Find(t.Context(), fiscal.Ref{Document: doc, Baseline: b})
			reported := d.PrintXReport(t.Context())
			if n := len(f.sent()); n != 3 {
				t.Errorf("%d requests", n)
			}
			for _, err := range []error{submitted, found, reported} {
				if test.code == taken {
					if err != nil || v.Receipt.Ticket != testUUID {
						t.Errorf("%+v, %v", v, err)
					}
					continue
				}
				if v.Finding != 0 {
					t.Errorf("a verdict beside an error: %+v", v)
				}
				if e := wantError(t, err, test.code, test.outcome); e.Vendor != test.vendor || !strings.Contains(e.Detail, test.detail) {
					t.Errorf("vendor %q, detail %q", e.Vendor, e.Detail)
				}
			}
		})
	}
}

// TestTestMode: nothing was made, and the saved request tells that nothing was
// asked for.
func TestTestMode(t *testing.T) {
	t.Parallel()
	_, base := serve(t, http.StatusOK, `{"code":0,"message":"","data":[]}`)
	trial, real := driver(t, lifepay.Options{BaseURL: base, Test: true}), driver(t, lifepay.Options{BaseURL: base})
	doc := resolve(t, sale(fruits(t)...))
	_, err := real.Submit(t.Context(), doc, prepare(t, trial, doc))
	wantError(t, err, fiscal.CodeTestMode, fiscal.OutcomeRejected)
	_, err = trial.Submit(t.Context(), doc, prepare(t, real, doc))
	wantError(t, err, fiscal.CodeCloudFault, fiscal.OutcomeUnknown)
}

// TestFaultsOfTheWay: only a call of which nothing was sent is unreachable.
func TestFaultsOfTheWay(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	for name, test := range map[string]struct {
		handler http.HandlerFunc // nil: nobody listens
		outcome fiscal.Outcome
	}{
		"nobody":     {nil, fiscal.OutcomeUnreachable},
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fiscal.OutcomeUnknown},
		"silent":     {func(http.ResponseWriter, *http.Request) { <-gone }, fiscal.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(test.handler)
			if test.handler == nil {
				s.Close()
			} else {
				t.Cleanup(s.CloseClientConnections)
			}
			d := driver(t, lifepay.Options{BaseURL: s.URL, Timeout: 300 * time.Millisecond})
			doc := resolve(t, sale(fruits(t)...))
			b := prepare(t, d, doc)
			_, err := d.Submit(t.Context(), doc, b)
			wantError(t, err, fiscal.CodeCloudAway, test.outcome)
			_, err = d.Find(t.Context(), fiscal.Ref{Document: doc, Baseline: b})
			wantError(t, err, fiscal.CodeCloudAway, test.outcome)
		})
	}
}

// TestLostAnswer: the service has taken the document and the answer is lost;
// the repeat is answered with the first document's name.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	f := &fake{status: http.StatusOK, answer: accepted()}
	lost := make(chan struct{}, 1)
	lost <- struct{}{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-lost:
			f.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			f.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	d := driver(t, lifepay.Options{BaseURL: s.URL})
	doc := resolve(t, sale(fruits(t)...))
	b := prepare(t, d, doc)
	_, err := d.Submit(t.Context(), doc, b)
	wantError(t, err, fiscal.CodeCloudAway, fiscal.OutcomeUnknown)
	v, err := d.Find(t.Context(), fiscal.Ref{Document: doc, Baseline: b})
	sent := f.sent()
	if err != nil || v.Receipt.Ticket != testUUID || len(sent) != 2 || sent[0] != sent[1] {
		t.Errorf("%+v, %v, sent %q", v, err, sent)
	}
}

func TestNothingPrepared(t *testing.T) {
	t.Parallel()
	f, base := serve(t, http.StatusOK, accepted())
	d := driver(t, lifepay.Options{BaseURL: base})
	for _, call := range []*fiscal.CloudCall{nil, {Path: "/x"}, {Path: "/x", Body: []byte("{}")}, {Path: "/x", Body: []byte("[1,2,3,4]")}} {
		_, err := d.Submit(t.Context(), fiscal.Document{}, fiscal.Baseline{Cloud: call})
		wantError(t, err, fiscal.CodeNeedsPerson, fiscal.OutcomeUnreachable)
	}
	if len(f.sent()) != 0 {
		t.Error("something was sent")
	}
}

// TestPrintVerbs: each report and slip has a key of its own.
func TestPrintVerbs(t *testing.T) {
	t.Parallel()
	f, base := serve(t, http.StatusOK, accepted())
	d := driver(t, lifepay.Options{BaseURL: base})
	for range 2 {
		if err := d.PrintXReport(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := d.PrintText(t.Context(), []string{"Слоган"}, true); err != nil {
		t.Error(err)
	}
	wantError(t, d.PrintText(t.Context(), []string{"", " "}, true), fiscal.CodeEmpty, fiscal.OutcomeRejected)
	wantError(t, d.PrintText(t.Context(), []string{strings.Repeat("я", 129)}, true), fiscal.CodeTooLong, fiscal.OutcomeRejected)
	if !slices.Equal(f.paths, []string{"/cloud-print/create-x-report", "/cloud-print/create-x-report", "/cloud-print/create-non-fiscal-receipt"}) {
		t.Errorf("called %q", f.paths)
	}
	keys := map[any]bool{}
	for _, body := range f.sent() {
		key := fields(t, []byte(body))["ext_id"]
		if s, _ := key.(string); len(s) < 26 || len(s) > 50 {
			t.Errorf("key %q", key)
		}
		keys[key] = true
	}
	if len(keys) != 3 {
		t.Errorf("keys %v", keys)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 302, 404, 500, 503} { // what answers is there
		f, base := serve(t, status, "x")
		if _, err := driver(t, lifepay.Options{BaseURL: base}).Status(t.Context()); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		if sent := f.sent(); len(sent) != 1 || sent[0] != "" {
			t.Errorf("%d: sent %q", status, sent)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := driver(t, lifepay.Options{BaseURL: "http://127.0.0.1:1"}).Status(ctx)
	wantError(t, err, fiscal.CodeCloudAway, fiscal.OutcomeUnreachable)
}

// TestAnotherAccount: under another login the same key would be another
// document.
func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	var drivers []*lifepay.Driver
	for _, login := range []string{"70000000001", "70000000002"} {
		d, err := lifepay.New(lifepay.Options{Login: login, APIKey: "a", BaseURL: "http://127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		drivers = append(drivers, d)
	}
	doc := fiscal.Document{ID: "a", Verb: fiscal.VerbShiftOpen, Stem: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
	base, err := drivers[0].Prepare(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	v, err := drivers[1].Find(t.Context(), fiscal.Ref{Document: doc, Baseline: base})
	if err != nil || v.Finding != fiscal.OtherStorage {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := drivers[0].Find(t.Context(), fiscal.Ref{Document: doc, Baseline: base}); err == nil {
		t.Error("the own account was not asked")
	}
}
