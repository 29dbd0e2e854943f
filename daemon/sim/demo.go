package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// ErrBooks says that the three books do not agree.
var ErrBooks = errors.New("the three books do not agree")

// Commands of the printer at which the demo interferes.
const (
	closeReceipt   = 0xFF45
	closeReceiptV3 = 0xFF76
)

// demo is one short business day, told to out.
type demo struct {
	ctx   context.Context
	out   io.Writer
	pace  time.Duration
	shop  *Shop
	front *printer.Printer
	tills [2]*Till

	report Report

	mu sync.Mutex // the printer prints while tills are told
}

// Demo runs a shop with no hardware: the real daemon and broker, an emulated
// printer on the real wire, emulated clouds, two terminals. It returns ErrBooks
// if at the end the three books disagree. report prints the reconciliation.
func Demo(ctx context.Context, out io.Writer, pace time.Duration, report Report) error {
	dir, err := os.MkdirTemp("", "kassad-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{ctx: ctx, out: out, pace: pace, report: report}
	d.say("kassad demo: настоящий демон и брокер; принтер, ФН, облака и ОФД — ЭМУЛЯТОРЫ, чеки не фискальные.")
	if d.shop, err = Open(ctx, demoOptions(dir)); err != nil {
		return err
	}
	defer d.shop.Close()
	d.front = d.shop.Printers["front"]
	d.front.OnPrint(d.paper)
	for i := range d.tills {
		if d.tills[i], err = d.shop.Till(ctx, fmt.Sprintf("till%d", i+1)); err != nil {
			return err
		}
	}
	d.say("Принтер: %s. Брокер: %s. Терминалы: till1, till2.", d.shop.Config.Devices[0].Address, d.shop.Broker)
	d.say("Маршрут чеков: %s, следующий — через %s.", strings.Join(d.shop.Config.Routes[0].Backends, " → "), fallbackAfter)
	for _, act := range []func() error{d.morning, d.sales, d.cable, d.power, d.paperOut, d.clouds, d.evening, d.reconcile} {
		if err := act(); err != nil {
			return err
		}
	}
	return d.compare()
}

func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format+"\n", args...)
}

func (d *demo) scene(title string) {
	d.say("\n━━ %s", title)
	d.rest()
}

// rest lets a person read.
func (d *demo) rest() {
	select {
	case <-time.After(d.pace):
	case <-d.ctx.Done():
	}
}

// paper draws what came out of the printer.
func (d *demo) paper(p printer.Printed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	Draw(d.out, p)
}

// call sends a command and tells every answer to it.
func (d *demo) call(t *Till, verb fiscal.Verb, what string, body any) error {
	d.say("%s → %s: %s", t.name, verb, what)
	a, err := t.CallID(d.ctx, verb, NewID(), body, func(a Answer) { d.say("%s ← %s", t.name, describe(a)) })
	if err != nil {
		return err
	}
	if a.State != fiscal.Done {
		return fmt.Errorf("%s %s ended as %s: %s", t.name, verb, a.State, a.Raw)
	}
	d.rest()
	return nil
}

// describe is one line about an answer.
func describe(a Answer) string {
	s := string(a.State)
	if a.Route != "" && a.Route != "front" {
		s += " в " + a.Route
	}
	switch {
	case a.Waiting != nil:
		s += " (ждём: " + a.Waiting.Text + ")"
	case a.Error != nil:
		s += ": " + a.Error.Text
	case a.State == fiscal.Registered:
		s += ": облако приняло чек, продажу можно завершить"
	case a.State == fiscal.Unknown:
		s += ": выясняем, пробит ли чек"
	case a.Fiscal != nil && a.Fiscal.FD != 0:
		s += fmt.Sprintf(": ФД %d, ФП %s, смена %d", a.Fiscal.FD, a.Fiscal.FP, a.Fiscal.Shift)
		if a.Fiscal.Total > 0 {
			s += fmt.Sprintf(", итог %s, сдача %s", a.Fiscal.Total, a.Fiscal.Change)
		}
	}
	if a.Recovered && a.Route == "front" {
		s += " — найден в ФН после сбоя"
	}
	return s
}

type obj = map[string]any

var cashier = obj{"name": "Иванова А.", "inn": "500100732259"}

func item(name, price, quantity, vat string, more obj) obj {
	it := obj{"name": name, "price": price, "quantity": quantity, "vat": vat}
	for k, v := range more {
		it[k] = v
	}
	return it
}

