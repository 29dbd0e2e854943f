package bifit_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"kassad/devices/emul/bifit"
)

// FuzzRegister: whatever is sent is refused with 400 or ends in one receipt or
// one error; with the checks off as well.
func FuzzRegister(f *testing.F) {
	for _, seed := range []string{coffee, `{}`, `[]`, `254934`, `{"items":[{"price":-1}]}`, `{"total":1e9}`, "{\"type\":\"\xff\"}", `{"payments":{"CASH":99999999.99}}`} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, body string, lax bool) {
		cfg := bifit.Config{Rules: bifit.Rules{Extensions: lax}}
		if lax {
			cfg.Tolerate = bifit.Tolerate{
				NoKey: true, KeyForm: true, ContentType: true, UnknownFields: true, NoItems: true, NoPayments: true, Cashier: true,
				CashierINN: true, Tokens: true, Quantity: true, Price: true, Lines: true, Sum: true, Paid: true, Lengths: true,
			}
		}
		h := newHost(t, cfg)
		a := h.register("a", body)
		if a.status != http.StatusOK && a.status != http.StatusBadRequest {
			t.Fatalf("status %d", a.status)
		}
		h.s.Advance(time.Minute)
		docs, receipts := h.s.Documents(), h.receipts()
		switch {
		case a.status == http.StatusBadRequest:
			if len(docs) != 0 || receipts != 0 {
				t.Fatalf("refused, and %d documents, %d receipts", len(docs), receipts)
			}
		case docs[0].Status == bifit.StatusDone:
			if e := h.s.Ledger()["9999078900100001"][2]; receipts != 1 || e.Total != int64(docs[0].Total) || e.Total < 0 {
				t.Fatalf("%d receipts, %+v of %+v", receipts, e, docs[0])
			}
		case docs[0].Status != bifit.StatusError || receipts != 0:
			t.Fatalf("%d receipts, %+v", receipts, docs[0])
		}
		h.document(bifit.FirstIDDefault)
	})
}

func FuzzReload(f *testing.F) {
	for _, seed := range []string{"[254934]", "[]", "[[254934]]", `["254934"]`, "[-1]", "[1e3]", "[254934,99999999999999999999]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		h := newHost(t, bifit.Config{})
		h.s.Fail(bifit.Fault{Do: bifit.FailDocument{Cause: bifit.CauseFault}})
		id := h.sell("a")
		h.s.Advance(time.Minute)
		a := h.reload(body)
		want := 0
		if a.status == http.StatusOK {
			want = 1
		}
		if got := h.s.Documents()[0].Reloads; got != want {
			t.Fatalf("%q: status %d, %d reloads of %d", body, a.status, got, id)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add("grant_type=token&token=x&client_id=processing-connector-token&client_secret=processing-connector-token")
	f.Add("grant_type=%zz")
	f.Fuzz(func(t *testing.T, body string) {
		h := newHost(t, bifit.Config{})
		a := h.call("POST", base+bifit.TokenPath, body, "Content-Type", "application/x-www-form-urlencoded")
		if a.status == http.StatusOK || a.status >= http.StatusInternalServerError {
			form, _ := url.ParseQuery(body)
			if form.Get("token") != bifit.ConnectorTokenDefault {
				t.Fatalf("%q is answered with %d", body, a.status)
			}
		}
	})
}

func FuzzParseFault(f *testing.F) {
	f.Add("do=cut&on=register")
	f.Add("do=respond&status=204&retry-after=-1s")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		fault, err := bifit.ParseFault(q)
		if (err == nil) != (fault.Do != nil) {
			t.Fatalf("%q: %+v, %v", query, fault, err)
		}
	})
}
