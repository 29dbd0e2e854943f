package sim

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/daemon"
	"kassad/fiscal"
)

const (
	attackTime   = 4 * time.Second
	heapMoreMax  = 200 << 20 // kassad and the attacker are one process here
	heapLookTime = 20 * time.Millisecond
)

// pour sends one message again and again on many connections of till2, for
// attackTime or until each has sent most.
func (f *foe) pour(connections, most int, message []byte) {
	f.t.Helper()
	var group sync.WaitGroup
	stays := make(chan struct{}) // what is written is not yet read
	time.AfterFunc(attackTime, func() { close(stays) })
	for i := range connections {
		c, err := f.login("till2", fmt.Sprintf("foe-pour-%d", i))
		if err == nil {
			err = c.SetDeadline(time.Now().Add(attackTime))
		}
		if err != nil {
			f.t.Errorf("connection %d: %v", i, err)
			continue
		}
		group.Go(func() {
			defer c.Close()
			go func() { _, _ = io.Copy(io.Discard, c) }() // ends with the connection
			for n := 0; n < most && err == nil; n++ {
				_, err = c.Write(message)
			}
			<-stays
		})
	}
	group.Wait()
}

// heapMax looks at the heap until done, and returns how large it ever was.
func heapMax(done <-chan struct{}) (most uint64) {
	look := time.NewTicker(heapLookTime)
	defer look.Stop()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
		select {
		case <-look.C:
		case <-done:
			return most
		}
	}
}

// TestFloodOfOneName: one till's password, and what many connections of it can
// send, take neither the memory nor the time of the shop. It runs alone, for it
// measures.
func TestFloodOfOneName(t *testing.T) {
	change, _ := secured(t)
	log := &lockedBuffer{}
	s := openShop(t, Options{Log: slog.New(slog.NewTextHandler(log, nil)), Config: func(c *daemon.Config) {
		change(c)
		c.Broker.Listen, c.Broker.CertFile, c.Broker.KeyFile = "127.0.0.1:0", "", ""
	}})
	root := s.Config.Root()
	till := listenTo(t, root, s.url(), "res/till1/#", func(o *paho.ClientOptions) { o.SetUsername("till1").SetPassword("pw-till1") })
	till.ask(t, "till1", fiscal.VerbShiftOpen, "open", Request("open", obj{}), fiscal.Done)
	f := &foe{t: t, at: s.Broker, root: root}
	sales := 0
	for _, attack := range []struct {
		name              string
		connections, most int
		payload           []byte
	}{
		{"malformed", 4, 1000, []byte(strings.Repeat("{}", 50))},
		{"large", 16, 10_000, []byte(`{"v":1,"id":"` + strings.Repeat("x", 500_000) + `"}`)},
	} {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		over, sold, heap := make(chan struct{}), make(chan struct{}), make(chan uint64, 1)
		go func() {
			defer close(over)
			f.pour(attack.connections, attack.most, publish(root+"/cmd/till2/sale", attack.payload, 2))
		}()
		go func() { heap <- heapMax(sold) }()
		var slowest time.Duration
		for after := 0; after < 3; {
			id, begun := fmt.Sprintf("%s-%d", attack.name, sales), time.Now()
			till.ask(t, "till1", fiscal.VerbSale, id, Request(id, tea()), fiscal.Done)
			slowest = max(slowest, time.Since(begun))
			sales++
			select {
			case <-over:
				after++
			default:
			}
		}
		close(sold)
		more := int64(<-heap) - int64(before.HeapInuse)
		t.Logf("%s: %d sales, the slowest %v; heap +%d MB", attack.name, sales, slowest, more>>20)
		if more > heapMoreMax {
			t.Errorf("%s: %d MB", attack.name, more>>20)
		}
		if slowest > 5*time.Second {
			t.Errorf("%s: a sale took %v", attack.name, slowest)
		}
	}
	if n := strings.Count(log.String(), "link is down"); n > 0 {
		t.Errorf("kassad's own link went down %d times", n)
	}
	if got := documents(s, "front"); got != sales+2 {
		t.Errorf("%d documents after %d sales", got, sales)
	}
}
