package bifit

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"kassad/devices/web"
	"kassad/fiscal"
)

// textMax bounds what is shown of a text of the service, in characters.
const textMax = 200

// readID reads the answer to a registration: a bare number, by tolerance a
// quoted one (reference 4.3) or an object that has it under one of names.
func readID(body []byte, names []string) (uint64, error) {
	text := scalar(body)
	if text == "" {
		o, err := readObject(body)
		if err != nil {
			return 0, errors.New("neither a number nor an object")
		}
		text = o.text(names)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil || id == 0 {
		return 0, errors.New("no document id")
	}
	return id, nil
}

// grant is an answer to a token request (reference 3.3).
type grant struct {
	access, refresh string
	life            time.Duration
}

func readGrant(body []byte) (grant, error) {
	o, err := readObject(body)
	if err != nil {
		return grant{}, err
	}
	g := grant{access: o.text([]string{"access_token"}), refresh: o.text([]string{"refresh_token"}), life: defaultLife}
	if g.access == "" || len(g.access) > tokenMax || !visible(g.access) {
		return grant{}, errors.New("no access token that could be sent")
	}
	// A life that cannot be read is the documented hour; if it is shorter, a 401
	// will tell.
	if seconds, err := strconv.ParseInt(o.text([]string{"expires_in"}), 10, 64); err == nil && seconds > 0 {
		g.life = time.Duration(min(seconds, int64(lifeMax/time.Second))) * time.Second
	}
	return g, nil
}

// state is what the service tells of a document: its words, as text. A field
// that is absent is "".
type state struct {
	id, status, kind, total                     string
	fn, fd, fp, shift, receipt, at, rnm, serial string
	errorCode, errorText                        string
}

// readState decodes the answer of reference 7. No other function knows its
// form.
func readState(body []byte, v vocabulary) (state, error) {
	o, err := readObject(body)
	if err != nil {
		return state{}, err
	}
	get := func(name string) string { return o.text(v.spellings("answer." + name)) }
	return state{
		id: get("id"), status: get("status"), kind: get("type"), total: get("total"),
		fn: get("fn"), fd: get("fd"), fp: get("fp"), shift: get("shift"), receipt: get("receipt"),
		at: get("at"), rnm: get("rnm"), serial: get("serial"),
		errorCode: get("error-code"), errorText: get("error-text"),
	}, nil
}

// object is a JSON object whose values have not been looked at.
type object map[string]json.RawMessage

func readObject(body []byte) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, errors.New("not a JSON object")
	}
	if o == nil {
		return nil, errors.New("nothing but null")
	}
	return o, nil
}

// text returns the first of the named values that is a string or a number;
// names are paths with dots.
func (o object) text(names []string) string {
	for _, name := range names {
		if text := scalar(o.at(name)); text != "" {
			return text
		}
	}
	return ""
}

func (o object) at(path string) json.RawMessage {
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return o[first]
	}
	inner, err := readObject(o[first])
	if err != nil {
		return nil
	}
	return inner.at(rest)
}

// scalar is the text of a JSON string or the digits of a JSON number as they
// stand: no number here is a float.
func scalar(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	if raw[0] == '"' {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	var n json.Number
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') || json.Unmarshal(raw, &n) != nil {
		return ""
	}
	return n.String()
}

// money reads an amount in roubles; zeros after the kopecks are allowed.
func money(text string) (fiscal.Money, error) {
	if whole, frac, ok := strings.Cut(text, "."); ok && len(frac) > 2 {
		text = whole + "." + frac[:2] + strings.TrimRight(frac[2:], "0")
	}
	return fiscal.ParseMoney(text)
}

// wallTimes are the forms in which a register's local time is understood; what
// the service sends is a placeholder (reference 7).
var wallTimes = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", time.RFC3339}

// wallTime reads a register's wall clock, as UTC. A zone, if there is one, is
// not counted in: the fiscal document has none. What cannot be read is zero.
func wallTime(text string) time.Time {
	for _, form := range wallTimes {
		if t, err := time.Parse(form, text); err == nil {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
		}
	}
	return time.Time{}
}

// said is what the service says about an error, short and without our secrets.
func (d *Driver) said(a web.Answer) string {
	if markup(a) {
		return "a web page"
	}
	text := string(a.Body)
	if o, err := readObject(a.Body); err == nil {
		text = o.text([]string{"message", "error_description", "error"})
		if field := o.text([]string{"field"}); field != "" {
			text = field + ": " + text
		}
	}
	return d.show(text)
}

// show makes a text of the service fit for errors and logs.
func (d *Driver) show(s string) string { return bounded(d.hide(s)) }

// markup tells whether an answer is a page for people.
func markup(a web.Answer) bool {
	return strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("<"))
}

// errorName is the "error" of an authorization error (RFC 6749), if it looks
// like one: small letters and underscores.
func errorName(body []byte) string {
	o, err := readObject(body)
	if err != nil {
		return ""
	}
	name := o.text([]string{"error"})
	if len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return name
}

// bounded makes a text of the service fit to be shown: one line, no control
// characters, textMax characters.
func bounded(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > textMax {
		return string(r[:textMax]) + "…"
	}
	return s
}
