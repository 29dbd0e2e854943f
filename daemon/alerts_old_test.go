package daemon

import (
	"log/slog"
	"testing"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// aliveAgain is what a start of the daemon does about alerts, over a journal.
func aliveAgain(t *testing.T, s *spool.Spool) *Daemon {
	t.Helper()
	topics, err := mqtt.NewTopics("org", "shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{spool: s, topics: topics, state: mqtt.NewState(0), log: slog.New(slog.DiscardHandler), fatal: make(chan error, 1)}
	d.journal = &journal{spool: s, topics: topics, kick: func() {}}
	if err := d.clearOldAlerts(); err != nil {
		t.Fatal(err)
	}
	d.alerts = newAlertBook(d.alertChanged)
	return d
}

// A broker that was away when an alert ended keeps it: every later life clears
// it there, whatever else is raised first.
func TestOldAlertsAreCleared(t *testing.T) {
	t.Parallel()
	s, err := spool.Open(storePath(t.TempDir()), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first := aliveAgain(t, s)
	away, paper := first.alertTopic(Alert{Device: "front", Code: fiscal.CodePrinterAway}), first.alertTopic(Alert{Device: "front", Code: fiscal.CodePaperOut})
	first.alerts.raise("front", fiscal.CodePrinterAway, "off")
	first.alerts.raise("front", fiscal.CodePaperOut, "") // stands when the daemon dies
	first.alerts.clear("front", fiscal.CodePrinterAway)  // the broker does not hear of it
	for life := range 3 {
		d := aliveAgain(t, s)
		d.alerts.raise("", fiscal.CodeStoreRecovered, "raised before anything else")
		if !d.old.topics[away] || !d.old.topics[paper] {
			t.Errorf("life %d: %s or %s is not known", life, away, paper)
		}
		d.alerts.raise("front", fiscal.CodePaperOut, "")
		if d.state.Get(paper) == nil {
			t.Errorf("life %d: what stands is cleared", life)
		}
		if life > 0 && d.state.Get(away) != nil {
			t.Errorf("life %d: what is over stands", life)
		}
		if len(d.fatal) > 0 {
			t.Fatal(<-d.fatal)
		}
	}
}
