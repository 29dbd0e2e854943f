package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"kassad/daemon"
	"kassad/daemon/localca"
	"kassad/daemon/service"
	"kassad/devices"
	"kassad/devices/detect"
	"kassad/devices/shtrih"
	"kassad/fiscal"
)

// inspectTimeout bounds the questions to a printer.
const inspectTimeout = 30 * time.Second

// shop is what setup does to the world. Tests have another one.
type shop struct {
	look    func(ctx context.Context, password uint32) ([]detect.Result, error)
	inspect func(ctx context.Context, d daemon.DeviceConfig) (printerFacts, error)
	print   func(ctx context.Context, d daemon.DeviceConfig, lines []string) error
	manager func(s service.Settings) (serviceManager, error)
	host    localca.Host
}

// serviceManager is the part of service.Manager that setup needs.
type serviceManager interface {
	Status() (service.Status, error)
	Install() (notes []service.Note, err error)
	Admit() (notes []service.Note, err error)
	Start() (already bool, err error)
	Stop() (already bool, err error)
}

// printerFacts are who a printer is and where.
type printerFacts struct {
	fiscal.Info
	address string
}

func thisShop() shop {
	return shop{
		look: lookAround, inspect: inspect, print: printLines, host: localca.ThisHost(),
		manager: func(s service.Settings) (serviceManager, error) {
			return serviceFlag{Name: service.DefaultName}.manager(s)
		},
	}
}

func lookAround(ctx context.Context, password uint32) ([]detect.Result, error) {
	ctx, stop := notified(ctx)
	defer stop()
	around := detect.System()
	places, err := around.Places(nil)
	if err != nil {
		return nil, err
	}
	around.Use(places)
	results := detect.Look(ctx, places, detect.Probe, shtrih.Asking{Password: password}, nil)
	return results, ctx.Err()
}

