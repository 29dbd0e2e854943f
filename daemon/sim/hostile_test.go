package sim

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/daemon"
	"kassad/fiscal"
)

// foe is a client on the LAN that keeps to no rule. It has the password of
// till2, as a till that was stolen has.
type foe struct {
	t      *testing.T
	at     string
	secure bool
	root   string
}

const (
	foePatience = time.Minute
	foeListens  = 200 * time.Millisecond
)

// dial connects from an address that is not the honest till's, where the system
// has one.
func (f *foe) dial() (net.Conn, error) {
	d := net.Dialer{Timeout: foePatience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.Dial("tcp", f.at)
	if err != nil {
		d.LocalAddr = nil
		if c, err = d.Dial("tcp", f.at); err != nil {
			return nil, err
		}
	}
	if err := c.SetDeadline(time.Now().Add(foePatience)); err != nil {
		return nil, err
	}
	if f.secure {
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true}), nil // it does not care whom it attacks
	}
	return c, nil
}

// field is a string of MQTT: two bytes of length before it.
func field(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }

// packet is a fixed header before parts.
func packet(head byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	out := []byte{head}
	for n := len(body); ; {
		b := byte(n % 128)
		if n /= 128; n > 0 {
			b |= 128
		}
		if out = append(out, b); n == 0 {
			return append(out, body...)
		}
	}
}

// hello is a CONNECT; flags beside those of name and password.
func hello(user, password, id string, flags byte, will ...[]byte) []byte {
	parts := [][]byte{field("MQTT"), {4, 0xC0 | flags, 0, 60}, field(id)}
	parts = append(parts, will...)
	return packet(0x10, append(parts, field(user), field(password))...)
}

func publish(topic string, payload []byte, flags byte) []byte {
	if flags&6 != 0 {
		return packet(0x30|flags, field(topic), []byte{0, 9}, payload)
	}
	return packet(0x30|flags, field(topic), payload)
}

func subscribe(filter string) []byte { return packet(0x82, []byte{0, 7}, field(filter), []byte{1}) }

const cleanSession = 2

// login returns a connection that was let in.
func (f *foe) login(user, id string) (net.Conn, error) {
	c, code, err := f.knock(hello(user, "pw-"+user, id, cleanSession))
	if err == nil && code != 0 {
		err = fmt.Errorf("%s is refused with %d", user, code)
	}
	return c, err
}

// knock sends the first bytes and returns the code of the CONNACK.
func (f *foe) knock(first []byte) (c net.Conn, code byte, err error) {
	if c, err = f.dial(); err != nil {
		return nil, 0, err
	}
	f.t.Cleanup(func() { _ = c.Close() })
	if _, err = c.Write(first); err != nil {
		return c, 0, err
	}
	ack := make([]byte, 4)
	if _, err = io.ReadFull(c, ack); err == nil && ack[0] != 0x20 {
		err = fmt.Errorf("the first packet is % x", ack)
	}
	return c, ack[3], err
}

// closed reads to the end of a connection; anything but an end is an error.
func closed(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return nil
}

// nonsense is said instead of a CONNECT, or behind one.
func (f *foe) nonsense() {
	f.t.Helper()
	cmd := f.root + "/cmd/till2/status"
	for what, b := range map[string][]byte{
		"HTTP":                 []byte("GET / HTTP/1.1\r\nHost: till\r\n\r\n"),
		"PUBLISH first":        publish(cmd, []byte("x"), 0),
		"length of 5 bytes":    {0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F},
		"256 MB":               {0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4},
		"another protocol":     packet(0x10, field("MQIsdp"), []byte{3, 2, 0, 60}, field("x")),
		"MQTT 5":               packet(0x10, field("MQTT"), []byte{5, 2, 0, 60, 0}, field("x")),
		"cut short":            packet(0x10, field("MQTT"), []byte{4, 0xC2, 0, 60}, []byte{0xFF, 0xFF}),
		"a name of 60 KB":      hello(strings.Repeat("a", 60_000), "x", "x", cleanSession),
		"a name with a line":   hello("till1\nlevel=ERROR", "x", "x", cleanSession),
		"password and no name": packet(0x10, field("MQTT"), []byte{4, 0x42, 0, 60}, field("x"), field("pw-till2")),
	} {
		c, err := f.dial()
		if err == nil {
			_, err = c.Write(b)
		}
		if err == nil {
			err = closed(c)
		}
		if err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
			f.t.Errorf("%s: %v", what, err)
		}
		if c != nil {
			_ = c.Close()
		}
	}
	for what, b := range map[string][]byte{
		"CONNECT twice":        hello("till2", "pw-till2", "foe", cleanSession),
		"a topic with #":       publish(f.root+"/cmd/till2/#", []byte("x"), 0),
		"a topic of no UTF-8":  publish(f.root+"/cmd/\xff\xfe", []byte("x"), 0),
		"no filter":            packet(0x82, []byte{0, 7}),
		"reserved bits":        packet(0x80, []byte{0, 7}, field(cmd), []byte{1}),
		"packet of type 15":    {0xF0, 0},
		"QoS 3":                publish(cmd, []byte("x"), 6),
		"600 KB":               publish(cmd, make([]byte, 600_000), 0),
		"topic longer than it": packet(0x30, []byte{0xFF, 0xFF}, []byte("x")),
	} {
		c, err := f.login("till2", "foe-nonsense")
		if err != nil {
			f.t.Errorf("%s: %v", what, err)
			continue
		}
		_, _ = c.Write(b) // may be closed on the way
		if err := closed(c); err != nil {
			f.t.Errorf("after %s the connection stays: %v", what, err)
		}
	}
}

