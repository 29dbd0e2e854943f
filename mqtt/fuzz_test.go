package mqtt

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kassad/fiscal"
)

// refusedProperly: what a stranger sent is refused by a stable code of content,
// which has a sentence in both languages and is short enough for an answer.
func refusedProperly(t *testing.T, refusal *fiscal.Error) {
	t.Helper()
	info := refusal.Code.Info()
	if info.Nature != fiscal.Content || info.Russian == "" || info.English == "" || info.Action == "" {
		t.Errorf("refused by %+v", info)
	}
	if refusal.Outcome != fiscal.OutcomeRejected || !utf8.ValidString(refusal.Field) || !utf8.ValidString(refusal.Detail) {
		t.Errorf("refusal %+v", refusal)
	}
	if len(refusal.Detail) > 400 || len(refusal.Field) > jsonDepthMax*70 {
		t.Errorf("unbounded: %v", refusal)
	}
}

// tree is what another parser makes of a text, digits as they are written.
func tree(t *testing.T, text []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// FuzzJSON holds the strict parser against the library's: it takes nothing that
// is no JSON, reads the same values, and what it refuses beyond that it says.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		contractSale, `{"a":[1,-0.5e+3,"\ud83d\ude00",{"b":null}],"c":true}`, `{"a":1,"a":2}`, `{"a":01}`, `{"a":"\ud800"}`, "{}\n", `[]`, "{\"a\":\"\x01\"}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, refusal := parseJSON(text)
		if refusal == nil {
			if !json.Valid(text) || !utf8.Valid(text) {
				t.Fatalf("%q is taken for JSON", text)
			}
			if want, got := tree(t, text), tree(t, render(&root, nil)); !reflect.DeepEqual(want, got) {
				t.Fatalf("%q is read as %v, want %v", text, got, want)
			}
			return
		}
		refusedProperly(t, refusal)
		if !json.Valid(text) || !utf8.Valid(text) {
			return
		}
		for _, word := range []string{"not an object", "duplicate key", "nested too deep", "too many", "broken escape"} {
			if strings.Contains(refusal.Detail, word) {
				return
			}
		}
		t.Errorf("%q is JSON, and refused: %v", text, refusal)
	})
}

