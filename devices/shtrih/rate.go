package shtrih

import (
	"context"
	"fmt"

	"kassad/fiscal"
)

// rateRow is one rate as table 6 of a device should have it (3.3, 4.7).
type rateRow struct {
	row     byte
	percent uint64 // in 1/100 %
	plain   bool   // a rate proper, whose figure in the table is certain
}

// rateRowOf is the usual row of a rate.
func rateRowOf(v fiscal.VAT) (rateRow, bool) {
	r, ok := map[fiscal.VAT]rateRow{
		fiscal.VAT20: {1, 2000, true}, fiscal.VAT10: {2, 1000, true}, fiscal.VAT0: {3, 0, false}, fiscal.VATNone: {4, 0, false},
		fiscal.VAT120: {5, 2000, false}, fiscal.VAT110: {6, 1000, false}, fiscal.VAT5: {7, 500, true}, fiscal.VAT7: {8, 700, true},
		fiscal.VAT105: {9, 500, false}, fiscal.VAT107: {10, 700, false}, fiscal.VAT22: {11, 2200, true}, fiscal.VAT122: {12, 2200, false},
	}[v]
	return r, ok
}

// firstNewRow is where rows begin that old firmware lacks.
const (
	firstNewRow = 7
	tableRows   = 16
)

// taxByte is the rate byte of FF46 (4.7). Rows with a plain rate are checked
// against table 6, once a link: a device whose first row became 22 % would
// otherwise book 20 % wrongly, silently.
func (d *Driver) taxByte(ctx context.Context, v fiscal.VAT) (byte, error) {
	if b, ok := d.id.rates[v]; ok {
		return b, nil
	}
	want, ok := rateRowOf(v)
	if !ok {
		return 0, fiscal.Refuse(fiscal.CodeBadValue, "vat", fmt.Sprintf("unknown rate %d", v))
	}
	row := want.row
	if want.plain || want.row >= firstNewRow {
		rate, err := d.tableRowNumber(ctx, tableTax, uint16(row), fieldTaxRate)
		switch {
		case optional(err) && row >= firstNewRow:
			return 0, fiscal.Refuse(fiscal.CodeUnsupported, "vat", "the device does not know the rate "+v.String())
		case optional(err): // no table 6 to be read: the first six rows are fixed
		case err != nil:
			return 0, err
		case want.plain && rate != want.percent:
			if row, err = d.searchRate(ctx, want.percent); err != nil {
				return 0, err
			}
			if row == 0 {
				return 0, fiscal.Refuse(fiscal.CodeUnsupported, "vat", "the device has no rate "+v.String())
			}
		}
	}
	b := rowByte(row, d.id.device.model)
	d.id.rates[v] = b
	return b, nil
}

func (d *Driver) searchRate(ctx context.Context, percent uint64) (byte, error) {
	for row := byte(1); row <= tableRows; row++ {
		rate, err := d.tableRowNumber(ctx, tableTax, uint16(row), fieldTaxRate)
		if optional(err) {
			break
		}
		if err != nil {
			return 0, err
		}
		if rate == percent {
			return row, nil
		}
	}
	return 0, nil
}

// rowByte is the FF46 code of a row of table 6. Nano models go on with the
// pattern of rows 7..10 where the others use C0h + row (4.7).
func rowByte(row, model byte) byte {
	switch {
	case row <= 6:
		return 1 << (row - 1)
	case row <= 10, model == modelNano && row <= 12:
		return 0x80 | 1<<(row-7)
	default:
		return 0xC0 + row
	}
}
