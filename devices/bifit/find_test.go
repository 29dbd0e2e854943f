package bifit

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

// doneAnswer is a document of reference 7.
const doneAnswer = `{"id":254934,"status":"DONE","type":"SALE","total":150.00,"created":1795000000000,"changed":1795000003000,
 "fiscal":{"fnNumber":"9999078900012345","fiscalDocumentNumber":1042,"fiscalSign":"0849583049","shiftNumber":17,"receiptNumber":5,
 "dateTime":"2026-11-22T12:04:31","kktRegistrationNumber":"0000000001023456","kktSerialNumber":"00106900000001",
 "ofdName":"x","ofdInn":"7707083893","fnsSite":"nalog.gov.ru"},"extra":[{}]}`

// with replaces a part of doneAnswer.
func with(old, replacement string) string { return strings.Replace(doneAnswer, old, replacement, 1) }

func TestFindMade(t *testing.T) {
	t.Parallel()
	f, d := serve(t, map[string][]reply{documentPath: {{status: 200, body: doneAnswer}}})
	v, err := d.Find(t.Context(), refOf(t, d, "254934"))
	if err != nil || v.Finding != fiscal.Made {
		t.Fatalf("%+v, %v", v, err)
	}
	want := fiscal.Receipt{
		Kind: "sale", Device: "00106900000001", Storage: "9999078900012345", FD: 1042, Sign: 849583049, Shift: 17, Number: 5,
		At: time.Date(2026, 11, 22, 12, 4, 31, 0, time.UTC), Total: 150_00, Change: 50_00, Registration: "0000000001023456", Ticket: "254934",
	}
	if v.Receipt != want {
		t.Errorf("got  %+v\nwant %+v", v.Receipt, want)
	}
	calls := f.asked(documentPath)
	if len(calls) != 1 || calls[0].method != http.MethodGet || calls[0].body != "" || calls[0].header.Get("Authorization") != "Bearer access-1" {
		t.Errorf("%+v", calls)
	}
	if len(f.asked(registerPath)) != 0 {
		t.Error("a document with a ticket was registered")
	}
}

// TestFindByTicket has the statuses of reference 8, the forms of 7 and the
// answers of 14.8.
func TestFindByTicket(t *testing.T) {
	t.Parallel()
	const pend, made = fiscal.Pending, fiscal.Made
	for name, c := range map[string]struct {
		body string
		want fiscal.Finding
		err  string // code of the verdict's
		part string // of the error's text
	}{
		"new":                 {`{"id":254934,"status":"NEW","total":150.00}`, pend, "", ""},
		"queued":              {`{"id":254934,"status":"QUEUED"}`, pend, "", ""},
		"registering":         {`{"status":"REGISTERING"}`, pend, "", ""},
		"unknown status":      {`{"status":"WAIT_OFD"}`, pend, "cloud-pending", "WAIT_OFD"},
		"no status":           {`{}`, pend, "cloud-pending", ""},
		"done, no data":       {`{"status":"DONE"}`, pend, "", ""},
		"done, null":          {`{"status":"DONE","fiscal":null}`, pend, "", ""},
		"no FN":               {with(`"fnNumber":"9999078900012345",`, ""), pend, "", ""},
		"no FD":               {with(`"fiscalDocumentNumber":1042,`, ""), pend, "", ""},
		"no sign":             {with(`"fiscalSign":"0849583049",`, ""), pend, "", ""},
		"odd FN":              {with("9999078900012345", "unknown"), pend, "cloud-pending", "unknown"},
		"long FN":             {with("9999078900012345", "99990789000123456"), pend, "cloud-pending", "99990789000123456"},
		"FD zero":             {with(":1042", ":0"), pend, "cloud-pending", "FD 0"},
		"FD too big":          {with(":1042", ":4294967296"), pend, "cloud-pending", "4294967296"},
		"sign too big":        {with("0849583049", "4294967296"), pend, "cloud-pending", "4294967296"},
		"sign as number":      {with(`"0849583049"`, "849583049"), made, "", ""},
		"FD as text":          {with(":1042", `:"1042"`), made, "", ""},
		"no time":             {with(`"dateTime":"2026-11-22T12:04:31",`, ""), made, "", ""},
		"no total":            {with(`"total":150.00,`, ""), made, "", ""},
		"total in short":      {with("150.00", "150"), made, "", ""},
		"total in long":       {with("150.00", `"150.0000"`), made, "", ""},
		"another total":       {with("150.00", "150.01"), pend, "cloud-fault", "150.01"},
		"part of a kopeck":    {with("150.00", "150.001"), pend, "cloud-fault", "150.001"},
		"total as power":      {with("150.00", "1.5e2"), pend, "cloud-fault", "1.5e2"},
		"another type":        {with("SALE", "SALE_RETURN"), pend, "cloud-fault", "SALE_RETURN"},
		"another number":      {with("254934", "254935"), pend, "cloud-fault", "254935"},
		"another's failure":   {`{"id":254935,"status":"ERROR","error":{"code":"LICENSE_EXPIRED"}}`, pend, "cloud-fault", "254935"},
		"failed":              {`{"status":"ERROR"}`, fiscal.Failed, "cloud-failed", "unknown"},
		"failed, but in text": {`{"status":"ERROR","error":"broken"}`, fiscal.Failed, "cloud-failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, d := serve(t, map[string][]reply{documentPath: {{status: 200, body: c.body}}})
			v, err := d.Find(t.Context(), refOf(t, d, "254934"))
			if err != nil || v.Finding != c.want || v.Receipt.Ticket != "254934" {
				t.Fatalf("%+v, %v", v, err)
			}
			if v.Finding != made && v.Receipt != (fiscal.Receipt{Ticket: "254934"}) {
				t.Errorf("more than a ticket: %+v", v.Receipt)
			}
			if (v.Err != nil) != (c.err != "") || v.Err != nil && string(v.Err.Code) != c.err {
				t.Fatalf("error %v, want %q", v.Err, c.err)
			}
			if v.Err != nil {
				contains(t, v.Err.Error(), c.part)
			}
		})
	}
}

