package shtrih

import (
	"context"
	"fmt"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// Limits of reading a document (FN limit: 30 KB of receipt data, 2.1).
const (
	documentBytesMax = 64 * 1024
	documentReadsMax = 8192
)

// archivedDocument is FF0A: a document in short form.
func (d *Driver) archivedDocument(ctx context.Context, fd uint32) (archived, error) {
	data, err := d.read(ctx, encodeDocument(fnFind, d.opt.Password, fd))
	if err != nil {
		return archived{}, err
	}
	a, err := decodeArchived(data)
	if err == nil && a.fd != fd {
		return archived{}, fmt.Errorf("FF0A: asked for document %d, got %d", fd, a.fd)
	}
	return a, err
}

// documentTags reads all requisites of a document: FF3A, then FF3B until the
// announced length is there. full is false if the storage no longer has them
// (older than 30 days) or the device cannot read them out.
func (d *Driver) documentTags(ctx context.Context, fd uint32) (fields []ffd.Field, full bool, err error) {
	data, err := d.do(ctx, encodeDocument(fnDocument, d.opt.Password, fd))
	if optional(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if err := need("FF3A", data, 4); err != nil {
		return nil, false, err
	}
	d.reading = true
	form, length := ffd.Tag(uintAt(data, 0, 2)), int(uintAt(data, 2, 2))
	var tlv []byte
	complete := length > 0
	for n := 0; len(tlv) < length && len(tlv) < documentBytesMax && n < documentReadsMax; n++ {
		part, err := d.do(ctx, fnCommand(fnDocumentPart, d.opt.Password))
		if refusedWith(err, errFNData) {
			// The end came before the announced length, which on some devices
			// counts more than the parts: the document is as whole as it gets.
			complete = len(tlv) > 0
			break
		}
		if err != nil {
			return nil, false, err
		}
		if len(part) == 0 {
			complete = false
			break
		}
		tlv = append(tlv, part...)
	}
	d.reading = false
	fields, err = ffd.Decode(tlv)
	if err != nil {
		d.log.Warn("document cannot be decoded", "fd", fd, "err", err)
		return fields, false, nil
	}
	if len(fields) == 1 && fields[0].Tag == form { // some devices send the container itself
		if inner, err := ffd.Decode(fields[0].Value); err == nil {
			fields = inner
		}
	}
	return fields, complete, nil
}

// document reads one document in the domain's shape.
func (d *Driver) document(ctx context.Context, fd uint32) (fiscal.ArchivedDocument, error) {
	a, err := d.archivedDocument(ctx, fd)
	if err != nil {
		return fiscal.ArchivedDocument{}, err
	}
	return d.withTags(ctx, a)
}

func (d *Driver) withTags(ctx context.Context, a archived) (fiscal.ArchivedDocument, error) {
	doc := fiscal.ArchivedDocument{
		FD: a.fd, Sign: a.sign, Form: a.form, Kind: a.kind, Total: a.total, At: a.at, Shift: a.shift,
	}
	fields, full, err := d.documentTags(ctx, a.fd)
	if err != nil {
		return fiscal.ArchivedDocument{}, err
	}
	doc.Full, doc.Key = full, keyOf(fields)
	if v, ok := numberOf(fields, ffd.TagShift); ok {
		doc.Shift = v
	}
	if v, ok := numberOf(fields, ffd.TagReceipt); ok {
		doc.Number = v
	}
	doc.Tags = renderTags(fields)
	return doc, nil
}

func numberOf(fields []ffd.Field, tag ffd.Tag) (uint32, bool) {
	f, ok := ffd.Find(fields, tag)
	if !ok {
		return 0, false
	}
	v, err := f.Uint()
	return uint32(v), err == nil
}

func renderTags(fields []ffd.Field) []fiscal.Tag {
	out := make([]fiscal.Tag, 0, len(fields))
	for _, f := range fields {
		t := fiscal.Tag{Tag: uint16(f.Tag)}
		if f.Tag.IsContainer() {
			t.Tags = renderTags(f.Fields)
		} else {
			t.Value = f.String()
		}
		out = append(out, t)
	}
	return out
}

// ReadDocument reads a document of the fiscal storage by its number.
func (d *Driver) ReadDocument(ctx context.Context, fd uint32) (fiscal.ArchivedDocument, error) {
	if err := d.connect(ctx); err != nil {
		return fiscal.ArchivedDocument{}, toFiscal(err)
	}
	doc, err := d.document(ctx, fd)
	if err != nil {
		return fiscal.ArchivedDocument{}, toFiscal(err)
	}
	return doc, nil
}

// Scan reads the documents from..to in order and hands each to see. It stops at
// the first error of either.
func (d *Driver) Scan(ctx context.Context, from, to uint32, see func(fiscal.ArchivedDocument) error) error {
	for fd := from; fd <= to && fd != 0; fd++ {
		doc, err := d.ReadDocument(ctx, fd)
		if err != nil {
			return err
		}
		if err := see(doc); err != nil {
			return err
		}
	}
	return nil
}
