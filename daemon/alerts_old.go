package daemon

import (
	"errors"
	"slices"
	"sync"

	"kassad/spool"
)

// metaAlerts holds the topics of all alerts that have ever stood, so that a
// start can clear those that do not stand any more. A topic is never taken off:
// nobody knows whether a broker that was away has heard that its alert is over.
// There are no more than codes and devices.
const metaAlerts = "alerts"

// oldAlerts are the topics at which a broker may keep an alert.
type oldAlerts struct {
	mu     sync.Mutex
	topics map[string]bool
}

// clearOldAlerts removes what earlier lives may have left retained. It comes
// before anything can stand; what still does is raised again.
func (d *Daemon) clearOldAlerts() error {
	var topics []string
	err := d.spool.View(func(tx *spool.Tx) error {
		topics = nil
		_, err := tx.Meta(metaAlerts, &topics)
		return err
	})
	if err != nil {
		return err
	}
	d.old.topics = map[string]bool{}
	for _, t := range topics {
		d.old.topics[t] = true
		if err := d.state.Delete(t); err != nil {
			d.log.Error("alert not cleared", "topic", t, "err", err)
		}
	}
	return nil
}

// noteAlert remembers a topic before its alert is published there for the first
// time.
func (d *Daemon) noteAlert(topic string) {
	if !d.old.enter(topic) {
		return
	}
	err := d.spool.Update(func(tx *spool.Tx) error {
		var topics []string
		if _, err := tx.Meta(metaAlerts, &topics); err != nil || slices.Contains(topics, topic) {
			return err
		}
		return tx.PutMeta(metaAlerts, append(topics, topic))
	})
	if err != nil {
		d.old.leave(topic) // the next time, then
	}
	if err != nil && !errors.Is(err, spool.ErrClosed) {
		d.fail(err)
	}
}

// enter tells whether a topic is new.
func (o *oldAlerts) enter(topic string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := o.topics[topic]
	o.topics[topic] = true
	return !known
}

func (o *oldAlerts) leave(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.topics, topic)
}
