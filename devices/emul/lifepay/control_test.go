package lifepay

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

func control(s *Service, method, what, text string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, controlPrefix+what, strings.NewReader(text)))
	return w
}

func TestControl(t *testing.T) {
	t.Parallel()
	s := service(t, Config{Control: true})
	for _, tt := range []struct {
		method, what, text string
		status             int
	}{
		{"POST", "fault", `{"Kind":"stuck"}`, 204}, {"POST", "fault", `{"Kind":"no"}`, 400}, {"POST", "fault", `{`, 400},
		{"DELETE", "fault", "", 204}, {"POST", "fault", `{"kind":"stuck","extid":"a"}`, 204},
		{"POST", "printer", `{"serial":"` + DemoPrinter + `","state":"offline"}`, 204}, {"POST", "printer", `{}`, 400},
		{"POST", "printer", `{"serial":"` + DemoPrinter + `","state":"ok"}`, 204},
		{"POST", "finish", `{"uuid":"x"}`, 400}, {"POST", "deliver", "", 204}, {"POST", "retry", "", 204}, {"POST", "release", "", 204},
		{"GET", "fault", "", 404}, {"GET", "ledger", "", 200}, {"GET", "requests", "", 200}, {"GET", "callbacks", "", 200},
	} {
		if w := control(s, tt.method, tt.what, tt.text); w.Code != tt.status {
			t.Errorf("%s %s %s: HTTP %d %s", tt.method, tt.what, tt.text, w.Code, w.Body)
		}
	}
	uuid := post(t, s, createReceipt, sale(object{"ext_id": "a"})).UUID
	if w := control(s, "POST", "finish", `{"uuid":"`+uuid+`","code":3975}`); w.Code != 204 {
		t.Errorf("HTTP %d %s", w.Code, w.Body)
	}
	final(t, s, uuid)
	var list []Document
	if err := json.Unmarshal(control(s, "GET", "documents", "").Body.Bytes(), &list); err != nil || len(list) != 1 || list[0].ErrorCode != CodeStorage {
		t.Errorf("%+v %v", list, err)
	}
}