func receipt(payments obj, items ...obj) obj {
	return obj{"cashier": cashier, "items": items, "payments": payments}
}

func (d *demo) morning() error {
	d.scene("Утро: открываем смену, размен в ящик")
	if err := d.call(d.tills[0], fiscal.VerbShiftOpen, "Иванова А.", obj{"cashier": cashier}); err != nil {
		return err
	}
	return d.call(d.tills[0], fiscal.VerbCashIn, "5000.00", obj{"amount": "5000.00", "cashier": cashier})
}

func (d *demo) sales() error {
	d.scene("Торгуем на двух кассах")
	for _, s := range []struct {
		till int
		verb fiscal.Verb
		what string
		body obj
	}{
		{0, fiscal.VerbSale, "наличные со сдачей", receipt(obj{"cash": "1500.00"}, item("Чайник", "1220.00", "1", "vat22", nil))},
		{1, fiscal.VerbSale, "карта, вес", receipt(obj{"card": "#"},
			item("Тыква", "99.99", "2.474", "vat10", obj{"unit": "kg"}), item("Арбуз", "34.99", "7.445", "vat10", obj{"unit": "kg"}))},
		{0, fiscal.VerbSale, "скидка 10 %, карта 1000 и остаток наличными", receipt(obj{"card": "1000.00", "cash": "#"},
			item("Куртка", "2345.67", "1", "vat22", obj{"discount": obj{"percent": "10"}}))},
		{1, fiscal.VerbRefund, "возврат тыквы", receipt(obj{"card": "#"}, item("Тыква", "99.99", "1.018", "vat10", obj{"unit": "kg"}))},
	} {
		if err := d.call(d.tills[s.till], s.verb, s.what, s.body); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) cable() error {
	d.scene("Кабель выдернули посреди закрытия чека: принтер хранит ответ, демон за ним возвращается")
	d.front.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.Call{When: printer.After, Do: func(p *printer.Printer) {
		p.PullCable()
		d.say("   ✂ кабель выдернут")
		time.AfterFunc(2*time.Second, func() {
			d.say("   ⚯ кабель на месте")
			p.PlugCable()
		})
	}}})
	return d.call(d.tills[0], fiscal.VerbSale, "чайник, карта", receipt(obj{"card": "#"}, item("Чайник", "1220.00", "1", "vat22", nil)))
}

func (d *demo) power() error {
	d.scene("Свет погас сразу после записи в ФН: чек есть, ответа уже не будет")
	d.front.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.ExecuteThenPowerCycle{Off: 2 * time.Second}})
	if err := d.call(d.tills[0], fiscal.VerbSale, "кофе, карта", receipt(obj{"card": "#"}, item("Кофе", "250.00", "1", "vat22", nil))); err != nil {
		return err
	}
	d.scene("Свет погас до записи в ФН: чека нет, он пробивается один раз, когда свет вернулся")
	d.front.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.PowerCycleBefore{Off: 2 * time.Second}})
	return d.call(d.tills[1], fiscal.VerbSale, "хлеб, наличные", receipt(obj{"cash": "100.00"}, item("Хлеб", "65.50", "1", "vat10", nil)))
}

func (d *demo) paperOut() error {
	d.scene("Кончилась бумага: команда ждёт, кассир вставляет рулон")
	d.front.PaperOut()
	time.AfterFunc(3*time.Second, func() {
		d.say("   ▤ новый рулон")
		d.front.PaperIn()
	})
	return d.call(d.tills[0], fiscal.VerbSale, "молоко, карта", receipt(obj{"card": "#"}, item("Молоко", "89.90", "2", "vat10", nil)))
}

func (d *demo) evening() error {
	d.scene("Вечер: X-отчёт и закрытие смены")
	if err := d.call(d.tills[0], fiscal.VerbXReport, "", obj{}); err != nil {
		return err
	}
	return d.call(d.tills[0], fiscal.VerbShiftClose, "", obj{"cashier": cashier})
}

func (d *demo) compare() error {
	d.scene("Три книги: что сказано терминалам, что в журнале, что видит налоговая")
	books, err := d.shop.Books(d.ctx)
	if err != nil {
		return err
	}
	if err := books.Print(d.out); err != nil {
		return err
	}
	if bad := books.Violations(); len(bad) > 0 {
		for _, v := range bad {
			d.say("✗ %s", v)
		}
		return ErrBooks
	}
	d.say("✓ книги сходятся: ни одного потерянного и ни одного двойного документа")
	return nil
}
