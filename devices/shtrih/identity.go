package shtrih

import (
	"context"
	"fmt"
	"strings"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// Tables and fields, section 3.3. Numbers of table 17 differ between models and
// are looked up by name.
const (
	tableSettings    = 1
	tableTax         = 6
	tableRegional    = 17
	tableFN          = 18
	fieldFNSerial    = 1
	fieldFNINN       = 2
	fieldFNRNM       = 3
	fieldFNTaxations = 5
	fieldFNOwner     = 7
	fieldFNAddress   = 9
	fieldFFDDefault  = 17
	fieldNoPrint     = 7
	fieldTaxRate     = 1
	fieldTaxName     = 2
	fieldTaxMode     = 14
	fieldsMax        = 80
	modelMobile      = 19
	modelNano        = 152
	itemsMax         = 500
	quantityDecimals = 6
)

// identity is what is read once on a link.
type identity struct {
	device   device
	model    model
	serial   string // table 18, or 11h where it cannot be read
	firmware string
	rnm      string
	ffd      byte // tag 1209: ffd.Version105…
	hostTax  bool // the device wants tax sums from the host (table 1)
	oldClose bool // FF76 is not supported
	// noShiftQuery and noOFDQuery: FF40 and FF39 are not supported.
	noShiftQuery, noOFDQuery bool

	rates   map[fiscal.VAT]byte // tax bytes looked up so far
	noPrint *byte               // field of table 17; nil until looked up, 0 if there is none
	// skipping: the device was told not to print the next document.
	skipping bool
}

// identify reads what does not change on a link (5.2).
func (d *Driver) identify(ctx context.Context) (*identity, error) {
	id := &identity{rates: map[fiscal.VAT]byte{}}
	if data, err := d.read(ctx, []byte{cmdDevice}); err == nil {
		if id.device, err = decodeDevice(data); err != nil {
			return nil, err
		}
	} else if !optional(err) {
		return nil, err
	}
	if data, err := d.read(ctx, []byte{cmdModel, 1}); err == nil {
		id.model = decodeModel(data)
	} else if !optional(err) {
		return nil, err
	}
	full, err := d.fullStatus(ctx)
	if err != nil {
		return nil, err
	}
	id.firmware = full.firmware
	if full.mode == modeData && full.submode == submodeIdle {
		if err := d.endData(ctx); err != nil {
			return nil, err
		}
	}
	if id.serial, err = d.serialOf(ctx, id.fnTable(), full); err != nil {
		return nil, err
	}
	if id.rnm, err = d.tableText(ctx, id.fnTable(), fieldFNRNM); err != nil && !optional(err) {
		return nil, err
	}
	if id.ffd, err = d.findFFD(ctx, id); err != nil {
		return nil, err
	}
	if id.hostTax, err = d.findTaxMode(ctx, id); err != nil {
		return nil, err
	}
	d.log.Info("device", "model", id.device.name, "serial", id.serial, "firmware", id.firmware, "ffd", ffdName(id.ffd))
	return id, nil
}

// findTaxMode tells whether tax sums must come from the host (3.3, table 1). F7
// names the field on some models; else it is the usual one if its name agrees.
func (d *Driver) findTaxMode(ctx context.Context, id *identity) (bool, error) {
	field := id.model.taxModeField
	if field == 0 {
		ok, err := d.fieldMatches(ctx, tableSettings, fieldTaxMode, isTaxModeName)
		if err != nil || !ok {
			return false, err
		}
		field = fieldTaxMode
	}
	mode, err := d.tableNumber(ctx, tableSettings, field)
	if err != nil && !optional(err) {
		return false, err
	}
	return mode == 1, nil
}

func isTaxModeName(name string) bool { return strings.Contains(strings.ToUpper(name), "НАЛОГ") }

// optional tells whether err is a device's refusal of something that a model
// may lack, as opposed to a failure.
func optional(err error) bool {
	return refusedWith(err, errParameters, 0x34, 0x35, 0x36, errUnsupported, errNoTable, errFNData, errLength, errSubmode, errMode)
}

// fnTable is the number of the FN table: F7 tells, 18 on desktop models (3.1).
func (id *identity) fnTable() byte {
	if id.model.fnTable != 0 {
		return id.model.fnTable
	}
	return tableFN
}

// itemTagsFirst: FF4D goes before its FF46 on these (5.4 step 4).
func (id *identity) itemTagsFirst() bool { return id.model.cashcore || id.device.model == modelMobile }

// findFFD reads the format version. F7 names the field on some models; else it
// is field 17 of table 17 if its name agrees, else the field whose name does.
func (d *Driver) findFFD(ctx context.Context, id *identity) (byte, error) {
	for v, name := range map[byte]string{ffd.Version105: fiscal.FFD105, ffd.Version11: fiscal.FFD11, ffd.Version12: fiscal.FFD12} {
		if d.opt.FFD == name {
			return v, nil
		}
	}
	table, field := byte(tableRegional), byte(fieldFFDDefault)
	if id.model.ffdTable != 0 && id.model.ffdField != 0 {
		table, field = id.model.ffdTable, id.model.ffdField
	} else {
		found, err := d.findField(ctx, tableRegional, fieldFFDDefault, isFFDName)
		if err != nil {
			return 0, err
		}
		if found != 0 {
			field = found
		}
	}
	v, err := d.tableNumber(ctx, table, field)
	if err != nil && !optional(err) {
		return 0, err
	}
	if v < ffd.Version105 || v > ffd.Version12 {
		d.log.Warn("format version not found, 1.05 assumed", "value", v)
		return ffd.Version105, nil
	}
	return byte(v), nil
}

func isFFDName(name string) bool {
	name = strings.ToUpper(name)
	return strings.Contains(name, "ФФД") || strings.Contains(name, "ФОРМАТА ФД") || strings.Contains(name, "ФОРМАТ ФД") || strings.Contains(name, "FFD")
}

func isNoPrintName(name string) bool {
	name = strings.ToUpper(name)
	return strings.Contains(name, "НЕ ПЕЧАТАТЬ") && strings.Contains(name, "ДОКУМЕНТ")
}

// findField returns the field of table whose name matches, the usual one first,
// or 0 if none does.
func (d *Driver) findField(ctx context.Context, table, usual byte, match func(string) bool) (byte, error) {
	ok, err := d.fieldMatches(ctx, table, usual, match)
	if err != nil || ok {
		return usual, err
	}
	for field := byte(1); field <= fieldsMax; field++ {
		ok, err := d.fieldMatches(ctx, table, field, match)
		if err != nil {
			return 0, err
		}
		if ok {
			return field, nil
		}
		if field > usual {
			if exists, err := d.fieldName(ctx, table, field); err != nil || exists == "" {
				break
			}
		}
	}
	return 0, nil
}

func (d *Driver) fieldMatches(ctx context.Context, table, field byte, match func(string) bool) (bool, error) {
	name, err := d.fieldName(ctx, table, field)
	return match(name), err
}

// fieldName is "" for a field that does not exist.
func (d *Driver) fieldName(ctx context.Context, table, field byte) (string, error) {
	data, err := d.read(ctx, encodeField(d.opt.Password, table, field))
	if optional(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return ffd.DecodeText1251(data[:min(40, len(data))]), nil
}

func (d *Driver) tableText(ctx context.Context, table, field byte) (string, error) {
	data, err := d.read(ctx, encodeReadTable(d.opt.Password, table, 1, field))
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(ffd.DecodeText1251(data)), nil
}

func (d *Driver) tableNumber(ctx context.Context, table, field byte) (uint64, error) {
	return d.tableRowNumber(ctx, table, 1, field)
}

func (d *Driver) tableRowNumber(ctx context.Context, table byte, row uint16, field byte) (uint64, error) {
	data, err := d.read(ctx, encodeReadTable(d.opt.Password, table, row, field))
	if err != nil {
		return 0, err
	}
	if len(data) > 8 {
		return 0, fmt.Errorf("table %d row %d field %d: not a number", table, row, field)
	}
	return uintAt(data, 0, len(data)), nil
}

func ffdName(v byte) string {
	switch v {
	case ffd.Version12:
		return fiscal.FFD12
	case ffd.Version11:
		return fiscal.FFD11
	default:
		return fiscal.FFD105
	}
}

// Info tells who the device is.
func (d *Driver) Info(ctx context.Context) (fiscal.Info, error) {
	if err := d.connect(ctx); err != nil {
		return fiscal.Info{}, toFiscal(err)
	}
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return fiscal.Info{}, toFiscal(err)
	}
	id := d.id
	info := fiscal.Info{
		Model: id.device.name, Serial: id.serial, Firmware: id.firmware, FFD: ffdName(id.ffd), Registration: id.rnm,
		Storage: fn.serial,
		Limits:  fiscal.Limits{ItemsMax: itemsMax, NameMax: nameBytesMax, QuantityDecimals: quantityDecimals},
	}
	for field, to := range map[byte]*string{fieldFNINN: &info.INN, fieldFNOwner: &info.Owner, fieldFNAddress: &info.Address} {
		if *to, err = d.tableText(ctx, id.fnTable(), field); err != nil && !optional(err) {
			return fiscal.Info{}, toFiscal(err)
		}
	}
	if v, err := d.tableNumber(ctx, id.fnTable(), fieldFNTaxations); err == nil {
		info.Taxations = uint8(v)
	} else if !optional(err) {
		return fiscal.Info{}, toFiscal(err)
	}
	return info, nil
}
