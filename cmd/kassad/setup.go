package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"kassad/daemon"
	"kassad/daemon/strict"
)

type setupCommand struct {
	Run   setupRun   `cmd:"" default:"withargs" help:"All of the first hour, or what is left of it."`
	Certs setupCerts `cmd:"" help:"Make a new certificate of the broker; terminals need nothing new."`
}

// Help ends the help of setup.
func (setupCommand) Help() string {
	return `kassad setup is kassad setup run; kassad setup run --help lists the answers that flags can give.

Examples:
  kassad setup
  kassad setup --lang en
  kassad setup certs`
}

// Where the terminals are.
const (
	reachHere = "here"
	reachLAN  = "lan"
)

// setupAnswers are the answers that a person would give. The keys of an answers
// file are the names of the flags, with _ for -.
type setupAnswers struct {
	Org      string   `toml:"org" help:"Organization, a level of the topics." placeholder:"NAME"`
	Store    string   `toml:"store" help:"Store, a level of the topics." placeholder:"NAME"`
	Node     string   `toml:"node" help:"This computer, a level of the topics." placeholder:"NAME"`
	DataDir  string   `toml:"data_dir" help:"Where the journal is." placeholder:"DIR"`
	Address  string   `toml:"address" help:"Address of the printer; without it the printer is looked for." placeholder:"ADDR"`
	Serial   string   `toml:"serial" help:"Serial number of the printer, where there are several." placeholder:"N"`
	Password uint32   `toml:"password" help:"Password of the printer's administrator, if it is not 30." placeholder:"N"`
	Taxation string   `toml:"taxation" help:"Taxation of receipts that name none; without it the printer's own." placeholder:"NAME"`
	Reach    string   `toml:"reach" help:"Terminals are on this computer (here) or in the shop's network (lan)." enum:"here,lan," default:"" placeholder:"here"`
	Listen   string   `toml:"listen" help:"Where the broker listens, if not on the usual port." placeholder:"HOST:PORT"`
	Host     []string `toml:"host" help:"More names under which terminals reach this computer; the first goes to terminals." placeholder:"HOST"`
	Terminal []string `toml:"terminal" help:"Terminals to let in." placeholder:"NAME"`

	TestPrint bool `toml:"test_print" help:"Print a few lines that are not fiscal."`
	Service   bool `toml:"service" help:"Install the service and start it."`
}

type setupRun struct {
	configFlag
	langFlag
	setupAnswers `group:"Answers:"`
	Answers      string `help:"TOML with answers under the names of the flags; nothing is asked." placeholder:"FILE"`
	Yes          bool   `short:"y" help:"Ask nothing: what no flag answers is the default."`
	Force        bool   `help:"Write a new configuration in the place of one that is there; the old one is kept beside it."`
}

// Help ends the help of setup run.
func (setupRun) Help() string {
	return `Finds the printer, asks what it must, writes the configuration, makes certificates and passwords of terminals,
prints a test and installs the service, each only after a yes. May be repeated: what is there stays and is told.
Without a terminal to ask on, --yes or --answers must be given; then a test is printed and the service installed only
where --test-print and --service say so. Clouds are no part of it: docs/lifepay.md, docs/bifit.md.

Examples:
  kassad setup
  kassad setup --lang en
  kassad setup --yes --reach lan --terminal till1 --terminal till2 --service
  kassad setup --answers answers.toml`
}

// merge lets flags win over the file.
func (c *setupRun) merge() (setupAnswers, error) {
	a := c.setupAnswers
	if c.Answers == "" {
		return a, nil
	}
	text, err := os.ReadFile(c.Answers)
	if err != nil {
		return a, hinted{err: err, hint: "--answers names a file that is there and that you may read; its keys are the names of the flags: kassad setup run --help", status: exitUsage}
	}
	var file setupAnswers
	if err := strict.Decode(text, &file); err != nil {
		return a, hinted{err: fmt.Errorf("%s: %w", c.Answers, err), hint: "the keys are the names of the flags: kassad setup run --help"}
	}
	for _, s := range []struct{ flag, file *string }{
		{&a.Org, &file.Org}, {&a.Store, &file.Store}, {&a.Node, &file.Node}, {&a.DataDir, &file.DataDir}, {&a.Address, &file.Address},
		{&a.Serial, &file.Serial}, {&a.Taxation, &file.Taxation}, {&a.Reach, &file.Reach}, {&a.Listen, &file.Listen},
	} {
		if *s.flag == "" {
			*s.flag = *s.file
		}
	}
	if a.Password == 0 {
		a.Password = file.Password
	}
	if len(a.Host) == 0 {
		a.Host = file.Host
	}
	if len(a.Terminal) == 0 {
		a.Terminal = file.Terminal
	}
	a.TestPrint, a.Service = a.TestPrint || file.TestPrint, a.Service || file.Service
	if a.Reach != "" && a.Reach != reachHere && a.Reach != reachLAN {
		return a, hinted{err: fmt.Errorf("%s: reach = %q", c.Answers, a.Reach), hint: "here or lan", status: exitUsage}
	}
	return a, nil
}

