package sim

import (
	"encoding/json"
	"io"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
	"kassad/mqtt"
)

// Report prints a reconciliation for people.
type Report func(w io.Writer, r mqtt.Reconciliation) error

// demoOptions is the shop of the demo: a printer first, then two clouds. The
// pauses of clouds are shortened, for nobody watches a demo for ten minutes.
func demoOptions(dir string) Options {
	policy := fiscal.DefaultPolicy()
	policy.Cloud.Repeat = []time.Duration{2 * time.Second}
	policy.Cloud.Poll = []time.Duration{500 * time.Millisecond}
	return Options{
		Dir: dir, PTY: true, Policy: &policy,
		LifePay: &lifepay.Config{Delays: lifepay.Delays{Print: 500 * time.Millisecond}},
		BIFIT:   &bifit.Config{Delays: bifit.Delays{New: -1, Queued: -1, Registering: 500 * time.Millisecond}},
	}
}

// clouds shows the printer dying and sales going on, each in exactly one place.
func (d *demo) clouds() error {
	d.scene("Принтер умер. Продажи идут через облака: LIFE PAY, потом БИФИТ")
	d.front.PowerOff()
	d.say("   ✝ принтер обесточен")
	bread := byMailTo("buyer@example.org", obj{"card": "#"}, item("Хлеб", "65.50", "1", "vat10", nil))
	if err := d.call(d.tills[0], fiscal.VerbSale, "хлеб, карта, чек на почту", bread); err != nil {
		return err
	}
	d.scene("LIFE PAY принял чек, а ответ потерялся: тот же запрос под тем же ключом, второго чека нет")
	if err := d.shop.LifePay.Fail(lifepay.Fault{Kind: lifepay.FaultCutAfter}); err != nil {
		return err
	}
	tea := byMailTo("+79161234567", obj{"cash": "500.00"}, item("Чай", "239.45", "1", "vat22", nil))
	if err := d.call(d.tills[1], fiscal.VerbSale, "чай, наличные со сдачей, чек на телефон", tea); err != nil {
		return err
	}
	d.scene("И LIFE PAY пропал из сети: следующий по маршруту — БИФИТ")
	d.shop.CutCloud(daemon.CloudLifePay)
	if err := d.call(d.tills[0], fiscal.VerbSale, "кофе, карта", byMailTo("buyer@example.org", obj{"card": "#"}, item("Кофе", "250.00", "1", "vat22", nil))); err != nil {
		return err
	}
	d.scene("Покупатель без телефона и почты: облаку такой чек нельзя, он ждёт принтер")
	time.AfterFunc(3*time.Second, func() {
		d.say("   ⚡ принтер снова включён")
		d.front.PowerOn()
	})
	return d.call(d.tills[1], fiscal.VerbSale, "молоко, карта", receipt(obj{"card": "#"}, item("Молоко", "89.90", "1", "vat10", nil)))
}

// byMailTo is a receipt that goes to the buyer's phone or e-mail.
func byMailTo(customer string, payments obj, items ...obj) obj {
	r := receipt(payments, items...)
	r["customer"] = customer
	return r
}

// reconcile prints the day's reconciliation.
func (d *demo) reconcile() error {
	d.scene("Сверка: журнал ↔ счётчики и ФН принтера ↔ подтверждения облаков")
	if err := d.shop.MendCloud(daemon.CloudLifePay); err != nil {
		return err
	}
	raw, err := daemon.Control(d.ctx, d.shop.Config, "reconcile", "demo", nil)
	if err != nil {
		return err
	}
	var r mqtt.Reconciliation
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.report(d.out, r)
}