// render writes a value again: in the order of rnd, with white space and
// escapes, if rnd is not nil.
func render(v *jsonValue, rnd *rand.Rand) []byte {
	space := func() string {
		if rnd == nil {
			return ""
		}
		return []string{"", " ", "\n\t", "\r"}[rnd.IntN(4)]
	}
	text := func(s string) []byte {
		if rnd == nil || rnd.IntN(2) == 0 {
			out, _ := json.Marshal(s)
			return out
		}
		out := []byte{'"'}
		for _, r := range s {
			if r < 0x10000 {
				hex := strconv.FormatInt(int64(r), 16)
				out = append(out, `\u`+strings.Repeat("0", 4-len(hex))+hex...)
			} else {
				out = utf8.AppendRune(out, r)
			}
		}
		return append(out, '"')
	}
	var out []byte
	switch v.kind {
	case jsonString:
		return text(v.text)
	case jsonArray:
		for i := range v.items {
			out = append(out, space()...)
			out = append(append(out, render(&v.items[i], rnd)...), ',')
		}
		return []byte("[" + strings.TrimSuffix(string(out), ",") + space() + "]")
	case jsonObject:
		order := make([]int, len(v.members))
		for i := range order {
			order[i] = i
		}
		if rnd != nil {
			rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		for _, i := range order {
			out = append(append(out, space()...), text(v.members[i].key)...)
			out = append(append(out, space()...), ':')
			out = append(append(out, render(&v.members[i].value, rnd)...), ',')
		}
		return []byte("{" + strings.TrimSuffix(string(out), ",") + space() + "}")
	default:
		return []byte(v.text)
	}
}

// hashed is what decides whether two commands are the same one: verb, device or
// route, and body, by another parser.
func hashed(t *testing.T, c Command, payload []byte) any {
	t.Helper()
	envelope, _ := tree(t, payload).(map[string]any)
	body, ok := envelope["body"]
	if !ok {
		body = map[string]any{}
	}
	return []any{c.Verb, cmp.Or(c.Device, c.Route), body}
}

// FuzzHash: the same command in another order, with other spaces and escapes,
// has the same hash, and so has one with other exp and wait; with any other
// value in it, or another verb or place, it has another. Both ways round, by
// the judgement of another parser.
func FuzzHash(f *testing.F) {
	for verb, payload := range goodRequests {
		f.Add(verb, []byte(payload), uint64(1))
		f.Add(verb, []byte(payload), uint64(2))
	}
	f.Add("sale", []byte(contractSale), uint64(3))
	f.Fuzz(func(t *testing.T, verb string, payload []byte, seed uint64) {
		cmd, refusal := DecodeCommand(verb, payload)
		if refusal != nil {
			return
		}
		root, _ := parseJSON(payload)
		rnd := rand.New(rand.NewPCG(seed, 0))
		shuffled := render(&root, rnd)
		again, refusal := DecodeCommand(verb, shuffled)
		if refusal != nil || again.Hash != cmd.Hash || again.ID != cmd.ID {
			t.Fatalf("%q and %q differ: %v", payload, shuffled, refusal)
		}
		again.Hash = cmd.Hash
		if !reflect.DeepEqual(again, cmd) {
			t.Fatalf("%+v and %+v are one command", cmd, again)
		}
		disturb(&root, rnd)
		other := render(&root, rnd)
		changed, refusal := DecodeCommand(verb, other)
		if refusal != nil {
			return
		}
		same := reflect.DeepEqual(hashed(t, cmd, payload), hashed(t, changed, other))
		if same != (changed.Hash == cmd.Hash) {
			t.Fatalf("%q and %q: the same %t, hashes %s %s", payload, other, same, cmd.Hash, changed.Hash)
		}
	})
}

// disturb changes one value somewhere in v, or leaves one member out.
func disturb(v *jsonValue, rnd *rand.Rand) {
	switch {
	case v.kind == jsonObject && len(v.members) > 0:
		i := rnd.IntN(len(v.members))
		if rnd.IntN(8) == 0 {
			v.members = append(v.members[:i], v.members[i+1:]...)
			return
		}
		disturb(&v.members[i].value, rnd)
	case v.kind == jsonArray && len(v.items) > 0:
		disturb(&v.items[rnd.IntN(len(v.items))], rnd)
	case v.kind == jsonNumber:
		v.text = []string{"1", "2", "1.0", "1.00", "10", "0"}[rnd.IntN(6)]
	case v.kind == jsonBool:
		v.text = map[string]string{"true": "false", "false": "true"}[v.text]
	case v.kind == jsonString:
		v.text = []string{v.text + "x", "front", "2h", "2026-11-22T12:04:29Z", "2026-11-21", "card", "vat10", "#", "buy"}[rnd.IntN(9)]
	}
}

// FuzzDecodeManage: a request of management is refused properly, or has an id,
// a person of bounded length and one JSON object.
func FuzzDecodeManage(f *testing.F) {
	f.Add([]byte(`{"v":1,"id":"m1","by":"ivanov","body":{"id":"a","action":"retry"}}`))
	f.Add([]byte(`{"v":1,"id":"m1","by":"ivanov","exp":"2026-11-22T12:04:28Z"}`))
	f.Add([]byte(`{"v":1,"id":"m1","by":"","body":[]}`))
	f.Add([]byte(`{"v":2,"by":"и","body":{"a":1,"a":2}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, refusal := DecodeManage(payload)
		if r.ID != "" && !ValidID(r.ID) {
			t.Errorf("id %q", r.ID)
		}
		if refusal != nil {
			refusedProperly(t, refusal)
			if r.By != "" || r.Body != nil || !r.Exp.IsZero() {
				t.Errorf("refused, and %+v", r)
			}
			return
		}
		if n := utf8.RuneCountInString(r.By); r.ID == "" || n < 1 || n > personCharsMax {
			t.Errorf("let through %+v", r)
		}
		if _, object := tree(t, r.Body).(map[string]any); !object || !json.Valid(r.Body) {
			t.Errorf("body %q", r.Body)
		}
		var a struct{ ID, Verb string }
		if err := json.Unmarshal(EncodeManage(r.ID, "status", r.Body), &a); err != nil || a.ID != r.ID {
			t.Errorf("its answer is %+v, %v", a, err)
		}
	})
}

// FuzzAnswerValues: what programs read out of our answers prints again as it
// was.
func FuzzAnswerValues(f *testing.F) {
	for _, text := range []string{`"2026-11-22T12:04:31+03:00"`, `"2026-11-22T12:04:31"`, "812.0", "0.4", "1e9", "-1.0", "null", `""`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var at Instant
		if json.Unmarshal(text, &at) == nil {
			again := reprint(t, &at, new(Instant))
			if d := time.Time(at).Sub(time.Time(*again)); d < 0 || d >= time.Second {
				t.Errorf("%s becomes %v", text, time.Time(*again))
			}
		}
		var wall WallTime
		if json.Unmarshal(text, &wall) == nil {
			if again := reprint(t, &wall, new(WallTime)); time.Time(wall).Unix() != time.Time(*again).Unix() {
				t.Errorf("%s becomes %v", text, time.Time(*again))
			}
		}
		var d Millis
		if json.Unmarshal(text, &d) == nil && d >= 0 {
			if again := reprint(t, &d, new(Millis)); (d - *again).abs() > Millis(50*time.Microsecond) {
				t.Errorf("%s becomes %v", text, time.Duration(*again))
			}
		}
	})
}

func (d Millis) abs() Millis { return Millis(time.Duration(d).Abs()) }

// reprint marshals v and reads it into again.
func reprint[T any](t *testing.T, v, again *T) *T {
	t.Helper()
	out, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(out, again)
	}
	if err != nil {
		t.Fatalf("%+v prints %s: %v", v, out, err)
	}
	return again
}

// FuzzReply: whoever may publish answers, the verb of a reply is that of its
// topic and the payload is what came.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"v":1,"id":"a","n":1,"state":"done","final":true,"verb":"sale"}`))
	f.Add([]byte(`{"payload":"eA==","Verb":"refund"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, ok := readReply("kassad/v1/local/shop/main/res/till1/sale", payload)
		if ok && (r.Verb != "sale" || !bytes.Equal(r.Payload, payload)) {
			t.Errorf("%q becomes %+v", payload, r)
		}
		if ok && !json.Valid(payload) {
			t.Errorf("%q is taken for an answer", payload)
		}
	})
}

// FuzzParseRoot: a root prints as it was read, and its own topics parse.
func FuzzParseRoot(f *testing.F) {
	f.Add("kassad/v1/local/shop/main")
	f.Add("kassad/v1/local/shop/")
	f.Add("kassad/v1/a/b/c/d")
	f.Fuzz(func(t *testing.T, root string) {
		topics, err := ParseRoot(root)
		if err != nil {
			return
		}
		if topics.Root() != root {
			t.Fatalf("%q becomes %q", root, topics.Root())
		}
		if _, err := topics.Parse(topics.NodeState()); err != nil {
			t.Error(err)
		}
	})
}
