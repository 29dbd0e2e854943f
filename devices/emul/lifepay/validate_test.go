package lifepay

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"kassad/fiscal/ffd"
)

// Steps 1 to 5 of section 2.7.
func TestCredentials(t *testing.T) {
	t.Parallel()
	cfg := Config{Accounts: []Account{
		{APIKey: "a", Logins: []Login{{Phone: "71"}, {Phone: "72", NoRights: true}}, Printers: []Printer{{Serial: "1"}}},
		{APIKey: "b", NoCloudPrint: true, Logins: []Login{{Phone: "73"}}, Printers: []Printer{{Serial: "2"}}},
	}}
	for _, tt := range []struct {
		apikey, login any
		code          int
	}{
		{"a", "71", 0}, {"a", 71, 0}, {"a", "99", CodeNoLogin}, {"a", nil, CodeNoLogin}, {"b", "71", CodeNoPair}, {nil, "71", CodeNoPair},
		{"a", "72", CodeDenied}, {"b", "73", CodeNotAllowed},
	} {
		s := service(t, cfg)
		r := post(t, s, createReceipt, sale(object{"apikey": tt.apikey, "login": tt.login}))
		wantCode(t, r, tt.code)
		if tt.code != 0 && (string(r.Data) != "{}" || r.Message == nil || *r.Message == "") {
			t.Errorf("%s", r.Text)
		}
	}
}

// What is not a JSON object is code 6000; the Content-Type says nothing.
func TestBody(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(sale())
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	form := url.Values{
		"apikey": {DemoAPIKey}, "login": {DemoLogin}, "card_amount": {"#"},
		"purchase": {`{"products":[{"name":"x","price":"1.00","quantity":"1"}]}`},
	}.Encode()
	const jsonType, formType = "application/json; charset=utf-8", "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name, contentType, body string
		opt                     Options
		code                    int
	}{
		{"json", jsonType, good, Options{}, 0},
		{"as a form", formType, good, Options{}, 0},
		{"no type", "", good, Options{}, 0},
		{"strict", formType, good, Options{RequireJSON: true}, CodeFormat},
		{"strict json", jsonType, good, Options{RequireJSON: true}, 0},
		{"form", formType, form, Options{}, CodeFormat},
		{"form allowed", formType, form, Options{FormBodies: true}, 0},
		{"empty", jsonType, "", Options{}, CodeFormat},
		{"null", jsonType, "null", Options{}, CodeFormat},
		{"list", jsonType, "[]", Options{}, CodeFormat},
		{"two", jsonType, good + good, Options{}, CodeFormat},
		{"cut", jsonType, good[:40], Options{}, CodeFormat},
		{"not UTF-8", jsonType, strings.Replace(good, "Ананас", "\xff", 1), Options{}, CodeFormat},
		{"long", jsonType, good + strings.Repeat(" ", bodyMax), Options{}, CodeFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, Config{Options: tt.opt})
			wantCode(t, raw(t, s, createReceipt, tt.contentType, tt.body), tt.code)
		})
	}
}

// with is a sale of one position with changes to it.
func with(change object) object {
	p := object{"name": "Товар", "price": 10, "quantity": 1, "tax": "none"}
	maps.Copy(p, change)
	return body(object{"purchase": object{"products": []object{p}}, "cash_amount": "#"})
}

