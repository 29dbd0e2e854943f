package shtrih

import (
	"log/slog"
	"testing"

	"kassad/fiscal/ffd"
)

// The side of an item's tags is moved by "not now" alone, and moved back when
// the other side is refused as well: on the wrong side they would silently
// belong to another item.
func TestOrderOfItemTagsIsLearnedFromOrderAlone(t *testing.T) {
	t.Parallel()
	tags := ffd.AppendByte(nil, ffd.TagUnit, 11)
	for code := range 256 {
		d := &Driver{log: slog.New(slog.DiscardHandler)}
		refused := &refusal{Code: byte(code), Message: encodeTags(fnSendItemTags, 30, tags)}
		want := code == 0x02 || code == 0x0A
		if again := d.adapt(refused); again != want || d.habits.otherOrder != want {
			t.Errorf("%02Xh: again %v, other order %v", code, again, d.habits.otherOrder)
		}
		if again := d.adapt(refused); again || d.habits.otherOrder {
			t.Errorf("%02Xh on both sides: again %v, other order %v", code, again, d.habits.otherOrder)
		}
	}
}
