package shtrih

import (
	"context"
	"fmt"
	"strings"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// rateRow is one rate as table 6 of a device should have it (3.3, 4.7).
type rateRow struct {
	row      byte
	percent  uint64 // in 1/100 %, of a rate proper: its figure in the table is certain
	fraction string // of a computed rate: in its name in the table
}

// rateRowOf is the usual row of a rate.
func rateRowOf(v fiscal.VAT) (rateRow, bool) {
	r, ok := map[fiscal.VAT]rateRow{
		fiscal.VAT20: {row: 1, percent: 2000}, fiscal.VAT10: {row: 2, percent: 1000}, fiscal.VAT0: {row: 3}, fiscal.VATNone: {row: 4},
		fiscal.VAT120: {row: 5, fraction: "20/120"}, fiscal.VAT110: {row: 6, fraction: "10/110"},
		fiscal.VAT5: {row: 7, percent: 500}, fiscal.VAT7: {row: 8, percent: 700},
		fiscal.VAT105: {row: 9, fraction: "5/105"}, fiscal.VAT107: {row: 10, fraction: "7/107"},
		fiscal.VAT22: {row: 11, percent: 2200}, fiscal.VAT122: {row: 12, fraction: "22/122"},
	}[v]
	return r, ok
}

// firstNewRow is where rows begin that old firmware lacks.
const (
	firstNewRow = 7
	tableRows   = 16
)

// taxByte is the rate byte of FF46 (4.7), looked up once a link. Rows are
// checked against table 6: a device whose first row became 22 % would otherwise
// book 20 % wrongly, silently.
func (d *Driver) taxByte(ctx context.Context, v fiscal.VAT) (byte, error) {
	if b, ok := d.id.rates[v]; ok {
		return b, nil
	}
	want, ok := rateRowOf(v)
	if !ok {
		return 0, fiscal.Refuse(fiscal.CodeBadValue, "vat", fmt.Sprintf("unknown rate %d", v))
	}
	row := want.row
	var err error
	switch {
	case want.percent != 0:
		row, err = d.plainRow(ctx, want)
	case want.fraction != "":
		row, err = d.computedRow(ctx, want)
	}
	if err != nil {
		return 0, err
	}
	if row == 0 {
		return 0, fiscal.Refuse(fiscal.CodeUnsupported, "vat", "the device has no rate "+v.String())
	}
	b := rowByte(row, d.id.device.model)
	d.id.rates[v] = b
	return b, nil
}

// plainRow is the row that has the figure of a rate proper, the usual one
// first; 0 if none has. Without a table 6 the first six rows are fixed.
func (d *Driver) plainRow(ctx context.Context, want rateRow) (byte, error) {
	fits, there, err := d.isPlain(ctx, want.row, want.percent)
	switch {
	case err != nil || fits:
		return want.row, err
	case !there && want.row < firstNewRow:
		return want.row, nil
	}
	for row := byte(1); row <= tableRows; row++ {
		fits, there, err := d.isPlain(ctx, row, want.percent)
		switch {
		case err != nil || fits:
			return row, err
		case !there:
			return 0, nil
		}
	}
	return 0, nil
}

// isPlain tells whether a row is the rate proper of that figure. A computed
// rate may show the same figure, but not the same name.
func (d *Driver) isPlain(ctx context.Context, row byte, percent uint64) (fits, there bool, err error) {
	figure, there, err := d.rateFigure(ctx, row)
	if err != nil || !there || figure != percent {
		return false, there, err
	}
	name, err := d.rateName(ctx, row)
	return !strings.Contains(name, "/"), true, err
}

// computedRow is the row of a rate such as 22/122. Its figure is shown
// differently by different devices, so the name decides; a name that says
// nothing leaves it to the usual row.
func (d *Driver) computedRow(ctx context.Context, want rateRow) (byte, error) {
	usual, err := d.rateName(ctx, want.row)
	if err != nil || strings.Contains(usual, want.fraction) {
		return want.row, err
	}
	for row := byte(1); row <= tableRows; row++ {
		_, ok, err := d.rateFigure(ctx, row)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		name, err := d.rateName(ctx, row)
		if err != nil || strings.Contains(name, want.fraction) {
			return row, err
		}
	}
	if strings.Contains(usual, "/") {
		return 0, nil // the usual row is another fraction's now
	}
	_, ok, err := d.rateFigure(ctx, want.row)
	if err != nil || ok || want.row < firstNewRow {
		return want.row, err
	}
	return 0, nil
}

// rateFigure reads a row's figure; ok is false for a row that is not there.
func (d *Driver) rateFigure(ctx context.Context, row byte) (figure uint64, ok bool, err error) {
	figure, err = d.tableRowNumber(ctx, tableTax, uint16(row), fieldTaxRate)
	if optional(err) {
		return 0, false, nil
	}
	return figure, err == nil, err
}

// rateName reads a row's name, spaces left out; "" for one that is not there.
func (d *Driver) rateName(ctx context.Context, row byte) (string, error) {
	data, err := d.read(ctx, encodeReadTable(d.opt.Password, tableTax, uint16(row), fieldTaxName))
	if optional(err) {
		return "", nil
	}
	return strings.ReplaceAll(ffd.DecodeText1251(data), " ", ""), err
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
