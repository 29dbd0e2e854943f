package book

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"kassad/fiscal"
)

func m(kopecks int64) *fiscal.Money { return new(fiscal.Money(kopecks)) }

const export = `Выгрузка чеков;;;
Период: ноябрь;;;

№ ФН;Номер ФД;ФПД;Дата и время;Тип документа;Признак расчёта;Сумма;Наличными;Безналичными;НДС 22%;Без НДС
="9999078900000001";2;1;22.11.2026 09:00;Отчёт об открытии смены;;;;;;
="9999078900000001";3;3849583049;22.11.2026 12:04:31;Кассовый чек;Приход;"1 234,56";1234,56;0,00;222,63;
9999078900000001;4;7;22.11.2026 12:10;Кассовый чек;Возврат прихода;-10,00 ₽;-10;;;10,00
9999078900000001;5;8;22.11.2026 12:11;Чек коррекции;приход;5;;5,00;;
Итого;;;;;;1229,56;;;;
`

// commas is the same export as a program of another country writes it.
const commas = `Выгрузка чеков
Период: ноябрь
,,,
№ ФН,Номер ФД,ФПД,Дата и время,Тип документа,Признак расчёта,Сумма,Наличными,Безналичными,НДС 22%,Без НДС
9999078900000001,2,1,2026-11-22T09:00:00+03:00,Отчёт об открытии смены,,,,,,
'9999078900000001,3,3849583049,2026-11-22T12:04:31+03:00,Кассовый чек,1,"1,234.56",1234.56,0,222.63,
9999078900000001,4,7,2026-11-22 12:10,Кассовый чек,refund,10.00,10,,,10.00
9999078900000001,5,8,22.11.26 12:11,Чек коррекции,приход,5,,5.00,,
`

func wantExport() []fiscal.BookEntry {
	const fn = "9999078900000001"
	at := func(h, m, s int) time.Time { return time.Date(2026, 11, 22, h, m, s, 0, time.UTC) }
	return []fiscal.BookEntry{
		{
			FN: fn, FD: 3, Sign: 3849583049, At: at(12, 4, 31), Form: fiscal.FormReceipt, Kind: fiscal.Sale, Total: m(123456),
			Payments: fiscal.PaymentFigures{Cash: m(123456), Card: m(0)}, VAT: map[fiscal.VAT]fiscal.VATTally{fiscal.VAT22: {Tax: m(22263)}}, Where: "line 6",
		},
		{
			FN: fn, FD: 4, Sign: 7, At: at(12, 10, 0), Form: fiscal.FormReceipt, Kind: fiscal.Refund, Total: m(1000),
			Payments: fiscal.PaymentFigures{Cash: m(1000)}, VAT: map[fiscal.VAT]fiscal.VATTally{fiscal.VATNone: {Base: m(1000)}}, Where: "line 7",
		},
		{
			FN: fn, FD: 5, Sign: 8, At: at(12, 11, 0), Form: fiscal.FormCorrection, Correction: true, Kind: fiscal.Sale, Total: m(500),
			Payments: fiscal.PaymentFigures{Card: m(500)}, Where: "line 8",
		},
	}
}

// One export in every separator and encoding.
func TestParse(t *testing.T) {
	t.Parallel()
	cyrillic, err := charmap.Windows1251.NewEncoder().String(strings.ReplaceAll(export, "₽", "руб."))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"semicolon": export, "mark": "\xEF\xBB\xBF" + export, "windows-1251": cyrillic,
		"tab":     strings.ReplaceAll(export, ";", "\t"),
		"comma":   commas,
		"windows": strings.ReplaceAll(export, "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := Parse("november.csv", []byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(b.Entries, wantExport()) || b.Skipped != 1 || b.Name != "november.csv" {
				t.Errorf("%d skipped, %+v", b.Skipped, b.Entries)
			}
			if !b.Has("vat22") || b.Has("ticket") {
				t.Errorf("fields %v", b.Fields)
			}
		})
	}
}

func TestParseNamedColumns(t *testing.T) {
	t.Parallel()
	const text = "Когда,Час,Что,Деньги,Сумма\n2026-11-22,12:04,2,5.00,9\n"
	b, err := Parse("f", []byte(text), Columns{"date": "когда", "time": "Час", "kind": "ЧТО", "total": " деньги "})
	if err != nil || len(b.Entries) != 1 {
		t.Fatalf("%v: %+v", err, b)
	}
	if e := b.Entries[0]; *e.Total != 500 || e.Kind != fiscal.Refund || !e.At.Equal(time.Date(2026, 11, 22, 12, 4, 0, 0, time.UTC)) {
		t.Errorf("%+v", e)
	}
}