// guess tries passwords, stolen sessions and wills.
func (f *foe) guess(instance string) {
	f.t.Helper()
	for i := range 30 {
		if _, code, err := f.knock(hello("till1", fmt.Sprint("guess", i), "g", cleanSession)); err == nil && code == 0 {
			f.t.Error("a guess is right")
		}
	}
	for what, first := range map[string][]byte{
		"the daemon's name":   hello("$kassad", "x", "kassad-"+instance, 0),
		"till1's name":        hello("till1", "pw-till2", "till-1", 0),
		"till1's, by no name": hello("", "", "till-1", 0),
	} {
		if _, code, err := f.knock(first); err == nil && code == 0 {
			f.t.Errorf("%s: let in", what)
		}
	}
	for _, id := range []string{"till-1", "kassad-" + instance} { // a session of its own under the id of another
		if c, code, err := f.knock(hello("till2", "pw-till2", id, 0)); err != nil || code != 0 {
			f.t.Errorf("%s: %d %v", id, code, err)
		} else if err := c.SetReadDeadline(time.Now().Add(foeListens)); err != nil {
			f.t.Error(err)
		} else if n, _ := c.Read(make([]byte, 1)); n > 0 {
			f.t.Errorf("%s: something was kept for it", id)
		}
	}
	forged := []byte(`{"v":1,"id":"forged-will","at":"` + time.Now().Format(time.RFC3339) + `","body":{}}`)
	for _, topic := range []string{"/cmd/till1/shift-close", "/res/till1/sale", "/node/state"} {
		c, code, err := f.knock(hello("till2", "pw-till2", "foe-will", cleanSession|4|0x20, field(f.root+topic), field(string(forged))))
		if err != nil || code != 0 {
			f.t.Errorf("will: %d %v", code, err)
			continue
		}
		_, _ = c.Write([]byte{0xF0, 0}) // the will is due
		_ = closed(c)
	}
}

// trespass speaks and listens where only others may.
func (f *foe) trespass() {
	f.t.Helper()
	c, err := f.login("till2", "foe-trespass")
	if err != nil {
		f.t.Error(err)
		return
	}
	forged := []byte(`{"v":1,"id":"forged","at":"` + time.Now().Format(time.RFC3339) + `","body":{"amount":"1.00"}}`)
	for _, topic := range []string{
		"/cmd/till1/cash-out", "/cmd/kassad/shift-close", "/res/till1/sale", "/res/till2/sale", "/last/till1", "/node/state", "/node/info",
		"/node/alert/paper-out", "/node/probe/x", "/spool/state", "/dev/front/state", "/dev/front/alert/paper-out", "/evt/receipt",
		"/mgmt/req/restart", "/mgmt/res/status", "/callback/lifepay", "/cmd/till2", "/cmd/till2/sale/x", "/../cmd/till1/sale",
	} {
		for _, flags := range []byte{0, 1, 2, 3, 5} { // QoS 0 to 2, retained or not
			if _, err := c.Write(publish(f.root+topic, forged, flags)); err != nil {
				f.t.Errorf("publish %s: %v", topic, err)
				return
			}
		}
	}
	for _, topic := range []string{"$SYS/broker/version", "kassad/v1/other/shop/main/cmd/till2/sale", "a"} {
		if _, err := c.Write(publish(topic, forged, 1)); err != nil {
			f.t.Error(err)
		}
	}
	_ = c.Close()
	if c, err = f.login("till2", "foe-trespass"); err != nil { // the session of before
		f.t.Error(err)
		return
	}
	for _, topic := range []string{"/cmd/till1/cash-out", "/res/till1/sale"} {
		if _, err := c.Write(publish(f.root+topic, forged, 0)); err != nil {
			f.t.Error(err)
		}
	}
	for _, filter := range []string{
		"#", "+/#", "$SYS/#", "$share/g/#", "$share/g/" + f.root + "/res/till1/#", f.root + "/#", f.root + "/res/#", f.root + "/res/+/sale",
		f.root + "/res/till1/#", f.root + "/+/till1/#", f.root + "/cmd/#", f.root + "/cmd/till1/sale", f.root + "/cmd/till2/sale",
		f.root + "/last/+", f.root + "/last/till1", f.root + "/evt/#", f.root + "/mgmt/#", f.root + "/callback/#", "kassad/#", f.root + "/res/till2/../till1/sale",
		f.root + "/res/till2/" + strings.Repeat("x", 300),
	} {
		ack := make([]byte, 5)
		if _, err = c.Write(subscribe(filter)); err == nil {
			_, err = io.ReadFull(c, ack)
		}
		granted := ack[4] != 0x80 && !strings.Contains(filter, "till2/..") // below its own place, and nothing is there
		if err != nil || ack[0] != 0x90 || granted {
			f.t.Errorf("subscribe %.100s: % x %v", filter, ack, err)
			return
		}
	}
}