func TestPositions(t *testing.T) {
	t.Parallel()
	discountOf := func(kind string, v any) object { return object{"discount": object{"type": kind, "value": v}} }
	for _, tt := range []struct {
		name   string
		change object
		opt    Options
		text   string // "": accepted
	}{
		{"plain", nil, Options{}, ""},
		{"as text", object{"price": "10.00", "quantity": "0.1234"}, Options{}, ""},
		{"null is absent", object{"tax": nil, "discount": nil, "type": nil}, Options{}, ""},
		{"percent 101", discountOf("percent", 101), Options{}, "Ошибка в позиции 1: Значение «Value» не должно превышать 100."},
		{"percent 100", discountOf("percent", "100"), Options{}, ""},
		{"percent -1", discountOf("percent", -1), Options{}, "Ошибка в позиции 1: Значение «Value» должно быть не меньше 0."},
		{"amount above the line", discountOf("amount", 10.01), Options{}, "Ошибка в позиции 1: Недопустимая сумма позиции."},
		{"discount type", discountOf("bonus", 1), Options{}, "Ошибка в позиции 1: Значение «Type» неверно."},
		{"discount without value", object{"discount": object{"type": "percent"}}, Options{}, "Ошибка в позиции 1: Необходимо заполнить «Value»."},
		{"discount as number", object{"discount": 5}, Options{}, "Ошибка в позиции 1: Значение «Discount» неверно."},
		{"no name", object{"name": nil}, Options{}, "Ошибка в позиции 1: Необходимо заполнить «Name»."},
		{"long name", object{"name": strings.Repeat("я", 129)}, Options{}, "Ошибка в позиции 1: Значение «Name» должно содержать максимум 128 символов."},
		{"name of an object", object{"name": object{}}, Options{}, "Ошибка в позиции 1: Значение «Name» должно быть строкой."},
		{"no price", object{"price": ""}, Options{}, "Ошибка в позиции 1: Необходимо заполнить «Price»."},
		{"price in words", object{"price": "ten"}, Options{}, "Ошибка в позиции 1: Значение «Price» должно быть числом."},
		{"five decimals", object{"quantity": 0.12345}, Options{}, "Ошибка в позиции 1: Значение «Quantity» должно содержать не более 4 знаков после запятой."},
		{"four of three", object{"quantity": 0.1234}, Options{QuantityDecimals: 3}, "Ошибка в позиции 1: Значение «Quantity» должно содержать не более 3 знаков после запятой."},
		{"nothing", object{"quantity": 0}, Options{}, "Ошибка в позиции 1: Значение «Quantity» должно быть больше 0."},
		{"tax", object{"tax": "vat21"}, Options{}, "Ошибка в позиции 1: Значение «Tax» неверно."},
		{"attested taxes", object{"tax": "vat22"}, Options{Taxes: AttestedTaxes()}, "Ошибка в позиции 1: Значение «Tax» неверно."},
		{"vat22", object{"tax": "vat22"}, Options{}, ""},
		{"unit", object{"unit": "box"}, Options{}, "Ошибка в позиции 1: Значение «Unit» неверно."},
		{"method", object{"type": 8}, Options{}, "Ошибка в позиции 1: Значение «Type» неверно."},
		{"method as text", object{"type": "4"}, Options{}, ""},
		{"method in words", object{"type": "full"}, Options{}, "Ошибка в позиции 1: Значение «Type» должно быть целым числом."},
		{"subject", object{"item_type": 20}, Options{}, "Ошибка в позиции 1: Значение «Item Type» неверно."},
		{"empty unit", object{"unit": ""}, Options{}, ""},
		{"empty unit as a value", object{"unit": ""}, Options{EmptyIsValue: true}, "Ошибка в позиции 1: Значение «Unit» неверно."},
		{"too much", object{"price": "99999999999", "quantity": "99999"}, Options{}, "Ошибка в позиции 1: Недопустимая сумма позиции."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, Config{Options: tt.opt})
			if tt.text == "" {
				accepted(t, s, createReceipt, with(tt.change))
				return
			}
			r := wantRefusal(t, s, createReceipt, with(tt.change), CodeData, "purchase")
			if !slices.Contains(r.Fields["purchase"], tt.text) {
				t.Errorf("%v", r.Fields)
			}
		})
	}
}

func TestSecondPositionIsTwo(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	in := body(object{"cash_amount": "#", "purchase": object{"products": []object{
		{"name": "a", "price": 1, "quantity": 1}, {"name": "b", "price": -1, "quantity": "x"},
	}}})
	want := []string{
		"Ошибка в позиции 2: Значение «Price» должно быть не меньше 0.", "Ошибка в позиции 2: Значение «Quantity» должно быть числом.",
	}
	if r := wantRefusal(t, s, createReceipt, in, CodeData, "purchase"); !slices.Equal(r.Fields["purchase"], want) {
		t.Errorf("%v", r.Fields)
	}
}

