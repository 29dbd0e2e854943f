package bifit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"kassad/fiscal"
)

// Errors of JSON that a lenient decoder would let pass.
var (
	errSyntax    = errors.New("not JSON")
	errDuplicate = errors.New("a key stands twice in an object")
)

// object is a JSON object with its keys as they are written: the standard
// decoder would match them in any case and keep the last of two.
type object struct {
	names  []string
	values map[string]any
}

// parseJSON reads one JSON value: object, []any, string, json.Number, bool or
// nil. Numbers stay text.
func parseJSON(body []byte) (any, error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, errSyntax
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return readValue(dec)
}

func readValue(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, errSyntax
	}
	switch t {
	case json.Delim('{'):
		return readObject(dec)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := readValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	default:
		return t, nil
	}
}

func readObject(dec *json.Decoder) (any, error) {
	o := object{values: map[string]any{}}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, errSyntax
		}
		name, _ := t.(string) // a valid object has nothing else here
		if _, twice := o.values[name]; twice {
			return nil, fmt.Errorf("%w: %q", errDuplicate, name)
		}
		v, err := readValue(dec)
		if err != nil {
			return nil, err
		}
		o.names, o.values[name] = append(o.names, name), v
	}
	_, err := dec.Token()
	return o, err
}

// problem is what is wrong with a request, and where.
type problem struct{ field, message string }

// scope reads one object; the first problem of all scopes of a body is kept.
type scope struct {
	object
	path  string
	found **problem
}

func (s scope) at(name string) string {
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}

func (s scope) report(name, message string) {
	if *s.found == nil {
		*s.found = &problem{s.at(name), message}
	}
}

// value finds a field; null is as good as none.
func (s scope) value(name string, required bool) any {
	v := s.values[name]
	if v == nil && required {
		s.report(name, "is required")
	}
	return v
}

func (s scope) text(name string, required bool) string {
	v := s.value(name, required)
	text, ok := v.(string)
	if v != nil && !ok {
		s.report(name, "must be a string")
	}
	return text
}

// number reads a decimal exactly; parse sees it without its sign.
func number[T ~int64](s scope, name string, parse func(string) (T, error)) T {
	v := s.value(name, true)
	if v == nil {
		return 0
	}
	n, ok := v.(json.Number)
	if !ok {
		s.report(name, "must be a number")
		return 0
	}
	digits := string(n)
	negative := digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	out, err := parse(digits)
	if err != nil {
		s.report(name, err.Error())
	}
	if negative {
		return -out
	}
	return out
}

func (s scope) money(name string) fiscal.Money { return number(s, name, fiscal.ParseMoney) }

func (s scope) quantity(name string) fiscal.Quantity { return number(s, name, fiscal.ParseQuantity) }

// inner opens an object field.
func (s scope) inner(name string, required bool) (scope, bool) {
	v := s.value(name, required)
	o, ok := v.(object)
	if v != nil && !ok {
		s.report(name, "must be an object")
	}
	return scope{o, s.at(name), s.found}, ok
}

// items opens the objects of an array field.
func (s scope) items(name string) []scope {
	v := s.value(name, true)
	list, ok := v.([]any)
	if v != nil && !ok {
		s.report(name, "must be an array")
	}
	var out []scope
	for i, one := range list {
		place := fmt.Sprintf("%s[%d]", name, i)
		o, ok := one.(object)
		if !ok {
			s.report(place, "must be an object")
			continue
		}
		out = append(out, scope{o, s.at(place), s.found})
	}
	return out
}

// only refuses fields that are not listed.
func (s scope) only(names ...string) {
	for _, name := range s.names {
		if !slices.Contains(names, name) {
			s.report(name, "is not a field of this request")
		}
	}
}

// whole reads a non-negative integer.
func (s scope) whole(name string, limit uint64) uint64 {
	v := s.value(name, true)
	if v == nil {
		return 0
	}
	n, _ := v.(json.Number)
	out, err := strconv.ParseUint(string(n), 10, 64)
	if err != nil || out > limit {
		s.report(name, "must be an integer from 0 to "+strconv.FormatUint(limit, 10))
	}
	return out
}
