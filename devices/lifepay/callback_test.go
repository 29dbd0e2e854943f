package lifepay_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"kassad/devices/lifepay"
	"kassad/fiscal"
)

const multipartType = "multipart/form-data; boundary=b1"

// asMultipart is the form of transcript A.2.
func asMultipart(data string) string {
	return "--b1\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n" +
		"--b1\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n" + data + "\r\n--b1--\r\n"
}

func asForm(data string) string { return url.Values{"data": {data}, "x": {"1"}}.Encode() }

// TestCallbackForms: each form is read under each name.
func TestCallbackForms(t *testing.T) {
	t.Parallel()
	data := `{"uuid":"` + testUUID + `","ofd_url":"https://ofd.example/r/1?a=1&b=2;c","error_code":null,"callback_data":{"order":1001}}`
	d := driver(t, lifepay.Options{})
	for form, body := range map[string]string{
		"multipart": asMultipart(data), "multipart, bare lines": strings.ReplaceAll(asMultipart(data), "\r\n", "\n"),
		"urlencoded": asForm(data), "urlencoded, first": "data=" + url.QueryEscape(data), "JSON": data, "JSON with spaces": " \n" + data + "\n",
		"JSON in JSON": `{"data":` + data + `}`, "text in JSON": `{"data":"` + strings.ReplaceAll(data, `"`, `\"`) + `"}`,
	} {
		for _, contentType := range []string{
			"", multipartType, "multipart/form-data", "multipart/form-data; boundary=wrong", "application/x-www-form-urlencoded",
			"application/json", "text/plain; =", "\x00",
		} {
			v, err := d.ReadCallback(contentType, []byte(body))
			if err != nil || v.Finding != fiscal.Made || v.Receipt.Ticket != testUUID || v.Receipt.URL != "https://ofd.example/r/1?a=1&b=2;c" {
				t.Errorf("%s as %q: %+v, %v", form, contentType, v, err)
			}
		}
	}
}

func TestMalformedCallbacks(t *testing.T) {
	t.Parallel()
	d := driver(t, lifepay.Options{})
	for _, body := range []string{
		"", " ", "null", "[]", "1", `"x"`, "{", "--", "--\n", "----\n--", "data", "data=", "data=%7B", "data=[]", "x=1", "%zz", asMultipart(""), asMultipart("{"),
		"--b1\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{}", strings.Repeat(" ", 64<<10) + "{}",
	} {
		if v, err := d.ReadCallback(multipartType, []byte(body)); err == nil || v.Finding != 0 {
			t.Errorf("%.40q: %+v, %v", body, v, err)
		}
	}
}

func TestCallbackVerdicts(t *testing.T) {
	t.Parallel()
	const (
		made    = fiscal.Made
		pending = fiscal.Pending
		failed  = fiscal.Failed
	)
	for name, test := range map[string]struct {
		data    string
		finding fiscal.Finding
		code    fiscal.Code // of Err; "": none
		vendor  string
		detail  string
	}{
		"processed":                     {`"status":"processed","error_code":0`, made, "", "", ""},
		"PROCESSED":                     {`"status":"PROCESSED"`, made, "", "", ""},
		"waiting for retry":             {`"status":"waiting for retry"`, pending, fiscal.CodeCloudPending, "", ""},
		"waiting_retry":                 {`"status":"waiting_retry","error_code":"12","error_message":"нет бумаги"`, pending, fiscal.CodeCloudPending, "12", "нет бумаги"},
		"Waiting-For-Retry":             {`"status":"Waiting-For-Retry","ofd_url":"https://ofd.example/1"`, pending, fiscal.CodeCloudPending, "", ""},
		"error 3896":                    {`"status":"error","error_code":3896,"error_message":"много"`, failed, fiscal.CodeCloudFailed, "3896", "много"},
		"error as text":                 {`"status":"error","error_code":"-3975"`, failed, fiscal.CodeCloudFailed, "-3975", ""},
		"error without a code":          {`"status":"error","error_code":0`, failed, fiscal.CodeCloudFailed, "", ""},
		"link alone":                    {`"ofd_url":"https://ofd.example/1","error_code":""`, made, "", "", ""},
		"link, false":                   {`"ofd_url":"https://ofd.example/1","error_code":false`, made, "", "", ""},
		"link, \"0\"":                   {`"ofd_url":"https://ofd.example/1","error_code":"0"`, made, "", "", ""},
		"link, []":                      {`"ofd_url":"https://ofd.example/1","error_code":[]`, made, "", "", ""},
		"link, no status":               {`"ofd_url":"https://ofd.example/1","status":null`, made, "", "", ""},
		"code alone":                    {`"error_code":3896`, pending, fiscal.CodeCloudPending, "3896", ""},
		"code true":                     {`"error_code":true`, pending, fiscal.CodeCloudPending, "true", ""},
		"code and link":                 {`"error_code":1,"ofd_url":"https://ofd.example/1"`, pending, fiscal.CodeCloudPending, "1", ""},
		"processed with a code":         {`"status":"processed","error_code":3896`, pending, fiscal.CodeCloudPending, "3896", ""},
		"nothing":                       {`"x":1`, pending, "", "", ""},
		"empty link":                    {`"ofd_url":"","error_code":0`, pending, "", "", ""},
		"unknown status":                {`"status":"printing"`, pending, fiscal.CodeCloudPending, "", "the status printing is not known"},
		"unknown status and link":       {`"status":"cancelled","ofd_url":"https://ofd.example/1"`, pending, fiscal.CodeCloudPending, "", "cancelled"},
		"status of another type":        {`"status":{"a":1},"error_code":5`, pending, fiscal.CodeCloudPending, "5", ""},
		"long vendor text":              {`"status":"error","error_code":"` + strings.Repeat("9", 500) + `"`, failed, fiscal.CodeCloudFailed, strings.Repeat("9", 40), ""},
		"text with control characters":  {`"status":"error","error_message":"a\u0000\u001bb"`, failed, fiscal.CodeCloudFailed, "", "a  b"},
		"the last of two equals counts": {`"status":"error","status":"processed"`, made, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := driver(t, lifepay.Options{}).ReadCallback("", []byte(`{"uuid":"`+testUUID+`",`+test.data+`}`))
			if err != nil || v.Finding != test.finding || v.Receipt.Ticket != testUUID {
				t.Fatalf("%+v, %v", v, err)
			}
			if test.finding != made && v.Receipt != (fiscal.Receipt{Ticket: testUUID}) {
				t.Errorf("more than a ticket: %+v", v.Receipt)
			}
			if (v.Err == nil) != (test.code == "") {
				t.Fatalf("err %v", v.Err)
			}
			if v.Err != nil && (v.Err.Code != test.code || v.Err.Vendor != test.vendor || !strings.Contains(v.Err.Detail, test.detail)) {
				t.Errorf("%v, vendor %q, detail %q", v.Err, v.Err.Vendor, v.Err.Detail)
			}
		})
	}
}