// What cannot be read is named with its line and column.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const head = "fd;date;kind;total\n"
	for name, tt := range map[string]struct {
		text    string
		columns Columns
		want    string
		code    fiscal.Code
	}{
		"empty":         {"", nil, "no header line", fiscal.CodeBadValue},
		"no total":      {"fd;date\n1;2026-11-22\n", nil, "no header line", fiscal.CodeBadValue},
		"fd":            {head + "x;2026-11-22;sale;1\n", nil, `line 2, column "fd": "x": not a whole number`, fiscal.CodeBadValue},
		"fd too large":  {head + "4294967296;2026-11-22;sale;1\n", nil, `line 2, column "fd"`, fiscal.CodeBadValue},
		"date":          {head + "1;yesterday;sale;1\n", nil, `line 2, column "date"`, fiscal.CodeBadValue},
		"kind":          {head + "1;2026-11-22;gift;1\n", nil, `line 2, column "kind": "gift"`, fiscal.CodeBadValue},
		"total":         {head + "\n1;2026-11-22;sale;1.234\n", nil, `line 3, column "total": "1.234": too many decimals`, fiscal.CodeBadValue},
		"no sum":        {head + "1;2026-11-22;sale;\n", nil, "has no total", fiscal.CodeBadValue},
		"short row":     {head + "1;2026-11-22;sale\n", nil, "has no total", fiscal.CodeBadValue},
		"negative":      {head + "1;2026-11-22;sale;-1\n", nil, "cannot be negative", fiscal.CodeBadValue},
		"long value":    {head + "1;" + strings.Repeat("я", 100) + ";sale;1\n", nil, "…", fiscal.CodeBadValue},
		"unknown field": {head, Columns{"sum": "x"}, `no field "sum"`, fiscal.CodeBadValue},
		"empty title":   {head, Columns{"fd": " "}, "no title", fiscal.CodeBadValue},
		"too large":     {strings.Repeat("x", SizeMax+1), nil, "16 MiB", fiscal.CodeTooLarge},
		"too many":      {head + strings.Repeat("1;2026-11-22;sale;1\n", RowsMax+1), nil, "line 100002: more than 100000", fiscal.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("f", []byte(tt.text), tt.columns)
			var refusal *fiscal.Error
			if !errors.As(err, &refusal) || refusal.Code != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s %s", err, tt.code, tt.want)
			}
		})
	}
}

func TestParseMoney(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]fiscal.Money{
		"1 234,56": 123456, "1234.5": 123450, "-99": -9900, "1\u00a0234,56 ₽": 123456, "1\u202f000": 100000, "0": 0,
		"1.234,56": 123456, "1,234.56": 123456, "12 руб.": 1200, "−1,05": -105,
	} {
		if got, err := ParseMoney(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "-", "1e3", "0x1", "1,2,3", "1.234", "99999999999", "--1", "1-", "½", "NaN"} {
		if got, err := ParseMoney(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]fiscal.Kind{
		"Приход": fiscal.Sale, "ВОЗВРАТ ПРИХОДА": fiscal.Refund, "расход": fiscal.Buy, "4": fiscal.BuyRefund, "Кассовый чек (приход)": fiscal.Sale,
		"Чек коррекции (возврат расхода)": fiscal.BuyRefund, "Коррекция прихода": fiscal.Sale, "коррекция возврата расхода": fiscal.BuyRefund, "Чек подарка": 0,
	} {
		b, err := Parse("f", []byte("fd;kind;total\n1;"+word+";1\n"), nil)
		if want == 0 {
			if err == nil {
				t.Errorf("%s: %+v", word, b.Entries)
			}
			continue
		}
		if err != nil || len(b.Entries) != 1 || b.Entries[0].Kind != want || b.Entries[0].Correction != strings.Contains(strings.ToLower(word), "коррекци") {
			t.Errorf("%s: %v, %+v", word, err, b.Entries)
		}
	}
}

// FuzzParse: no file breaks the reader; what is read keeps the rules of books.
func FuzzParse(f *testing.F) {
	f.Add([]byte(export))
	f.Add([]byte("fd;total\n1;1\n"))
	f.Add([]byte("date,kind,total,vat10\n\"2026-11-22\",sale,\"1\n"))
	f.Add([]byte("\xd1\xf3\xec\xec\xe0;\xd4\xc4\n1;2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Parse("f", text, nil)
		if err != nil {
			var refusal *fiscal.Error
			if !errors.As(err, &refusal) {
				t.Fatalf("%T", err)
			}
			return
		}
		for _, e := range b.Entries {
			if e.Total == nil || *e.Total < 0 || *e.Total > fiscal.MoneyMax || e.Where == "" || e.Kind > fiscal.BuyRefund {
				t.Fatalf("%+v", e)
			}
		}
	})
}
