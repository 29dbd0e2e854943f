package lifepay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// bodyMax bounds a request, in bytes.
const bodyMax = 1 << 20

// values are the fields of an object; what was null is absent (section 1.1).
type values map[string]json.RawMessage

// parseValues reads one JSON object.
func parseValues(body []byte) (values, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("not UTF-8")
	}
	var v values
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, errors.New("null is no object")
	}
	for name, raw := range v {
		if string(raw) == "null" {
			delete(v, name)
		}
	}
	return v, nil
}

// parseForm reads a form-encoded body; every value is a text.
func parseForm(body []byte) (values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	v := values{}
	for name, list := range form {
		raw, err := json.Marshal(list[0])
		if err != nil || !utf8.ValidString(list[0]) {
			return nil, errors.New("not UTF-8")
		}
		v[name] = raw
	}
	return v, nil
}

// scalar is the text of a JSON string, number or boolean.
func scalar(raw json.RawMessage) (string, bool) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}

// form reads the fields of one object and notes what is wrong with them.
type form struct {
	in       values
	strict   bool // "" is a value
	known    map[string]bool
	complain func(field, text string)
}

func newForm(in values, strict bool, complain func(field, text string)) *form {
	return &form{in: in, strict: strict, known: map[string]bool{}, complain: complain}
}

// raw is a field as it came.
func (f *form) raw(name string) (json.RawMessage, bool) {
	f.known[name] = true
	v, ok := f.in[name]
	if ok && !f.strict && string(v) == `""` {
		return nil, false
	}
	return v, ok
}

// label is what the vendor's messages call a field: "Card Amount".
func label(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return "«" + strings.Join(words, " ") + "»"
}

func (f *form) required(name string) {
	f.complain(name, "Необходимо заполнить "+label(name)+".")
}
func (f *form) wrong(name string) {
	f.complain(name, "Значение "+label(name)+" неверно.")
}

// need complains about a field that is absent or empty.
func (f *form) need(name string) bool {
	v, ok := f.in[name]
	if !ok || string(v) == `""` {
		f.known[name] = true
		f.required(name)
		return false
	}
	return true
}

// text reads a string of at most limit characters; 0 is no limit.
func (f *form) text(name string, limit int) string {
	raw, ok := f.raw(name)
	if !ok {
		return ""
	}
	s, ok := scalar(raw)
	switch {
	case !ok:
		f.complain(name, "Значение "+label(name)+" должно быть строкой.")
	case limit > 0 && utf8.RuneCountInString(s) > limit:
		f.complain(name, "Значение "+label(name)+" должно содержать максимум "+strconv.Itoa(limit)+" символов.")
	default:
		return s
	}
	return ""
}

// oneOf reads a word from a list.
func (f *form) oneOf(name, fallback string, list ...string) string {
	if _, ok := f.raw(name); !ok {
		return fallback
	}
	s := f.text(name, 0)
	if !slices.Contains(list, s) {
		f.wrong(name)
		return fallback
	}
	return s
}

// digits reads a text of n digits that begins with first; first may be "".
func (f *form) digits(name, first string, n int) string {
	raw, ok := f.raw(name)
	if !ok {
		return ""
	}
	s, _ := scalar(raw)
	if len(s) != n || !strings.HasPrefix(s, first) || strings.Trim(s, "0123456789") != "" {
		f.wrong(name)
		return ""
	}
	return s
}

// number reads a non-negative decimal number or numeric text; nil if absent or
// wrong.
func (f *form) number(name string) *big.Rat {
	raw, ok := f.raw(name)
	if !ok {
		return nil
	}
	s, _ := scalar(raw)
	r, ok := decimal(s)
	switch {
	case !ok:
		f.complain(name, "Значение "+label(name)+" должно быть числом.")
	case r.Sign() < 0:
		f.complain(name, "Значение "+label(name)+" должно быть не меньше 0.")
	default:
		return r
	}
	return nil
}

// decimals reads a number with at most n decimals.
func (f *form) decimals(name string, n int) *big.Rat {
	r := f.number(name)
	if r != nil && !hasDecimals(r, n) {
		f.complain(name, "Значение "+label(name)+" должно содержать не более "+strconv.Itoa(n)+" знаков после запятой.")
		return nil
	}
	return r
}

// amount reads roubles.
func (f *form) amount(name string) (Kopecks, bool) {
	r := f.decimals(name, 2)
	if r == nil {
		return 0, false
	}
	k, ok := HalfUp.round(r)
	if !ok {
		f.complain(name, "Значение "+label(name)+" слишком велико.")
	}
	return k, ok
}

// integer reads a whole number from low to high; 0 if absent or wrong.
func (f *form) integer(name string, low, high int) int {
	raw, ok := f.raw(name)
	if !ok {
		return 0
	}
	s, _ := scalar(raw)
	n, err := strconv.Atoi(strings.TrimSpace(s))
	switch {
	case err != nil:
		f.complain(name, "Значение "+label(name)+" должно быть целым числом.")
	case n < low || n > high:
		f.wrong(name)
	default:
		return n
	}
	return 0
}

// flag reads 0, 1, true or false, quoted or not (section 1.7).
func (f *form) flag(name string) bool {
	raw, ok := f.raw(name)
	if !ok {
		return false
	}
	switch s, _ := scalar(raw); s {
	case "1", "true":
		return true
	case "0", "false", "":
		return false
	}
	f.wrong(name)
	return false
}

// take notes fields that are known but without effect here.
func (f *form) take(names ...string) {
	for _, n := range names {
		f.known[n] = true
	}
}

// unknown lists the fields that nothing asked for.
func (f *form) unknown(prefix string) []string {
	var out []string
	for name := range f.in {
		if !f.known[name] {
			out = append(out, prefix+name)
		}
	}
	slices.Sort(out)
	return out
}

// parseProducts reads purchase: an object, or the text of one (section 2.1).
func parseProducts(raw json.RawMessage) ([]values, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	purchase, err := parseValues(raw)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(purchase["products"], &list); err != nil {
		return nil, err
	}
	out := make([]values, len(list))
	for i, p := range list {
		if out[i], err = parseValues(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readBody reads a request to its end; too long is an error.
func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, bodyMax+1))
	if err == nil && len(body) > bodyMax {
		err = errors.New("request too long")
	}
	return body, err
}