// TestCallbackNames: the words and fields are configuration.
func TestCallbackNames(t *testing.T) {
	t.Parallel()
	o := lifepay.Options{Callback: lifepay.Callback{
		TicketField: "id", URLField: "link", ErrorCodeField: "err", ErrorTextField: "why", StatusField: "state",
		StatusDone: []string{"ok"}, StatusWaiting: []string{"later"}, StatusError: []string{"bad"},
		StorageField: "fn", FDField: "fd", FPField: "fp", ShiftField: "shift", NumberField: "n", AtField: "at", RegistrationField: "rnm",
	}}
	at := time.Date(2026, time.November, 22, 12, 4, 31, 0, time.UTC)
	full := fiscal.Receipt{
		Device: "lifepay", Ticket: "t-1", URL: "https://ofd.example/1", Storage: "9999078900012345", Registration: "0000000001023456",
		FD: 1042, Sign: 3849583049, Shift: 17, Number: 5, At: at,
	}
	for name, test := range map[string]struct {
		data string
		want fiscal.Receipt
	}{
		"numbers": {`"link":"https://ofd.example/1","fn":9999078900012345,"fd":1042,"fp":3849583049,"shift":17,"n":5,"at":"2026-11-22T12:04:31+03:00","rnm":"0000000001023456"`, full},
		"texts":   {`"link":"https://ofd.example/1","fn":"9999078900012345","fd":"1042","fp":"3849583049","shift":"17","n":"5","at":"22.11.2026 12:04:31","rnm":"0000000001023456"`, full},
		"wrong values are left out": {
			`"link":"javascript:x","fn":"99a","fd":-1,"fp":4294967296,"shift":1.5,"n":[5],"at":"yesterday","rnm":"123456789012345678901"`,
			fiscal.Receipt{Device: "lifepay", Ticket: "t-1"},
		},
		"absent": {`"x":null`, fiscal.Receipt{Device: "lifepay", Ticket: "t-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := driver(t, o).ReadCallback("", []byte(`{"id":"t-1","state":"ok",`+test.data+`}`))
			if err != nil || v.Finding != fiscal.Made || v.Receipt != test.want {
				t.Errorf("%+v, %v\nwant %+v", v, err, test.want)
			}
		})
	}
	d := driver(t, o)
	if v, err := d.ReadCallback("", []byte(`{"id":"t-1","state":"later"}`)); err != nil || v.Err == nil || v.Finding != fiscal.Pending {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := d.ReadCallback("", []byte(`{"id":"t-1","state":"bad","err":7,"why":"x"}`)); err != nil || v.Finding != fiscal.Failed || v.Err.Vendor != "7" || v.Err.Detail != "x" {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := d.ReadCallback("", []byte(`{"state":"ok"}`)); err != nil || v.Finding != fiscal.Made || v.Receipt.Ticket != "" {
		t.Errorf("without a ticket: %+v, %v", v, err)
	}
}

// FuzzReadCallback: whatever comes, it is a verdict that can be used or an
// error, never both.
func FuzzReadCallback(f *testing.F) {
	data := `{"uuid":"` + testUUID + `","ofd_url":"https://ofd.example/1","error_code":3896,"status":"error","error_message":"x"}`
	for _, body := range []string{data, asForm(data), asMultipart(data), `{"data":` + data + `}`, "--\n", "data=%7B%7D", ""} {
		f.Add(multipartType, []byte(body))
	}
	d, err := lifepay.New(lifepay.Options{Login: testLogin, APIKey: testKey})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		v, err := d.ReadCallback(contentType, body)
		switch {
		case err != nil:
			if v.Finding != 0 {
				t.Errorf("%+v beside %v", v, err)
			}
		case v.Finding == fiscal.Failed && (v.Err == nil || v.Err.Code != fiscal.CodeCloudFailed),
			v.Finding == fiscal.Made && v.Err != nil,
			v.Finding != fiscal.Made && v.Finding != fiscal.Pending && v.Finding != fiscal.Failed:
			t.Errorf("%+v", v)
		}
		if v.Err != nil && len([]rune(v.Err.Detail)) > 400 || len(v.Receipt.Ticket) > 64 || len(v.Receipt.URL) > 1024 {
			t.Errorf("unbounded: %+v", v)
		}
	})
}
