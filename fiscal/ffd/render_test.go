package ffd

import "testing"

func TestFieldString(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tag   Tag
		value []byte
		want  string
	}{
		{TagTotal, []byte{0x5A, 0x3B, 0x01}, "807.30"},
		{TagDocument, []byte{0xA7, 0x26, 0, 0}, "9895"},
		{TagQuantity, []byte{3, 0xAA, 0x09}, "2.474"},
		{TagQuantity, []byte{6, 0x40, 0xE2, 0x01}, "0.123456"},
		{TagQuantity, []byte{0, 3}, "3"},
		{TagDateTime, []byte{0xFC, 0x94, 0xC7, 0x6A}, "2026-10-08T13:05:00"},
		{TagCashier, []byte{0x88, 0xA2, 0xA0, 0xAD, 0xAE, 0xA2, 0xA0}, "Иванова"},
		{TagFiscalSign, []byte{0x31, 0x04, 0xC4, 0xF1, 0x77, 0x60}, "3304159072"},
		{TagFiscalSign, []byte{1}, "01"},
		{TagItemCode, []byte{0x44, 0x4D}, "444d"},
	} {
		if got := (Field{Tag: c.tag, Value: c.value}).String(); got != c.want {
			t.Errorf("tag %d: %q, want %q", c.tag, got, c.want)
		}
	}
}
