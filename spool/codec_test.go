package spool

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"kassad/fiscal"
)

// filler puts something into every field of a value, so that a field which the
// codec forgets is found.
type filler struct{ rnd *rand.Rand }

func (f filler) fill(v reflect.Value) {
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		*t = time.Unix(1_700_000_000+f.rnd.Int64N(1e8), f.rnd.Int64N(1e9)).In(time.FixedZone("", 3*3600))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(rune('а'+f.rnd.IntN(30))) + "x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + f.rnd.Int64N(1<<40))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1 + f.rnd.Uint64N(1<<(v.Type().Bits()-1)))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(elem)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i))
			}
		}
	}
}

func filled[T any](seed uint64) T {
	var v T
	filler{rand.New(rand.NewPCG(seed, 0))}.fill(reflect.ValueOf(&v).Elem())
	return v
}

// same compares values whose times may differ in the name of their zone.
func same(t *testing.T, got, want any) {
	t.Helper()
	if differ := diff(reflect.ValueOf(got), reflect.ValueOf(want), ""); differ != "" {
		t.Errorf("%T: the codec does not keep %s", want, differ)
	}
}

func diff(a, b reflect.Value, path string) string {
	if t, ok := a.Interface().(time.Time); ok {
		u := b.Interface().(time.Time)
		_, ao := t.Zone()
		_, bo := u.Zone()
		if !t.Equal(u) || ao != bo {
			return path
		}
		return ""
	}
	if a.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil() {
		return diff(a.Elem(), b.Elem(), path)
	}
	if a.Kind() == reflect.Slice && a.Len() == b.Len() && a.IsNil() == b.IsNil() {
		for i := range a.Len() {
			if d := diff(a.Index(i), b.Index(i), path+"[]"); d != "" {
				return d
			}
		}
		return ""
	}
	if a.Kind() != reflect.Struct {
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			return path
		}
		return ""
	}
	for i := range a.NumField() {
		if field := a.Type().Field(i); field.IsExported() {
			if d := diff(a.Field(i), b.Field(i), path+"."+field.Name); d != "" {
				return d
			}
		}
	}
	return ""
}

func roundTrip[T any](t *testing.T, walk func(*coder, *T)) {
	t.Helper()
	for seed := range uint64(20) {
		want := filled[T](seed)
		if seed == 0 {
			want = *new(T) // everything nil and empty
		}
		body := encode(&want, walk)
		got, err := decode(body, codecVersion, walk)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		same(t, got, want)
		if again := encode(&got, walk); !bytes.Equal(again, body) {
			t.Errorf("seed %d: encodes to %x, again to %x", seed, body, again)
		}
		for n := range body {
			if _, err := decode(body[:n], codecVersion, walk); !errors.Is(err, ErrDamaged) {
				t.Fatalf("seed %d: %d of %d bytes: %v", seed, n, len(body), err)
			}
		}
	}
}

func TestEveryFieldIsStored(t *testing.T) {
	t.Parallel()
	roundTrip(t, codeRecord)
	roundTrip(t, codeEntry)
	roundTrip(t, codeCash)
	roundTrip(t, codeMessage)
}

func TestEmptyIsNotNil(t *testing.T) {
	t.Parallel()
	want := fiscal.Record{Counters: &fiscal.Counters{Journal: &fiscal.Agreement{Differences: []fiscal.Difference{}}}}
	got, err := decode(encode(&want, codeRecord), codecVersion, codeRecord)
	if err != nil || got.Counters.Journal.Differences == nil || got.Counters.ByKind != nil {
		t.Errorf("%+v %v", got.Counters, err)
	}
}

func TestTimesOfAnyOffset(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"2026-11-22T12:04:28+03:00", "2026-11-22T12:04:28-00:01", "2026-11-22T12:04:28.000000001Z", "0000-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		want := fiscal.Record{AcceptedAt: at}
		got, err := decode(encode(&want, codeRecord), codecVersion, codeRecord)
		if err != nil || got.AcceptedAt.Format(time.RFC3339Nano) != at.Format(time.RFC3339Nano) {
			t.Errorf("%s became %v, %v", text, got.AcceptedAt, err)
		}
	}
}