// opened calls f with the register of d.
func opened(ctx context.Context, d daemon.DeviceConfig, f func(context.Context, fiscal.Backend) error) error {
	ctx, stop := notified(ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	backend, err := devices.Open(d.Settings(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, backend), backend.Close())
}

func inspect(ctx context.Context, d daemon.DeviceConfig) (facts printerFacts, err error) {
	facts.address = d.Address
	err = opened(ctx, d, func(ctx context.Context, b fiscal.Backend) error {
		if _, err := b.Status(ctx); err != nil {
			return err
		}
		informer, ok := b.(fiscal.Informer)
		if !ok {
			return nil
		}
		facts.Info, err = informer.Info(ctx)
		return err
	})
	return facts, err
}

func printLines(ctx context.Context, d daemon.DeviceConfig, lines []string) error {
	return opened(ctx, d, func(ctx context.Context, b fiscal.Backend) error {
		if _, err := b.Status(ctx); err != nil {
			return err
		}
		p, ok := b.(fiscal.TextPrinter)
		if !ok {
			return errors.New("the device prints no text")
		}
		return p.PrintText(ctx, lines, true)
	})
}

// device is what the configuration says of the printer that setup has found,
// and of one that is still to come.
func (s *setup) device(ctx context.Context) (daemon.DeviceConfig, error) {
	d := daemon.DeviceConfig{Name: "front", Kind: devices.KindShtrihM, Address: devices.AddressAuto, Serial: s.answers.Serial, Password: s.answers.Password}.WithDefaults()
	if a := s.answers.Address; a != "" && a != devices.AddressAuto {
		d.Address = a
		return s.known(ctx, d)
	}
	s.talk.say("Ищу ККТ: порты USB и COM, несколько секунд…", "Looking for the printer on USB and COM ports, a few seconds…")
	results, err := s.shop.look(ctx, s.answers.Password)
	if err != nil {
		return d, err
	}
	var found []shtrih.Found
	for _, r := range results {
		switch {
		case r.Outcome == detect.Printer && (s.answers.Serial == "" || r.Found.Serial == s.answers.Serial):
			found = append(found, r.Found)
		case r.Outcome == detect.NoRight:
			s.talk.say("  %s: нет права открыть порт; запустите от администратора (sudo).", "  %s: no right to open the port; ask again as administrator (sudo).", r.Name())
		case r.Left == detect.InUse:
			s.talk.say("  %s: занят программой %s.", "  %s: in use by %s.", r.Name(), printable(r.Detail))
		}
	}
	if len(found) == 0 {
		return d, s.absent()
	}
	f, err := s.choose(found)
	if err != nil {
		return d, err
	}
	at := d
	at.Address = f.Address
	facts, err := s.shop.inspect(ctx, at)
	if wrong := s.wrongPassword(err); wrong != nil {
		return d, wrong
	}
	if err != nil {
		s.talk.say("ККТ %s отвечает, но о себе рассказала не всё: %v", "The printer %s answers, but has not told all of itself: %v", printable(f.Model), err)
		facts = printerFacts{Info: fiscal.Info{Model: f.Model, Serial: f.Serial, Firmware: f.Firmware}, address: f.Address}
	}
	s.show(facts)
	s.printer = &facts
	d.Serial = cmp.Or(facts.Serial, f.Serial)
	return d, nil
}

// known asks the printer at an address that was given.
func (s *setup) known(ctx context.Context, d daemon.DeviceConfig) (daemon.DeviceConfig, error) {
	facts, err := s.shop.inspect(ctx, d)
	if wrong := s.wrongPassword(err); wrong != nil {
		return d, wrong
	}
	if err != nil {
		s.talk.say("ККТ по адресу %s не отвечает: %v", "The printer at %s does not answer: %v", d.Address, err)
		return d, s.absent()
	}
	s.show(facts)
	s.printer, d.Serial = &facts, facts.Serial
	return d, nil
}

// absent lets a person go on without a printer, and stop to plug it in. The
// daemon finds it later by itself.
func (s *setup) absent() error {
	s.talk.say("ККТ не найдена. Проверьте питание и кабель; протокол ККТ — 1.0. Что на портах: kassad probe.",
		"No printer found. Check power and cable; the printer's protocol is 1.0. What is at the ports: kassad probe.")
	if s.talk.in == nil {
		s.talk.say("Настройка пишется без неё: служба найдёт ККТ, когда она появится.", "The configuration is written without it: kassad finds the printer when it is there.")
		return nil
	}
	goOn, err := s.talk.yes(s.talk.of("Продолжить без неё? Служба найдёт ККТ, когда она появится", "Go on without it? kassad finds the printer when it is there"), false)
	if err == nil && !goOn {
		err = s.talk.fails(errNoPrinter, "настройка закончена, ничего не записано", "setup ends; nothing was written",
			"подключите и включите ККТ, затем снова kassad setup", "plug the printer in, switch it on, and kassad setup again")
	}
	return err
}

var errNoPrinter = errors.New("no printer")

// vendorPassword is how a printer says that the password is wrong.
const vendorPassword = "0x4F"

// wrongPassword ends setup where the printer is there and refuses the password:
// with it in the configuration it would never answer.
func (s *setup) wrongPassword(err error) error {
	var refused *fiscal.Error
	if !errors.As(err, &refused) || refused.Vendor != vendorPassword {
		return nil
	}
	return s.talk.fails(err, "ККТ отвечает, но пароль неверный; ничего не записано", "the printer answers and refuses the password; nothing was written",
		"kassad setup --password N: пароль администратора ККТ, с завода 30 (тогда без --password)", "kassad setup --password N with that of the printer's administrator; as made it is 30, and then without --password")
}

// choose lets a person pick one of several printers.
func (s *setup) choose(found []shtrih.Found) (shtrih.Found, error) {
	if len(found) == 1 {
		return found[0], nil
	}
	for i, f := range found {
		s.talk.say("  %d. %s, заводской номер %s, %s", "  %d. %s, serial number %s, %s", i+1, printable(f.Model), printable(f.Serial), f.Address)
	}
	if s.talk.in == nil {
		return found[0], s.talk.fails(errNoAnswer, "найдено ККТ: %d", "%d printers are there",
			"назовите одну: kassad setup --serial "+found[0].Serial, "name one: kassad setup --serial "+found[0].Serial, len(found))
	}
	n := 0
	_, err := s.talk.ask(s.talk.of("Какая из них", "Which of them"), "1", func(answer string) (err error) {
		n, err = strconv.Atoi(answer)
		if err != nil || n < 1 || n > len(found) {
			return fmt.Errorf("1–%d", len(found))
		}
		return nil
	})
	if err != nil {
		return found[0], err
	}
	return found[n-1], nil
}

// taxations are the words of a mask of tag 1062.
func taxations(mask uint8) (words []string) {
	for bit := uint8(1); bit != 0; bit <<= 1 {
		if word := fiscal.Taxation(mask & bit).String(); mask&bit != 0 {
			words = append(words, word)
		}
	}
	if words == nil {
		return []string{"-"}
	}
	return words
}
