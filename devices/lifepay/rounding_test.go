package lifepay_test

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"kassad/devices/lifepay"
	"kassad/fiscal"
)

// TestRounding are the products of reference 3.3 in each mode. Which way the
// service rounds is not known, so by default it has nothing to round.
func TestRounding(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		price, quantity string
		unit            fiscal.Unit
		exact           bool
		name            string // as one
		sum             string
	}{
		{"33.33", "3", 0, true, "", "99.99"},
		{"10.05", "0.1", 11, false, "Сыр (0.1 кг x 10.05)", "1.01"},
		{"19.99", "3", 0, true, "", "59.97"},
		{"99.99", "0.3333", 11, false, "Сыр (0.3333 кг x 99.99)", "33.33"},
		{"0.01", "0.5", 41, false, "Сыр (0.5 л x 0.01)", "0.01"},
		{"0.01", "0.4", 10, false, "Сыр (0.4 г x 0.01)", "0.00"},
		{"1200", "0.1", 11, true, "", "120.00"},
		{"0", "0.3333", 11, true, "", "0.00"},
	} {
		draft := sale(item(t, "Сыр", test.price, test.quantity))
		draft.Items[0].Unit = test.unit
		doc := resolve(t, draft)
		for _, mode := range []string{lifepay.RoundAsOne, lifepay.RoundAsIs, lifepay.RoundRefuse} {
			d := driver(t, lifepay.Options{Rounding: mode})
			if mode == lifepay.RoundRefuse && !test.exact {
				if e := wantError(t, d.Check(doc), fiscal.CodeUnsupported, fiscal.OutcomeRejected); e.Field != "items[0].quantity" {
					t.Errorf("%s x %s: field %s", test.price, test.quantity, e.Field)
				}
				continue
			}
			p := products(t, prepare(t, d, doc).Cloud.Body)[0]
			asOne := mode == lifepay.RoundAsOne && !test.exact
			if asOne && (p["name"] != test.name || asText(p["price"]) != test.sum || asText(p["quantity"]) != "1" || p["unit"] != "piece") {
				t.Errorf("%s x %s as one: %v", test.price, test.quantity, p)
			}
			if !asOne && (p["name"] != "Сыр" || amount(t, asText(p["price"])) != amount(t, test.price) || asText(p["quantity"]) != test.quantity) {
				t.Errorf("%s x %s %s: %v", test.price, test.quantity, mode, p)
			}
		}
		if doc.Total != amount(t, test.sum) {
			t.Errorf("%s x %s: total %s", test.price, test.quantity, doc.Total)
		}
	}
}

func products(t *testing.T, body []byte) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, p := range fields(t, body)["purchase"].(map[string]any)["products"].([]any) {
		out = append(out, p.(map[string]any))
	}
	return out
}

// TestLongName: what as-one adds to a name never costs its own figures.
func TestLongName(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 64} {
		draft := sale(item(t, strings.Repeat("я", 60)+"  "+strings.Repeat("ж", 2), "99.99", "1.3333"))
		draft.Items[0].Unit = 11
		name, _ := products(t, prepare(t, driver(t, lifepay.Options{NameMax: limit}), resolve(t, draft)).Cloud.Body)[0]["name"].(string)
		if limit == 0 {
			limit = 128
		}
		if !strings.HasSuffix(name, " (1.3333 кг x 99.99)") || !strings.HasPrefix(name, "яяя") || utf8.RuneCountInString(name) > limit {
			t.Errorf("limit %d: %s", limit, name)
		}
	}
}

// TestNothingToRound: with the default, price × quantity of every position is
// whole kopecks, and they add up to our total, whatever the receipt.
func TestNothingToRound(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	d := driver(t, lifepay.Options{})
	for range 300 {
		draft := sale()
		for range 1 + rnd.IntN(6) {
			draft.Items = append(draft.Items, fiscal.Item{
				Name: "Товар", Price: fiscal.Money(rnd.Int64N(200000)), Quantity: fiscal.Quantity(1+rnd.Int64N(99999)) * 100,
				VAT: fiscal.VAT22, Discount: fiscal.Discount{Percent: fiscal.Percent(rnd.Int64N(3) * 750)},
			})
		}
		doc := resolve(t, draft)
		total := new(big.Rat)
		for _, p := range products(t, prepare(t, d, doc).Cloud.Body) {
			sum := new(big.Rat).Mul(rational(t, p["price"]), rational(t, p["quantity"]))
			if !new(big.Rat).Mul(sum, big.NewRat(100, 1)).IsInt() {
				t.Fatalf("%v x %v is to be rounded", p["price"], p["quantity"])
			}
			total.Add(total, sum)
		}
		if total.FloatString(2) != doc.Total.String() {
			t.Fatalf("%s, want %s", total.FloatString(2), doc.Total)
		}
	}
}

func rational(t *testing.T, v any) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(asText(v))
	if !ok {
		t.Fatalf("%v is no number", v)
	}
	return r
}
