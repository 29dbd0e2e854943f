package mqtt

import (
	"bytes"
	"encoding/json"
	"time"

	"kassad/fiscal"
)

// ManageRequest is a decoded request of mgmt/req/{op}. Its body is one JSON
// object without duplicate keys; the operation decodes it.
type ManageRequest struct {
	ID   string
	By   string // the person who asks, for the audit
	Exp  time.Time
	Body json.RawMessage
}

var manageEnvelope = []field[envelope]{
	versionField, idField, bodyField, expField,
	{"by", true, func(b *binder, v *jsonValue, e *envelope) { e.by = b.person(v) }},
}

const personCharsMax = 64

// person reads the name of who asks.
func (b *binder) person(v *jsonValue) string {
	s := b.text(v)
	if v.kind == jsonString && (s == "" || len([]rune(s)) > personCharsMax) {
		b.fail(fiscal.CodeBadValue, "must be 1 to 64 characters")
	}
	return s
}

// DecodeManage reads a management request strictly. A refused request carries
// its id if one could be read.
func DecodeManage(payload []byte) (ManageRequest, *fiscal.Error) {
	root, err := parseRequest(payload)
	if err != nil {
		return ManageRequest{ID: root.readableID()}, err
	}
	b, e := &binder{}, &envelope{}
	bindObject(b, &root, manageEnvelope, e)
	if b.err != nil {
		return ManageRequest{ID: root.readableID()}, b.err
	}
	r := ManageRequest{ID: e.ID, By: e.by, Exp: e.Exp, Body: json.RawMessage("{}")}
	if e.body != nil {
		r.Body = bytes.Clone(payload[e.body.from:e.body.to])
	}
	return r, nil
}

// EncodeManage prints the answer to a management request. The result is any
// value that marshals.
func EncodeManage(id, op string, result any) []byte {
	a := answered(id, fiscal.Verb(op), "")
	a.Result = encode(result)
	return encode(a)
}