func TestErrorKeepsItsCauseAsText(t *testing.T) {
	t.Parallel()
	want := fiscal.Record{Error: fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodePrinterAway, errors.New("no route"))}
	got, err := decode(encode(&want, codeRecord), codecVersion, codeRecord)
	if err != nil || got.Error.Error() != want.Error.Error() || got.Error.Outcome != fiscal.OutcomeUnreachable {
		t.Errorf("%v became %v, %v", want.Error, got.Error, err)
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	framed := seal("b", []byte("k"), []byte("body"))
	body, _, err := open("b", []byte("k"), framed)
	if err != nil || string(body) != "body" {
		t.Fatalf("%q %v", body, err)
	}
	for i := range framed {
		torn := bytes.Clone(framed)
		torn[i] ^= 0x10
		if _, _, err := open("b", []byte("k"), torn); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	if _, _, err := open("b", []byte("other"), framed); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another key: %v", err)
	}
	if _, _, err := open("b", []byte("k"), framed[:3]); !errors.Is(err, ErrDamaged) {
		t.Errorf("three bytes: %v", err)
	}
}

func TestNewerValueIsRefused(t *testing.T) {
	t.Parallel()
	framed := seal("b", nil, []byte("body"))
	framed[0] = codecVersion + 1
	crc := sum("b", nil, framed[0], []byte("body"))
	framed[1], framed[2], framed[3], framed[4] = byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)
	if _, _, err := open("b", nil, framed); !errors.Is(err, ErrNewer) {
		t.Errorf("%v, want ErrNewer", err)
	}
}

// FuzzRecord: no body makes the decoder panic, and what it reads it writes and
// reads again the same.
func FuzzRecord(f *testing.F) {
	for seed := range uint64(4) {
		r := filled[fiscal.Record](seed)
		f.Add(encode(&r, codeRecord))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decode(body, codecVersion, codeRecord)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v is no ErrDamaged", err)
			}
			return
		}
		first := encode(&r, codeRecord)
		again, err := decode(first, codecVersion, codeRecord)
		if err != nil {
			t.Fatal(err)
		}
		if second := encode(&again, codeRecord); !bytes.Equal(first, second) {
			t.Fatalf("%x became %x", first, second)
		}
		_ = valid(&r)
	})
}

// FuzzFrame: no value makes the reader panic, whatever the file holds.
func FuzzFrame(f *testing.F) {
	r := filled[fiscal.Record](1)
	f.Add(seal(bucketRecords, number(1), encode(&r, codeRecord)))
	f.Add([]byte{1})
	f.Fuzz(func(_ *testing.T, framed []byte) {
		_, _ = readRecord(number(1), framed)
		_, _ = readMessage(outboxKey(1), framed)
		_, _ = readEntry(namedNumber32("fn", 1), framed)
		_, _ = readCash(namedNumber32("fn", 1), framed)
	})
}

// TestFormerVersion reads what the version before wrote: its values end where
// the later fields begin.
func TestFormerVersion(t *testing.T) {
	t.Parallel()
	r := filled[fiscal.Record](7)
	c := coder{version: 1}
	codeRecord(&c, &r)
	if c.err != nil {
		t.Fatal(c.err)
	}
	got, err := decode(c.b, 1, codeRecord)
	if err != nil {
		t.Fatal(err)
	}
	want := r
	want.SavedAt, want.Ticket, want.Asked, want.PauseLeft, want.Reloads, want.ReloadDue, want.Tried, want.Late = time.Time{}, "", 0, 0, 0, false, nil, nil
	want.Document.Stem, want.Document.Edition = "", 0
	base, receipt, already := *r.Baseline, *r.Receipt, *r.Baseline.Already
	base.Cloud, receipt.Ticket, receipt.URL, already.Ticket, already.URL = nil, "", "", "", ""
	base.Already, want.Baseline, want.Receipt = &already, &base, &receipt
	same(t, got, want)
}
