package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/daemon/enrol"
	"kassad/daemon/localca"
	"kassad/daemon/service"
)

// door is where terminals come in, as s reaches the world.
func (s *setup) door(cfg daemon.Config) door {
	d := newDoor(cfg, s.config)
	d.names = s.shop.host
	return d
}

// certificates makes what is missing; what is there is told.
func (s *setup) certificates(_ context.Context, cfg daemon.Config) error {
	d := s.door(cfg)
	a := d.authority()
	if cfg.Broker.CertFile == "" {
		return nil
	}
	if cfg.Broker.CertFile != a.ServerCert() {
		s.talk.say("Сертификат брокера — ваш: %s.", "The broker's certificate is yours: %s.", cfg.Broker.CertFile)
		return nil
	}
	names := d.certNames(s.answers.Host)
	served, err := localca.ReadCertificate(a.ServerCert())
	if errors.Is(err, fs.ErrNotExist) {
		return s.talk.issue(d, names)
	}
	if err != nil {
		return s.talk.fails(err, "%v", "%v", "kassad setup certs выпускает новый", "kassad setup certs makes a new one", err)
	}
	s.talk.say("Сертификат брокера уже есть, действует до %s.", "The broker's certificate is there, good until %s.", served.NotAfter.Format(time.DateOnly))
	if missing := localca.Missing(served, names); len(missing) > 0 {
		s.talk.say("В нём нет: %s. Новый: kassad setup certs.", "It does not name %s. A new one: kassad setup certs.", strings.Join(missing, ", "))
	}
	return nil
}

