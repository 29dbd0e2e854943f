package lifepay

import (
	"strings"
	"testing"
	"testing/synctest"
)

// Appendix A.1 and A.2, to the letter but for the credentials.
func TestTranscriptOfAReceipt(t *testing.T) {
	t.Parallel()
	const request = `{"apikey":"KEY","login":"70000000000","test":0,"type":"payment","mode":"email",
 "customer_email":"buyer@example.com","tax_system":"usn6","card_amount":"#",
 "ext_id":"payment-4-1001","callback_url":"https://shop.example/lp/3f9c","callback_data":{"order":1001},
 "purchase":{"products":[
  {"name":"Pineapple","price":110,"quantity":1,"unit":"piece","tax":"none","type":4,"item_type":1,"discount":{"type":"percent","value":10}},
  {"name":"Potato","price":15,"quantity":2,"unit":"kg","tax":"none","type":4,"item_type":1,"discount":{"type":"percent","value":10}},
  {"name":"Cashew","price":1200,"quantity":0.1,"unit":"kg","tax":"none","type":4,"item_type":1,"discount":{"type":"amount","value":6.55}}]}}`
	cfg := Config{Accounts: []Account{{APIKey: "KEY", Logins: []Login{{Phone: DemoLogin}}, Printers: []Printer{{Serial: DemoPrinter}}}}}
	bubble(t, cfg, func(t *testing.T, s *Service, r *receiver) {
		first := raw(t, s, createReceipt, "application/json", request)
		if want := `{"code":0,"message":"","data":{"uuid":"` + first.UUID + `"}}`; first.Text != want || len(first.UUID) != 36 || first.UUID[14] != '5' {
			t.Errorf("%s", first.Text)
		}
		if again := raw(t, s, createReceipt, "", request); again.Text != first.Text {
			t.Errorf("%s", again.Text)
		}
		synctest.Wait()
		list := s.Storage(DemoPrinter).Receipts()
		if len(list) != 1 || list[0].Card != 23945 || list[0].Taxation != 2 || list[0].Contact != "buyer@example.com" {
			t.Errorf("%+v", list)
		}
		got := r.list()
		if len(got) != 1 || got[0].Form != "multipart/form-data" || !strings.Contains(got[0].Data, `"callback_data":{"order":1001}`) {
			t.Errorf("%+v", got)
		}
	})
}

// Appendix A.3.
func TestTranscriptsOfRefusals(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	for _, tt := range []struct {
		path string
		in   object
		want string
	}{
		{createReceipt, with(object{"discount": object{"type": "percent", "value": 101}}),
			`{"code":400,"message":"Ошибка данных.","data":{"purchase":["Ошибка в позиции 1: Значение «Value» не должно превышать 100."]}}`},
		{createSession, body(object{"target_serial": "1"}), `{"code":400,"message":"Ошибка данных.","data":{"target_serial":["Принтер не найден."]}}`},
		{createReceipt, sale(object{"apikey": "no"}), `{"code":6010,"message":"` + codeTexts[CodeNoPair] + `","data":{}}`},
	} {
		if r := post(t, s, tt.path, tt.in); r.Text != tt.want {
			t.Errorf("%s, want %s", r.Text, tt.want)
		}
	}
}
