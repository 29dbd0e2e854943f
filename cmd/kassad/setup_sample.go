package main

import (
	"errors"
	"os"
	"reflect"

	"kassad/daemon"
	"kassad/daemon/service"
)

// untouched tells whether the configuration says no more than the sample, which
// an installer has put there: it is nobody's work, and setup may write another.
func (s *setup) untouched() bool {
	text, err := os.ReadFile(s.config)
	if err != nil {
		return false
	}
	cfg, err := daemon.ParseConfig(text)
	sample, serr := daemon.ParseConfig([]byte(sampleConfig))
	return err == nil && serr == nil && reflect.DeepEqual(cfg, sample)
}

// pause stops a service that runs with the sample: it may have the printer that
// setup looks for.
func (s *setup) pause() error {
	flag := serviceFlag{Name: service.DefaultName}
	m, err := s.shop.manager(service.Settings{})
	if errors.Is(err, service.ErrNoManager) {
		return nil
	}
	if err != nil {
		return flag.hint(err)
	}
	state, err := m.Status()
	if err != nil || state.State == service.StateAbsent || state.State == service.StateStopped {
		return flag.hint(err)
	}
	s.talk.say("Служба работает с образцом настройки; на время вопросов она остановлена.", "The service runs with the sample configuration; it is stopped while you are asked.")
	if _, err := m.Stop(); err != nil {
		return flag.hint(err)
	}
	s.paused = m
	return nil
}

// resume starts the service again that pause has stopped, however setup ends.
func (s *setup) resume(err error) error {
	if s.paused == nil {
		return err
	}
	_, serr := s.paused.Start()
	s.paused = nil
	return errors.Join(err, serviceFlag{Name: service.DefaultName}.hint(serr))
}
