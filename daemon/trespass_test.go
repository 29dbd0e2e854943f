package daemon

import (
	"fmt"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt/broker"
)

// What strangers send changes the alert once a minute at most, its size and
// the memory are bounded, and it ends when they are quiet.
func TestTrespassersAreCounted(t *testing.T) {
	t.Parallel()
	var told []string
	book := newAlertBook(func(a Alert, stands bool) {
		if a.Code != fiscal.CodeAccessDenied || a.Device != "" {
			t.Errorf("%+v", a)
		}
		told = append(told, fmt.Sprint(stands, " ", a.Detail))
	})
	tr := newTrespassers(book)
	tr.settle(time.Now())
	tr.denied(broker.Denied{User: "till2", Address: "10.0.0.7", What: "publish", Topic: "x"})
	tr.denied(broker.Denied{User: "till1", Address: "10.0.0.8", What: "connect"}) // nobody has proven to be till1
	tr.denied(broker.Denied{User: "till1", Address: "10.0.0.8", What: "connect with another MQTT than 3.1.1"})
	tr.denied(broker.Denied{User: "till\n1", Address: "10.0.0.9", What: "subscribe"})
	tr.refused("till2", fiscal.CodeNoRight)
	tr.refused("till2", fiscal.CodeBadValue) // no trespass
	now := time.Now()
	tr.settle(now)
	for i := range 10_000 {
		tr.denied(broker.Denied{Address: fmt.Sprintf("10.1.%d.%d", i/256, i%256), What: "connect"})
		tr.settle(now.Add(time.Duration(i) * time.Millisecond))
	}
	if len(tr.who) > trespassersMax+1 {
		t.Errorf("%d are kept", len(tr.who))
	}
	tr.settle(now.Add(time.Minute))
	tr.settle(now.Add(9 * time.Minute))
	tr.settle(now.Add(11 * time.Minute))
	tr.settle(now.Add(12 * time.Minute))
	want := []string{
		"true 10.0.0.8: connect 2; till2: no-right 1, publish 1; 10.0.0.9: subscribe 1",
		"true others: connect 9939; 10.0.0.8: connect 2; till2: no-right 1, publish 1; 10.0.0.9: subscribe 1; 61 more",
	}
	if len(told) != 3 || told[0] != want[0] || told[1] != want[1] || told[2][:5] != "false" {
		t.Errorf("got %q", told)
	}
	if len(tr.who) != 0 {
		t.Error("something is kept when all is quiet")
	}
}
