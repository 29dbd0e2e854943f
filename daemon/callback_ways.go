package daemon

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"kassad/daemon/relay"
	"kassad/fiscal"
	"kassad/mqtt"
)

// The two ways by which callbacks come in: a listener of our own, and relays
// over MQTT.

// addCallbacks prepares what the configuration says of callbacks. The backends
// are open.
func (d *Daemon) addCallbacks() error {
	base := d.cfg.callback().base(d.topics.Root())
	if base == "" {
		return nil
	}
	secret, err := callbackSecret(d.spool)
	if err != nil {
		return fmt.Errorf("callbacks: %w", err)
	}
	teller, ok := d.workers[CloudLifePay].backend.(fiscal.Teller)
	if !ok {
		return fmt.Errorf("callbacks: %s does not call back", CloudLifePay)
	}
	d.callbacks = &callbacks{
		base: base, secret: secret, store: d.journal, teller: teller, moved: d.calledBack, fail: d.fail, log: d.log,
	}
	return nil
}

// calledBack follows a record of which LIFE PAY has told: it answers.
func (d *Daemon) calledBack(r fiscal.Record) {
	d.workers[CloudLifePay].fit.worked()
	d.handOver(r)
}

// callbackURL is where LIFE PAY shall tell of doc; "" for nowhere.
func (d *Daemon) callbackURL(doc fiscal.Document) string {
	if d.callbacks == nil {
		return ""
	}
	return d.callbacks.url(doc)
}

// openDoor opens the listener for callbacks, if there is one.
func (d *Daemon) openDoor() (err error) {
	c := d.cfg.callback()
	if d.callbacks == nil || c.Listen == "" {
		return nil
	}
	d.door, err = relay.Open(relay.DoorConfig{
		Listen: c.Listen, CertFile: c.CertFile, KeyFile: c.KeyFile, Prefix: c.prefix(), Rate: callbackRate,
		Open: d.opt.Network.Listen, Knows: func(t mqtt.Topics) bool { return t == d.topics },
		Take: func(_ context.Context, _ mqtt.Topics, cb mqtt.Callback) int {
			return d.callbacks.handle(cb.Path, cb.ContentType, cb.Body)
		},
	}, d.log)
	if err != nil {
		return err
	}
	d.log.Info("listening for callbacks", "address", d.door.Addr(), "tls", c.CertFile != "")
	return nil
}

// callbackRate bounds the requests a second from one address: one shop sells no
// faster.
const callbackRate = 20

// callback takes what a relay has passed on. It is acknowledged to the broker
// only when it is stored; what nobody asked for is dropped.
func (k *desk) callback(topic mqtt.Topic, in mqtt.Incoming) {
	if k.ownClearing(in) {
		in.Ack()
		return
	}
	if in.Retained { // it would come again with each subscription
		k.clearRetained(in.Topic)
	}
	known := k.d.callbacks
	if known == nil || topic.Verb != mqtt.CallbackLifePay {
		in.Ack()
		return
	}
	c, refusal := mqtt.DecodeCallback(in.Payload)
	if refusal != nil {
		known.refuse(refusal.Error())
		in.Ack()
		return
	}
	handle := func() bool { return known.handle(c.Path, c.ContentType, c.Body) != http.StatusInternalServerError }
	k.put(c.Path, func() { k.acknowledgeStored(handle, in.Ack) })
}

// acknowledgeStored calls ack when handle has succeeded: at once, or later. Until
// then the broker keeps the callback.
func (k *desk) acknowledgeStored(handle func() bool, ack func()) {
	if handle() {
		ack()
		return
	}
	k.group.Go(func() {
		if insist(k.ctx, handle) {
			ack()
		}
	})
}

// Repeats of a callback that could not be stored. The service believes that it
// was heard and does not repeat it.
const (
	insistEvery = time.Minute
	insistMax   = 10 // then the broker brings it again with a later connection
)

// insist repeats handle until it succeeds, which is true.
func insist(ctx context.Context, handle func() bool) bool {
	again := time.NewTicker(insistEvery)
	defer again.Stop()
	for range insistMax {
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
		if handle() {
			return true
		}
	}
	return false
}

// CallbackStatus is what kassad status tells of callbacks.
type CallbackStatus struct {
	// URL is where the service calls, up to the names of the node.
	URL string `json:"url"`
	// Listen is where the daemon listens itself; absent if only relays bring callbacks.
	Listen string `json:"listen,omitempty"`
	// Heard counts the callbacks taken since the start.
	Heard uint64 `json:"heard"`
	// Refused counts those without a valid token.
	Refused uint64 `json:"refused"`
	// Unreadable counts those with a valid token and a body that says nothing.
	Unreadable uint64 `json:"unreadable"`
}

func (d *Daemon) callbackStatus() *CallbackStatus {
	if d.callbacks == nil {
		return nil
	}
	s := &CallbackStatus{
		URL: d.cfg.callback().URL, Heard: d.callbacks.heard.Load(),
		Refused: d.callbacks.refused.Load(), Unreadable: d.callbacks.unreadable.Load(),
	}
	if d.door != nil {
		s.Listen = d.door.Addr()
	}
	return s
}