// TestFindFailed has the reasons of reference 9.
func TestFindFailed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, class string
		reload      bool
	}{
		{"KKT_FAULT", "device", false}, {"INVALID_DATA", "data", false}, {"LICENSE_EXPIRED", "license", true},
		{"FN_LIMIT_REACHED", "fn-limit", true}, {"SOMETHING", "unknown", false}, {"OWN", "license", true},
	} {
		for _, broker := range []string{brokerSecret, ""} {
			_, d := serve(t, map[string][]reply{documentPath: {{status: 200, body: `{"status":"ERROR","error":{"code":"` + c.code + `","message":"why"}}`}}},
				func(o *Options) { o.BrokerToken, o.Tokens = broker, map[string]string{"error.OWN": "license"} })
			v, err := d.Find(t.Context(), refOf(t, d, "254934"))
			if err != nil || v.Finding != fiscal.Failed {
				t.Fatalf("%s: %+v, %v", c.code, v, err)
			}
			if v.Reload != (c.reload && broker != "") {
				t.Errorf("%s, broker token %t: reload %t", c.code, broker != "", v.Reload)
			}
			if v.Err.Code != fiscal.CodeCloudFailed || v.Err.Vendor != c.code || !strings.HasSuffix(v.Err.Detail, c.class+": why") ||
				c.reload && strings.Contains(v.Err.Detail, "not available") != (broker == "") {
				t.Errorf("%s: %v", c.code, v.Err)
			}
		}
	}
}

func TestFindNotAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer reply
		want   string
	}{
		"fault":       {reply{status: 500}, "cloud-away unreachable"},
		"overload":    {reply{status: 429, after: "9"}, "cloud-away unreachable"},
		"page":        {reply{status: 502, body: "<html>"}, "cloud-away unreachable"},
		"page as 200": {reply{status: 200, body: "<html>"}, "cloud-away unreachable"},
		"half":        {reply{status: 200, body: doneAnswer[:200]}, "cloud-away unreachable"},
		"array":       {reply{status: 200, body: "[1]"}, "cloud-away unreachable"},
		"null":        {reply{status: 200, body: "null"}, "cloud-away unreachable"},
		"cut":         {reply{status: 200, body: "{", cut: true}, "cloud-away unreachable"},
		"closed":      {reply{hang: true}, "cloud-away unreachable"},
		"no right":    {reply{status: 403}, "cloud-account rejected"},
		"no method":   {reply{status: 405}, "cloud-account rejected"},
		"bad request": {reply{status: 400}, "cloud-account rejected"},
	} {
		_, d := serve(t, map[string][]reply{documentPath: {c.answer}})
		v, err := d.Find(t.Context(), refOf(t, d, "254934"))
		expect(t, err, c.want)
		if v.Finding != 0 {
			t.Errorf("%s: a finding beside an error", name)
		}
	}
}