// flood opens connections in silence, and keeps some that send and never read.
func (f *foe) flood() {
	f.t.Helper()
	for range 300 {
		c, err := f.dial()
		if err != nil {
			continue // it is full
		}
		f.t.Cleanup(func() { _ = c.Close() })
	}
}

func (f *foe) deluge() {
	f.t.Helper()
	for i := range 4 {
		c, err := f.login("till2", fmt.Sprintf("foe-slow-%d", i))
		if err != nil {
			continue // the flood has taken what one address may have
		}
		_, err = c.Write(subscribe(f.root + "/res/till2/#"))
		for n := 0; n < 2000 && err == nil; n++ {
			_, err = c.Write(publish(f.root+"/cmd/till1/sale", []byte(`{"v":1,"id":"forged"}`), 0))
			if err == nil && n < 300 {
				_, err = c.Write(publish(f.root+"/cmd/till2/hello", []byte(`{"v":1,"id":"`+strings.Repeat("h", 60)+`","body":{}}`), 2))
			}
		}
		if err != nil { // it is read slowly, until the patience of the foe ends
			var timeout net.Error
			if !errors.As(err, &timeout) {
				f.t.Logf("slow reader: %v", err)
			}
		}
	}
}

// TestHostileClient: a client on the LAN does all that, and the shop goes on
// selling: nothing of another's is read or written, the log stays short, and
// one alert tells of it.
func TestHostileClient(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			t.Parallel()
			change, as := secured(t)
			plain := func(c *daemon.Config) {
				change(c)
				c.Broker.Listen, c.Broker.CertFile, c.Broker.KeyFile = "127.0.0.1:0", "", ""
			}
			who, options := as, Options{Config: change}
			if !secure {
				options.Config = plain
				who = func(name string) func(*paho.ClientOptions) {
					return func(o *paho.ClientOptions) { o.SetUsername(name).SetPassword("pw-" + name) }
				}
			}
			log := &lockedBuffer{}
			options.Log = slog.New(slog.NewTextHandler(log, nil))
			s := openShop(t, options)
			url := s.url()
			if secure {
				url = s.tlsURL()
			}
			root := s.Config.Root()
			chief := listenTo(t, root, url, "#", who("petrov"))
			till := listenTo(t, root, url, "res/till1/#", who("till1"), func(o *paho.ClientOptions) {
				o.SetClientID("till-1").SetCleanSession(false)
			})
			till.ask(t, "till1", fiscal.VerbShiftOpen, "open", Request("open", obj{}), fiscal.Done)

			at := url[strings.LastIndexByte(url, '/')+1:]
			f := &foe{t: t, at: at, secure: secure, root: root}
			var node struct{ Instance string }
			if err := json.Unmarshal([]byte(chief.wait(t, "state", on("node/state", "instance")).payload), &node); err != nil {
				t.Fatal(err)
			}
			var attack sync.WaitGroup
			attack.Go(func() {
				f.nonsense()
				f.guess(node.Instance)
				f.trespass()
				f.flood()
				f.deluge()
			})
			over := make(chan struct{})
			go func() { attack.Wait(); close(over) }()
			sales := 0
			for going := true; going; {
				id := fmt.Sprintf("sale-%d", sales)
				till.ask(t, "till1", fiscal.VerbSale, id, Request(id, tea()), fiscal.Done)
				sales++
				select {
				case <-over:
					going = sales < 3
				default:
				}
			}
			listenTo(t, root, url, "res/till1/#", who("till1")) // one more may come in
			if got := documents(s, "front"); got != sales+2 {
				t.Errorf("%d documents after %d sales", got, sales)
			}
			chief.wait(t, "the alert", on("node/alert/access-denied", `"code":"access-denied"`))
			chief.wait(t, "its event", on("evt/alert", "access-denied"))
			for _, e := range []*ear{chief, till} {
				e.mu.Lock()
				for _, h := range e.all {
					if strings.Contains(h.payload, "forged") {
						t.Errorf("heard %+v", h)
					}
				}
				e.mu.Unlock()
			}
			lines := strings.Count(log.String(), "broker denied")
			t.Logf("%d sales, %d lines", sales, lines)
			if lines == 0 || lines > 400 {
				t.Errorf("%d lines of the log about it", lines)
			}
			if text := log.String(); strings.Contains(text, strings.Repeat("a", 200)) || strings.Contains(text, "\nlevel=ERROR") {
				t.Error("the foe writes the log")
			}
		})
	}
}
