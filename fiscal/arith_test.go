package fiscal

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// halfUp is round(a·b/c) by another arithmetic than ours.
func halfUp(a, b, c int64) int64 {
	n := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	n.Mul(n, big.NewInt(2)).Add(n, big.NewInt(c))
	return n.Div(n, big.NewInt(2*c)).Int64()
}

func TestProductsRoundHalfUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := Money(rapid.Int64Range(0, int64(MoneyMax)).Draw(t, "price"))
		quantity := Quantity(rapid.Int64Range(1, int64(QuantityMax)).Draw(t, "quantity"))
		if got, want := price.Sum(quantity), halfUp(int64(price), int64(quantity), 1_000_000); int64(got) != want {
			t.Fatalf("%s × %s: got %d, want %d", price, quantity, got, want)
		}
		percent := Percent(rapid.Int64Range(0, int64(PercentMax)).Draw(t, "percent"))
		if got, want := price.Less(percent), halfUp(int64(price), int64(10_000-percent), 10_000); int64(got) != want {
			t.Fatalf("%s less %d: got %d, want %d", price, percent, got, want)
		}
		rate := VAT(rapid.Uint8Range(1, 12).Draw(t, "rate"))
		percentOf := map[VAT]int64{VAT20: 20, VAT120: 20, VAT10: 10, VAT110: 10, VAT5: 5, VAT105: 5, VAT7: 7, VAT107: 7, VAT22: 22, VAT122: 22}[rate]
		if got, want := rate.Tax(price), halfUp(int64(price), percentOf, 100+percentOf); int64(got) != want {
			t.Fatalf("%s of %s: got %d, want %d", rate, price, got, want)
		}
	})
}

func TestDistributeIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sums := rapid.SliceOfN(rapid.Map(rapid.Int64Range(0, int64(MoneyMax)/50), func(v int64) Money { return Money(v) }), 1, 50).Draw(t, "sums")
		var total Money
		for _, s := range sums {
			total += s
		}
		amount := Money(rapid.Int64Range(0, int64(total)).Draw(t, "amount"))
		var cut Money
		for i, c := range distribute(amount, sums) {
			floor := Money(0)
			if total > 0 {
				n := new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(int64(sums[i])))
				floor = Money(n.Div(n, big.NewInt(int64(total))).Int64())
			}
			if c < 0 || c > sums[i] || c != floor && c != floor+1 {
				t.Fatalf("item %d of %s is cut by %s, its share is %s", i, sums[i], c, floor)
			}
			cut += c
		}
		if cut != amount {
			t.Fatalf("cut %s of %s", cut, amount)
		}
	})
}

// drawItem makes any item whose cost stays small enough for a receipt of many.
func drawItem(t *rapid.T) Item {
	it := Item{Name: "Товар", VAT: VAT(rapid.Uint8Range(1, 12).Draw(t, "vat"))}
	it.Price = Money(rapid.Int64Range(0, 10_000_000).Draw(t, "price"))
	if rapid.Bool().Draw(t, "whole") {
		it.Quantity = Quantity(rapid.Int64Range(1, 20).Draw(t, "pieces")) * QuantityUnit
	} else {
		it.Quantity = Quantity(rapid.Int64Range(1, 20_000_000).Draw(t, "millionths"))
	}
	switch rapid.IntRange(0, 2).Draw(t, "discount") {
	case 1:
		it.Discount.Percent = Percent(rapid.Int64Range(0, int64(PercentMax)).Draw(t, "percent"))
	case 2:
		it.Discount.Amount = Money(rapid.Int64Range(0, int64(it.Price.Sum(it.Quantity))).Draw(t, "amount"))
	}
	return it
}

func TestResolvedReceiptsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := sale(rapid.SliceOfN(rapid.Custom(drawItem), 1, 12).Draw(t, "items")...)
		var listed, due Money // before any discount, and after the items' own
		for _, it := range d.Items {
			listed += it.Price.Sum(it.Quantity)
			due += it.Price.Less(it.Discount.Percent).Sum(it.Quantity) - it.Discount.Amount
		}
		switch rapid.IntRange(0, 2).Draw(t, "receipt discount") {
		case 1:
			d.Discount.Percent = Percent(rapid.Int64Range(0, int64(PercentMax)).Draw(t, "receipt percent"))
		case 2:
			d.Discount.Amount = Money(rapid.Int64Range(0, int64(due)).Draw(t, "receipt amount"))
		}
		d.Payments.Cash = Money(rapid.Int64Range(0, int64(2*due)).Draw(t, "cash"))
		doc, err := d.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		checkLines(t, d, doc)
		if d.Discount.Percent == 0 && doc.Total != due-d.Discount.Amount {
			t.Fatalf("total %s, want %s less %s", doc.Total, due, d.Discount.Amount)
		}
		if doc.Total > listed {
			t.Fatalf("total %s above the list prices' %s", doc.Total, listed)
		}
		if doc.Payments.Total() != doc.Total || doc.Payments.Cash < 0 || doc.Change < 0 || doc.Payments.Cash+doc.Change != d.Payments.Cash {
			t.Fatalf("payments %+v and change %s of %s", doc.Payments, doc.Change, doc.Total)
		}
	})
}

// checkLines sees that lines are what a register computes by itself and that
// no quantity got lost.
func checkLines(t *rapid.T, d Draft, doc Document) {
	var total Money
	var quantity, ordered Quantity
	for _, l := range doc.Lines {
		if l.Price < 0 || l.Quantity <= 0 || l.Sum != l.Price.Sum(l.Quantity) || l.Tax != l.VAT.Tax(l.Sum) {
			t.Fatalf("line %+v", l)
		}
		total += l.Sum
		quantity += l.Quantity
	}
	for _, it := range d.Items {
		ordered += it.Quantity
	}
	if total != doc.Total || quantity != ordered {
		t.Fatalf("lines come to %s and %s units, want %s and %s", total, quantity, doc.Total, ordered)
	}
}

// Counters may be negative: what a report says is read as it was written.
func TestMoneyReadsBackFromJSON(t *testing.T) {
	t.Parallel()
	for _, m := range []Money{0, 5, -5, 100, -100, -12345, MoneyMax, -MoneyMax} {
		text, err := m.MarshalJSON()
		var got Money
		if err == nil {
			err = got.UnmarshalJSON(text)
		}
		if err != nil || got != m {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
}

func TestNumbersReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := Money(rapid.Int64Range(0, int64(MoneyMax)).Draw(t, "money"))
		if got, err := ParseMoney(m.String()); err != nil || got != m {
			t.Fatalf("%s: got %s, %v", m, got, err)
		}
		q := Quantity(rapid.Int64Range(0, int64(QuantityMax)).Draw(t, "quantity"))
		if got, err := ParseQuantity(q.String()); err != nil || got != q {
			t.Fatalf("%s: got %s, %v", q, got, err)
		}
	})
}
