package mqtt

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"kassad/fiscal"
)

const callbackTokenSample = "abcdefghijklmnopqrstuv2345"

func TestCallbackPath(t *testing.T) {
	t.Parallel()
	longest := CallbackPath{Edition: CallbackEditionMax, Token: callbackTokenSample, ID: strings.Repeat("a", idBytesMax)}
	if n := len(longest.String()); n != CallbackPathMax {
		t.Errorf("the longest path has %d bytes, CallbackPathMax says %d", n, CallbackPathMax)
	}
	for path, want := range map[string]CallbackPath{
		"1/" + callbackTokenSample + "/sale-1":  {1, callbackTokenSample, "sale-1"},
		"12/" + callbackTokenSample + "/A:b._-": {12, callbackTokenSample, "A:b._-"},
		"1/" + callbackTokenSample + "/~.":      {1, callbackTokenSample, "."},
		"1/" + callbackTokenSample + "/~..":     {1, callbackTokenSample, ".."},
		"1/" + callbackTokenSample + "/...":     {1, callbackTokenSample, "..."},
		longest.String():                        longest,
	} {
		got, ok := ParseCallbackPath(path)
		if !ok || got != want {
			t.Errorf("%s: %+v, %v, want %+v", path, got, ok, want)
		}
		if got.String() != path {
			t.Errorf("%s prints as %s", path, got)
		}
	}
}

func TestCallbackPathRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"", "/", "//", "1/" + callbackTokenSample, "1/" + callbackTokenSample + "/", "1/" + callbackTokenSample + "/a/b",
		"0/" + callbackTokenSample + "/a", "-1/" + callbackTokenSample + "/a", "01/" + callbackTokenSample + "/a",
		"+1/" + callbackTokenSample + "/a", "10000/" + callbackTokenSample + "/a", "x/" + callbackTokenSample + "/a",
		"1/" + callbackTokenSample[1:] + "/a", "1/" + callbackTokenSample + "a/a", "1/" + strings.ToUpper(callbackTokenSample) + "/a",
		"1/" + callbackTokenSample[1:] + "1/a", "1/" + callbackTokenSample + "/a b", "1/" + callbackTokenSample + "/.",
		"1/" + callbackTokenSample + "/..", "1/" + callbackTokenSample + "/~a", "1/" + callbackTokenSample + "/" + strings.Repeat("a", 65),
		"/1/" + callbackTokenSample + "/a", "1/" + callbackTokenSample + "/a/",
	} {
		if got, ok := ParseCallbackPath(path); ok {
			t.Errorf("%q is taken as %+v", path, got)
		}
	}
}

func TestCallbackAgain(t *testing.T) {
	t.Parallel()
	path := CallbackPath{1, callbackTokenSample, "sale-1"}.String()
	for _, c := range []Callback{
		{V: 1, Path: path, ContentType: "application/json", Body: []byte(`{"uuid":"1"}`)},
		{V: 1, Path: path, Body: []byte{}},
		{V: 1, Path: path, ContentType: `multipart/form-data; boundary="a"`, Body: bytes.Repeat([]byte{0xff}, CallbackBodyMax)},
	} {
		payload := EncodeCallback(c)
		if len(payload) > linkPayloadBytesMax {
			t.Errorf("%d bytes do not fit into a message", len(payload))
		}
		got, refusal := DecodeCallback(payload)
		if refusal != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%.200s: %v", payload, refusal)
		}
	}
	if got, refusal := DecodeCallback(EncodeCallback(Callback{Path: path})); refusal != nil || got.V != 1 {
		t.Errorf("without a body: %v", refusal)
	}
}

const goodCallback = `{"v":1,"path":"1/` + callbackTokenSample + `/sale-1","content_type":"application/json","body":"e30="}`

func TestCallbackRefused(t *testing.T) {
	t.Parallel()
	if _, refusal := DecodeCallback([]byte(goodCallback)); refusal != nil {
		t.Fatal(refusal)
	}
	big := base64.StdEncoding.EncodeToString(make([]byte, CallbackBodyMax+1))
	for _, tt := range []struct {
		old, new string
		code     fiscal.Code
		field    string
	}{
		{goodCallback, ``, fiscal.CodeBadJSON, ""},
		{goodCallback, `[]`, fiscal.CodeBadJSON, ""},
		{`"v":1`, `"v":2`, fiscal.CodeBadValue, "v"},
		{`"v":1,`, ``, fiscal.CodeBadValue, "v"},
		{`"v":1`, `"v":1,"v":1`, fiscal.CodeBadJSON, ""},
		{`"v":1`, `"v":1,"id":"a"`, fiscal.CodeUnknownField, "id"},
		{`"path":"1/`, `"path":"0/`, fiscal.CodeBadValue, "path"},
		{`"body":"e30="`, `"body":"e30"`, fiscal.CodeBadValue, "body"},
		{`"body":"e30="`, `"body":"e31="`, fiscal.CodeBadValue, "body"},
		{`"body":"e30="`, `"body":"e3\n0="`, fiscal.CodeBadValue, "body"},
		{`"body":"e30="`, `"body":"` + big + `"`, fiscal.CodeTooLarge, "body"},
		{`"body":"e30="`, `"body":{}`, fiscal.CodeBadValue, "body"},
		{`,"body":"e30="`, ``, fiscal.CodeBadValue, "body"},
		{`application/json`, strings.Repeat("a", 257), fiscal.CodeBadValue, "content_type"},
		{`application/json`, `a\nb`, fiscal.CodeBadValue, "content_type"},
		{`"content_type":"application/json",`, ``, fiscal.CodeBadValue, "content_type"},
	} {
		bad := strings.Replace(goodCallback, tt.old, tt.new, 1)
		_, refusal := DecodeCallback([]byte(bad))
		if refusal == nil || refusal.Code != tt.code || refusal.Field != tt.field {
			t.Errorf("%.200s: %v, want %s of %q", bad, refusal, tt.code, tt.field)
		}
	}
}

func FuzzDecodeCallback(f *testing.F) {
	f.Add([]byte(goodCallback))
	f.Add([]byte(strings.Replace(goodCallback, "e30=", "", 1)))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, refusal := DecodeCallback(payload)
		if refusal != nil {
			return
		}
		again, refusal := DecodeCallback(EncodeCallback(c))
		if refusal != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%q becomes %+v and then %+v, %v", payload, c, again, refusal)
		}
	})
}

func FuzzCallbackPath(f *testing.F) {
	f.Add("1/" + callbackTokenSample + "/sale-1")
	f.Add("1/" + callbackTokenSample + "/~..")
	f.Add("../..//")
	f.Fuzz(func(t *testing.T, path string) {
		if p, ok := ParseCallbackPath(path); ok && p.String() != path {
			t.Fatalf("%q is %+v, which prints %q", path, p, p)
		}
	})
}