func TestPurchase(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(exampleA())
	if err != nil {
		t.Fatal(err)
	}
	s := service(t, Config{Options: Options{PositionsMax: 3}})
	if d := accepted(t, s, createReceipt, sale(object{"purchase": string(text)})); d.Total != 23945 {
		t.Errorf("as text: %s", d.Total)
	}
	for name, purchase := range map[string]any{
		"absent": nil, "empty": "", "no list": object{}, "empty list": object{"products": []object{}}, "number": 1,
		"list of numbers": object{"products": []int{1}}, "text that is no JSON": "{",
		"four": object{"products": []object{{"name": "a"}, {"name": "a"}, {"name": "a"}, {"name": "a"}}},
	} {
		r := post(t, s, createReceipt, sale(object{"purchase": purchase}))
		if r.Code != CodeData || len(r.Fields["purchase"]) == 0 {
			t.Errorf("%s: %s", name, r.Text)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	for _, tt := range []struct {
		in     object
		fields []string
	}{
		{object{"ext_id": long[:51]}, []string{"ext_id"}},
		{object{"callback_url": long}, []string{"callback_url"}},
		{object{"target_serial": "no"}, []string{"target_serial"}},
		{object{"mode": "fax", "type": "sale", "tax_system": "usn", "target_service": "x"}, []string{"mode", "tax_system", "target_service", "type"}},
		{object{"customer_phone": "89160000000", "customer_email": long, "cashier_inn": "123"}, []string{"cashier_inn", "customer_email", "customer_phone"}},
		{object{"test": 2}, []string{"test"}},
		{object{"customer_phone": object{}, "order_number": []int{1}}, []string{"customer_phone", "order_number"}},
	} {
		s := service(t, Config{})
		wantRefusal(t, s, createReceipt, sale(tt.in), CodeData, tt.fields...)
	}
	s := service(t, Config{Options: Options{EmptyIsValue: true}})
	wantRefusal(t, s, createReceipt, sale(object{"customer_phone": "", "mode": ""}), CodeData, "customer_phone", "mode")
	s = service(t, Config{})
	accepted(t, s, createReceipt, sale(object{"customer_phone": "", "mode": ""}))
	s = service(t, Config{})
	if r := wantRefusal(t, s, createSession, body(object{"target_serial": "no"}), CodeData, "target_serial"); r.Fields["target_serial"][0] != "Принтер не найден." {
		t.Errorf("%v", r.Fields)
	}
	wantRefusal(t, s, cashIn, body(object{"amount": 1}), CodeData, "target_serial")
	wantRefusal(t, s, cashOut, body(object{"target_serial": DemoPrinter}), CodeData, "amount")
	wantRefusal(t, s, cashOut, body(object{"target_serial": DemoPrinter, "amount": 0}), CodeData, "amount")
	wantRefusal(t, s, createReceipt12, sale(object{"customer_name": "Иванов"}), CodeData, "customer_inn")
	accepted(t, s, createReceipt12, sale(object{"customer_name": "Иванов", "customier_inn": "500100732259"}))
	s = service(t, Config{Options: Options{CustomerINNField: "customer_inn"}})
	wantRefusal(t, s, createReceipt12, sale(object{"customer_name": "Иванов", "customier_inn": "500100732259"}), CodeData, "customer_inn")
	item := object{"name": "x", "price": 1, "quantity": 1, "agent_item_type": 64}
	wantRefusal(t, s, createReceipt12, body(object{"purchase": object{"products": []object{item}}, "card_amount": "#"}), CodeData, "purchase")
}

// Both forms of what section 15 leaves open about replies.
func TestReplyOptions(t *testing.T) {
	t.Parallel()
	s := service(t, Config{Options: Options{NullMessage: true, TestData: "[]", ErrorData: "null", EscapeUnicode: true}})
	if r := post(t, s, createReceipt, sale()); r.Message != nil || r.UUID == "" {
		t.Errorf("%s", r.Text)
	}
	for _, flag := range []any{1, "1", true, "true"} {
		if r := post(t, s, createReceipt, sale(object{"test": flag})); r.Code != 0 || string(r.Data) != "[]" {
			t.Errorf("test %v: %s", flag, r.Text)
		}
	}
	r := post(t, s, createReceipt, object{})
	if r.Code != CodeNoLogin || string(r.Data) != "null" || strings.ContainsFunc(r.Text, func(c rune) bool { return c > 0x7F }) ||
		*r.Message != codeTexts[CodeNoLogin] {
		t.Errorf("%s", r.Text)
	}
	s = service(t, Config{})
	r = post(t, s, createReceipt, sale(object{"test": 1}))
	if r.Text != `{"code":0,"message":"","data":{}}` || r.Header.Get("Content-Type") != "application/json; charset=UTF-8" {
		t.Errorf("%s", r.Text)
	}
	if len(s.Documents()) != 0 {
		t.Error("a test made a document")
	}
}

func TestASCII(t *testing.T) {
	t.Parallel()
	var got string
	if err := json.Unmarshal(ascii(encode("Чек 😀 <\x1d>")), &got); err != nil || got != "Чек 😀 <\x1d>" {
		t.Errorf("%q %v", got, err)
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	post(t, s, createReceipt, sale(object{"ext_id": "a", "vat": 1, "aPiKey": DemoAPIKey}))
	raw(t, s, createReceipt, "", DemoAPIKey)
	list := s.Requests()
	if len(list) != 2 || list[0].ExtID != "a" || list[0].Path != createReceipt[1:] || list[0].UUID == "" || list[1].Code != CodeFormat {
		t.Errorf("%+v", list)
	}
	if !slices.Equal(list[0].Unknown, []string{"aPiKey", "vat"}) {
		t.Errorf("%v", list[0].Unknown)
	}
	for _, r := range list {
		if strings.Contains(r.Body+r.Reply, DemoAPIKey) {
			t.Errorf("the key is in %+v", r)
		}
	}
}

// What CP866 lacks does not stop a receipt.
func TestForeignLetters(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	accepted(t, s, createReceipt, with(object{"name": "Crème «брюле» 🍮\n"}))
	if name := s.Storage(DemoPrinter).Receipts()[0].Items[0].Name; name != `Cr?me "брюле" ??` {
		t.Errorf("%q", name)
	}
}

// The price on the receipt is the one after the discount.
func TestDiscountedPrice(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	accepted(t, s, createReceipt, sale(object{"payment_place": "Сайт", "customer_phone": "79160000000"}))
	e := s.Storage(DemoPrinter).Receipts()[0]
	want := []int64{9900, 1350, 113450}
	for i, it := range e.Items {
		if it.Price != want[i] {
			t.Errorf("%s: %d", it.Name, it.Price)
		}
	}
	if e.VAT[1] != 1922 || e.VAT[2] != 1031 || e.Place != "Сайт" || e.Contact != "+79160000000" {
		t.Errorf("%+v", e)
	}
	if f, ok := ffd.Find(e.Items[1].Fields, ffd.TagUnit); !ok || f.Value[0] != 11 {
		t.Errorf("unit %v", f)
	}
}
