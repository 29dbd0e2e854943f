package mqtt

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"kassad/fiscal"
)

// Limits of a payload.
const (
	jsonDepthMax     = 16
	jsonMembersUsual = 8      // of an item; saves growing step by step
	jsonMembersMax   = 100    // of one object; no object of the contract has half as many
	jsonNodesMax     = 50_000 // 500 items with every field; bounds memory, not time
)

// jsonKind is the type of a JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota + 1
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

func (k jsonKind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// jsonValue is a parsed JSON value. A number keeps its digits: it is never a
// float. encoding/json is not used for commands, since it takes the last of two
// equal keys, ignores the case of names and repairs broken UTF-8.
type jsonValue struct {
	kind    jsonKind
	text    string // string decoded, number as written, "true" or "false"
	members []jsonMember
	items   []jsonValue
	from    int // place in the payload
	to      int
}

type jsonMember struct {
	key   string
	value jsonValue
}

// member returns the value of a key of an object.
func (v *jsonValue) member(key string) *jsonValue {
	for i := range v.members {
		if v.members[i].key == key {
			return &v.members[i].value
		}
	}
	return nil
}

// jsonParser reads one strict JSON text (RFC 8259).
type jsonParser struct {
	in    []byte
	at    int
	nodes int
	err   *fiscal.Error
}

// parseJSON reads a payload that is one JSON object. After an error the result
// holds the members read so far, so that an answer can still carry the id.
func parseJSON(payload []byte) (jsonValue, *fiscal.Error) {
	p := jsonParser{in: payload}
	if !utf8.Valid(payload) {
		return jsonValue{}, fiscal.Refuse(fiscal.CodeBadJSON, "", "invalid UTF-8")
	}
	p.space()
	var root jsonValue
	p.value(&root, 0)
	p.space()
	switch {
	case p.err != nil:
	case p.at < len(p.in):
		p.fail("data after the object")
	case root.kind != jsonObject:
		p.fail("not an object")
	}
	return root, p.err
}

func (p *jsonParser) fail(detail string) {
	if p.err == nil {
		p.err = fiscal.Refuse(fiscal.CodeBadJSON, "", fmt.Sprintf("%s at byte %d", detail, p.at))
	}
}

// peek returns the byte at hand, or 0 at the end.
func (p *jsonParser) peek() byte {
	if p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

func (p *jsonParser) space() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// accept skips c if it is at hand.
func (p *jsonParser) accept(c byte) bool {
	if p.peek() != c || p.at == len(p.in) {
		return false
	}
	p.at++
	return true
}

// value fills v. It reports success; on failure v keeps what it has.
func (p *jsonParser) value(v *jsonValue, depth int) bool {
	if p.nodes++; p.nodes > jsonNodesMax && p.err == nil {
		p.err = fiscal.Refuse(fiscal.CodeTooLarge, "", "too many values")
		return false
	}
	if depth > jsonDepthMax {
		p.fail("nested too deep")
		return false
	}
	v.from = p.at
	ok := false
	switch c := p.peek(); {
	case c == '{':
		ok = p.object(v, depth)
	case c == '[':
		ok = p.array(v, depth)
	case c == '"':
		v.kind = jsonString
		v.text, ok = p.string()
	case c == '-' || c >= '0' && c <= '9':
		v.kind = jsonNumber
		v.text, ok = p.number()
	default:
		ok = p.literal(v)
	}
	v.to = p.at
	return ok
}

func (p *jsonParser) literal(v *jsonValue) bool {
	for _, word := range [...]string{"true", "false", "null"} {
		if !bytes.HasPrefix(p.in[p.at:], []byte(word)) {
			continue
		}
		p.at += len(word)
		v.kind, v.text = jsonBool, word
		if word == "null" {
			v.kind = jsonNull
		}
		return true
	}
	p.fail("no value")
	return false
}

func (p *jsonParser) object(v *jsonValue, depth int) bool {
	v.kind = jsonObject
	p.at++
	p.space()
	if p.accept('}') {
		return true
	}
	for {
		p.space()
		if p.peek() != '"' {
			p.fail("no key")
			return false
		}
		key, ok := p.string()
		if !ok || !p.newKey(v, key) {
			return false
		}
		p.space()
		if !p.accept(':') {
			p.fail("no colon")
			return false
		}
		p.space()
		var value jsonValue
		if !p.value(&value, depth+1) {
			return false
		}
		if v.members == nil {
			v.members = make([]jsonMember, 0, jsonMembersUsual)
		}
		v.members = append(v.members, jsonMember{key, value})
		p.space()
		if p.accept('}') {
			return true
		}
		if !p.accept(',') {
			p.fail("no comma")
			return false
		}
	}
}

// newKey refuses a second member of the same name: which of the two the sender
// meant cannot be known.
func (p *jsonParser) newKey(v *jsonValue, key string) bool {
	if len(v.members) == jsonMembersMax {
		p.fail("too many members")
		return false
	}
	if v.member(key) != nil {
		p.fail(fmt.Sprintf("duplicate key %.64q", key))
		return false
	}
	return true
}

func (p *jsonParser) array(v *jsonValue, depth int) bool {
	v.kind = jsonArray
	p.at++
	p.space()
	if p.accept(']') {
		return true
	}
	for {
		p.space()
		var item jsonValue
		if !p.value(&item, depth+1) {
			return false
		}
		v.items = append(v.items, item)
		p.space()
		if p.accept(']') {
			return true
		}
		if !p.accept(',') {
			p.fail("no comma")
			return false
		}
	}
}

// number checks the grammar and returns the digits as they stand.
func (p *jsonParser) number() (string, bool) {
	start := p.at
	p.accept('-')
	if !p.accept('0') && !p.digits() {
		p.fail("broken number")
		return "", false
	}
	if p.accept('.') && !p.digits() {
		p.fail("broken number")
		return "", false
	}
	if p.accept('e') || p.accept('E') {
		if !p.accept('+') {
			p.accept('-')
		}
		if !p.digits() {
			p.fail("broken number")
			return "", false
		}
	}
	return string(p.in[start:p.at]), true
}

func (p *jsonParser) digits() bool {
	start := p.at
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at > start
}

// string reads from the opening quote.
func (p *jsonParser) string() (string, bool) {
	p.at++
	start := p.at
	var out []byte // only once there is an escape
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '"':
			s := string(p.in[start:p.at])
			if out != nil {
				s = string(append(out, s...))
			}
			p.at++
			return s, true
		case c == '\\':
			out = append(out, p.in[start:p.at]...)
			r, ok := p.escape()
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r)
			start = p.at
		case c < ' ':
			p.fail("control character in a string")
			return "", false
		default:
			p.at++
		}
	}
	p.fail("unfinished string")
	return "", false
}

// escape reads from the backslash.
func (p *jsonParser) escape() (rune, bool) {
	p.at++
	c := p.peek()
	p.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return p.unicode()
	}
	p.fail("broken escape")
	return 0, false
}

// unicode reads the digits after \u, and the second half of a surrogate pair.
func (p *jsonParser) unicode() (rune, bool) {
	r, ok := p.hex()
	if ok && utf16.IsSurrogate(r) {
		low := rune(0)
		if p.accept('\\') && p.accept('u') {
			low, ok = p.hex()
		}
		r = utf16.DecodeRune(r, low)
		ok = ok && r != utf8.RuneError
	}
	if !ok {
		p.fail("broken escape")
	}
	return r, ok
}

func (p *jsonParser) hex() (rune, bool) {
	if p.at+4 > len(p.in) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(p.in[p.at:p.at+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 4
	return rune(v), true
}