// TestFreshNumber: 404 at first, then the document goes its way, also backwards
// (reference 14.8). It is never registered again.
func TestFreshNumber(t *testing.T) {
	t.Parallel()
	f, d := serve(t, map[string][]reply{documentPath: {
		{status: 404}, {status: 404, body: "<html>"}, {status: 200, body: `{"status":"REGISTERING"}`}, {status: 200, body: `{"status":"QUEUED"}`},
		{status: 200, body: `{"status":"DONE"}`}, {status: 200, body: doneAnswer},
	}})
	ref := refOf(t, d, "254934")
	for i, want := range []string{"cloud-pending", "cloud-pending", "", "", ""} {
		v, err := d.Find(t.Context(), ref)
		if err != nil || v.Finding != fiscal.Pending || (v.Err != nil) != (want != "") || v.Err != nil && string(v.Err.Code) != want {
			t.Fatalf("question %d: %+v, %v", i, v, err)
		}
	}
	if v, err := d.Find(t.Context(), ref); err != nil || v.Finding != fiscal.Made {
		t.Fatalf("%+v, %v", v, err)
	}
	if len(f.asked(registerPath)) != 0 {
		t.Error("a second document was sent")
	}
}

func TestRegisterClockAndStorageAsGiven(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]time.Time{
		"2026-11-23T03:04:31":       time.Date(2026, 11, 23, 3, 4, 31, 0, time.UTC),
		"2026-11-22 12:04:31":       time.Date(2026, 11, 22, 12, 4, 31, 0, time.UTC),
		"2026-11-22T12:04:31.5":     time.Date(2026, 11, 22, 12, 4, 31, 0, time.UTC),
		"2026-11-22T12:04:31+03:00": time.Date(2026, 11, 22, 12, 4, 31, 0, time.UTC),
		"yesterday":                 {},
	} {
		body := strings.Replace(with("2026-11-22T12:04:31", given), `"fiscalDocumentNumber":1042`, `"fiscalDocumentNumber":1`, 1)
		_, d := serve(t, map[string][]reply{documentPath: {{status: 200, body: body}}})
		v, err := d.Find(t.Context(), refOf(t, d, "254934"))
		if err != nil || v.Finding != fiscal.Made || !v.Receipt.At.Equal(want) || v.Receipt.FD != 1 {
			t.Errorf("%s: %+v, %v", given, v, err)
		}
	}
}

func TestForeignTicket(t *testing.T) {
	t.Parallel()
	f, d := serve(t, nil)
	_, err := d.Find(t.Context(), refOf(t, d, "../reload"))
	expect(t, err, "needs-person rejected")
	if len(f.requests) != 0 {
		t.Error("it was asked for")
	}
}

// TestOwnWords: the placeholders of the table, replaced by configuration.
func TestOwnWords(t *testing.T) {
	t.Parallel()
	f, d := serve(t, map[string][]reply{"/docs/254934/info": {
		{status: 200, body: `{"state":"Выполнен?"}`},
		{status: 200, body: `{"state":"FISCALIZED","data":{"kkt":{"fn":"9999078900012345"},"fd":7,"fpd":"1"}}`},
	}}, func(o *Options) {
		o.Tokens = map[string]string{
			"path.document": "/docs/{id}/info", "status.DONE": "DONE,FISCALIZED", "answer.status": "status,state",
			"answer.fn": "data.kkt.fn", "answer.fd": "data.fd", "answer.fp": "data.fp,data.fpd",
		}
	})
	v, err := d.Find(t.Context(), refOf(t, d, "254934"))
	if err != nil || v.Finding != fiscal.Pending || v.Err == nil {
		t.Fatalf("%+v, %v", v, err)
	}
	v, err = d.Find(t.Context(), refOf(t, d, "254934"))
	if err != nil || v.Finding != fiscal.Made || v.Receipt.FD != 7 || v.Receipt.Sign != 1 || v.Receipt.Device != device {
		t.Fatalf("%+v, %v; asked %d", v, err, len(f.requests))
	}
}
