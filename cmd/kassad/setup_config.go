package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/daemon/enrol"
	"kassad/daemon/secretfile"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// Where the broker listens.
const (
	listenHere = "127.0.0.1:1883"
	listenLAN  = "0.0.0.0:8883"
)

// change is a key of the sample that gets a value.
type change struct {
	section, key string
	value        any
}

// configure asks what it must and writes the configuration.
func (s *setup) configure(ctx context.Context) (daemon.Config, error) {
	path, err := filepath.Abs(s.config)
	if err != nil {
		return daemon.Config{}, err
	}
	s.config = path
	device, err := s.device(ctx)
	if err != nil {
		return daemon.Config{}, err
	}
	changes, err := s.changes(device)
	if err != nil {
		return daemon.Config{}, err
	}
	text := sampleConfig
	for _, c := range changes {
		if text, err = enrol.SetKey(text, c.section, c.key, c.value); err != nil {
			return daemon.Config{}, err
		}
	}
	if text, err = s.keepTerminals(text); err != nil {
		return daemon.Config{}, err
	}
	cfg, err := daemon.ParseConfig([]byte(text))
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return cfg, hinted{err: err, hint: "give other answers: kassad setup run --help"}
	}
	if err := s.write(text, cfg); err != nil {
		return cfg, err
	}
	s.talk.say("Настройка записана: %s. Облачные кассы (LIFE PAY, БИФИТ) подключаются в ней потом: docs/lifepay.md, docs/bifit.md.",
		"The configuration is written: %s. Clouds (LIFE PAY, BIFIT) are added there later: docs/lifepay.md, docs/bifit.md.", s.config)
	return cfg, nil
}

// keepTerminals takes the rights of terminals over from a configuration that is
// about to be replaced: their passwords stay, too.
func (s *setup) keepTerminals(text string) (string, error) {
	before, err := os.ReadFile(s.config)
	if err != nil {
		return text, nil // there is none, or write tells
	}
	old, err := daemon.ParseConfig(before)
	if err != nil {
		s.talk.say("Прежняя настройка не читается, права терминалов из неё не взяты: kassad terminal ls", "The configuration of before cannot be read, so rights of terminals are not taken from it: kassad terminal ls")
		return text, nil
	}
	for _, name := range slices.Sorted(maps.Keys(old.Terminals)) {
		if text, err = enrol.AddTerminal(text, name, old.Terminals[name].Rights); err != nil {
			return text, err
		}
	}
	return text, nil
}

