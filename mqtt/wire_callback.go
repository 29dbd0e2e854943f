package mqtt

import (
	"encoding/base64"
	"strconv"
	"strings"

	"kassad/fiscal"
)

// CallbackLifePay is the service in the topic of a callback: LIFE PAY is the
// one that calls (reference 6).
const CallbackLifePay = "lifepay"

// Limits of a callback. The body's is ours: the service names none, and what
// real receivers saw was below 2 KiB.
const (
	CallbackBodyMax   = 64 << 10 // bytes
	callbackTypeMax   = 256      // bytes of Content-Type
	CallbackTokenSize = 26       // base32 of 16 bytes, without padding
	// CallbackEditionMax is the last edition of a document that is called back.
	CallbackEditionMax = 9999
	// CallbackPathMax is the longest CallbackPath, in bytes.
	CallbackPathMax = 4 + 1 + CallbackTokenSize + 1 + idBytesMax
)

// dotted stands before an id of dots alone in a path: programs on the way take
// "." and ".." for directories. No id has this character.
const dotted = "~"

// CallbackPath is the end of a callback's address: which document it is about,
// and the token that only this address has.
type CallbackPath struct {
	Edition int // of the document, from 1: the number at the end of its key
	Token   string
	ID      string // of the command
}

// String is {edition}/{token}/{id}.
func (p CallbackPath) String() string {
	id := p.ID
	if id == "." || id == ".." {
		id = dotted + id
	}
	return strconv.Itoa(p.Edition) + "/" + p.Token + "/" + id
}

// ParseCallbackPath reads what String prints, and nothing else. The token is
// checked for its form only.
func ParseCallbackPath(path string) (p CallbackPath, ok bool) {
	levels := strings.Split(path, "/")
	if len(path) > CallbackPathMax || len(levels) != 3 {
		return CallbackPath{}, false
	}
	n, err := strconv.Atoi(levels[0])
	p = CallbackPath{Edition: n, Token: levels[1], ID: levels[2]}
	if p.ID == dotted+"." || p.ID == dotted+".." {
		p.ID = p.ID[len(dotted):]
	}
	if err != nil || n < 1 || n > CallbackEditionMax || !callbackToken(p.Token) || !ValidID(p.ID) || p.String() != path {
		return CallbackPath{}, false
	}
	return p, true
}

func callbackToken(s string) bool {
	return len(s) == CallbackTokenSize && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// ValidCallbackType tells whether s may be the Content-Type of a callback:
// none, or visible ASCII and spaces.
func ValidCallbackType(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= callbackTypeMax
}

// Callback is what a service has told by HTTP, as it is passed on over MQTT.
type Callback struct {
	V int `json:"v"`
	// Path is {edition}/{token}/{id}, the end of the address that was called.
	Path string `json:"path"`
	// ContentType is the header of that name, which says how to read Body.
	ContentType string `json:"content_type"`
	// Body is the body as it came, in base64; at most 64 KiB.
	Body []byte `json:"body"`
}

// EncodeCallback prints c for the topic of callbacks.
func EncodeCallback(c Callback) []byte {
	c.V = envelopeVersion
	if c.Body == nil {
		c.Body = []byte{} // not null
	}
	return encode(c)
}

var callbackFields = []field[Callback]{
	{"v", true, func(b *binder, v *jsonValue, c *Callback) { c.V = int(b.whole(v, envelopeVersion, envelopeVersion)) }},
	{"path", true, func(b *binder, v *jsonValue, c *Callback) {
		c.Path = b.text(v)
		if _, ok := ParseCallbackPath(c.Path); !ok && v.kind == jsonString {
			b.fail(fiscal.CodeBadValue, "must be {edition}/{token}/{id}")
		}
	}},
	{"content_type", true, func(b *binder, v *jsonValue, c *Callback) {
		c.ContentType = b.text(v)
		if !ValidCallbackType(c.ContentType) {
			b.fail(fiscal.CodeBadValue, "must be at most 256 visible characters")
		}
	}},
	{"body", true, func(b *binder, v *jsonValue, c *Callback) { c.Body = b.base64(v, CallbackBodyMax) }},
}

// base64 reads standard base64 with its padding, of at most most bytes.
func (b *binder) base64(v *jsonValue, most int) []byte {
	s := b.text(v)
	if base64.StdEncoding.EncodedLen(most) < len(s) {
		b.fail(fiscal.CodeTooLarge, "at most "+strconv.Itoa(most)+" bytes")
		return nil
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // which the library skips
		b.fail(fiscal.CodeBadValue, "must be base64")
		return nil
	}
	if len(raw) > most {
		b.fail(fiscal.CodeTooLarge, "at most "+strconv.Itoa(most)+" bytes")
		return nil
	}
	return raw
}

// DecodeCallback reads a callback strictly.
func DecodeCallback(payload []byte) (Callback, *fiscal.Error) {
	root, refusal := parseRequest(payload)
	if refusal != nil {
		return Callback{}, refusal
	}
	b, c := &binder{}, Callback{}
	bindObject(b, &root, callbackFields, &c)
	if b.err != nil {
		return Callback{}, b.err
	}
	return c, nil
}
