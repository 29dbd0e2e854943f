package shtrih

import (
	"context"
	"errors"
	"fmt"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// habits are what a device has shown that it wants done its own way, where the
// reference leaves a choice. They outlive a link, but belong to one device.
type habits struct {
	serial       string
	separateTags bool // one requisite a command: FF0C of several was refused (2.1)
	keyElsewhere bool // tag 1192 is not taken: the key goes into 1084 (design 5.3)
	otherOrder   bool // FF4D on the other side of its FF46 (5.4 step 4, UNVERIFIED per model)
	orderTried   bool // the other side has been tried
	guardsDrawer bool // money that is not in the drawer is not paid out (46h)
}

// tagsHead is what stands before the requisites in FF0C and FF4D.
const tagsHead = 2 + passwordBytes

// errAgain says that the document was refused for the way it was sent, that
// nothing was made of it and nothing is open, and that there is another way.
var errAgain = errors.New("refused for the way it was sent")

// adapt looks whether the refusal of a requisite may come from a habit of the
// device not known so far. Each habit is learned once, so a document that is
// wrong in itself is refused after a few attempts at most.
func (d *Driver) adapt(cause error) bool {
	var r *refusal
	if !errors.As(cause, &r) || len(r.Message) < tagsHead || r.Message[0] != cmdFN {
		return false
	}
	sub := r.Message[1]
	if sub != fnSendTags && sub != fnSendItemTags {
		return false
	}
	tags, err := ffd.Decode(r.Message[tagsHead:])
	if err != nil {
		return false
	}
	content := vendorErrorOf(r.Code).Code == fiscal.CodeDeviceRefused
	switch {
	case content && r.Code != errTagRefused && len(tags) > 1 && !d.habits.separateTags:
		d.habits.separateTags = true
	case content && sub == fnSendTags && carriesKey(tags) && !d.habits.keyElsewhere:
		d.habits.keyElsewhere = true
	case sub == fnSendItemTags && outOfOrder(r.Code) && !d.habits.orderTried:
		d.habits.otherOrder, d.habits.orderTried = true, true
	case sub == fnSendItemTags && outOfOrder(r.Code):
		d.habits.otherOrder = false // neither side is taken: it was not the order
		return false
	default:
		return false
	}
	d.log.Warn("the device wants it another way", "because", cause, "separate_tags", d.habits.separateTags,
		"key_elsewhere", d.habits.keyElsewhere, "item_tags_other_order", d.habits.otherOrder)
	return true
}

// outOfOrder tells the codes that say "not now" (4.1). Only these may move the
// tags of items: a device that takes them on the wrong side binds them to
// another item and says nothing, so neither a bad value nor a condition such as
// missing paper or an old shift may teach it.
func outOfOrder(c byte) bool { return c == 0x02 || c == 0x0A }

// drawerAllows refuses a document that pays out more cash than the drawer has,
// on a device that has refused such a document before: found out here, the
// waiting costs no cancelled receipts.
func (d *Driver) drawerAllows(ctx context.Context, doc fiscal.Document) error {
	out := doc.Payments.Cash
	switch {
	case doc.Verb == fiscal.VerbCashOut:
		out = doc.Amount
	case !doc.Verb.Receipt() || doc.Correction != nil || doc.Kind != fiscal.Refund && doc.Kind != fiscal.Buy:
		return nil
	}
	if !d.habits.guardsDrawer || out == 0 {
		return nil
	}
	drawer, err := d.moneyRegister(ctx, moneyDrawer)
	if err != nil {
		return err
	}
	if drawer < out {
		return fiscal.Refuse(fiscal.CodeNoCash, "", fmt.Sprintf("%s in the drawer, %s to be paid out", drawer, out))
	}
	return nil
}

// carriesKey tells whether the requisites bring our key as tag 1192.
func carriesKey(tags []ffd.Field) bool {
	f, ok := ffd.Find(tags, ffd.TagReceiptExtra)
	return ok && looksLikeKey(f.Text())
}

// recall keeps what is known of the device that answers now, and forgets what
// another one has shown.
func (d *Driver) recall(serial string) {
	if d.habits.serial != serial {
		d.habits = habits{serial: serial}
	}
}

// mark is where our key goes on this device.
func (d *Driver) mark() string {
	if d.opt.Mark == Mark1192 && d.habits.keyElsewhere {
		return Mark1084
	}
	return d.opt.Mark
}

// separateTags tells whether each requisite goes in a command of its own.
func (d *Driver) separateTags() bool { return d.opt.SeparateTags || d.habits.separateTags }

// itemTagsFirst tells whether FF4D goes before its FF46.
func (d *Driver) itemTagsFirst() bool {
	return (d.opt.ItemTagsFirst || d.id.itemTagsFirst()) != d.habits.otherOrder
}