// changes are what the answers make of the sample.
func (s *setup) changes(device daemon.DeviceConfig) ([]change, error) {
	a, d := &s.answers, daemon.DefaultConfig()
	var list []change
	for _, q := range []struct{ key, answer, def, ru, en string }{
		{"org", a.Org, d.Org, "Организация (латиницей, для тем MQTT)", "Organization (for MQTT topics)"},
		{"store", a.Store, d.Store, "Магазин", "Store"},
		{"node", a.Node, d.Node, "Этот компьютер", "This computer"},
	} {
		name, err := s.answer(q.answer, q.def, q.ru, q.en, func(v string) error {
			if !mqtt.ValidName(v) {
				return errors.New(s.talk.of("от 1 до 32 знаков a–z, 0–9 и -", "1 to 32 of a-z, 0-9 and -"))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		list = append(list, change{"", q.key, name})
	}
	if a.DataDir != "" {
		list = append(list, change{"", "data_dir", a.DataDir})
	}
	broker, err := s.broker()
	if err != nil {
		return nil, err
	}
	list = append(list, broker...)
	list = append(list, change{"[[device]]", "address", device.Address})
	if device.Serial != "" {
		list = append(list, change{"[[device]]", "serial", device.Serial})
	}
	if a.Password != 0 {
		list = append(list, change{"[[device]]", "password", a.Password})
	}
	taxation, err := s.taxation()
	if err == nil && taxation != "" {
		list = append(list, change{"[[device]]", "taxation", taxation})
	}
	return list, err
}

// answer is the one that was given, or a person's.
func (s *setup) answer(given, def, ru, en string, check func(string) error) (string, error) {
	if given != "" {
		if err := check(given); err != nil {
			return "", hinted{err: fmt.Errorf("%q: %w", given, err), hint: "kassad setup run --help", status: exitUsage}
		}
		return given, nil
	}
	return s.talk.ask(s.talk.of(ru, en), def, check)
}

// broker asks where the terminals are.
func (s *setup) broker() ([]change, error) {
	reach, err := s.answer(s.answers.Reach, reachHere, "Где кассовые программы: на этом компьютере (here) или в сети магазина (lan)", "Terminals are on this computer (here) or in the shop's network (lan)",
		func(v string) error {
			if v != reachHere && v != reachLAN {
				return errors.New(s.talk.of("here или lan", "here or lan"))
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	d := newDoor(daemon.Config{}, s.config)
	list := []change{{"[broker]", "users_file", d.usersFile()}}
	listen := listenHere
	if reach == reachLAN {
		listen = listenLAN
		list = append(list, change{"[broker]", "cert_file", d.authority().ServerCert()}, change{"[broker]", "key_file", d.authority().ServerKey()})
	}
	if s.answers.Listen != "" {
		listen = s.answers.Listen
	}
	if reach == reachLAN && isLoopbackListen(listen) {
		s.talk.say("Внимание: брокер на %s слушает только этот компьютер, кассы из сети не подключатся.", "Mind: the broker on %s listens on this computer only, no terminal of the network gets in.", listen)
	}
	return append(list, change{"[broker]", "listen", listen}), nil
}

// taxation is the one of receipts that name none; "" is the printer's own.
func (s *setup) taxation() (string, error) {
	registered := []string(nil)
	if s.printer != nil && s.printer.Taxations != 0 {
		registered = taxations(s.printer.Taxations)
	}
	check := func(v string) error {
		var t fiscal.Taxation
		switch err := t.UnmarshalText([]byte(v)); {
		case v == "" || v == "-":
			return nil
		case registered != nil && !slices.Contains(registered, v):
			return errors.New(s.talk.of("ККТ зарегистрирована на: ", "the printer is registered for: ") + strings.Join(registered, ", "))
		case err != nil:
			return errors.New(s.talk.of("одно из: ", "one of: ") + strings.Join(fiscal.Vocabulary()["taxation"], ", "))
		}
		return nil
	}
	if s.answers.Taxation == "" && len(registered) < 2 {
		return "", nil // the printer has one, or is not there to be asked
	}
	v, err := s.answer(s.answers.Taxation, registered0(registered), "Налогообложение, если касса его не назвала", "Taxation of receipts that name none", check)
	if v == "-" {
		v = ""
	}
	return v, err
}

func registered0(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return list[0]
}

// write puts the configuration, the users file and the folder of data in their
// places. An old configuration is kept under a name of its own.
func (s *setup) write(text string, cfg daemon.Config) error {
	if err := makeFolder(filepath.Dir(s.config), 0o755); err != nil {
		return rightsHint(err)
	}
	if old, err := os.ReadFile(s.config); err == nil {
		kept := s.config + ".bak-" + time.Now().Format("20060102-150405")
		if err := secretfile.Create(kept, old, secretfile.Mode); err != nil {
			return rightsHint(err)
		}
		s.talk.say("Прежняя настройка сохранена: %s. Что в ней меняли вручную, перенесите сами.", "The configuration of before is kept: %s. What was changed in it by hand is for you to take over.", kept)
		if err := secretfile.Replace(s.config, []byte(text), secretfile.Mode); err != nil {
			return rightsHint(err)
		}
	} else if err := secretfile.Create(s.config, []byte(text), secretfile.Mode); err != nil {
		return rightsHint(err)
	}
	if exists(cfg.Broker.UsersFile) {
		return nil
	}
	return rightsHint(secretfile.Create(cfg.Broker.UsersFile, []byte(enrol.UsersHeader), secretfile.Mode))
}

// rightsHint says what to try when a file cannot be written.
func rightsHint(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission):
		return hinted{err: err, hint: withRights() + "; --config FILE writes elsewhere"}
	case spool.NoRoom(err):
		return hinted{err: err, hint: "make room on the disk, then the same again"}
	default:
		return hinted{err: err, hint: "look at the folder and its disk (read-only?); --config FILE writes elsewhere"}
	}
}
