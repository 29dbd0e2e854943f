package ffd

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// vectors are the test vectors of the format reference, section 1.1, by tag
// and value.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	raw, err := os.ReadFile("../testdata/worked-receipts.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TLV []struct {
			Tag   json.Number     `json:"tag"`
			Value json.RawMessage `json:"value"`
			Hex   string          `json:"hex"`
		} `json:"tlv"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, v := range file.TLV {
		b, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		out[v.Tag.String()+" "+strings.Trim(string(v.Value), `"`)] = b
	}
	if len(out) != 16 {
		t.Fatalf("%d vectors", len(out))
	}
	return out
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestAppendVectors(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 10, 8, 13, 5, 0, 0, time.FixedZone("", 7*3600))
	ours := map[string][]byte{
		"1020 80730":    AppendVLN(nil, TagTotal, 80730),
		"1031 0":        AppendVLN(nil, TagCash, 0),
		"1054 1":        AppendByte(nil, TagSettlementSign, 1),
		"1040 9895":     AppendUint32(nil, TagDocument, 9895),
		"1023 2.474":    AppendFVLN(nil, TagQuantity, 3, 2474),
		"1023 3":        AppendFVLN(nil, TagQuantity, 0, 3),
		"1023 0.123456": AppendFVLN(nil, TagQuantity, 6, 123456),
		"1012 2026-10-08T13:05:00 local wall clock": AppendTime(nil, TagDateTime, at),
		"1021 Иванова":                              must(AppendText(nil, TagCashier, "Иванова")),
		"1018 7707083893":                           must(AppendPadded(nil, TagUserINN, "7707083893", 12)),
		"1037 0007993537061927":                     must(AppendPadded(nil, TagRegistration, "0007993537061927", 20)),
		"1115 {1119:{1199:11,1120:14558}}":          Append(nil, TagVATSums, Append(nil, TagVATSum, AppendVLN(AppendByte(nil, TagVATRate, 11), TagVATAmount, 14558))),
	}
	all := vectors(t)
	for name, got := range ours {
		if want, ok := all[name]; !ok || !bytes.Equal(got, want) {
			t.Errorf("%s: got %X, want %X", name, got, want)
		}
	}
}

func TestDecodeVectors(t *testing.T) {
	t.Parallel()
	for name, raw := range vectors(t) {
		fields, err := Decode(raw)
		if err != nil || len(fields) != 1 {
			t.Errorf("%s: %d fields, %v", name, len(fields), err)
			continue
		}
		if again := Encode(fields); !bytes.Equal(again, raw) {
			t.Errorf("%s: %X encodes as %X", name, raw, again)
		}
	}
}

func TestReadItem(t *testing.T) {
	t.Parallel()
	fields, err := Decode(vectors(t)[`1059 item of R04, name \"Порог\`])
	if err != nil {
		t.Fatal(err)
	}
	item := fields[0].Fields
	name, _ := Find(item, TagItemName)
	if name.Text() != "Порог" {
		t.Errorf("name %q", name.Text())
	}
	quantity, _ := Find(item, TagQuantity)
	if decimals, v, err := quantity.Decimal(); decimals != 0 || v != 3 || err != nil {
		t.Errorf("quantity %d·10^-%d, %v", v, decimals, err)
	}
	for tag, want := range map[Tag]uint64{TagItemPrice: 26910, TagItemSum: 80730, TagItemVAT: 14558, TagVATRate: 11, TagMethod: 4, TagSubject: 1} {
		f, ok := Find(item, tag)
		if v, err := f.Uint(); !ok || v != want || err != nil {
			t.Errorf("tag %d: %d, %v", tag, v, err)
		}
	}
}

func TestReadSignAndTime(t *testing.T) {
	t.Parallel()
	for name, raw := range vectors(t) {
		fields, _ := Decode(raw)
		switch {
		case strings.HasPrefix(name, "1077"):
			if sign, err := fields[0].FiscalSign(); sign != 3304159072 || err != nil {
				t.Errorf("sign %d, %v", sign, err)
			}
		case strings.HasPrefix(name, "1012"):
			at, err := fields[0].Time(time.UTC)
			if want := time.Date(2026, 10, 8, 13, 5, 0, 0, time.UTC); !at.Equal(want) || err != nil {
				t.Errorf("time %s, %v", at, err)
			}
		}
	}
	if _, err := (Field{Tag: TagFiscalSign, Value: []byte{1}}).FiscalSign(); !errors.Is(err, ErrShort) {
		t.Errorf("a short sign: %v", err)
	}
}

func TestDecodeDamage(t *testing.T) {
	t.Parallel()
	deep := []byte{}
	for range nestingMax + 2 {
		deep = Append(nil, TagItem, deep)
	}
	for name, tt := range map[string]struct {
		raw  []byte
		want error
	}{
		"half a header":  {[]byte{1, 2, 3}, ErrShort},
		"value cut":      {[]byte{0xFC, 3, 3, 0, 1, 2}, ErrShort},
		"inner cut":      {Append(nil, TagItem, []byte{0xFC, 3, 3, 0, 1, 2}), ErrShort},
		"nested forever": {deep, ErrNesting},
	} {
		if _, err := Decode(tt.raw); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if _, err := (Field{Value: make([]byte, 9)}).Uint(); !errors.Is(err, ErrNumber) {
		t.Errorf("nine bytes: %v", err)
	}
	if v, err := (Field{}).Uint(); v != 0 || err != nil {
		t.Errorf("no bytes: %d, %v", v, err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	b, err := EncodeText("«Ёлка» № 5 — 1 м²… ₽")
	if err != nil || DecodeText(b) != `"Ёлка" № 5 - 1 м2... руб.` {
		t.Errorf("got %q, %v", DecodeText(b), err)
	}
	for _, s := range []string{"a\nb", "\t", "\x7f", "🎩", "中"} {
		var bad *EncodingError
		if _, err := EncodeText(s); !errors.As(err, &bad) || bad.Page != "CP866" {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := EncodeText1251("║"); err == nil {
		t.Error("CP1251 has no frames")
	}
	if got := DecodeText1251([]byte{0xCF, 0xEE, 0xF0, 0xEE, 0xE3, 0, 0xFF}); got != "Порог" {
		t.Errorf("got %q", got)
	}
}

// FuzzDecode: damage never panics, and what decodes encodes equal.
func FuzzDecode(f *testing.F) {
	for _, raw := range vectors(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fields, err := Decode(raw)
		if err != nil {
			return
		}
		if again := Encode(fields); !bytes.Equal(again, raw) {
			t.Errorf("%X encodes as %X", raw, again)
		}
	})
}
