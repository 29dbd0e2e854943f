package shtrih

import (
	"context"
	"maps"
	"slices"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// plainCorrection tells whether doc is a correction without items, as FFD 1.05
// and 1.1 have it (5.5). Since 1.2 a correction is a receipt like others.
func (d *Driver) plainCorrection(doc fiscal.Document) bool {
	return doc.Verb == fiscal.VerbCorrection && d.id.ffd < ffd.Version12
}

// planCorrection makes FF0C with the requisites and FF4A with the sums.
func (d *Driver) planCorrection(doc fiscal.Document) (tags [][]byte, closeCommand []byte, err error) {
	if doc.Correction == nil {
		return nil, nil, fiscal.Refuse(fiscal.CodeBadValue, "correction", "missing")
	}
	if d.id.ffd < ffd.Version11 && doc.Kind != fiscal.Sale && doc.Kind != fiscal.Buy {
		return nil, nil, fiscal.Refuse(fiscal.CodeUnsupported, "correction.kind", "FFD 1.05 corrects sales and buys only")
	}
	t := receiptTags(doc, d.id.ffd, d.mark())
	c := correction{
		byOrder: doc.Correction.ByOrder, kind: doc.Kind, total: doc.Total, payments: doc.Payments, taxation: d.taxation(doc),
	}
	var others tlvs
	sums := doc.TaxByRate()
	for _, v := range slices.Sorted(maps.Keys(sums)) {
		r, ok := rateRowOf(v)
		if !ok {
			return nil, nil, fiscal.Refuse(fiscal.CodeUnsupported, "vat", "this device cannot correct at the rate "+v.String())
		}
		if int(r.row) > len(c.taxes) {
			others.raw(vatSumTag(v, sums[v]))
			continue
		}
		c.taxes[r.row-1] = sums[v]
	}
	t.group(ffd.TagVATSums, others)
	if tags, err = t.commands(fnSendTags, d.opt.Password, d.separateTags()); err != nil {
		return nil, nil, err
	}
	return tags, encodeCorrection(d.opt.Password, c), nil
}

// vatSumTag is 1119 of a rate that FF4A has no place for: the rates of 2025 and
// 2026 go into 1115 (format reference 2.1). UNVERIFIED on hardware: that a
// register takes 1115 from the host in a correction.
func vatSumTag(v fiscal.VAT, sum fiscal.Money) []byte {
	inner := ffd.AppendByte(nil, ffd.TagVATRate, byte(v))
	inner = ffd.AppendVLN(inner, ffd.TagVATAmount, uint64(sum))
	return ffd.Append(nil, ffd.TagVATSum, inner)
}

// submitCorrection is FF35, FF0C, FF4A.
func (d *Driver) submitCorrection(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	tags, closeCommand, err := d.planCorrection(doc)
	if err != nil {
		return fiscal.Receipt{}, untouched(err)
	}
	key := keyTags(doc, d.mark())
	keyCommands, err := key.commands(fnSendTags, d.opt.Password, false)
	if err != nil {
		return fiscal.Receipt{}, untouched(err)
	}
	if _, err := d.perform(ctx, fnCommand(fnBeginCorrect, d.opt.Password)); err != nil {
		return fiscal.Receipt{}, d.refine(ctx, err)
	}
	keyed, err := d.sendKey(ctx, keyCommands)
	if err != nil {
		return fiscal.Receipt{}, d.abandon(ctx, err, base)
	}
	for _, t := range tags {
		if _, err := d.perform(ctx, t); err != nil {
			return fiscal.Receipt{}, d.abandon(ctx, err, base)
		}
	}
	data, err := d.perform(ctx, closeCommand)
	if err != nil {
		return fiscal.Receipt{}, d.abandon(ctx, err, base)
	}
	m, err := decodeCorrection(data)
	if err != nil {
		return fiscal.Receipt{}, err
	}
	r := d.receiptBase(doc, base)
	if !keyed {
		r.Key = ""
	}
	return d.complete(ctx, doc, r, m, base)
}