// certNames are those of this computer and those that were given.
func (d door) certNames(more []string) []string {
	names := slices.Clone(more)
	for _, n := range d.names.Names() {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// done says what the manager of services has done beside.
func (t *talk) done(notes []service.Note, err error) error {
	for _, n := range notes {
		fmt.Fprintln(t.out, t.of(n.Russian, n.English))
	}
	return err
}

// issue makes the authority if there is none, and the broker's certificate.
func (t *talk) issue(d door, names []string) error {
	a := d.authority()
	if err := makeFolder(a.Dir, 0o755); err != nil {
		return rightsHint(err)
	}
	made, err := a.Ensure("kassad " + d.cfg.Org + " " + d.cfg.Store)
	if err != nil {
		return rightsHint(err)
	}
	if made && len(d.cfg.Terminals) > 0 {
		t.say("Терминалы не знают нового центра: перенесите на каждый %s.", "Terminals do not know the new authority: bring %s to each.", a.CACert())
	}
	if made {
		t.say("Центр сертификации магазина создан: %s (на 10 лет). Ключ ca.key храните, никому не давайте.", "The shop's certificate authority is made: %s (for 10 years). Keep its ca.key, give it to nobody.", a.CACert())
	}
	if err := a.Issue(names); err != nil {
		return rightsHint(err)
	}
	cert, err := localca.ReadCertificate(a.ServerCert())
	if err != nil {
		return err
	}
	t.say("Сертификат брокера выпущен до %s: %s", "The broker's certificate is made, good until %s: %s", cert.NotAfter.Format(time.DateOnly), strings.Join(localca.Names(cert), ", "))
	return nil
}

type setupCerts struct {
	configFlag
	langFlag
	Host []string `help:"More names under which terminals reach this computer." placeholder:"HOST"`
}

// Help ends the help of setup certs.
func (setupCerts) Help() string {
	return `When this computer has another address or name, and before the certificate ends (kassad doctor tells, 60 days
before). The authority stays, so terminals need nothing new. The names of before are kept. Then: kassad service restart

Examples:
  kassad setup certs
  kassad setup certs --host till-pc.example --host 192.168.1.5`
}

// Run makes a new certificate.
func (c *setupCerts) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	d := newDoor(cfg, c.Config)
	if cfg.Broker.CertFile != d.authority().ServerCert() {
		return hinted{err: fmt.Errorf("broker.cert_file is %q, which setup has not made", cfg.Broker.CertFile),
			hint: "renew it where it comes from; or set cert_file and key_file of [broker] to server.crt and server.key in " + d.authority().Dir}
	}
	names := d.certNames(c.Host)
	if before, err := localca.ReadCertificate(d.authority().ServerCert()); err == nil {
		for _, n := range localca.Names(before) {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	t := newTalk(c.language(os.Getenv), nil, e.stdout)
	if err := t.issue(d, names); err != nil {
		return err
	}
	if err := t.admit(cfg, c.Config); err != nil {
		return err
	}
	if daemonRuns(e, cfg) {
		t.say("Теперь: kassad service restart", "Now: kassad service restart")
	}
	return nil
}

// admit lets the service read what was made, if there is one.
func (t *talk) admit(cfg daemon.Config, config string) error {
	flag := serviceFlag{Name: service.DefaultName}
	opt, err := settings(cfg, config)
	if err != nil {
		return err
	}
	m, err := flag.manager(opt)
	if errors.Is(err, service.ErrNoManager) {
		return nil
	}
	if err != nil {
		return err
	}
	notes, err := m.Admit()
	return t.done(notes, flag.hint(err))
}

// terminals lets in those that were named and are not there.
func (s *setup) terminals(_ context.Context, cfg daemon.Config) error {
	if !cfg.Broker.Enabled || cfg.Broker.UsersFile == "" {
		s.talk.say("Имён терминалов брокер не спрашивает (broker.users_file не задан).", "The broker asks for no names of terminals (broker.users_file is not set).")
		return nil
	}
	d := s.door(cfg)
	users, err := d.users()
	if err != nil {
		return err
	}
	there := terminalNames(cfg, users)
	if len(there) > 0 {
		s.talk.say("Терминалы уже есть: %s.", "Terminals that are there: %s.", strings.Join(there, ", "))
	}
	if len(there) > 0 && s.force {
		s.talk.say("Если адрес или сертификат брокера теперь другой, каждому нужна новая карточка: kassad terminal add ИМЯ --new-password",
			"If the broker's address or certificate is another one now, each needs a new card: kassad terminal add NAME --new-password")
	}
	wanted := s.answers.Terminal
	if len(wanted) == 0 && len(there) == 0 && s.talk.in != nil {
		name, err := s.talk.ask(s.talk.of("Имя первой кассы (- — не сейчас)", "Name of the first till (- for none now)"), "till1", func(v string) error {
			if v == "-" {
				return nil
			}
			return d.may(v, users, false)
		})
		if err != nil {
			return err
		}
		if name != "-" {
			wanted = []string{name}
		}
	}
	for _, name := range wanted {
		if slices.Contains(there, name) && slices.Contains(enrol.Users(users), name) {
			continue
		}
		if err := s.letIn(name); err != nil {
			return err
		}
	}
	s.talk.say("Ещё одна касса: kassad terminal add ИМЯ", "One more till: kassad terminal add NAME")
	return nil
}

func (s *setup) letIn(name string) error {
	cfg, err := daemon.LoadConfig(s.config) // with the terminal before this one
	if err != nil {
		return err
	}
	d := s.door(cfg)
	host := d.host()
	if listen, _, err := net.SplitHostPort(cfg.Broker.Listen); err == nil && !isLoopbackListen(cfg.Broker.Listen) && len(s.answers.Host) > 0 {
		if ip := net.ParseIP(listen); ip == nil || ip.IsUnspecified() {
			host = s.answers.Host[0]
		}
	}
	card, err := d.add(name, nil, host, false)
	if err != nil {
		return err
	}
	if err := d.writeCard(card, d.cardDir(name)); err != nil {
		return err
	}
	showCard(s.talk, card, d.cardDir(name), true)
	return nil
}

// testPrint prints a few lines after a yes.
func (s *setup) testPrint(ctx context.Context, cfg daemon.Config) error {
	if s.printer == nil || len(cfg.Devices) == 0 {
		return nil
	}
	want := s.answers.TestPrint
	if !want {
		var err error
		if want, err = s.talk.yes(s.talk.of("Напечатать проверочные строки (не чек)?", "Print a few test lines (no receipt)?"), true); err != nil || !want {
			return err
		}
	}
	device := cfg.Devices[0]
	device.Address = s.printer.address
	err := s.shop.print(ctx, device, []string{"kassad", "Проверка печати. Не чек.", time.Now().Format("02.01.2006 15:04")})
	if err != nil {
		return s.talk.fails(err, "проверка печати: %v", "test print: %v", "посмотрите бумагу и крышку; подробнее — kassad doctor. Настройка записана, дальше снова: kassad setup",
			"look at paper and cover; kassad doctor tells more. The configuration is written, so: kassad setup", err)
	}
	s.talk.say("Напечатано.", "Printed.")
	return nil
}

// service installs and starts after a yes.
func (s *setup) service(_ context.Context, cfg daemon.Config) error {
	opt, err := settings(cfg, s.config)
	if err != nil {
		return err
	}
	flag := serviceFlag{Name: service.DefaultName}
	m, err := s.shop.manager(opt)
	if errors.Is(err, service.ErrNoManager) && !s.answers.Service {
		s.talk.say("Службу здесь установить нельзя (%v): kassad run --config %s", "No service can be installed here (%v): kassad run --config %s", err, s.config)
		return nil
	}
	if err != nil {
		return flag.hint(err)
	}
	state, err := m.Status()
	if err != nil {
		return flag.hint(err)
	}
	if state.State == service.StateRunning {
		notes, err := m.Admit()
		if err := s.talk.done(notes, flag.hint(err)); err != nil {
			return err
		}
		s.talk.say("Служба установлена и работает. После изменений: kassad service restart", "The service is installed and runs. After changes: kassad service restart")
		return nil
	}
	want := s.answers.Service || s.paused != nil
	if state.State != service.StateAbsent && state.State != service.StateStopped {
		s.talk.say("Служба установлена, но не обслуживает: %s%s", "The service is installed and does not serve: %s%s", state.State, serviceDetail(state))
	}
	if !want {
		question := s.talk.of("Установить службу и запустить её?", "Install the service and start it?")
		if state.State != service.StateAbsent {
			question = s.talk.of("Служба установлена и не работает. Запустить её?", "The service is installed and does not run. Start it?")
		}
		if want, err = s.talk.yes(question, true); err != nil {
			return err
		}
	}
	if !want {
		s.talk.say("Служба не запущена. Позже: kassad service install, kassad service start", "The service does not run. Later: kassad service install, kassad service start")
		return nil
	}
	notes, err := m.Install()
	if err := s.talk.done(notes, flag.hint(err)); err != nil {
		return err
	}
	if _, err := m.Start(); err != nil {
		return flag.hint(err)
	}
	s.paused = nil
	s.talk.say("Служба установлена и работает.", "The service is installed and runs.")
	return nil
}
