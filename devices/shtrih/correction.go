package shtrih

import (
	"context"

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
	t := receiptTags(doc, d.id.ffd, d.opt.Mark)
	if tags, err = t.commands(fnSendTags, d.opt.Password, d.opt.SeparateTags); err != nil {
		return nil, nil, err
	}
	c := correction{
		byOrder: doc.Correction.ByOrder, kind: doc.Kind, total: doc.Total, payments: doc.Payments, taxation: d.taxation(doc),
	}
	for v, sum := range doc.TaxByRate() {
		r, ok := rateRowOf(v)
		if !ok || int(r.row) > len(c.taxes) {
			return nil, nil, fiscal.Refuse(fiscal.CodeUnsupported, "vat", "this device cannot correct at the rate "+v.String())
		}
		c.taxes[r.row-1] = sum
	}
	return tags, encodeCorrection(d.opt.Password, c), nil
}

// submitCorrection is FF35, FF0C, FF4A.
func (d *Driver) submitCorrection(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	tags, closeCommand, err := d.planCorrection(doc)
	if err != nil {
		return fiscal.Receipt{}, untouched(err)
	}
	if _, err := d.perform(ctx, fnCommand(fnBeginCorrect, d.opt.Password)); err != nil {
		return fiscal.Receipt{}, d.refine(ctx, err)
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
	return d.complete(ctx, d.receiptBase(doc, base), m, base), nil
}