// Run goes through the first hour.
func (c *setupRun) Run(e *env) error {
	answers, err := c.merge()
	if err == nil {
		err = answers.tidy()
	}
	if err != nil {
		return err
	}
	in, canAsk := onTerminal(e.stdin)
	switch {
	case c.Yes || c.Answers != "":
		in = nil
	case !canAsk:
		return hinted{err: errors.New("nobody is there to be asked: the input is no terminal"), hint: "kassad setup --yes, or --answers FILE", status: exitUsage}
	}
	s := &setup{
		env: e, talk: newTalk(c.language(os.Getenv), in, e.stdout), answers: answers,
		config: c.Config, force: c.Force, shop: thisShop(),
	}
	return s.run(e.ctx)
}

// setup is one walk through the first hour.
type setup struct {
	env     *env
	talk    *talk
	answers setupAnswers
	config  string
	force   bool
	shop    shop
	printer *printerFacts  // that was found
	paused  serviceManager // has stopped the service for the time of the questions
}

func (s *setup) run(ctx context.Context) error {
	if s.untouched() {
		s.force = true
		if err := s.pause(); err != nil {
			return err
		}
	}
	return s.resume(s.walk(ctx))
}

func (s *setup) walk(ctx context.Context) error {
	cfg, err := daemon.LoadConfig(s.config)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !exists(s.config), s.force:
		if cfg, err = s.configure(ctx); err != nil {
			return err
		}
	case err != nil:
		if errors.Is(err, fs.ErrPermission) {
			return s.talk.fails(err, "%v", "%v", "то же с sudo (в Windows — в консоли администратора)", withRights(), err)
		}
		return s.talk.fails(err, "%v", "%v", "исправьте её (kassad config check); kassad setup --force пишет новую, а эту сохраняет",
			"mend it (kassad config check), or kassad setup --force writes a new one and keeps this one", err)
	default:
		s.present(ctx, cfg)
	}
	for _, step := range []func(context.Context, daemon.Config) error{s.certificates, s.terminals, s.testPrint, s.service} {
		if err := step(ctx, cfg); err != nil {
			return err
		}
	}
	s.talk.say("Готово. Проверить всё: kassad doctor. Как дела у ККТ и терминалов: kassad status.",
		"Done. To check everything: kassad doctor. How printers and terminals are: kassad status.")
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// present tells what is there and leaves it.
func (s *setup) present(ctx context.Context, cfg daemon.Config) {
	s.talk.say("Настройка уже есть: %s (тема %s). Она не меняется; новая — с --force.",
		"The configuration is there: %s (root %s). It stays; --force writes a new one.", s.config, cfg.Root())
	if other := s.answers.otherThan(cfg); len(other) > 0 {
		s.talk.say("НЕ применено, в настройке иначе: %s. Исправьте её сами и перезапустите службу, или начните заново: --force.",
			"NOT applied, the configuration says otherwise: %s. Change it by hand and restart the service, or begin anew: --force.", strings.Join(other, ", "))
	}
	if daemonRuns(s.env, cfg) {
		s.talk.say("Служба работает, ККТ у неё: kassad status.", "kassad runs and has the printers: kassad status.")
		return
	}
	for _, d := range cfg.Devices {
		facts, err := s.shop.inspect(ctx, d)
		if err != nil {
			s.talk.say("ККТ %s не отвечает: %v. Подробнее: kassad doctor.", "The printer %s does not answer: %v. More: kassad doctor.", d.Name, err)
			continue
		}
		s.show(facts)
		if s.printer == nil {
			s.printer = &facts
		}
	}
}

// show tells who the printer is.
func (s *setup) show(f printerFacts) {
	s.talk.say("ККТ найдена: %s\n  заводской номер  %s\n  ФН               %s\n  РН ККТ           %s\n  ФФД              %s\n  налогообложение  %s\n  адрес            %s",
		"Printer found: %s\n  serial number    %s\n  FN               %s\n  registration     %s\n  FFD              %s\n  taxation         %s\n  address          %s",
		printable(f.Model), printable(f.Serial), printable(f.Storage), printable(f.Registration), printable(f.FFD), strings.Join(taxations(f.Taxations), ", "), f.address)
}

// printable keeps words of a device from steering the screen.
func printable(s string) string { return strings.Map(visible, s) }
