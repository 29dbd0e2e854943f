package lifepay

import (
	"errors"
	"log/slog"
	"testing"

	"kassad/devices/web"
	"kassad/fiscal"
)

// FuzzAnswer: whatever a service answers, it is a name or an *Error that says
// what it did, never both and never neither.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"code":0,"message":"","data":{"uuid":"x"}}`, `{"code":"400","data":{"target_serial":["a","b"]}}`, `{"code":0,"data":[]}`, `{"code":500}`, "",
	} {
		f.Add(200, []byte(body), false)
	}
	d, err := New(Options{Login: "70000000001", APIKey: "key", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, test bool) {
		ticket, err := d.judge(web.Answer{Status: status, Body: body}, test)
		if err == nil {
			if status != 200 || !validTicket(ticket) {
				t.Errorf("HTTP %d %q is taken as %q", status, body, ticket)
			}
			return
		}
		var e *fiscal.Error
		switch {
		case !errors.As(err, &e) || ticket != "" || e.Outcome == fiscal.OutcomeUnreachable || e.Code.Info().Code == "":
			t.Errorf("%q beside %v", ticket, err)
		case e.Outcome == fiscal.OutcomeRejected && status != 200:
			t.Errorf("HTTP %d is taken for a refusal: %v", status, e)
		case len([]rune(e.Detail)) > detailMax || len(e.Vendor) > vendorMax:
			t.Errorf("unbounded: %v", e)
		}
	})
}
